"""The pipeline as a tree for the terminal, then the training loop line by line."""

from __future__ import annotations

from ppolint.reporters.graph.model import Edge, Graph, Node, short
from ppolint.reporters.style import Style, printable

_WIDTH = 78


def render(graph: Graph, color: bool = False) -> str:
    """What is built, each thing below what uses it, and what happens; findings in place."""
    style = Style(color)
    out = [style.paint("bold", printable(graph.path)), ""]
    if not graph.nodes and not graph.chapters:
        out.append("No TorchRL pipeline is visible in this file.")
    drawn: set[str] = set()
    sources = {edge.source for edge in graph.edges}
    roots = [n for n in graph.nodes if n.id not in sources]
    for node in roots or graph.nodes[:1]:
        _branch(graph, node, None, "", "", drawn, out, style)
        out.append("")
    for node in graph.nodes:
        if node.id not in drawn:
            _branch(graph, node, None, "", "", drawn, out, style)
            out.append("")
    for chapter in graph.chapters:
        title = "the script" if chapter.name == "<module>" else chapter.name
        out.append(style.paint("bold", f"What happens in {title}"))
        for line in chapter.lines:
            notes = style.paint("dim", f"  [{', '.join(line.notes)}]") if line.notes else ""
            indent = "  " * line.depth
            row = style.paint("dim", f"{line.place.row:>6}")
            out.append(f"{row}  {indent}{printable(line.text)}{notes}")
            for finding in line.findings:
                out.append(
                    f"        {indent}{style.severity(finding.severity, '^ ' + short(finding))}"
                )
        out.append("")
    if graph.findings:
        out.append(style.paint("bold", "Elsewhere in the file"))
        for finding in graph.findings:
            text = style.severity(finding.severity, short(finding))
            out.append(f"{finding.row:>6}  {text}")
        out.append("")
    return "\n".join(out).rstrip("\n") + "\n"


def _branch(
    graph: Graph,
    node: Node,
    edge: Edge | None,
    first: str,
    rest: str,
    drawn: set[str],
    out: list[str],
    style: Style,
) -> None:
    """A node and, below it, what flows into it or is used by it; each in full only once."""
    keys = f" [{', '.join(edge.labels)}]" if edge is not None and edge.labels else ""
    role = f"{edge.role}{printable(keys)}: " if edge is not None else ""
    head = f"{first}{role}{printable(node.heading)}"
    if node.id in drawn:
        out.append(f"{head} {style.paint('dim', '(above)')}")
        return
    drawn.add(node.id)
    dots = style.paint("dim", f"{' ' * max(2, _WIDTH - len(head))}{node.place}")
    out.append(head + dots)
    incoming = graph.into(node.id)
    bar = "|  " if incoming else "   "
    for detail in node.details:
        out.append(f"{rest}{bar}{style.paint('dim', printable(detail))}")
    for finding in node.findings:
        out.append(f"{rest}{bar}{style.severity(finding.severity, '^ ' + short(finding))}")
    for at, below in enumerate(incoming):
        last = at == len(incoming) - 1
        _branch(
            graph, graph.node(below.source), below, f"{rest}{'`' if last else '+'}- ",
            f"{rest}{'   ' if last else '|  '}", drawn, out, style,
        )  # fmt: skip
