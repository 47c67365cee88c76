"""What the formats for people share: colours, places, the closing lines."""

from __future__ import annotations

from collections import Counter

from ppolint.findings import Diagnostic
from ppolint.reporters import Report

_CODES = {
    "error": "1;31",
    "warning": "1;33",
    "info": "1;34",
    "bold": "1",
    "dim": "2",
    "help": "1;36",
}


class Style:
    """Terminal colours, or none."""

    def __init__(self, color: bool) -> None:
        self._color = color

    def paint(self, kind: str, text: str) -> str:
        return f"\x1b[{_CODES[kind]}m{text}\x1b[0m" if self._color else text

    def severity(self, severity: str, text: str) -> str:
        return self.paint(severity, text)


def place(diagnostic: Diagnostic, style: Style) -> str:
    """`path:row:column`, with `cell N` between for a notebook."""
    path = style.paint("bold", printable(diagnostic.path))
    cell = f":cell {diagnostic.cell}" if diagnostic.cell is not None else ""
    return f"{path}{cell}:{diagnostic.row}:{diagnostic.column}"


def printable(text: str) -> str:
    """`text` without what a terminal would obey: control characters are spelled out."""
    if text.isprintable():
        return text
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in text
    )


def fixable(diagnostic: Diagnostic) -> str | None:
    """The applicability of the fix that comes with a finding, or None."""
    return diagnostic.fix.applicability if diagnostic.fix is not None else None


def plural(count: int, one: str, many: str | None = None) -> str:
    """`1 file`, `2 files`."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def summary(report: Report, style: Style) -> list[str]:
    """The closing lines: how many of what, and what `--fix` would do."""
    found = report.diagnostics
    if not found:
        return [style.paint("bold", f"No findings in {plural(report.files, 'file')}.")]
    counts = Counter(diagnostic.severity for diagnostic in found)
    parts = [
        plural(counts[severity], severity, severity if severity == "info" else None)
        for severity in ("error", "warning", "info")
        if counts[severity]
    ]
    where = plural(len({d.path for d in found}), "file")
    total = plural(len(found), "finding")
    lines = [style.paint("bold", f"{total} in {where}: {', '.join(parts)}.")]
    fixes = Counter(fixable(diagnostic) for diagnostic in found)
    if fixes["safe"]:
        lines.append(f"[*] {plural(fixes['safe'], 'finding')} fixable with `--fix`.")
    if fixes["unsafe"]:
        lines.append(f"{plural(fixes['unsafe'], 'more', 'more')} with `--unsafe-fixes`.")
    return lines
