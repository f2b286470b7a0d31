"""Do the figures of contrast-consistent search show what they were given, and say what is wrong with what they cannot?"""

from __future__ import annotations

import json
from collections.abc import Callable

import plotly.graph_objects as go
import pytest
import torch

from course_utils.errors import CourseError
from course_utils.plots import ccs, clouds, comparisons, labels, style

TITLE = "What is found"
N = 60
TRUTH, WORD = torch.arange(N) % 2 == 0, torch.arange(N) % 3 == 0
POINTS = torch.randn(N, 3, generator=torch.Generator().manual_seed(0))
GRID = torch.rand(3, 4, generator=torch.Generator().manual_seed(1))
ROWS, COLUMNS = ["CCS", "two means", "logistic regression"], ["plain", "word", "opinion", "untrained network"]


def panel(name: str = "plain pairs", **changed: object) -> clouds.Panel:
    given = {"points": POINTS[:, :2], "colour": TRUTH, "shape": WORD}
    return clouds.Panel(
        name, **(given | {"colour_names": ("good", "bad"), "shape_names": ("banana", "shed")} | changed)
    )


def column(name: str = "half", **changed: object) -> ccs.Column:
    given = {"agreement": torch.tensor([1.0, 0.99, 0.99, 0.52, 0.7]), "found": ["truth"] * 3 + ["word", "none"]}
    return ccs.Column(name, **(given | {"lowest": 3} | changed))


FIGURES: dict[str, Callable[[], go.Figure]] = {
    "cloud": lambda: clouds.cloud([panel(), panel("odd word")], TITLE),
    "cloud3": lambda: clouds.cloud3(POINTS, {"truth": TRUTH, "word": WORD}, TITLE),
    "loss_surface": lambda: ccs.loss_surface({"CCS": GRID, "other": GRID}, TITLE, {"yes": (1.0, 0.0)}),
    "seeds": lambda: ccs.seeds([column(), column("plain", found=["truth"] * 5)], TITLE),
    "grid": lambda: comparisons.grid(GRID, ROWS, COLUMNS, TITLE),
    "named_points": lambda: comparisons.named_points({"truth": (0.9, 0.2), "word": (0.9, 0.01)}, TITLE, "x", "y"),
}


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_says_what_it_shows(name):
    fig = FIGURES[name]()
    assert fig.layout.title.text == TITLE and TITLE in fig.layout.meta["alt"]
    assert fig.layout.width is None and fig.layout.paper_bgcolor == fig.layout.plot_bgcolor == "rgba(0,0,0,0)"
    assert len(fig.to_json()) < 30_000


@pytest.mark.parametrize("name", FIGURES)
def test_the_same_input_gives_the_same_figure(name):
    assert FIGURES[name]().to_json() == FIGURES[name]().to_json()


def test_a_cloud_has_each_point_in_its_kind():
    fig = clouds.cloud([panel()], TITLE)
    kinds = {trace.name: trace for trace in fig.data}
    assert list(kinds) == ["good, banana", "good, shed", "bad, banana", "bad, shed"]
    assert [round(float(x), 2) for x in POINTS[TRUTH & ~WORD, 0]] == [round(x, 2) for x in kinds["good, shed"].x]
    assert kinds["good, shed"].marker.symbol == "x-thin" and kinds["bad, banana"].marker.symbol == "circle"
    assert kinds["good, shed"].marker.color != kinds["bad, shed"].marker.color


def test_panels_with_the_same_kinds_have_one_legend():
    fig = clouds.cloud([panel(), panel("odd word")], TITLE)
    assert [trace.showlegend for trace in fig.data] == [True] * 4 + [False] * 4
    assert {trace.legend for trace in fig.data} == {"legend"}
    fig = clouds.cloud([panel(), panel("by word", colour=WORD, shape=None, colour_names=("banana", "shed"))], TITLE)
    assert all(trace.showlegend for trace in fig.data)
    assert [trace.legend for trace in fig.data] == ["legend"] * 4 + ["legend2"] * 2


def test_only_so_many_points_are_drawn():
    assert sum(len(trace.x) for trace in clouds.cloud([panel()], TITLE, most=25).data) == 25
    assert sum(len(trace.x) for trace in clouds.cloud3(POINTS, {"truth": TRUTH}, TITLE, most=25).data) == 25


