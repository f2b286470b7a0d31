"""Do figures of Othello show the position that they were given, and say what is wrong with one that is none?"""

import json

import plotly.graph_objects as go
import pytest
import torch

from course_utils.errors import CourseError
from course_utils.plots import othello as plots
from course_utils.plots import othello_boards as draw
from course_utils.plots import othello_positions as positions
from course_utils.tasks import othello

SIZE, PLY = 6, 12
TITLE = "What is found"


@pytest.fixture(scope="module")
def played() -> dict[str, torch.Tensor]:
    """One game, a model that puts 95 percent on legal moves, and a probe that is nearly right."""
    game = othello.random_games(SIZE, 1, seed=5)
    legal, absolute = game.legal_tokens()[0], game.absolute()[0]
    shares = 0.95 * legal / legal.sum(-1, keepdim=True).clamp_min(1) + 0.05 * ~legal / (~legal).sum(-1, keepdim=True)
    beliefs = 0.9 * torch.nn.functional.one_hot(absolute.long(), 3) + 0.1 / 3
    beliefs[PLY, 0] = torch.tensor([0.1, 0.7, 0.2]) if absolute[PLY, 0] != 1 else torch.tensor([0.1, 0.2, 0.7])
    return {
        "absolutes": absolute, "moves": game.moves[0], "black_next": game.black_next[0], "legal": legal,
        "move_probabilities": shares, "beliefs": beliefs,
    }  # fmt: skip


def panel(played: dict[str, torch.Tensor], **changed: object) -> plots.Panel:
    at = {"absolute": played["absolutes"][PLY], "legal": played["legal"][PLY]}
    return plots.Panel(**(at | {"probabilities": played["move_probabilities"][PLY]} | changed))


def discs(fig: go.Figure, panel: int = 0) -> list[str]:
    """The colours of a board's discs."""
    axis = f"x{panel + 1 if panel else ''}"
    found = [shape for shape in fig.layout.shapes if shape.type == "circle" and shape.xref == axis]
    return [shape.fillcolor for shape in found[SIZE * SIZE :]]


def said(fig: go.Figure) -> str:
    return " ".join(note.text for note in fig.layout.annotations)


def after(fig: go.Figure, step: int) -> go.Figure:
    """The figure as the slider leaves it at a step."""
    boards, layout = fig.layout.sliders[0].steps[step].args
    moved = go.Figure(fig)
    for name, value in layout.items():
        place, key = name.split("].")
        kind, index = place.split("[")
        moved.layout[kind][int(index)].update({key.replace(".", "_"): value})
    for i, trace in enumerate(moved.data):
        trace.update({name: values[i] for name, values in boards.items()})
    return moved


def test_every_figure_says_what_it_shows(played):
    at = {name: value[PLY] for name, value in played.items()}
    figures = [
        plots.board(at["absolutes"], TITLE, legal=at["legal"], last=int(at["moves"])),
        plots.belief(at["absolutes"], at["beliefs"], TITLE),
        plots.game(**played, title=TITLE),
        plots.before_after({"before": panel(played)}, TITLE),
        plots.cells({"accuracy": torch.rand(36)}, TITLE),
    ]
    for fig in figures:
        assert fig.layout.title.text == TITLE
        assert TITLE in fig.layout.meta["alt"]
        assert fig.layout.width is None
        assert list(fig.layout.xaxis.ticktext) == list("abcdef")
        assert fig.layout.yaxis.range[0] > fig.layout.yaxis.range[1]  # rank 1 at the top


