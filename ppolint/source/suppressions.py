"""Comments that keep a finding from being reported.

- `# ppolint: ignore[PPO104, hand-written-returns]`, at the end of a statement or above it; without
  brackets, every rule
- `# ppolint: ignore-file[...]` anywhere in the file
- `# ppolint: from-scratch`: PPO is written by hand on purpose
- `# noqa: PPO104`, beside codes of other linters; a bare `# noqa` is left to them
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from ppolint.findings import Edit
from ppolint.source.file import Source
from ppolint.source.lexer import Comment, LogicalLine, logical_lines

_MARKER = re.compile(r"ppolint\s*:|noqa\s*:[^\n]*PPO\d", re.IGNORECASE)
_PPOLINT = re.compile(
    r"#\s*ppolint\s*:\s*(?P<kind>ignore-file|ignore|from-scratch)\b\s*"
    r"(?:\[(?P<names>[^\]\n]*)\])?",
    re.IGNORECASE,
)
_NOQA = re.compile(r"#\s*noqa\s*:\s*(?P<names>[A-Z]+[0-9]+(?:[,\s]+[A-Z]+[0-9]+)*)", re.IGNORECASE)
_NAME = re.compile(r"[\w-]+")


@dataclass
class Suppression:
    """One comment. `names` are the spans of what it names; without any it is about every rule.

    `lines` is where it holds: (start, end) offsets, None for the whole file.
    """

    kind: str
    start: int
    end: int
    names: list[tuple[int, int]]
    lines: tuple[int, int] | None
    comment: Comment
    used: set[tuple[int, int]] = field(default_factory=set)
    used_bare: bool = False


class Suppressions:
    """The suppression comments of one file, and which of them were needed.

    `codes_of` turns a name or code (or prefix) into the codes it stands for, empty when unknown.
    """

    def __init__(self, source: Source, codes_of: Callable[[str], tuple[str, ...]]) -> None:
        self._source = source
        self._codes_of = codes_of
        self.items: list[Suppression] = []
        self.from_scratch = False
        small = source.text.lower()
        if ("ppolint" in small or "noqa" in small) and _MARKER.search(source.text):
            self._collect()

    def _collect(self) -> None:
        lines = logical_lines(self._source.text)
        for index, line in enumerate(lines):
            for comment in line.comments:
                self._read(comment, lines, index)

    def _read(self, comment: Comment, lines: list[LogicalLine], index: int) -> None:
        text = self._source.text
        for match in _PPOLINT.finditer(text, comment.start, comment.end):
            kind = match["kind"].lower()
            if kind == "from-scratch":
                self.from_scratch = True
                continue
            names = []
            if match["names"] is not None:
                first, last = match.span("names")
                names = [name.span() for name in _NAME.finditer(text, first, last)]
            holds = None if kind == "ignore-file" else _held(lines, index, comment, text)
            self.items.append(Suppression(kind, match.start(), match.end(), names, holds, comment))
        for match in _NOQA.finditer(text, comment.start, comment.end):
            first, last = match.span("names")
            names = [
                name.span()
                for name in _NAME.finditer(text, first, last)
                if name.group().upper().startswith("PPO")
            ]
            if names:
                line = lines[index]
                self.items.append(
                    Suppression(
                        "noqa", match.start(), match.end(), names, (line.start, line.end), comment
                    )
                )

    def suppresses(self, code: str, start: int) -> bool:
        """Whether a finding of `code` that starts at offset `start` is suppressed."""
        found = False
        for item in self.items:
            if item.lines is not None and not item.lines[0] <= start <= item.lines[1]:
                continue
            if not item.names:
                item.used_bare = found = True
            for span in item.names:
                if code in self._codes_of(self._source.text[slice(*span)]):
                    item.used.add(span)
                    found = True
        return found

    def unused(
        self, checked: Callable[[str], bool]
    ) -> list[tuple[tuple[int, int], list[str], list[str], Edit]]:
        """What suppressed nothing so far: (span, names, names that are no rule, edit to remove it).

        `checked(code)` tells whether the rule was run on this file: only then can it be unused.
        """
        text = self._source.text
        found = []
        for item in self.items:
            if not item.names:
                continue
            idle, unknown = [], []
            for span in item.names:
                codes = self._codes_of(text[slice(*span)])
                if not codes:
                    unknown.append(span)
                elif span not in item.used and all(checked(code) for code in codes):
                    idle.append(span)
            if idle or unknown:
                edit = _removal(text, item, {*idle, *unknown})
                spelled = [[text[slice(*span)] for span in spans] for spans in (idle, unknown)]
                found.append(((item.start, item.end), *spelled, edit))
        return found


def _held(lines: list[LogicalLine], index: int, comment: Comment, text: str) -> tuple[int, int]:
    """Where an `ignore` comment holds: its statement, or the one below a comment line."""
    line = lines[index]
    code_before = text[line.start : comment.start].strip()
    if not comment.own_line or (code_before and not code_before.startswith("#")):
        return line.start, line.end
    for following in lines[index + 1 :]:
        code = text[following.start : following.end].strip()
        if code.startswith("@"):
            continue
        if code and not code.startswith("#"):
            return line.start, following.end
        if not code:
            break
    return line.start, line.end


def _removal(text: str, item: Suppression, spans: set[tuple[int, int]]) -> Edit:
    """The edit that takes the names in `spans` out of a comment, and the comment when none stays.

    In a `# noqa` the codes of other linters stay.
    """
    first, last = item.names[0][0], item.names[-1][1]
    if item.kind == "noqa":
        match = _NOQA.match(text, item.start)
        assert match is not None
        first, last = match.span("names")
    every = [name.span() for name in _NAME.finditer(text, first, last)]
    kept = [span for span in every if span not in spans]
    if kept:
        return Edit(first, last, ", ".join(text[slice(*span)] for span in kept))
    comment = item.comment
    rest = text[item.end : comment.end].lstrip()
    start, end = item.start, comment.end - len(rest)
    if rest.startswith("#"):  # another comment follows: it takes the place of this one
        return Edit(start, end, "")
    if rest:  # words follow: they keep the `# ` in front of the marker
        marker = text[start:end].lstrip("# \t")
        return Edit(start + text[start:end].index(marker), end, "")
    line_start = text.rfind("\n", 0, start) + 1
    before = text[line_start:start].rstrip()
    if not before:
        return Edit(line_start, min(end + 1, len(text)), "")
    return Edit(line_start + len(before), end, "")