def test_a_button_shows_its_feature():
    fig = clouds.cloud3(POINTS, {"truth": TRUTH, "word": WORD}, TITLE, names={"truth": ("good", "bad")})
    assert [trace.name for trace in fig.data] == ["truth: good", "truth: bad", "word: yes", "word: no"]
    assert [trace.visible for trace in fig.data] == [True, True, False, False]
    for i, button in enumerate(fig.layout.updatemenus[0].buttons):
        shown = [trace for trace, visible in zip(fig.data, button.args[0]["visible"], strict=True) if visible]
        assert [trace.name for trace in shown] == [trace.name for trace in fig.data[2 * i : 2 * i + 2]]
        assert [len(trace.x) for trace in shown] == [int((TRUTH, WORD)[i].sum()), int((~(TRUTH, WORD)[i]).sum())]


def test_losses_are_on_one_scale_and_marks_in_every_panel():
    fig = ccs.loss_surface({"CCS": GRID, "other": 2 * GRID}, TITLE, {"yes": (1.0, 0.0), "unsure": (0.5, 0.5)})
    heat = [trace for trace in fig.data if trace.type == "heatmap"]
    assert {trace.coloraxis for trace in heat} == {"coloraxis"}
    assert fig.layout.coloraxis.cmax == pytest.approx(2 * float(GRID.max()))
    assert (heat[0].dx, heat[0].dy) == pytest.approx((1 / 3, 1 / 2))  # four columns of p⁺, three rows of p⁻
    marks = [(trace.name, trace.x[0], trace.y[0], trace.xaxis) for trace in fig.data if trace.type == "scatter"]
    assert marks == [(name, x, y, axis) for axis in ("x", "x2") for name, x, y in (("yes", 1, 0), ("unsure", 0.5, 0.5))]


def test_every_start_has_its_dot_and_the_lowest_its_ring():
    fig = ccs.seeds([column(), column("plain", found=["truth"] * 5, lowest=0)], TITLE)
    dots = {trace.name: trace for trace in fig.data if trace.type == "scatter" and trace.name}
    assert dots["truth"].marker.color == style.BLUE and dots["word"].marker.color == style.ORANGE
    seen = sorted((round(x), y) for x, y in zip(dots["truth"].x, dots["truth"].y, strict=True))
    assert seen == [(0, 0.99), (0, 0.99), (0, 1.0), (1, 0.52), (1, 0.7), (1, 0.99), (1, 0.99)]
    assert len(set(zip(dots["truth"].x, dots["truth"].y, strict=True))) == 7
    assert list(dots["lowest loss"].y) == [0.52, 1.0]
    assert "word" in dots  # in the legend though its only dot is the ringed one
    filled = next(trace for trace in fig.data if trace.type == "scatter" and not trace.name)
    assert list(filled.marker.color) == [style.ORANGE, style.BLUE]


def test_shares_of_what_was_found_add_up():
    fig = ccs.seeds([column(), column("other", found=["xor"] * 5)], TITLE)
    bars = {trace.name: list(trace.y) for trace in fig.data if trace.type == "bar"}
    assert bars == {"truth": [0.6, 0], "word": [0.2, 0], "none": [0.2, 0], "xor": [0, 1]}
    hues = [trace.marker.color for trace in fig.data if trace.type == "bar"]
    assert len(set(hues)) == len(hues)


def test_a_dot_stays_in_its_column():
    crowd = column(agreement=torch.ones(50), found=["truth"] * 50, lowest=7)
    x = next(trace for trace in ccs.seeds([crowd], TITLE).data if trace.name == "truth").x
    assert len(set(x)) == 49 and min(x) > -0.45 and max(x) < 0.15


def test_a_grid_writes_percentages_and_leaves_gaps():
    values = GRID.clone()
    values[1, 2] = float("nan")
    heat = comparisons.grid(values, ROWS, COLUMNS, TITLE, chance=True).data[0]
    assert heat.z[1][2] is None and heat.text[1][2] == ""
    assert f">{100 * float(values[0, 0]):.0f}%<" in heat.text[0][0]
    assert (heat.zmin, heat.zmax) == (0.0, 1.0) and heat.colorscale[1] == (0.5, "#F2F2F2")
    assert comparisons.grid(values, ROWS, COLUMNS, TITLE, low=0.5).data[0].zmin == 0.5


def test_text_is_light_on_dark_cells_and_dark_on_light_ones():
    heat = comparisons.grid(torch.tensor([[0.0, 1.0]]), ["one"], ["low", "high"], TITLE).data[0]
    assert "#FFFFFF" in heat.text[0][0] and "#101010" in heat.text[0][1]
    heat = comparisons.grid(torch.tensor([[0.5, 1.0]]), ["one"], ["low", "high"], TITLE, chance=True).data[0]
    assert "#101010" in heat.text[0][0] and "#FFFFFF" in heat.text[0][1]