def test_a_board_has_its_discs_where_they_are(played):
    absolute = played["absolutes"][PLY]
    fig = plots.board(absolute, TITLE)
    assert discs(fig) == [positions.DISCS[state] for state in absolute.tolist()]
    shadow = [shape for shape in fig.layout.shapes if shape.type == "circle"][: SIZE * SIZE]
    assert [shape.opacity > 0 for shape in shadow] == (absolute > 0).tolist()
    square = int((absolute > 0).nonzero()[-1])
    disc = [shape for shape in fig.layout.shapes if shape.type == "circle"][SIZE * SIZE + square]
    assert ((disc.x0 + disc.x1) / 2, (disc.y0 + disc.y1) / 2) == pytest.approx((square % SIZE, square // SIZE))


def test_probabilities_are_written_and_illegal_ones_crossed(played):
    probabilities = torch.zeros(32)
    right = int(played["legal"][PLY].nonzero()[0])
    squares = othello.playable(SIZE)
    empty = played["absolutes"][PLY][squares] == 0
    wrong = int((~played["legal"][PLY] & empty).nonzero()[0])
    probabilities[right], probabilities[wrong] = 0.75, 0.25
    look = positions.played(played["absolutes"][PLY], SIZE, None, played["legal"][PLY], probabilities)
    assert look.labels[squares[right]] == "75" and look.labels[squares[wrong]] == "25"
    assert sum(label != "" for label in look.labels) == 2
    assert look.marks["illegal"] == [int(squares[wrong])]
    assert look.shading[squares[right]] > look.shading[squares[wrong]] > 0
    assert "empty, illegal<br>model: 25.0%" in look.hover


def test_a_wrong_belief_is_marked_and_an_unsure_one_numbered(played):
    look = positions.believed(played["absolutes"][PLY], played["beliefs"][PLY], SIZE)
    assert look.marks["wrong"] == [0]
    assert "70" in look.labels[0] and look.labels[1:] == [""] * 35
    fig = plots.belief(played["absolutes"][PLY], played["beliefs"][PLY], TITLE)
    assert "35 of 36 squares right" in said(fig)


@pytest.mark.parametrize("black, colour", [(1.0, draw.BLACK_DISC), (0.0, draw.WHITE_DISC)])
def test_a_probe_that_is_certain_sees_real_discs(black, colour):
    shares = torch.tensor([0.0, black, 1 - black]).expand(36, 3)
    assert positions.believed(torch.ones(36).long(), shares, SIZE).discs == [colour.lower()] * 36


def test_the_slider_shows_each_position(played):
    fig = plots.game(**played, title=TITLE)
    steps = fig.layout.sliders[0].steps
    plies = int((played["moves"] >= 0).sum())
    assert len(steps) == plies and steps[fig.layout.sliders[0].active].label == "12"
    for step in (0, PLY, plies - 1):
        moved = after(fig, step)
        assert discs(moved) == [positions.DISCS[state] for state in played["absolutes"][step].tolist()]
        direct = plots.game(**played, title=TITLE, start=step + 1)
        assert moved.layout.shapes == direct.layout.shapes
        assert [note.text for note in moved.layout.annotations] == [note.text for note in direct.layout.annotations]
        assert json.loads(moved.data[1].to_json()) == json.loads(direct.data[1].to_json())


def test_a_game_of_31_plies_is_a_small_file(played):
    assert len(json.dumps(plots.game(**played, title=TITLE).to_plotly_json(), default=list)) < 400_000


def test_captions_name_mover_and_next():
    game = othello.random_games(SIZE, 200, seed=1)
    passes = (game.black_next[:, 1:] == game.black_next[:, :-1]) & game.legal_tokens()[:, 1:].any(-1)
    which, ply = (passes.nonzero()[0] + torch.tensor([0, 1])).tolist()
    moves, absolute, legal = game.moves[which].tolist(), game.absolute()[which], game.legal_tokens()[which]

    def caption(t: int) -> str:
        return positions.caption(t, moves, game.black_next[which], absolute[t], legal[t], SIZE)

    name = othello.square_name(moves[0], SIZE)
    assert caption(0) == f"<b>Move 1: black plays {name}.</b> White is next."
    mover = "black" if game.black_next[which, ply] else "white"
    assert f"{mover} plays" in caption(ply) and f"has to pass: {mover} again" in caption(ply)
    last = sum(move >= 0 for move in moves) - 1
    assert "The game is over" in caption(last)


def test_nothing_is_expected_when_the_game_is_over(played):
    legal = torch.zeros_like(played["legal"])
    fig = plots.game(**(played | {"legal": legal}), title=TITLE)
    assert "no move is legal" in said(fig) and "model" not in str(fig.data[0].text)


def test_a_game_without_a_probe_has_one_board(played):
    fig = plots.game(**(played | {"beliefs": None}), title=TITLE, start=99)
    assert len(fig.data) == 1 and fig.layout.sliders[0].active == len(fig.layout.sliders[0].steps) - 1


def test_marks_of_an_intervention_add_up_to_its_error(played):
    legal, squares = played["legal"][PLY], othello.playable(SIZE)
    probabilities = played["move_probabilities"][PLY].clone()
    missed = int(legal.nonzero()[0])
    wrong = int((~legal & (played["absolutes"][PLY][squares] == 0)).nonzero()[0])
    probabilities[[missed, wrong]] = probabilities[[wrong, missed]]
    fig = plots.before_after({"after the edit": panel(played, probabilities=probabilities, edited=14, error=2)}, TITLE)
    paths = {shape.path for shape in fig.layout.shapes if shape.type == "path"}
    for kind, move in (("missed", missed), ("illegal", wrong)):
        square = int(squares[move])
        assert draw.MARKS[kind][0](square % SIZE, square // SIZE) in paths
    assert draw.MARKS["edited"][0](2, 2) in paths
    assert "<b>after the edit</b><br>error 2" in said(fig)


def test_cells_are_written_on_one_scale():
    values = torch.linspace(0.5, 0.98, 36)
    values[0] = float("nan")
    fig = plots.cells({"one": values, "two": values**2, "three": values}, TITLE, percent=True)
    assert fig.data[0].text[5][5] == "98" and fig.data[0].text[0][0] == "" and fig.data[0].z[0][0] is None
    assert fig.layout.coloraxis.cmax == pytest.approx(0.98)
    assert fig.layout.coloraxis.cmin == pytest.approx(float(values[1]) ** 2)
    fig = plots.cells({"neuron": torch.linspace(-2.0, 1.0, 36)}, TITLE, diverging=True)
    assert (fig.layout.coloraxis.cmin, fig.layout.coloraxis.cmax) == (-2.0, 2.0)
    assert fig.data[0].text[0][0] == "−2.0"


def test_numbers_that_do_not_fit_are_left_to_the_mouse():
    fig = plots.cells({name: torch.full((36,), 0.00712) for name in "abc"}, TITLE)
    assert fig.data[0].texttemplate is None and fig.data[0].customdata[0][0][1] == "0.0071"


def test_a_long_title_is_broken():
    assert plots.board(torch.zeros(36).long(), "A finding " * 12).layout.title.text.count("<br>") == 1


@pytest.mark.parametrize(
    "draws, sentence",
    [
        (lambda p: plots.board(torch.zeros(64).long(), TITLE), r"\[64\]; a 6 × 6 board has 36 squares"),
        (lambda p: plots.board(p["absolutes"], TITLE), "Choose one position"),
        (lambda p: plots.board(torch.full((36,), 3), TITLE), "0 .empty., 1 .black. and 2 .white."),
        (lambda p: plots.board(p["absolutes"][0], TITLE, last=40), "from 0 to 35"),
        (lambda p: plots.board(p["absolutes"][0], TITLE, probabilities=torch.rand(36)), "32 moves"),
        (lambda p: plots.board(p["absolutes"][0], TITLE, probabilities=torch.randn(32) * 9), "softmax"),
        (lambda p: plots.board(torch.zeros(25).long(), TITLE, size=5), "boards of side 4, 6, 8"),
        (lambda p: plots.belief(p["absolutes"][0], p["beliefs"][0].T, TITLE), r"\[36, 3\].*\[3, 36\]"),
        (lambda p: plots.belief(p["absolutes"][0], p["beliefs"][0].softmax(0), TITLE), "last dimension"),
        (lambda p: plots.game(**(p | {"legal": p["legal"][1:]}), title=TITLE), r"one entry for each ply.*legal \[31, 32\]"),
        (lambda p: plots.game(**(p | {"moves": torch.full((32,), -1)}), title=TITLE), "no moves"),
        (lambda p: plots.before_after({}, TITLE), "one to four boards"),
        (lambda p: plots.cells({"mine": torch.rand(32)}, TITLE), r"'mine'.*playable"),
        (lambda p: plots.cells({}, TITLE), "at least one"),
        (lambda p: plots.cells({"mine": torch.full((36,), float("nan"))}, TITLE), "finite"),
    ],
)  # fmt: skip
def test_what_cannot_be_drawn_is_told(played, draws, sentence):
    with pytest.raises(CourseError, match=sentence):
        draws(played)
