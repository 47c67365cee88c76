"""A Graphviz digraph."""

from __future__ import annotations

from ppolint.reporters.graph.model import Graph, short

_SHAPES = {
    "environment": "box",
    "module": "box",
    "collector": "component",
    "buffer": "cylinder",
    "estimator": "hexagon",
    "loss": "hexagon",
    "optimiser": "parallelogram",
    "rollout": "component",
}


def render(graph: Graph) -> str:
    """Solid arrows carry data, dashed ones are use; flagged boxes are red."""
    out = ["digraph pipeline {", "  rankdir=TB;", '  node [fontname="monospace", fontsize=10];']
    out.append('  edge [fontname="monospace", fontsize=9];')
    for node in graph.nodes:
        lines = [node.heading, *node.details, str(node.place), *(short(f) for f in node.findings)]
        color = ", color=red, penwidth=2" if node.findings else ""
        shape = _SHAPES.get(node.kind, "box")
        out.append(f'  {node.id} [shape={shape}{color}, label="{_lines(lines)}"];')
    for edge in graph.edges:
        words = [edge.role] if edge.kind == "uses" else []
        label = _lines([*words, *edge.labels] or [edge.role])
        dashed = ", style=dashed" if edge.kind == "uses" else ""
        out.append(f'  {edge.source} -> {edge.target} [label="{label}"{dashed}];')
    rest = [f for c in graph.chapters for ln in c.lines for f in ln.findings] + graph.findings
    if rest:
        text = _lines([f"{f.row}: {short(f)}" for f in rest])
        out.append(f'  findings [shape=note, color=red, label="{text}"];')
    out.append("}")
    return "\n".join(out) + "\n"


def _lines(lines: list[str]) -> str:
    return "".join(
        line.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ") + "\\l" for line in lines
    )
