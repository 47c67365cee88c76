"""A summary for people who read it on a page: a comment, a job summary.

For a review it also shows the pipeline of the changed scripts, as Mermaid pictures.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from ppolint.findings import Diagnostic, Severity
from ppolint.reporters import Report
from ppolint.reporters.condensed import condensed, places
from ppolint.reporters.lines import place
from ppolint.reporters.style import plural, printable

if TYPE_CHECKING:
    from ppolint.review.review import Review

# GitHub refuses comments of 65,536 characters.
LONGEST = 65_000
MOST_PICTURES = 3
_MOST_PLACES = 100


def render(report: Report) -> str:
    """A headline, a table of findings, pictures of what was changed."""
    parts = [headline(report)]
    length = len(parts[0])
    told, groups = condensed(report)
    ranked = sorted(told, key=lambda d: -Severity.parse(d.severity))
    rows = ["| | where | what |", "|---|---|---|"]
    for at, diagnostic in enumerate(ranked):
        row = _row(diagnostic, not any(diagnostic is group.whole for group in groups))
        length += len(row) + 1
        if length > LONGEST - 200:
            rows.append(f"| | | ... and {len(ranked) - at} more |")
            break
        rows.append(row)
    if ranked:
        parts.append("\n".join(rows))
    for group in groups:
        found = (
            f"<details><summary>{_where(group.whole)}: what the requirement brings</summary>\n\n"
        )
        found += f"{places(group.parts, _MOST_PLACES)}\n\n</details>"
        length += len(found) + 2
        if length > LONGEST:
            break
        parts.append(found)
    if report.review is not None:
        for picture in _pictures(report.review, report.diagnostics):
            length += len(picture) + 2
            if length > LONGEST:
                break
            parts.append(picture)
    return "\n\n".join(parts) + "\n"


def headline(report: Report) -> str:
    """How many of what, and what the change fixed."""
    found = report.diagnostics
    kind = "finding" if report.review is None else "new finding"
    counts = Counter(d.severity for d in found)
    parts = [plural(counts[s], s, "info" if s == "info" else None) for s in _LEVELS if counts[s]]
    line = f"**ppolint**: {plural(len(found), kind)}" if found else f"**ppolint**: no {kind}s"
    line += f" ({', '.join(parts)})." if parts else "."
    review = report.review
    if review is not None and review.fixed:
        rules = Counter(f"{d.code} `{d.name}`" for d in review.fixed)
        listed = ", ".join(f"{n} × {rule}" if n > 1 else rule for rule, n in sorted(rules.items()))
        line += f" This change fixes {plural(len(review.fixed), 'finding')}: {listed}."
    for note in review.unseen if review is not None else ():
        line += f"\n\n{note[:1].upper()}{note[1:]}."
    return line


_LEVELS = ("error", "warning", "info")


def _row(diagnostic: Diagnostic, helped: bool) -> str:
    text = diagnostic.message + (f" {diagnostic.help}" if helped and diagnostic.help else "")
    text = " ".join(text.replace("|", "\\|").split())
    rule = f"{diagnostic.code} `{diagnostic.name}`"
    return f"| {diagnostic.severity} | `{_where(diagnostic)}` | {rule}: {text} |"


def _where(diagnostic: Diagnostic) -> str:
    return printable(place(diagnostic)).replace("|", "\\|").replace("`", "'")


def _pictures(review: Review, diagnostics: list[Diagnostic]) -> list[str]:
    """The pipelines of the changed scripts that have one, those with findings first."""
    if review.head is None:
        return []
    from ppolint.reporters.graph import render as draw
    from ppolint.reporters.graph.build import graph_of
    from ppolint.reporters.lines import fence
    from ppolint.semantics.model import ParseError, build
    from ppolint.source.file import Source, SourceError

    with_findings = {d.path for d in diagnostics}
    paths = [p for p in review.changed if p.endswith(".py") and p in review.head.targets()]
    pictures: list[str] = []
    for path in sorted(paths, key=lambda p: (p not in with_findings, p)):
        absolute = review.head.tree.absolute(path)
        data = review.head.tree.content(absolute) or b""
        if b"torchrl" not in data:
            continue
        try:
            project = review.head.project(review.head.root_of(absolute))
            model = build(Source.from_bytes(data, absolute), project)
        except (ParseError, SourceError, RecursionError):
            continue  # the findings say what is the matter with the file
        graph = graph_of(model, [d for d in diagnostics if d.path == path])
        if not graph.nodes:
            continue
        drawn = draw(graph, "mermaid").replace(absolute, path)
        marks = fence(drawn)
        pictures.append(
            f"<details><summary>The pipeline of {path}</summary>\n\n"
            f"{marks}mermaid\n{drawn.rstrip()}\n{marks}\n\n</details>"
        )
        if len(pictures) == MOST_PICTURES:
            break
    return pictures
