"""GitHub workflow commands: annotations on the lines of a pull request.

GitHub shows at most ten errors, ten warnings and ten notices of one step and drops the rest in
silence, so the worst come first and what is left out is told.
"""

from __future__ import annotations

from ppolint.findings import Diagnostic, Severity
from ppolint.reporters import Report
from ppolint.reporters.condensed import condensed

LIMIT = 10
LEVELS = {"error": "error", "warning": "warning", "info": "notice"}


def render(report: Report) -> str:
    """One command a finding, then one plain line when GitHub's limit cut some off."""
    ranked = sorted(condensed(report)[0], key=lambda d: -Severity.parse(d.severity))
    lines: list[str] = []
    given = dict.fromkeys(LEVELS.values(), 0)
    for diagnostic in ranked:
        level = LEVELS[diagnostic.severity]
        if given[level] < LIMIT:
            given[level] += 1
            lines.append(_command(level, diagnostic))
    left_out = len(ranked) - len(lines)
    if left_out:
        lines.append(
            f"ppolint: {left_out} of {len(ranked)} findings are not annotated: "
            f"GitHub shows {LIMIT} of each level for a step."
        )
    return "".join(line + "\n" for line in lines)


def _command(level: str, diagnostic: Diagnostic) -> str:
    properties = {"title": f"{diagnostic.code} {diagnostic.name}", "file": diagnostic.path}
    if diagnostic.cell is None:
        properties |= {"line": str(diagnostic.row), "endLine": str(diagnostic.end_row)}
        # GitHub rejects columns of a span over several lines.
        if diagnostic.row == diagnostic.end_row:
            properties |= {"col": str(diagnostic.column), "endColumn": str(diagnostic.end_column)}
    where = f"cell {diagnostic.cell}, row {diagnostic.row}: " if diagnostic.cell is not None else ""
    message = where + diagnostic.message + (f"\n{diagnostic.help}" if diagnostic.help else "")
    listed = ",".join(f"{key}={_property(value)}" for key, value in properties.items())
    return f"::{level} {listed}::{_data(message)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
