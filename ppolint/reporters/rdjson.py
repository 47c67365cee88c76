"""Reviewdog's diagnostic format. Its columns count UTF-8 bytes, and ends are exclusive."""

from __future__ import annotations

from typing import Any

from ppolint.findings import Diagnostic
from ppolint.reporters import Report
from ppolint.reporters.condensed import condensed
from ppolint.reporters.lines import Lines, in_cell
from ppolint.reporters.strict_json import document

SEVERITIES = {"error": "ERROR", "warning": "WARNING", "info": "INFO"}


def render(report: Report) -> str:
    """One object. Suggestions are of whole lines: some of reviewdog's reporters ignore columns."""
    lines = Lines(report)
    found = [_row(diagnostic, lines) for diagnostic in condensed(report)[0]]
    return document({"source": {"name": "ppolint"}, "diagnostics": found})


def _row(diagnostic: Diagnostic, lines: Lines) -> dict[str, Any]:
    text = diagnostic.message + (f"\n{diagnostic.help}" if diagnostic.help else "")
    location: dict[str, Any] = {"path": diagnostic.path}
    if diagnostic.cell is None:
        location["range"] = _range(diagnostic, lines)
    row: dict[str, Any] = {
        "message": in_cell(diagnostic) + text,
        "location": location,
        "severity": SEVERITIES[diagnostic.severity],
        "code": {"value": diagnostic.code},
    }
    replacement = lines.replacement(diagnostic) if diagnostic.cell is None else None
    if replacement is not None:
        # Without columns the range is of whole lines, the last one included.
        span = {"start": {"line": replacement.first}, "end": {"line": replacement.last}}
        row["suggestions"] = [{"range": span, "text": "\n".join(replacement.after)}]
    return row


def _range(diagnostic: Diagnostic, lines: Lines) -> dict[str, dict[str, int]]:
    """The range of a finding; of whole lines when the text of one of its ends is not known."""
    ends = [(diagnostic.row, diagnostic.column), (diagnostic.end_row, diagnostic.end_column)]
    positions = []
    for row, column in ends:
        line = lines.row(diagnostic, row)
        if line is None:
            return {"start": {"line": diagnostic.row}, "end": {"line": diagnostic.end_row}}
        before = line[: column - 1].encode("utf-8", "surrogatepass")
        positions.append({"line": row, "column": len(before) + 1})
    return {"start": positions[0], "end": positions[1]}
