"""Draws the flowcharts of Mermaid that GitHub draws by itself, as SVG: boxes in layers, an arrow down for each edge."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from html import escape

from docutils import nodes
from sphinx.application import Sphinx

WIDE, HIGH, ACROSS, DOWN = 178, 44, 14, 46  # of a box, and between boxes, in pixels
_LABEL = re.compile(r'^\s*(\w+)\["(.*?)<br/>(.*?)"\]$', re.MULTILINE)
_EDGE = re.compile(r"^\s*(\w+) --> (\w+)$", re.MULTILINE)
Edges = Mapping[str, Sequence[str]]


def connect(app: Sphinx) -> None:
    """Put a drawing in the place of each block of Mermaid."""
    app.connect("doctree-read", _draw_all)


def _draw_all(_: Sphinx, tree: nodes.document) -> None:
    for block in list(tree.findall(nodes.literal_block)):
        if block.get("language") == "mermaid":
            block.replace_self(nodes.raw("", drawing(block.astext()), format="html"))


def drawing(text: str) -> str:
    """Return the SVG of a flowchart."""
    labels = {name: (title, words) for name, title, words in _LABEL.findall(text)}
    edges: dict[str, list[str]] = {name: [] for name in labels}
    for start, end in _EDGE.findall(text):
        edges[start].append(end)
    layers = _ordered(_layers(edges), edges)
    width = max(map(len, layers)) * (WIDE + ACROSS)
    places = {
        name: (
            round((width - len(layer) * (WIDE + ACROSS)) / 2 + column * (WIDE + ACROSS) + ACROSS / 2),
            row * (HIGH + DOWN) + 4,
        )
        for row, layer in enumerate(layers)
        for column, name in enumerate(layer)
    }
    height = len(layers) * (HIGH + DOWN) - DOWN + 8
    arrows = [_arrow(places[start], places[end]) for start, ends in edges.items() for end in ends]
    boxes = [_box(places[name], *labels[name]) for name in labels]
    return (
        f'<div class="drawing"><svg viewBox="0 0 {width} {height}" style="min-width: {min(width, 1000)}px" role="img">'
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        '<path d="M0 0 8 4 0 8z"/></marker></defs>' + "".join(arrows + boxes) + "</svg></div>"
    )


def _layers(edges: Edges) -> list[list[str]]:
    """Return the names by the longest way that leads to them, so that every arrow points down."""
    depth = dict.fromkeys(edges, 0)
    for _ in edges:  # as often as the longest way may be long
        for start, ends in edges.items():
            for end in ends:
                depth[end] = max(depth[end], depth[start] + 1)
    return [[name for name in edges if depth[name] == level] for level in range(max(depth.values()) + 1)]


def _ordered(layers: list[list[str]], edges: Edges) -> list[list[str]]:
    """Sort each layer by where its arrows come from, and then by where they lead to, so that fewer of them cross."""
    sources = {name: [start for start, ends in edges.items() if name in ends] for name in edges}
    for near in (sources, edges) * 4:
        place = {name: (column + 0.5) / len(layer) for layer in layers for column, name in enumerate(layer)}
        for layer in layers:
            middle = {name: _mean([place[other] for other in near[name]], place[name]) for name in layer}
            layer.sort(key=middle.__getitem__)
            place |= {name: (column + 0.5) / len(layer) for column, name in enumerate(layer)}
    return layers


def _mean(values: Sequence[float], otherwise: float) -> float:
    return sum(values) / len(values) if values else otherwise


def _arrow(start: tuple[int, int], end: tuple[int, int]) -> str:
    (x1, y1), (x2, y2) = (start[0] + WIDE // 2, start[1] + HIGH), (end[0] + WIDE // 2, end[1])
    bend = min(DOWN, (y2 - y1) // 2)
    return f'<path class="arrow" d="M{x1} {y1}C{x1} {y1 + bend} {x2} {y2 - bend} {x2} {y2}" marker-end="url(#tip)"/>'


def _box(place: tuple[int, int], title: str, words: str) -> str:
    x, y = place
    middle = x + WIDE // 2
    return (
        f'<rect x="{x}" y="{y}" width="{WIDE}" height="{HIGH}" rx="6"/>'
        f'<text x="{middle}" y="{y + 18}" class="title">{escape(title)}</text>'
        f'<text x="{middle}" y="{y + 34}">{escape(words)}</text>'
    )
