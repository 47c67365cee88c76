"""Suppression comments, written for findings that are to stay."""

from __future__ import annotations

from collections.abc import Iterable

from ppolint.findings import Diagnostic, Edit
from ppolint.review.review import offset
from ppolint.rules.registry import by_code
from ppolint.source.file import Source
from ppolint.source.lexer import logical_lines


def with_ignores(source: Source, findings: Iterable[Diagnostic]) -> tuple[bytes, int]:
    """The bytes of a file with `# ppolint: ignore[...]` at the end of every statement that has
    findings, and the number of comments added.

    Findings about the file as such (it does not parse, a suppression is unused) get none.
    """
    edits = ignore_edits(source, findings)
    return (source.rewritten(edits) if edits else source.data), len(edits)


def ignore_edits(source: Source, findings: Iterable[Diagnostic]) -> list[Edit]:
    """The edits that write the comments."""
    lines = logical_lines(source.text)
    wanted: dict[int, set[str]] = {}
    for finding in findings:
        entry = by_code().get(finding.code)
        if entry is None or entry.family == "general":
            continue
        place = offset(source, finding.cell, finding.row, finding.column)
        line = next(line for line in lines if line.start <= place <= line.end)
        segment = source.segment_at(place)
        wanted.setdefault(min(line.end, segment.end), set()).add(finding.code)
    edits = []
    for end, codes in wanted.items():
        blank = len(source.text[:end]) - len(source.text[:end].rstrip(" \t"))
        comment = f"  # ppolint: ignore[{', '.join(sorted(codes))}]"
        edits.append(Edit(end - blank, end, comment))
    return edits
