"""The figure of the landing page: what a network knows, and how its numbers come to lie on a circle, as it trains."""

from __future__ import annotations

import plotly.graph_objects as go
import torch
from jaxtyping import Float
from plotly.subplots import make_subplots
from torch import Tensor

from course_utils import fourier, zoo
from course_utils.plots import style

NETWORK = "modular-addition"
TITLE = "It knows its lessons at once; meanwhile, unseen by any score, the numbers arrange themselves on a circle"
START = 1000
"""The moment shown at first: everything is learnt by heart, nothing is understood."""
THIN = 5
"""One in so many logged points is drawn."""
LABELLED = 16
"""One in so many numbers is written beside its point."""


def growing_circle() -> go.Figure:
    """Losses over training with a cursor, and the embedding of every number at the cursor's step, behind a slider.

    The plane is that in which the strongest frequency of the finished network turns; it is the same at every step.
    """
    steps, history = zoo.snapshot_steps(NETWORK), zoo.history(NETWORK)
    p = zoo.entry(NETWORK).recipe.problem.task.p
    embeddings = {step: zoo.load(NETWORK, step=step).W_E[:p].detach().double() for step in steps}
    embeddings[zoo.entry(NETWORK).recipe.steps] = zoo.load(NETWORK).W_E[:p].detach().double()
    plane = _plane(embeddings[max(embeddings)])
    rings = {step: (W_E - W_E.mean(0)) @ plane for step, W_E in embeddings.items()}

    alt = "Left: training loss falls within a thousand steps, test loss only after four thousand. Right: 113 points, one "
    fig = style.figure(TITLE, alt + "for each number, spread from a heap into a circle as training goes on.")
    layout = fig.layout.to_plotly_json()
    fig = make_subplots(1, 2, column_widths=[0.56, 0.44], horizontal_spacing=0.09)
    fig.update_layout(layout)
    for name, color in (("train", style.TRAIN), ("test", style.TEST)):
        fig.add_scatter(
            x=history["step"][::THIN], y=[float(f"{v:.3g}") for v in history[f"{name}_loss"][::THIN]], mode="lines",
            name={"train": "sums it was shown", "test": "all other sums"}[name], line={"color": color, "width": 2},
            row=1, col=1,
        )  # fmt: skip
    losses = [*history["train_loss"], *history["test_loss"]]
    heights = [min(losses) / 2, max(losses) * 2]
    fig.add_scatter(
        x=[START] * 2, y=heights, mode="lines", line={"color": style.GREY, "dash": "dot"}, hoverinfo="skip",
        showlegend=False, row=1, col=1,
    )  # fmt: skip
    numbers = [str(n) if n % LABELLED == 0 else "" for n in range(p)]
    fig.add_scatter(
        **_points(rings[START]), mode="markers+text", text=numbers, textposition="top center", showlegend=False,
        marker={"color": list(range(p)), "colorscale": "Phase", "size": 7}, hovertext=list(range(p)),
        hoverinfo="text", textfont={"color": style.TEXT}, row=1, col=2,
    )  # fmt: skip
    reach = 1.18 * float(max(ring.norm(dim=1).max() for ring in rings.values()))
    bare = {"visible": False, "range": [-reach, reach]}
    fig.update_xaxes(**bare, row=1, col=2)
    fig.update_yaxes(**bare, scaleanchor="x2", row=1, col=2)
    axis = {"gridcolor": style.LINE, "linecolor": style.TEXT, "zeroline": False, "showline": True}
    fig.update_xaxes(title_text="training step", **axis, row=1, col=1)
    fig.update_yaxes(title_text="loss (nats)", **axis, **style.logarithmic(), row=1, col=1)
    fig.update_layout(
        legend={"x": 0, "y": 1.02, "xanchor": "left", "yanchor": "bottom", "orientation": "h"}, height=430,
        margin={"l": 62, "r": 12, "t": 56, "b": 110},
        sliders=[{
            "active": list(rings).index(START), "currentvalue": {"prefix": "step "},
            "steps": [
                {"label": _label(step), "method": "update", "args": [_moment(step, ring, heights), {}, [2, 3]]}
                for step, ring in rings.items()
            ],
        }],
    )  # fmt: skip
    return fig


def _plane(W_E: Float[Tensor, "p d_model"]) -> Float[Tensor, "d_model 2"]:
    """Two orthonormal directions: those along which the strongest frequency's cosine and sine are written."""
    basis = fourier.fourier_basis(len(W_E))
    k = int(fourier.frequency_shares(W_E, basis).argmax()) + 1
    return torch.linalg.qr((basis[2 * k - 1 : 2 * k + 1] @ W_E).T).Q


def _points(ring: Float[Tensor, "p 2"]) -> dict[str, list[float]]:
    x, y = ([round(v, 3) for v in column.tolist()] for column in ring.T)
    return {"x": x, "y": y}


def _moment(step: int, ring: Float[Tensor, "p 2"], heights: list[float]) -> dict[str, list]:
    points = _points(ring)
    return {"x": [[step, step], points["x"]], "y": [heights, points["y"]]}


def _label(step: int) -> str:
    """The step, and how many sums of each kind the network answers then."""
    history = zoo.history(NETWORK)
    at = min(range(len(history["step"])), key=lambda k: abs(history["step"][k] - step))
    shown, others = history["train_accuracy"][at], history["test_accuracy"][at]
    return f"{step:,}: {shown:.0%} of the sums it was shown are right, {others:.0%} of the others"
