"""The pipeline as an SVG drawing, laid out here: boxes in layers, arrows between, the loop below.

The layout is the usual layered one: a box is below everything that flows into it, boxes of a layer
are ordered by where their neighbours are, arrows are curves with their keys in the middle.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from html import escape

from ppolint.reporters.graph.model import Edge, Graph, Node, short

CHARACTER, LINE = 7.1, 16  # size of a monospaced character of 11px, and of a line
MARGIN, GAP_X, GAP_Y = 24, 40, 84
MAX_COLUMNS = 46
_FILLS = {
    "environment": "#e6f2ea",
    "module": "#eef1fb",
    "collector": "#fff4dd",
    "estimator": "#f6e9f5",
    "buffer": "#fbeee6",
    "loss": "#fdeaea",
    "optimiser": "#ececec",
    "rollout": "#fff4dd",
}


@dataclass
class _Box:
    node: Node
    lines: list[tuple[str, str]]  # (class, text)
    width: float
    height: float
    layer: int = 0
    x: float = 0.0
    y: float = 0.0
    order: float = field(default=0.0)

    @property
    def centre(self) -> float:
        return self.x + self.width / 2


def render(graph: Graph) -> str:
    """A complete SVG document."""
    boxes = {node.id: _box(node) for node in graph.nodes}
    layers = _layers(graph, boxes)
    width, height = _arrange(graph, boxes, layers)
    story, story_width, story_height = _story(graph, height)
    width, height = max(width, story_width), height + story_height
    parts = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
            f'viewBox="0 0 {width:.0f} {height:.0f}" font-family="monospace" font-size="11">'
        ),
        f"<title>{escape(graph.path)}</title>",
        _STYLE,
        f'<rect width="{width:.0f}" height="{height:.0f}" fill="#ffffff"/>',
    ]
    ends = _ends(graph, boxes)
    parts += [_curve(edge, *line) for edge, line in zip(graph.edges, ends)]
    parts += [_drawn(box) for box in boxes.values()]
    parts += _labels(graph, ends)
    parts += story
    parts.append("</svg>")
    return "\n".join(p for p in parts if p) + "\n"


_STYLE = (
    "<defs>"
    '<marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" '
    'orient="auto"><path d="M0 0 L8 4 L0 8 z" fill="#555"/></marker></defs>'
    "<style>.h{font-weight:bold}.d{fill:#555}.f{fill:#b00020}"
    ".e{fill:none;stroke:#555;stroke-width:1.4}.u{stroke-dasharray:4 3;stroke-width:1}"
    ".k{fill:#1a4f8b}</style>"
)


# -- boxes ------------------------------------------------------------------------------------
def _box(node: Node) -> _Box:
    lines = [("h", t) for t in _wrap(node.heading)]
    lines += [("d", t) for detail in node.details for t in _wrap(detail)]
    lines.append(("d", str(node.place)))
    lines += [("f", t) for finding in node.findings for t in _wrap(short(finding))]
    width = max(len(text) for _, text in lines) * CHARACTER + 20
    return _Box(node, lines, width, len(lines) * LINE + 12)


def _wrap(text: str) -> list[str]:
    """Lines of at most `MAX_COLUMNS` characters, broken at spaces where there are any."""
    out: list[str] = []
    current = ""
    for word in text.split():
        if current and len(current) + 1 + len(word) > MAX_COLUMNS:
            out.append(current)
            current = word
        else:
            current = f"{current} {word}" if current else word
        while len(current) > MAX_COLUMNS:
            out.append(current[:MAX_COLUMNS])
            current = current[MAX_COLUMNS:]
    return [*out, current] if current else out or [""]


def _drawn(box: _Box) -> str:
    stroke = ("#b00020", 2) if box.node.findings else ("#777", 1)
    out = [
        (
            f'<g id="{box.node.id}"><rect x="{box.x:.1f}" y="{box.y:.1f}" width="{box.width:.1f}" '
            f'height="{box.height:.1f}" rx="6" fill="{_FILLS.get(box.node.kind, "#fff")}" '
            f'stroke="{stroke[0]}" stroke-width="{stroke[1]}"/>'
        )
    ]
    for at, (kind, text) in enumerate(box.lines):
        y = box.y + 6 + (at + 0.75) * LINE
        out.append(f'<text class="{kind}" x="{box.x + 10:.1f}" y="{y:.1f}">{escape(text)}</text>')
    return "".join(out) + "</g>"


# -- layout -----------------------------------------------------------------------------------
def _layers(graph: Graph, boxes: dict[str, _Box]) -> list[list[_Box]]:
    """Boxes by layer: each one below the lowest of what flows into it; an arrow that closes a
    cycle does not count."""
    depth: dict[str, int] = {}
    open_boxes: set[str] = set()

    def of(identity: str) -> int:
        if identity not in depth:
            open_boxes.add(identity)
            sources = [e.source for e in graph.into(identity)]
            above = [of(source) for source in sources if source not in open_boxes]
            open_boxes.discard(identity)
            depth[identity] = max(above, default=-1) + 1
        return depth[identity]

    for identity in boxes:
        of(identity)
    found = sorted(set(depth.values()))
    layers: list[list[_Box]] = [[] for _ in found]
    for identity, box in boxes.items():
        box.layer = found.index(depth[identity])
        layers[box.layer].append(box)
    return layers


def _arrange(graph: Graph, boxes: dict[str, _Box], layers: list[list[_Box]]) -> tuple[float, float]:
    """Place the boxes; returns the size of the drawing."""
    near: dict[str, list[_Box]] = {identity: [] for identity in boxes}
    for edge in graph.edges:
        near[edge.source].append(boxes[edge.target])
        near[edge.target].append(boxes[edge.source])
    for layer in layers:
        for at, box in enumerate(layer):
            box.order = at
    for _ in range(6):
        for layer in layers:
            for box in layer:
                others = [b.order / max(len(layers[b.layer]), 1) for b in near[box.node.id]]
                if others:
                    box.order = sum(others) / len(others) * len(layer)
            layer.sort(key=lambda b: b.order)
            for at, box in enumerate(layer):
                box.order = at
    widths = [sum(b.width for b in row) + GAP_X * max(len(row) - 1, 0) for row in layers]
    total = max(widths, default=200.0)
    y = float(MARGIN)
    for row, width in zip(layers, widths):
        x = MARGIN + (total - width) / 2
        for box in row:
            box.x, box.y = x, y
            x += box.width + GAP_X
        y += max(b.height for b in row) + GAP_Y
    return total + 2 * MARGIN, y - (GAP_Y if layers else 0) + MARGIN


# -- arrows -----------------------------------------------------------------------------------
_Line = tuple[float, float, float, float]


def _ends(graph: Graph, boxes: dict[str, _Box]) -> list[_Line]:
    """(x1, y1, x2, y2) of each arrow; those that meet at a box are spread along its side."""
    leaving: dict[str, list[int]] = {}
    arriving: dict[str, list[int]] = {}
    for at, edge in enumerate(graph.edges):
        leaving.setdefault(edge.source, []).append(at)
        arriving.setdefault(edge.target, []).append(at)
    for found in leaving.values():
        found.sort(key=lambda at: boxes[graph.edges[at].target].centre)
    for found in arriving.values():
        found.sort(key=lambda at: boxes[graph.edges[at].source].centre)
    out: list[_Line] = []
    for at, edge in enumerate(graph.edges):
        start, end = boxes[edge.source], boxes[edge.target]
        x1 = _spread(start, leaving[edge.source], at)
        x2 = _spread(end, arriving[edge.target], at)
        down = start.layer < end.layer
        out.append(
            (
                x1,
                start.y + start.height if down else start.y,
                x2,
                end.y if down else end.y + end.height,
            )
        )
    return out


def _spread(box: _Box, found: list[int], at: int) -> float:
    return box.x + box.width * (found.index(at) + 1) / (len(found) + 1)


def _curve(edge: Edge, x1: float, y1: float, x2: float, y2: float) -> str:
    bend = (y2 - y1) / 2
    kind = "e" if edge.kind == "data" else "e u"
    return (
        f'<path class="{kind}" marker-end="url(#tip)" d="M{x1:.1f} {y1:.1f} '
        f'C{x1:.1f} {y1 + bend:.1f} {x2:.1f} {y2 - bend:.1f} {x2:.1f} {y2:.1f}"/>'
    )


def _labels(graph: Graph, ends: list[_Line]) -> list[str]:
    """The keys on the arrows, in the gap before the box they go to; none on top of another."""
    taken: list[_Line] = []
    out: list[str] = []
    for edge, (x1, y1, x2, y2) in zip(graph.edges, ends):
        text = ", ".join(edge.labels) if edge.labels else edge.role
        lines = _wrap(text)[:2]
        width, height = max(map(len, lines)) * CHARACTER + 6, LINE * len(lines)
        step = -1 if y2 > y1 else 1
        x, y = x2 - width / 2, y2 + step * (14 + (height if step < 0 else 0))
        for _ in range(4):
            if not any(_overlap((x, y, width, height), other) for other in taken):
                break
            y += step * LINE
        taken.append((x, y, width, height))
        out.append(
            f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" '
            f'fill="#ffffff" fill-opacity="0.85"/>'
        )
        for row, line in enumerate(lines):
            out.append(
                f'<text class="k" text-anchor="middle" x="{x2:.1f}" '
                f'y="{y + (row + 0.75) * LINE:.1f}">{escape(line)}</text>'
            )
    return out


def _overlap(a: _Line, b: _Line) -> bool:
    return a[0] < b[0] + b[2] and b[0] < a[0] + a[2] and a[1] < b[1] + b[3] and b[1] < a[1] + a[3]


# -- the loop ---------------------------------------------------------------------------------
def _story(graph: Graph, top: float) -> tuple[list[str], float, float]:
    """The stories as text below the drawing: (parts, width, height)."""
    rows: list[tuple[str, str]] = []
    for chapter in graph.chapters:
        title = "the script" if chapter.name == "<module>" else chapter.name
        rows.append(("h", f"What happens in {title}"))
        for line in chapter.lines:
            notes = f"  [{', '.join(line.notes)}]" if line.notes else ""
            rows.append(("", f"{line.place.row:>5}  {'  ' * line.depth}{line.text}{notes}"))
            rows += [("f", f"       {'  ' * line.depth}^ {short(f)}") for f in line.findings]
    if graph.findings:
        rows.append(("h", "Elsewhere in the file"))
        rows += [("f", f"{f.row:>5}  {short(f)}") for f in graph.findings]
    parts = [
        f'<text class="{kind}" xml:space="preserve" x="{MARGIN}" y="{top + (at + 1) * LINE:.1f}">'
        f"{escape(text)}</text>"
        for at, (kind, text) in enumerate(rows)
    ]
    widest = max((len(text) for _, text in rows), default=0) * CHARACTER + 2 * MARGIN
    return parts, widest, (len(rows) + 2) * LINE if rows else 0.0
