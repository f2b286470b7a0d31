"""Draws the README's figure from the shipped model: ``python -m tools.readme_figure``. Needs Chromium on the PATH.

Left, the mainline run's losses over training; middle, what its embedding is made of; right, what one neuron answers to
every question.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

import plotly
import plotly.graph_objects as go

from course_utils import fourier, zoo
from course_utils.errors import CourseError
from course_utils.plots import modular as figures
from course_utils.plots import style
from course_utils.tasks import modular

TARGET = Path(__file__).parent.parent / "assets" / "grokking.png"
WIDTH, HEIGHT = 1340, 360


def panels() -> list[go.Figure]:
    """The three figures, from the shipped weights and history."""
    model, p = zoo.load("modular-addition"), 113
    curves = figures.learning_curves(zoo.history("modular-addition"), "Known by heart at once, understood much later")
    curves.update_layout(width=520, height=HEIGHT, legend={"x": 0.8, "y": 0.95})
    shares = fourier.frequency_shares(model.W_E[:p], fourier.fourier_basis(p))
    spectrum = figures.spectrum({"W_E": shares}, "To the network, a number is a few waves")
    spectrum.update_layout(width=440, height=HEIGHT, showlegend=False)
    questions = modular.tokens(modular.all_pairs(p), p)
    name = "blocks.0.mlp.hook_post"
    activation = model.run_with_cache(questions, names=name)[1][name][:, -1, 26].reshape(p, p)
    neuron = style.figure("One neuron, asked every sum", "", "b", "a", width=360, height=HEIGHT)
    neuron.add_trace(style.image(activation, colorbar=False))
    neuron.update_yaxes(autorange="reversed", showgrid=False)
    neuron.update_xaxes(showgrid=False)
    return [curves, spectrum, neuron]


def main() -> None:
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        raise CourseError("Drawing the figure needs Chromium. Install it, or leave the figure as it is.")
    script = Path(plotly.__file__).parent / "package_data" / "plotly.min.js"
    parts = [f'<div style="display:inline-block" id="f{i}"></div>' for i in range(3)]
    for i, panel in enumerate(panels()):
        panel.update_layout(font={"color": "#444"}, title={"font": {"color": "#222"}})
        call = f'Plotly.newPlot("f{i}", f.data, f.layout, {{displayModeBar: false}})'
        parts.append(f"<script>{{const f = {panel.to_json()}; {call}}}</script>")
    look = "margin:0;background:white;white-space:nowrap;overflow:hidden"
    page = f'<!doctype html><meta charset="utf-8"><body style="{look}">{"".join(parts)}'
    page = page.replace("<body", f'<script src="{script.as_uri()}"></script><body', 1)
    TARGET.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        html = Path(folder) / "figure.html"
        html.write_text(page, encoding="utf-8")
        flags = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", f"--user-data-dir={folder}/profile"]
        size = [f"--window-size={WIDTH},{HEIGHT + 6}", "--virtual-time-budget=10000", f"--screenshot={TARGET}"]
        subprocess.run([browser, *flags, *size, html.as_uri()], check=True, capture_output=True)


if __name__ == "__main__":
    main()
