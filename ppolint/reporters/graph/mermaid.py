"""A Mermaid flowchart: what GitHub and many editors draw in Markdown."""

from __future__ import annotations

from ppolint.reporters.graph.model import Graph, Node, short

_SHAPES = {
    "environment": ("([", "])"),
    "module": ("[", "]"),
    "collector": ("[[", "]]"),
    "buffer": ("[(", ")]"),
    "estimator": ("{{", "}}"),
    "loss": ("{{", "}}"),
    "optimiser": ("[/", "/]"),
    "rollout": ("([", "])"),
}


def render(graph: Graph) -> str:
    """A `flowchart TD`; thick arrows carry data, dotted ones are use."""
    out = ["flowchart TD"]
    for node in graph.nodes:
        opening, closing = _SHAPES.get(node.kind, ("[", "]"))
        out.append(f'    {node.id}{opening}"{_text(node)}"{closing}')
    for edge in graph.edges:
        words = [edge.role] if edge.kind == "uses" else []
        label = _escape(", ".join([*words, *edge.labels]) or edge.role)
        arrow = "==>" if edge.kind == "data" else "-.->"
        out.append(f'    {edge.source} {arrow}|"{label}"| {edge.target}')
    flagged = [n.id for n in graph.nodes if n.findings]
    if flagged:
        out.append("    classDef flagged stroke:#c00,stroke-width:3px")
        out.append(f"    class {','.join(flagged)} flagged")
    rest = [f for c in graph.chapters for ln in c.lines for f in ln.findings] + graph.findings
    if rest:
        lines = "<br/>".join(_escape(f"{f.row}: {short(f)}") for f in rest)
        out.append(f'    findings["{lines}"]')
    return "\n".join(out) + "\n"


def _text(node: Node) -> str:
    lines = [f"<b>{_escape(node.heading)}</b>", *map(_escape, node.details), str(node.place)]
    lines += [f"&#9888; {_escape(short(f))}" for f in node.findings]
    return "<br/>".join(lines)


def _escape(text: str) -> str:
    return (
        text.replace("&", "&amp;").replace("#", "&#35;").replace('"', "&quot;")
        .replace("<", "&lt;").replace(">", "&gt;").replace("\n", " ").replace("`", "'")
    )  # fmt: skip
