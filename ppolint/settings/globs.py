"""Patterns for paths, in the language of `.gitignore`.

Own code, because it is on the path of every run: importing a library for it costs more than
linting a small project from the cache. A test holds it against `git check-ignore`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache


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


def pattern_regex(pattern: str) -> tuple[str, bool]:
    """The regex of a pattern over a relative path with "/", and whether it is for folders only."""
    folders_only = pattern.endswith("/")
    body = pattern.rstrip("/")
    anchored = "/" in body
    return ("" if anchored else "(?:[^/]+/)*") + _translated(body.lstrip("/")), folders_only


class PathPatterns:
    """An ordered list of patterns; the last one that matches a path decides, as in git."""

    def __init__(self, patterns: Iterable[str]) -> None:
        groups: list[tuple[bool, list[str], list[str]]] = []
        for pattern in patterns:
            negated = pattern.startswith("!")
            regex, folders_only = pattern_regex(pattern[1:] if negated else pattern)
            if not groups or groups[-1][0] != negated:
                groups.append((negated, [], []))
            groups[-1][2].append(regex)
            if not folders_only:
                groups[-1][1].append(regex)
        # Last group first: its answer wins.
        self._groups = [
            (not negated, _compiled(tuple(files)), _compiled(tuple(folders)))
            for negated, files, folders in reversed(groups)
        ]

    def __bool__(self) -> bool:
        return bool(self._groups)

    def match(self, path: str, is_folder: bool) -> bool | None:
        """True when `path` is matched, False when it is re-included, None without an opinion."""
        for answer, files, folders in self._groups:
            regex = folders if is_folder else files
            if regex is not None and regex.fullmatch(path):
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


@lru_cache(maxsize=512)
def _compiled(regexes: tuple[str, ...]) -> re.Pattern[str] | None:
    return re.compile("|".join(regexes), re.DOTALL) if regexes else None


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
