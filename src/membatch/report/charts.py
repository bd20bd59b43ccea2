"""Charts as inline SVG, drawn by pygal: no script, no network, coloured by the page's style sheet.

Rule: a chart is a tree whose texts are escaped by its writer; scripts, styles and comments are taken out, so
that the page's strict content policy holds; each chart says in words what it shows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final
from xml.etree import ElementTree

import pygal
from pygal.style import Style

Format = Callable[[float], str]

WIDTH: Final = 480
_LABEL_PIXELS: Final = 16
_ROW_PIXELS: Final = 28
_DOTS_UP_TO: Final = 40  # points; more of them are a line
_STYLE: Final = Style(
    font_family="sans-serif",
    label_font_size=_LABEL_PIXELS,
    major_label_font_size=_LABEL_PIXELS,
    value_font_size=_LABEL_PIXELS,
)


def short(number: float) -> str:
    """Return a number in at most four digits: 12,300 as 12.3k."""
    for limit, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(number) >= limit:
            return f"{number / limit:.3g}{unit}" if abs(number) < 999.5 * limit else f"{number / limit:,.0f}{unit}"
    return f"{number:.3g}"


def line(points: Sequence[tuple[float, float]], label: str, x_format: Format, y_format: Format) -> str:
    """Return a line through points, the area below it filled, both axes from zero."""
    points = [(0.0, points[0][1]), *points] if points else []  # the first figure holds from the beginning
    chart = pygal.XY(
        **_options(height=220),
        show_dots=len(points) <= _DOTS_UP_TO,
        dots_size=2.5,
        fill=True,
        show_x_guides=False,
        range=(0, 1.05 * max([value for _, value in points], default=0) or 1),
        xrange=(0, max([place for place, _ in points], default=0) or 1),
        x_value_formatter=x_format,
        value_formatter=y_format,
        max_scale=5,
        x_label_rotation=0,
        truncate_label=-1,
    )
    chart.x_labels = _steps(points[-1][0] if points else 1)
    chart.add("", points, show_dots=False)  # the style sheet gives the first its area, the second its line
    chart.add("", points, fill=False)
    return _drawn(chart, label)


def _steps(end: float) -> list[float]:
    """Return some round places from zero to an end."""
    raw = end / 4 or 1
    power = 10.0 ** len(str(int(raw))) / 10 if raw >= 1 else 0.1
    while power > raw:
        power /= 10
    step = max(factor * power for factor in (1, 2, 5) if factor * power <= raw)
    return [round(number * step, 9) for number in range(int(end / step) + 1)]


def columns(values: Sequence[tuple[str, float]], label: str, y_format: Format = short) -> str:
    """Return upright bars side by side; where there are many, every second or third is labelled."""
    chart = pygal.Bar(
        **_options(height=220),
        value_formatter=y_format,
        max_scale=5,
        range=(0, max([value for _, value in values], default=0) or 1),
        show_minor_x_labels=False,
        x_labels_major_every=1 + (len(values) - 1) // 8,
        show_x_guides=False,
    )
    chart.x_labels = [name for name, _ in values]
    chart.add("", [value for _, value in values])
    return _drawn(chart, label)


def rows(values: Sequence[tuple[str, float]], label: str, x_format: Format = short) -> str:
    """Return lying bars one below the other, the first on top, each with its value."""
    chart = pygal.HorizontalBar(
        **_options(height=24 + _ROW_PIXELS * max(2, len(values))),
        value_formatter=x_format,
        print_values=True,
        print_values_position="top",
        show_x_labels=False,
        show_x_guides=False,
        show_y_guides=False,
        range=(0, 1.2 * max([value for _, value in values], default=0) or 1),
    )
    turned = list(reversed(values))
    chart.x_labels = [_shortened(name) for name, _ in turned]
    chart.add("", [value for _, value in turned])
    return _drawn(chart, label)


def stacked(values: Sequence[tuple[str, float]], label: str) -> str:
    """Return one lying bar that is divided into parts, each of the CSS class of its name; some must be above zero."""
    values = [(name, value) for name, value in values if value]
    chart = pygal.HorizontalStackedBar(
        **{**_options(height=40), "margin": 0, "margin_right": 0},
        value_formatter=short,
        show_x_labels=False,
        show_y_labels=False,
        show_x_guides=False,
        show_y_guides=False,
        spacing=0,
        range=(0, sum(value for _, value in values) or 1),
    )
    for name, value in values:
        chart.add(name, [value])
    tree = _tree(chart, label)
    for number, (name, value) in enumerate(values):
        for group in tree.iterfind(f".//*[@class='series serie-{number} color-{number}']"):
            group.set("class", f"series {name}")
            for title in group.iterfind(".//title"):
                title.text = f"{name}: {value:,}"
    bars = [bar for bar in tree.iter("rect") if "reactive" in bar.get("class", "")]
    left, top = float(bars[0].get("x")), float(bars[0].get("y"))
    right = max(float(bar.get("x")) + float(bar.get("width")) for bar in bars)
    tree.set("viewBox", f"{left:.2f} {top:.2f} {right - left:.2f} {float(bars[0].get('height')):.2f}")
    tree.set("preserveAspectRatio", "none")
    return _written(tree)


def _options(height: int) -> dict[str, Any]:
    return {
        "config": pygal.Config(js=(), css=(), classes=("chart",)),
        "style": _STYLE,
        "width": WIDTH,
        "height": height,
        "margin": 4,
        "margin_right": 14,
        "show_legend": False,
        "no_data_text": "",
    }


def _shortened(name: str, most: int = 26) -> str:
    return name if len(name) <= most else "…" + name[-(most - 1) :]


def _drawn(chart: Any, label: str) -> str:
    return _written(_tree(chart, label))


def _tree(chart: Any, label: str) -> Any:
    tree = chart.render_tree()
    _clean(tree)
    tree.attrib.pop("id", None)
    tree.set("role", "img")
    tree.set("aria-label", label)
    return tree


def _written(tree: Any) -> str:
    text: str = ElementTree.tostring(tree, encoding="unicode", short_empty_elements=False)
    for name in (' xmlns:xlink="http://www.w3.org/1999/xlink"', ' xmlns="http://www.w3.org/2000/svg"'):
        text = text.replace(name, "")  # a page knows what svg is
    return text


def _clean(node: Any) -> None:
    """Take out what a static page needs not, and make each bar's value what a pointer shows."""
    for child in list(node):
        name = child.tag if isinstance(child.tag, str) else "comment"
        classes = child.get("class", "")
        if name in ("comment", "defs", "script", "style", "title") or "tooltip" in classes.split():
            node.remove(child)
        elif name == "desc":
            node.remove(child)
            if classes == "value" and child.text:
                title = ElementTree.Element("title")
                title.text = child.text
                node.insert(0, title)
        else:
            child.attrib.pop("style", None)
            _clean(child)
