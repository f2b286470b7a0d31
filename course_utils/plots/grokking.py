"""Figures about what happens inside a network while it groks."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import plotly.graph_objects as go
from jaxtyping import Float
from plotly.subplots import make_subplots
from torch import Tensor

from course_utils.plots import style
from course_utils.plots.lines import Series, colour_of, mark, values_of


def measures(
    steps: Sequence[int], panels: Mapping[str, Mapping[str, Series]], title: str, phases: Mapping[str, float]
) -> go.Figure:
    """Panels of measures over training above each other, on one axis of steps; phases end at the vertical lines.

    A panel whose name begins with "loss" gets a logarithmic axis.
    """
    fig = style.figure(title, f"Panels over training steps: {', '.join(panels)}. {title}.")
    layout = fig.layout.to_plotly_json()
    fig = make_subplots(len(panels), 1, shared_xaxes=True, vertical_spacing=0.05)
    fig.update_layout(layout)
    place = 0
    for row, (panel, lines) in enumerate(panels.items(), start=1):
        dash = "dot" if row == len(panels) else "solid"  # colours repeat below
        for name, values in lines.items():
            fig.add_scatter(
                x=list(steps), y=values_of(values), name=name, mode="lines+markers", marker={"size": 4},
                line={"color": colour_of(name, place), "width": 2, "dash": dash}, row=row, col=1,
                legendgroup=panel, legendgrouptitle_text=panel,
            )  # fmt: skip
            place += 1
        fig.update_yaxes(title_text=panel, row=row, col=1)
        if panel.startswith("loss"):
            fig.update_yaxes(**style.logarithmic(), row=row, col=1)
    fig.update_xaxes(title_text="step", row=len(panels), col=1)
    axis = {"gridcolor": style.LINE, "linecolor": style.TEXT, "zeroline": False, "showline": True}
    fig.update_xaxes(**axis)
    fig.update_yaxes(**axis)
    mark(fig, phases)
    fig.update_layout(height=190 * len(panels) + 120, legend={"groupclick": "toggleitem", "tracegroupgap": 40})
    return fig


def power_law(x: Series, y: Series, fit: tuple[float, float], title: str, x_title: str, y_title: str) -> go.Figure:
    """Measured points and the fitted line y = c·xⁿ on two logarithmic axes; ``fit`` is (n, c)."""
    exponent, factor = fit
    fig = style.figure(title, f"Points of {y_title} over {x_title} near a straight line. {title}.", x_title, y_title)
    ends = [min(values_of(x)), max(values_of(x))]
    fig.add_scatter(
        x=values_of(x), y=values_of(y), mode="markers", name="runs", marker={"size": 9, "color": style.BLUE}
    )
    fig.add_scatter(
        x=ends, y=[factor * end**exponent for end in ends], mode="lines", name=f"slope {exponent:.2f}",
        line={"color": style.GREY, "dash": "dash"},
    )  # fmt: skip
    fig.update_xaxes(type="log", tickvals=_round_numbers(ends[0], ends[1]))
    fig.update_yaxes(type="log", tickvals=_round_numbers(min(values_of(y)), max(values_of(y))))
    return fig


def _round_numbers(low: float, high: float) -> list[float]:
    """1, 2 and 5 times the powers of ten from just under ``low`` to just over ``high``."""
    exponents = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    return [m * 10.0**e for e in exponents for m in (1, 2, 5) if 0.5 * low <= m * 10.0**e <= 2 * high]


def film(
    frames: Mapping[int, tuple[Float[Tensor, "freq"], Float[Tensor, "p p"], Float[Tensor, "freq"]]],
    names: tuple[str, str, str],
    title: str,
) -> go.Figure:
    """Moments of training behind a slider: a spectrum, a table over (a, b), and another spectrum.

    Args:
        frames: by step: shares of each frequency, a table, shares of each frequency.
        names: what the three panels show.
        title: the finding.
    """
    fig = style.figure(title, f"A slider over training steps, with three panels: {', '.join(names)}.")
    layout = fig.layout.to_plotly_json()
    fig = make_subplots(1, 3, subplot_titles=list(names), horizontal_spacing=0.08)
    fig.update_layout(layout)
    for i, (first, table, second) in enumerate(frames.values()):
        for column, shares in ((1, first), (3, second)):
            fig.add_bar(
                x=list(range(1, len(shares) + 1)), y=[round(v, 5) for v in shares.tolist()], marker_color=style.BLUE,
                visible=i == 0, showlegend=False, row=1, col=column,
            )  # fmt: skip
        heat = style.image(table, colorbar=False)
        heat.update(visible=i == 0)
        fig.add_trace(heat, 1, 2)
    fig.update_layout(
        sliders=[style.slider(list(frames), 3)],
        height=430, margin={"l": 52, "r": 16, "t": 84, "b": 96},
    )  # fmt: skip
    for column, bars in (
        (1, [first for first, _, _ in frames.values()]),
        (3, [third for _, _, third in frames.values()]),
    ):
        top = max(float(values.max()) for values in bars)
        fig.update_xaxes(title_text="frequency k", row=1, col=column)
        fig.update_yaxes(range=[0, 1.05 * top], tickformat=".0%", gridcolor=style.LINE, row=1, col=column)
    fig.update_xaxes(title_text="b", showgrid=False, constrain="domain", row=1, col=2)
    fig.update_yaxes(
        title_text="a", showgrid=False, autorange="reversed", scaleanchor="x2", constrain="domain", row=1, col=2
    )
    fig.update_annotations(font={"size": 12, "color": style.TEXT})
    return fig


def histogram(
    values: Sequence[int], title: str, x_title: str, y_title: str, expected: float | None = None
) -> go.Figure:
    """How often each whole number occurs, with a dotted line at the number expected by chance."""
    fig = style.figure(title, f"Bars of how often each {x_title} occurs. {title}.", x_title, y_title, height=300)
    fig.add_bar(x=list(range(1, 57)), y=[values.count(k) for k in range(1, 57)], marker_color=style.BLUE)
    if expected is not None:
        fig.add_hline(expected, line={"dash": "dot", "color": style.RED, "width": 1.5})
    return fig
