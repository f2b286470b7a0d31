"""Figures about networks that do arithmetic modulo p."""

from __future__ import annotations

import math
from collections.abc import Sequence

import plotly.graph_objects as go
import torch
from jaxtyping import Float, Int
from plotly.subplots import make_subplots
from torch import Tensor

from course_utils.evidence import number
from course_utils.plots import style
from course_utils.training import History


def learning_curves(history: History, title: str) -> go.Figure:
    """Train and test loss over steps, on a logarithmic scale."""
    alt = (
        "Train and test loss over training steps. Train loss falls early; test loss first rises, then falls much later."
    )
    fig = style.figure(title, alt, "step", "loss (nats)")
    for part, colour in (("train", style.TRAIN), ("test", style.TEST)):
        fig.add_scatter(x=history["step"], y=history[f"{part}_loss"], name=part, line={"color": colour, "width": 2})
    fig.update_yaxes(**style.logarithmic())
    return fig


def tables(
    grids: Float[Tensor, "n p p"], names: Sequence[str], title: str, columns: int = 4, diverging: bool = False
) -> go.Figure:
    """Several functions of (a, b) as heatmaps side by side, each on its own scale."""
    rows = math.ceil(len(names) / columns)
    fig = style.figure(title, f"{len(names)} heatmaps over the inputs a and b: {', '.join(names)}.")
    layout = fig.layout.to_plotly_json()
    fig = make_subplots(rows, columns, subplot_titles=list(names), horizontal_spacing=0.05, vertical_spacing=0.13)
    fig.update_layout(layout)
    for i, grid in enumerate(grids):
        row, column = i // columns + 1, i % columns + 1
        fig.add_trace(style.image(grid, diverging=diverging, colorbar=False), row, column)
        across = f"x{i + 1 if i else ''}"
        fig.update_yaxes(
            autorange="reversed", scaleanchor=across, title_text="a" if column == 1 else "", row=row, col=column
        )
        fig.update_xaxes(title_text="b" if row == rows else "", title_standoff=2, row=row, col=column)
    fig.update_annotations(font={"size": 12, "color": style.TEXT})
    bare = {"showgrid": False, "zeroline": False, "ticks": "", "nticks": 4, "constrain": "domain"}
    fig.update_xaxes(**bare)
    fig.update_yaxes(**bare)
    side = min(300, 760 // columns)  # pixels; narrower pages make the squares smaller
    fig.update_layout(height=(side + 30) * rows + 90, margin={"l": 48, "r": 12, "t": 78, "b": 44})
    return fig


def spectrum(
    shares: dict[str, Float[Tensor, "freq"]], title: str, threshold: float | None = None, height: int = 340
) -> go.Figure:
    """Share of each frequency, for one matrix or several side by side; a dotted line at the threshold."""
    alt = f"Bars over frequencies for {', '.join(shares)}: a few tall bars stand out where the share is concentrated."
    fig = style.figure(title, alt, "frequency k", "share of the sum of squares", height=height)
    colours = [style.BLUE, style.GREY, style.ORANGE]
    for (name, values), colour in zip(shares.items(), colours, strict=False):
        fig.add_bar(x=list(range(1, len(values) + 1)), y=values.tolist(), name=name, marker_color=colour)
    if threshold is not None:
        fig.add_hline(threshold, line={"dash": "dot", "color": style.RED, "width": 1.5})
        fig.add_annotation(
            x=1, xref="paper", y=threshold, yanchor="bottom", xanchor="right", showarrow=False,
            text=f"threshold {threshold:.0%}", font={"color": style.RED, "size": 11},
        )  # fmt: skip
    fig.update_layout(barmode="group", bargap=0.15)
    fig.update_yaxes(tickformat=".1~%", rangemode="tozero")
    return fig


def spectrum_2d(power: Float[Tensor, "p p"], names: Sequence[str], title: str, top: int = 12) -> go.Figure:
    """The strongest rows and columns of a two-dimensional spectrum: component of a down, component of b across."""
    strength = power.sum(0) + power.sum(1)
    strength[0] = torch.inf  # the constant always heads the table
    chosen = strength.topk(top).indices.sort().values
    labels = [names[i] for i in chosen]
    alt = "A grid of waves in a against waves in b: only the first row, first column and diagonal blocks are bright."
    fig = style.figure(title, alt, "component of b", "component of a", height=520)
    heat = style.image(power[chosen][:, chosen].sqrt())
    heat.update(x=labels, y=labels, colorbar_title={"text": "root of the sum of squares", "side": "right"})
    fig.add_trace(heat)
    fig.update_yaxes(autorange="reversed", showgrid=False)
    fig.update_xaxes(showgrid=False, tickangle=45)
    fig.update_layout(margin={"l": 80, "b": 80})
    return fig


def neuron_clusters(
    frequency: Int[Tensor, "neuron"], explained: Float[Tensor, "neuron"], title: str, threshold: float = 0.85
) -> go.Figure:
    """Every neuron's best frequency and the share of its variance that this frequency explains."""
    alt = "Histogram of the share of each neuron's variance that one frequency explains: four in five lie near one."
    fig = style.figure(title, alt, "share of variance explained by the neuron's best frequency", "neurons")
    bins = {"size": 0.02, "start": 0, "end": 1}
    for i, k in enumerate(sorted(set(frequency[explained > threshold].tolist()))):
        values = explained[frequency == k]
        colour = style.SEQUENCE[i % len(style.SEQUENCE)]
        fig.add_histogram(x=values.tolist(), name=f"k = {k}", marker_color=colour, xbins=bins)
    known = set(frequency[explained > threshold].tolist())
    rest = torch.tensor([k not in known for k in frequency.tolist()])
    if rest.any():
        fig.add_histogram(x=explained[rest].tolist(), name="other", marker_color=style.GREY, xbins=bins)
    fig.update_layout(barmode="stack")
    fig.update_xaxes(range=[0, 1.01], tickformat=".0%")
    return fig


def margins(by_count: dict[str, Float[Tensor, "n p"]], title: str) -> go.Figure:
    """The logit against the distance d = a + b − c, for sums of more and more waves (each divided by its maximum)."""
    alt = "Sums of one, two and more cosines against distance: with more waves the peak at zero stands out further."
    fig = style.figure(title, alt, "distance a + b − c (mod p)", "logit ÷ its value at 0")
    for (name, curve), colour in zip(by_count.items(), style.SEQUENCE, strict=False):
        fig.add_scatter(y=curve.tolist(), name=name, line={"color": colour, "width": 1.6})
    return fig


def margin_by_count(counts: Sequence[int], margins: Sequence[float], title: str) -> go.Figure:
    """The margin against how many frequencies are used."""
    alt = "The margin rises steadily with the number of frequencies."
    fig = style.figure(title, alt, "number of frequencies", "margin (logits)")
    fig.add_scatter(x=list(counts), y=list(margins), mode="lines+markers", line={"color": style.BLUE})
    fig.update_xaxes(dtick=1)
    fig.update_yaxes(rangemode="tozero")
    return fig


def circles(coordinates: dict[int, Float[Tensor, "p 2"]], title: str) -> go.Figure:
    """The numbers 0 … p − 1 in each frequency's plane, coloured by their angle, each panel at its own scale."""
    columns = len(coordinates)
    p = len(next(iter(coordinates.values())))
    base = style.figure(title, "Scatter plots, one for each frequency: the numbers lie on a circle.").layout
    fig = make_subplots(1, columns, subplot_titles=[f"k = {k}" for k in coordinates], horizontal_spacing=0.04)
    fig.update_layout(base)
    for i, (k, points) in enumerate(coordinates.items(), start=1):
        fig.add_trace(
            go.Scatter(
                x=points[:, 0].tolist(), y=points[:, 1].tolist(), mode="markers", showlegend=False,
                marker={"size": 5, "color": [(k * x) % p for x in range(p)], "colorscale": "Twilight"},
                text=[str(x) for x in range(p)], hovertemplate="number %{text}<extra></extra>",
            ), 1, i,
        )  # fmt: skip
        fig.update_yaxes(scaleanchor=f"x{i if i > 1 else ''}", row=1, col=i)
    bare = {"showticklabels": False, "showgrid": False, "zeroline": False, "showline": False, "ticks": ""}
    fig.update_xaxes(**bare)
    fig.update_yaxes(**bare)
    fig.update_annotations(font={"size": 12, "color": style.TEXT})
    fig.update_layout(height=290, margin={"l": 20, "r": 20, "t": 84, "b": 20})
    return fig


def losses(values: dict[str, float], title: str) -> go.Figure:
    """Several losses on a logarithmic scale, one a line, the first on top."""
    alt = (
        "Losses on a logarithmic scale: "
        + ", ".join(f"{name} {number(value)} nats" for name, value in values.items())
        + "."
    )
    fig = style.figure(title, alt, "loss (nats)", "", height=110 + 34 * len(values))
    fig.add_scatter(
        x=list(values.values()), y=list(values), mode="markers+text", textposition="middle right",
        text=[f"  {number(value)}" for value in values.values()], marker={"size": 12, "color": style.BLUE},
    )  # fmt: skip
    low, high = math.log10(min(values.values())), math.log10(max(values.values()))
    fig.update_xaxes(**style.logarithmic(low - 0.5, high + 1.4))
    fig.update_yaxes(autorange="reversed", showgrid=False, ticks="")
    fig.update_layout(margin={"l": 190})
    return fig
