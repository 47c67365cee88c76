"""One line a finding, for people with many of them and for editors' error parsers."""

from __future__ import annotations

from ppolint.findings import Diagnostic
from ppolint.reporters import Report
from ppolint.reporters.style import Style, fixable, place, summary


def render(report: Report) -> str:
    """`path:row:column: CODE [*] message (name)`, then the count."""
    style = Style(report.color)
    lines = [_line(diagnostic, style) for diagnostic in report.diagnostics]
    return "\n".join([*lines, *summary(report, style)]) + "\n"


def _line(diagnostic: Diagnostic, style: Style) -> str:
    code = style.severity(diagnostic.severity, diagnostic.code)
    mark = " [*]" if fixable(diagnostic) == "safe" else ""
    message = diagnostic.message.replace("\n", " ")
    return f"{place(diagnostic, style)}: {code}{mark} {message} ({diagnostic.name})"
