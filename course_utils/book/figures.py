"""How does a plotly figure become part of a page that anyone can read and steer?

The page gets the figure's title as a caption, its description for people who cannot see it, and its data; a script
(``book/_static/figures.js``) draws it. Sliders and menus, which plotly draws as pictures of controls, become the
browser's own: they work from the keyboard, with a thumb and with a screen reader.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Mapping

TITLE_ROOM = 34
"""Pixels that a title takes at the top of a figure; the caption stands in its place."""
SLIDER_ROOM = 62
"""Pixels that a slider takes at the bottom."""
PANEL_WIDTH = 165
"""Pixels under which a panel beside others cannot be read, unless the figure says how many it needs."""


def figure_html(figure: Mapping, name: str) -> str:
    """The HTML of a figure (plotly's JSON as a dictionary); ``name`` is unique on the page."""
    layout = dict(figure["layout"])
    caption = _words(layout.pop("title", {}).get("text", ""))
    meta = layout.pop("meta", None) or {}
    alt = _words(meta.get("alt", "")) or caption
    margin = dict(layout.get("margin", {}))
    taken = min(TITLE_ROOM, margin.get("t", 0))
    margin["t"] = margin.get("t", 0) - taken
    controls = [_slider(slider) for slider in layout.pop("sliders", [])]
    if controls:
        saved = min(SLIDER_ROOM, max(0, margin.get("b", 0) - 40))
        margin["b"] = margin.get("b", 0) - saved
        taken += saved
    controls += [_menu(menu) for menu in layout.pop("updatemenus", []) if menu.get("visible", True)]
    layout["margin"] = margin
    if "height" in layout:
        layout["height"] -= taken
    width = layout.pop("width", None)
    data = {"data": figure["data"], "layout": layout, "controls": controls}
    content = json.dumps(data, ensure_ascii=False, separators=(",", ":")).replace("</", "<\\/")
    least = meta.get("least") or width or PANEL_WIDTH * _panels(layout)
    style = f"--least:{least:.0f}px;--height:{layout.get('height', 380):.0f}px" + (f";--most:{width}px" if width else "")
    return (
        f'<figure class="plot" id="{name}" style="{style}">\n'
        f'<figcaption id="{name}-caption">{html.escape(caption)}</figcaption>\n'
        f'<div class="plot-scroll" role="region" aria-labelledby="{name}-caption">'
        f'<div class="plot-area" role="group" aria-label="{html.escape(alt)}"></div></div>\n'
        f"{''.join(_control(control, f'{name}-{k}') for k, control in enumerate(controls))}"
        f'<script type="application/json">{content}</script>\n</figure>\n'
    )


def _words(text: str) -> str:
    """A title without plotly's own tags."""
    return " ".join(html.unescape(re.sub(r"<br\s*/?>", " ", text).replace("<b>", "").replace("</b>", "")).split())


def _panels(layout: Mapping) -> int:
    """How many panels stand beside each other: as many as horizontal axes begin at different places."""
    starts = {next(iter(axis.get("domain", (0, 1)))) for key, axis in layout.items() if key.startswith("xaxis")}
    starts |= {
        next(iter(scene.get("domain", {}).get("x", (0, 1)))) for key, scene in layout.items() if key.startswith("scene")
    }
    return max(1, len(starts))


def _slider(slider: Mapping) -> dict:
    prefix = slider.get("currentvalue", {}).get("prefix", "").strip() or "move"
    return {"kind": "slider", "name": prefix, "active": slider.get("active", 0), "steps": _steps(slider["steps"])}


def _menu(menu: Mapping) -> dict:
    return {"kind": "menu", "name": "show", "active": menu.get("active", 0), "steps": _steps(menu["buttons"])}


def _steps(steps: list[Mapping]) -> list[dict]:
    return [{"label": _words(step["label"]), "method": step["method"], "args": step["args"]} for step in steps]


def _control(control: Mapping, name: str) -> str:
    active, steps = control["active"], control["steps"]
    if control["kind"] == "menu":
        options = "".join(
            f'<option value="{k}"{" selected" * (k == active)}>{html.escape(step["label"])}</option>'
            for k, step in enumerate(steps)
        )
        return (
            f'<div class="plot-control"><label for="{name}">{control["name"]}</label>'
            f'<select id="{name}" data-control>{options}</select></div>\n'
        )
    return (
        f'<div class="plot-control"><button type="button" class="play" aria-label="play">▶</button>'
        f'<label for="{name}">{html.escape(control["name"])} '
        f"<output>{html.escape(steps[active]['label'])}</output></label>"
        f'<input type="range" id="{name}" data-control min="0" max="{len(steps) - 1}" value="{active}" '
        f'autocomplete="off" aria-valuetext="{html.escape(steps[active]["label"])}"></div>\n'
    )
