"""The house style: one palette, transparent backgrounds that read in light and dark, the same colour for the same thing.

A figure carries a sentence for people who cannot see it in ``figure.layout.meta["alt"]``; the site and exports use it.
Where it cannot be read below some width, ``figure.layout.meta["least"]`` has that width in pixels; the site scrolls it there.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go
import torch
from jaxtyping import Float
from torch import Tensor

from course_utils.evidence import number

# Okabe and Ito's palette, which people with any common kind of colour blindness can tell apart.
BLUE, ORANGE, GREEN, RED, PURPLE, SKY, GREY = (
    "#0072B2",
    "#E69F00",
    "#009E73",
    "#D55E00",
    "#CC79A7",
    "#56B4E9",
    "#7A7A7A",
)
SEQUENCE = (BLUE, ORANGE, GREEN, RED, PURPLE, SKY)
TRAIN, TEST, RESTRICTED, EXCLUDED, CONTROL = ORANGE, BLUE, GREEN, RED, GREY

# Mid-grey text and lines have a contrast of at least 4.5 to 1 on white and on JupyterLab's dark background alike.
TEXT, LINE = "#7D7D7D", "rgba(128,128,128,0.28)"
DIVERGING = [(0.0, BLUE), (0.5, "#F2F2F2"), (1.0, RED)]
SEQUENTIAL = "Viridis"


def figure(title: str, alt: str, x: str = "", y: str = "", width: int | None = None, height: int = 380) -> go.Figure:
    """An empty figure in the house style.

    It is as wide as the page unless told otherwise: JupyterLab keeps a picture of each figure in the notebook, drawn
    as wide as the cell, and a figure of a fixed width would change its shape when the notebook is opened again.

    Args:
        title: the finding, as a sentence.
        alt: what the figure shows, for a reader who cannot see it.
        x, y: axis titles with units.
        width, height: pixels; without a width the figure follows the page.
    """
    fig = go.Figure()
    fig.update_layout(
        template="none",
        title={
            "text": title,
            "font": {"size": 15, "color": TEXT},
            "x": 0,
            "xref": "paper",
            "y": 0.97,
            "yanchor": "top",
        },
        font={"color": TEXT, "size": 12},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        width=width,
        height=height,
        margin={"l": 62, "r": 20, "t": 56, "b": 48},
        legend={"bgcolor": "rgba(0,0,0,0)"},
        colorway=list(SEQUENCE),
        meta={"alt": alt},
    )
    fig.update_xaxes(title_text=x, **_axis())
    fig.update_yaxes(title_text=y, **_axis())
    return fig


def _axis() -> dict:
    return {
        "gridcolor": LINE,
        "linecolor": TEXT,
        "zeroline": False,
        "showline": True,
        "ticks": "outside",
        "tickcolor": TEXT,
        "title_standoff": 6,
    }


def logarithmic(exponents_from: float | None = None, exponents_to: float | None = None) -> dict:
    """Settings of a logarithmic axis with a tick for each power of ten, from one exponent to another if given."""
    # Plotly sets powers a quarter larger than other tick labels.
    settings = {"type": "log", "exponentformat": "power", "dtick": 1, "tickfont": {"size": 10}}
    return settings if exponents_from is None else settings | {"range": [exponents_from, exponents_to]}


def image(
    table: Float[Tensor, "rows columns"], *, diverging: bool = False, limit: float | None = None, colorbar: bool = True
) -> go.Heatmap:
    """A heatmap stored as one byte a cell: an eighth of the size of float64, and no eye sees the difference.

    Args:
        table: values; rows go down the y axis.
        diverging: colours centred at 0; otherwise from the smallest value to the largest (or from 0 to ``limit``).
        limit: the value at the end of the scale.
        colorbar: show the scale.
    """
    values = table.detach().double().cpu().numpy()
    if diverging:
        high = float(np.abs(values).max()) if limit is None else limit
        low = -high
    else:
        low, high = (float(values.min()), float(values.max())) if limit is None else (0.0, limit)
    span = (high - low) or 1.0
    levels = np.clip(np.rint((values - low) / span * 255), 0, 255).astype(np.uint8)
    ticks = torch.linspace(low, high, 3).tolist()
    return go.Heatmap(
        z=levels,
        zmin=0,
        zmax=255,
        colorscale=DIVERGING if diverging else SEQUENTIAL,
        showscale=colorbar,
        hoverinfo="x+y",
        colorbar={
            "tickvals": [0, 127.5, 255],
            "ticktext": [number(tick) for tick in ticks],
            "thickness": 12,
            "outlinewidth": 0,
            "tickfont": {"color": TEXT},
        },
    )


def slider(steps: Sequence[int], traces: int, active: int = 0) -> dict:
    """A slider through moments of training: a figure whose traces come ``traces`` a moment shows those of one.

    Args:
        steps: the training step of each moment.
        traces: how many traces belong to each.
        active: which moment is shown at first.
    """
    total = traces * len(steps)
    return {
        "steps": [
            {
                "label": f"{step:,}",
                "method": "update",
                "args": [{"visible": [traces * i <= j < traces * (i + 1) for j in range(total)]}],
            }
            for i, step in enumerate(steps)
        ],
        "active": active,
        "currentvalue": {"prefix": "step ", "font": {"color": TEXT}},
        "pad": {"t": 46},
        "font": {"color": TEXT, "size": 10},
    }