def test_column_names_are_wrapped_or_turned():
    wrapped = labels.across(["word without effect", "plain"], 200)
    assert wrapped.texts[0].count("<br>") == 1 and wrapped.angle == 0
    turned = labels.across(["contradictory", "plain"] * 6)
    assert turned.texts[0] == "contradictory" and turned.angle != 0 and turned.height > wrapped.height


def test_a_long_title_is_broken_into_lines_of_a_length():
    lines = labels.lines("A finding that needs more than one line " * 3, 80)
    assert len(lines) == 2 and max(map(len, lines)) <= 80 and abs(len(lines[0]) - len(lines[1])) < 15
    assert labels.lines("", 80) == [""] and labels.lines("a" * 99, 80) == ["a" * 99]


@pytest.mark.parametrize("width", [590, 890])
def test_names_cover_neither_points_nor_each_other(width):
    g = torch.Generator().manual_seed(3)
    points = [(x, y) for x, y in (0.05 + 0.9 * torch.rand(14, 2, generator=g) ** 0.6).tolist()]
    names = [f"a feature {i}" for i in range(14)]
    spots = labels.beside(names, points, (590, 890), 320)
    at = [(x * width, y * 320) for x, y in points]
    boxes = [labels._box(point, spot, name) for point, spot, name in zip(at, spots, names, strict=True)]
    for i, box in enumerate(boxes):
        assert box[0] >= 0 and box[1] >= 0 and box[2] <= width and box[3] <= 320
        others = boxes[:i] + [labels._dot(point, 5) for j, point in enumerate(at) if j != i]
        assert not any(labels._overlap(box, other) for other in others)


def test_named_points_on_a_logarithmic_axis():
    groups = {"trained": {"truth": (0.9, 0.1), "word": (0.8, 0.001)}, "random": {"truth": (0.6, 0.01)}}
    fig = comparisons.named_points(groups, TITLE, "decodable", "salient", logarithmic="y")
    assert [trace.name for trace in fig.data] == ["trained", "random"] and fig.data[0].showlegend
    assert sorted((note.text, note.y) for note in fig.layout.annotations) == [
        ("truth", -2),
        ("truth", -1),
        ("word", -3),
    ]
    assert fig.layout.yaxis.type == "log" and fig.layout.xaxis.type is None
    low, high = fig.layout.yaxis.range
    assert low < -3 and high > -1


def test_figures_of_a_chapter_are_small_files():
    many = torch.randn(2000, 3)
    fig = clouds.cloud(
        [panel(points=many[:, :2], colour=many[:, 0] > 0, shape=many[:, 1] > 0) for _ in range(3)], TITLE
    )
    assert len(json.dumps(fig.to_plotly_json(), default=list)) < 40_000
    fig = ccs.loss_surface({"CCS": torch.rand(61, 61), "symmetric": torch.rand(61, 61)}, TITLE)
    assert len(fig.to_json()) < 60_000


@pytest.mark.parametrize(
    "draws, sentence",
    [
        (lambda: clouds.cloud([], TITLE), "one to four panels"),
        (lambda: clouds.cloud([panel(points=POINTS)], TITLE), r"\[n, 2\]"),
        (lambda: clouds.cloud([panel(shape=WORD[:3])], TITLE), "one Boolean for each of the 60"),
        (lambda: clouds.cloud3(POINTS, {"truth": TRUTH.long()}, TITLE), "int64"),
        (lambda: clouds.cloud3(POINTS, {}, TITLE), "at least one feature"),
        (lambda: ccs.loss_surface({}, TITLE), "at least one loss"),
        (lambda: ccs.loss_surface({"CCS": torch.rand(1, 5)}, TITLE), "two rows and two columns"),
        (lambda: ccs.seeds([], TITLE), "at least one column"),
        (lambda: ccs.seeds([column(agreement=torch.tensor([0.4] * 5))], TITLE), "up_to_sign"),
        (lambda: ccs.seeds([column(found=["truth"])], TITLE), "5 agreements and 1 names"),
        (lambda: ccs.seeds([column(lowest=5)], TITLE), "start 5"),
        (lambda: comparisons.grid(GRID, ROWS[:2], COLUMNS, TITLE), "2 rows"),
        (lambda: comparisons.grid(100 * GRID, ROWS, COLUMNS, TITLE), "from 0 to 1"),
        (lambda: comparisons.grid(torch.full((3, 4), float("nan")), ROWS, COLUMNS, TITLE), "at least one"),
        (lambda: comparisons.named_points({}, TITLE, "x", "y"), "at least one point"),
        (lambda: comparisons.named_points({"a": (0.0, 1.0)}, TITLE, "x", "y", logarithmic="x"), "that of a is not"),
    ],
)
def test_what_cannot_be_drawn_is_told(draws, sentence):
    with pytest.raises(CourseError, match=sentence):
        draws()
