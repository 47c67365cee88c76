"""The format for reading: the code, the place underlined, what to write instead."""

from __future__ import annotations

from ppolint.findings import Diagnostic
from ppolint.reporters import Report
from ppolint.reporters.style import Style, fixable, place, printable, summary

TAB = "    "


def render(report: Report) -> str:
    """Every finding with its source, then the count."""
    style = Style(report.color)
    blocks = [_block(diagnostic, style) for diagnostic in report.diagnostics]
    return "\n".join([*blocks, *summary(report, style)]) + "\n"


def _block(diagnostic: Diagnostic, style: Style) -> str:
    paint, severity = style.paint, diagnostic.severity
    mark = " [*]" if fixable(diagnostic) == "safe" else ""
    head = f"{paint(severity, f'{severity}[{diagnostic.code}]')} {paint('bold', diagnostic.name)}"
    width = len(str(max((row for row, _ in diagnostic.excerpt), default=diagnostic.row)))
    margin = " " * width
    out = [
        f"{head}{mark}: {diagnostic.message}",
        f"{margin}{paint('dim', '-->')} {place(diagnostic, style)}",
    ]
    if diagnostic.excerpt:
        out += _excerpt(diagnostic, style, width)
    if diagnostic.help:
        first, *rest = diagnostic.help.split("\n")
        out.append(f"{margin} {paint('dim', '=')} {paint('help', 'help')}: {first}")
        out += [f"{margin}         {line}" for line in rest]
    if diagnostic.fix is not None:
        kind = diagnostic.fix.applicability
        label = {"safe": "fix", "unsafe": "unsafe fix", "suggest": "suggestion"}[kind]
        out.append(f"{margin} {paint('dim', '=')} {paint('help', label)}: {diagnostic.fix.message}")
    return "\n".join(out) + "\n"


def _excerpt(diagnostic: Diagnostic, style: Style, width: int) -> list[str]:
    """The rows of the span, the first and (of a short span) the last underlined."""
    bar = style.paint("dim", "|")
    blank = " " * width
    out = [f"{blank} {bar}"]
    first, last = diagnostic.excerpt[0][0], diagnostic.excerpt[-1][0]
    previous = first - 1
    for row, line in diagnostic.excerpt:
        if row != previous + 1:
            out.append(f"{blank} {style.paint('dim', ':')}")
        previous = row
        out.append(
            f"{style.paint('dim', str(row).rjust(width))} {bar} {printable(_expanded(line))}"
        )
        start = diagnostic.column - 1 if row == first else len(line) - len(line.lstrip())
        end = diagnostic.end_column - 1 if row == diagnostic.end_row else len(line.rstrip())
        if row == first or (row == last and last - first < len(diagnostic.excerpt) <= 3):
            before = len(_expanded(line[:start]))
            length = max(1, len(_expanded(line[:end])) - before)
            mark = style.severity(diagnostic.severity, "^" * length)
            out.append(f"{blank} {bar} {' ' * before}{mark}")
    return out


def _expanded(text: str) -> str:
    return text.replace("\t", TAB)
