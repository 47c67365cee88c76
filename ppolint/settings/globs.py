"""Patterns for paths, in the language of `.gitignore`.

Own code, because it is on the path of every run: importing a library for it costs more than
linting a small project from the cache. A test holds it against `git check-ignore`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable


def _translated(glob: str) -> str:
    """The regex for one component-aware glob, without its slashes at the ends."""
    pieces: list[str] = []
    i = 0
    while i < len(glob):
        char = glob[i]
        if glob.startswith("**/", i) and (i == 0 or glob[i - 1] == "/"):
            pieces.append("(?:[^/]+/)*")
            i += 3
            continue
        if glob[i:] == "**" and (i == 0 or glob[i - 1] == "/"):
            pieces.append(".*")
            break
        if char == "*":
            pieces.append("[^/]*")
        elif char == "?":
            pieces.append("[^/]")
        elif char == "[":
            end = glob.find("]", i + 2 if glob[i + 1 : i + 2] in ("!", "]", "^") else i + 1)
            if end < 0:
                pieces.append("\\[")
            else:
                chosen = glob[i + 1 : end].replace("\\", "\\\\")
                if chosen[:1] in ("!", "^"):
                    chosen = "^/" + chosen[1:]
                pieces.append(f"[{chosen.replace('[', chr(92) + '[')}]")
                i = end
        elif char == "\\" and i + 1 < len(glob):
            i += 1
            pieces.append(re.escape(glob[i]))
        else:
            pieces.append(re.escape(char))
        i += 1
    return "".join(pieces)


class _Group:
    """Patterns of which any may match. What needs no regex is looked up: compiling costs more."""

    def __init__(self) -> None:
        self.names: set[str] = set()
        self.endings: tuple[str, ...] = ()
        self.paths: set[str] = set()
        self._regexes: list[str] = []
        self._compiled: re.Pattern[str] | None = None

    def add(self, pattern: str) -> None:
        """Add a pattern without `!` and without a slash at its end."""
        body = pattern.lstrip("/")
        if "/" not in pattern:
            self._add_name(body)
        elif _SPECIAL.isdisjoint(body):
            self.paths.add(body)
        else:
            self._regexes.append(_translated(body))

    def _add_name(self, name: str) -> None:
        choice = _CHOICE.fullmatch(name)
        for each in [choice[1] + c + choice[3] for c in choice[2]] if choice else [name]:
            if _SPECIAL.isdisjoint(each):
                self.names.add(each)
            elif each[0] == "*" and _SPECIAL.isdisjoint(each[1:]):
                self.endings += (each[1:],)
            else:
                self._regexes.append("(?:[^/]+/)*" + _translated(each))

    def match(self, path: str) -> bool:
        name = path[path.rfind("/") + 1 :]
        if name in self.names or path in self.paths or name.endswith(self.endings):
            return True
        if not self._regexes:
            return False
        if self._compiled is None:
            self._compiled = re.compile("|".join(self._regexes), re.DOTALL)
        return self._compiled.fullmatch(path) is not None


_SPECIAL = frozenset("*?[\\")
_CHOICE = re.compile(r"([^\[\]\\]*)\[([A-Za-z0-9]{1,8})\]([^\[\]\\]*)")


class PathPatterns:
    """An ordered list of patterns; the last one that matches a path decides, as in git."""

    def __init__(self, patterns: Iterable[str]) -> None:
        groups: list[tuple[bool, _Group, _Group]] = []
        for written in patterns:
            negated = written.startswith("!")
            pattern = written[1:] if negated else written
            if not groups or groups[-1][0] != negated:
                groups.append((negated, _Group(), _Group()))
            folders_only = pattern.endswith("/")
            pattern = pattern.rstrip("/")
            if not pattern:
                continue
            groups[-1][2].add(pattern)
            if not folders_only:
                groups[-1][1].add(pattern)
        # Last group first: its answer wins.
        self._groups = [(not negated, *pair) for negated, *pair in reversed(groups)]

    def __bool__(self) -> bool:
        return bool(self._groups)

    def match(self, path: str, is_folder: bool) -> bool | None:
        """True when `path` is matched, False when it is re-included, None without an opinion."""
        for answer, files, folders in self._groups:
            if (folders if is_folder else files).match(path):
                return answer
        return None

    def matches(self, path: str) -> bool:
        """Whether the file at `path`, or a folder that it is in, is matched."""
        end = path.find("/")
        while end >= 0:
            if self.match(path[:end], True):
                return True
            end = path.find("/", end + 1)
        return bool(self.match(path, False))


def gitignore(text: str) -> PathPatterns:
    """The patterns of a `.gitignore` file; paths are relative to its folder."""
    patterns = []
    for line in text.splitlines():
        kept = line.rstrip("\r\n")
        stripped = kept.rstrip(" ")
        if kept != stripped and stripped.endswith("\\"):
            stripped += " "
        if not stripped or stripped.startswith("#") or stripped in ("/", "!"):
            continue
        if stripped.startswith(("\\#", "\\!")):
            stripped = stripped[0] + stripped[1:]
        patterns.append(stripped)
    return PathPatterns(patterns)
