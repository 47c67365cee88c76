"""The format for reading: the code, the place underlined, what to write instead."""

from __future__ import annotations

from ppolint.findings import Diagnostic
from ppolint.reporters import Report
from ppolint.reporters.style import Style, fixable, place, printable, summary

TAB = "    "
CONTEXT = 2
MAX_ROWS = 6


def render(report: Report) -> str:
    """Every finding with its source, then the count."""
    style = Style(report.color)
    excerpts = Excerpts(report.contents)
    blocks = [_block(diagnostic, style, excerpts) for diagnostic in report.diagnostics]
    return "\n".join([*blocks, *summary(report, style)]) + "\n"


class Excerpts:
    """The lines of source files, one file kept at a time: findings come sorted by path."""

    def __init__(self, contents: dict[str, bytes]) -> None:
        self._contents = contents
        self._path: str | None = None
        self._lines: dict[int | None, list[str]] = {}

    def lines(self, path: str, cell: int | None) -> list[str]:
        """The lines of a file, or of a cell of a notebook; none when it is gone or not text."""
        if path != self._path:
            self._path, self._lines = path, self._read(path)
        return self._lines.get(cell, [])

    def _read(self, path: str) -> dict[int | None, list[str]]:
        from ppolint.source.file import Source, SourceError, normalised, read_source

        data = self._contents.get(path)
        try:
            source = read_source(path) if data is None else Source.from_bytes(data, path)
        except (OSError, SourceError):
            return {}  # the finding says so itself
        return {s.cell: normalised(s.original).split("\n") for s in source.segments}


def _block(diagnostic: Diagnostic, style: Style, excerpts: Excerpts) -> str:
    paint, severity = style.paint, diagnostic.severity
    mark = " [*]" if fixable(diagnostic) == "safe" else ""
    head = f"{paint(severity, f'{severity}[{diagnostic.code}]')} {paint('bold', diagnostic.name)}"
    lines = excerpts.lines(diagnostic.path, diagnostic.cell)
    last = min(diagnostic.end_row, len(lines))
    width = len(str(max(last, diagnostic.row)))
    margin = " " * width
    out = [
        f"{head}{mark}: {diagnostic.message}",
        f"{margin}{paint('dim', '-->')} {place(diagnostic, style)}",
    ]
    if lines:
        out += _excerpt(diagnostic, lines, style, width)
    if diagnostic.help:
        first, *rest = diagnostic.help.split("\n")
        out.append(f"{margin} {paint('dim', '=')} {paint('help', 'help')}: {first}")
        out += [f"{margin}         {line}" for line in rest]
    if diagnostic.fix is not None:
        kind = diagnostic.fix.applicability
        label = {"safe": "fix", "unsafe": "unsafe fix", "suggest": "suggestion"}[kind]
        out.append(f"{margin} {paint('dim', '=')} {paint('help', label)}: {diagnostic.fix.message}")
    return "\n".join(out) + "\n"


def _excerpt(diagnostic: Diagnostic, lines: list[str], style: Style, width: int) -> list[str]:
    bar = style.paint("dim", "|")
    out = [f"{' ' * width} {bar}"]
    first, last = diagnostic.row, min(diagnostic.end_row, len(lines))
    if last > first and diagnostic.end_column <= 1:
        last -= 1
    shown = list(range(first, last + 1))
    hidden = len(shown) > MAX_ROWS
    if hidden:
        shown = shown[: MAX_ROWS - 2] + shown[-1:]
    previous = first - 1
    for row in shown:
        if row != previous + 1:
            out.append(f"{' ' * width} {style.paint('dim', ':')}")
        previous = row
        line = lines[row - 1] if row <= len(lines) else ""
        out.append(
            f"{style.paint('dim', str(row).rjust(width))} {bar} {printable(_expanded(line))}"
        )
        start = diagnostic.column - 1 if row == first else len(line) - len(line.lstrip())
        end = diagnostic.end_column - 1 if row == diagnostic.end_row else len(line.rstrip())
        # Rows in between would only be underlined as a whole.
        if row == first or (row == last and not hidden and last - first < 3):
            before = len(_expanded(line[:start]))
            length = max(1, len(_expanded(line[:end])) - before)
            mark = style.severity(diagnostic.severity, "^" * length)
            out.append(f"{' ' * width} {bar} {' ' * before}{mark}")
    return out


def _expanded(text: str) -> str:
    return text.replace("\t", TAB)
