"""Findings that a change hides or uncovers, without causing or mending anything.

What cannot be read has no findings: a file that does not parse, and what is known of other files
through an import that leads nowhere. So a change that breaks a file or an import would be credited
with fixing what is merely out of sight, and the one that repairs it would be blamed for what has
been there all along. Such findings are neither new nor fixed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from ppolint.findings import Diagnostic
from ppolint.review.changes import FileChange, touches
from ppolint.review.projects import TreeProjects
from ppolint.review.reach import reached_from
from ppolint.semantics.project import Project

# What is said of a file that cannot be read comes and goes with the change itself.
_ABOUT_READING = frozenset({"PPO001", "PPO003"})
# Packages that no project has inside: an import of theirs is not broken.
_ELSEWHERE = frozenset({"torch", "torchrl", "tensordict", "gym", "gymnasium", "numpy"})


class Seen(NamedTuple):
    """What is left of the findings of one side only. `uncovered` are of the head, and not new;
    `notes` tell what was left out and why."""

    new: list[Diagnostic]
    fixed: list[Diagnostic]
    uncovered: list[Diagnostic]
    notes: list[str]


def seen_on_both(
    new: list[Diagnostic],
    fixed: list[Diagnostic],
    sides: tuple[TreeProjects, TreeProjects],
    changed: Mapping[str, FileChange],
    reached: set[str],
) -> Seen:
    """Takes out what can be seen on one side only.

    A finding whose own lines the change has touched stays: only the code around it is out of sight.
    """
    base, head = sides
    notes: list[str] = []
    by_old = {c.old: c for c in changed.values() if c.old is not None}
    if fixed:
        blind = _Blind(head, base, {o: c.new for o, c in by_old.items()}, reached)
        hidden = [d for d in fixed if blind.hides(d, by_old.get(d.path), of_head=False)]
        if hidden:
            fixed = [d for d in fixed if not any(d is h for h in hidden)]
            notes.append(
                f"{blind.told(hidden)}: {_counted(hidden, 'earlier ')} out of sight, not fixed"
            )
    uncovered: list[Diagnostic] = []
    if new:
        blind = _Blind(base, head, {c.new: c.old for c in changed.values() if c.new}, reached)
        uncovered = [d for d in new if blind.hides(d, changed.get(d.path), of_head=True)]
        if uncovered:
            new = [d for d in new if not any(d is u for u in uncovered)]
            notes.append(
                f"before the change, {blind.told(uncovered)}: {_counted(uncovered, '')} on lines "
                "that it leaves alone, and not held against it"
            )
    return Seen(new, fixed, uncovered, notes)


def _counted(findings: list[Diagnostic], kind: str) -> str:
    one = len(findings) == 1
    return f"{len(findings)} {kind}finding{'' if one else 's'} {'is' if one else 'are'}"


class _Blind:
    """What one side cannot see of what the other sees; paths are those of the other.

    `renamed` gives the path on the blind side of a changed file, None where it is not there.
    """

    def __init__(
        self,
        side: TreeProjects,
        other: TreeProjects,
        renamed: Mapping[str, str | None],
        reached: set[str],
    ) -> None:
        self._broken: dict[str, str] = {}  # files that cannot be read -> why
        self._around: dict[str, str] = {}  # files that are connected with those -> why
        for path in sorted({*renamed, *reached}):
            here = renamed.get(path, path)
            if here not in side.targets() or path not in other.targets():
                continue
            why = None
            if path in renamed and not _readable(side, here):
                why = self._broken[path] = f"{here} does not parse"
            elif dead := _dead_import(side, here, other, path):
                why = f"{here} imports `{dead}`, which is not there"
            if why is not None:
                for near in reached_from(other, {path}):
                    self._around.setdefault(near, why)

    def hides(self, finding: Diagnostic, change: FileChange | None, of_head: bool) -> bool:
        if finding.code in _ABOUT_READING or finding.path not in self._around:
            return False
        if finding.path in self._broken and not of_head:
            return True
        return not touches(finding, change, of_head)

    def told(self, findings: list[Diagnostic]) -> str:
        """What cannot be seen, in words."""
        first, *rest = dict.fromkeys(self._around[d.path] for d in findings)
        return first + (f" (and {len(rest)} more like it)" if rest else "")


def _readable(projects: TreeProjects, path: str) -> bool:
    from ppolint.engine.limits import reason_to_skip
    from ppolint.semantics.parsing import ParseError, parse
    from ppolint.source.file import Source, SourceError

    try:
        source = Source.from_bytes(projects.read(projects.tree.absolute(path)), path)
        if reason_to_skip(source.text) is not None:
            return False
        parse(source.text)
    except (OSError, SourceError, ParseError):
        return False
    return True


def _dead_import(side: TreeProjects, path: str, other: TreeProjects, other_path: str) -> str | None:
    """A name that a file imports in vain on one side, and from the project on the other.

    The statement may have been mended in between: then the two names end alike.
    """
    here, there = _Imports(side, path), _Imports(other, other_path)
    found = there.alive - here.alive
    for dead in sorted(here.names - here.alive, key=lambda name: (len(name), name)):
        if dead.partition(".")[0] in _ELSEWHERE:
            continue
        if any(_alike(dead, name) for name in found):
            return dead
    return None


class _Imports:
    """The imports of a file: all `names`, and those that lead to a file of the project."""

    def __init__(self, projects: TreeProjects, path: str) -> None:
        absolute = projects.tree.absolute(path)
        project = projects.project(projects.root_of(absolute))
        self.names = project.imports(absolute)
        # `from . import name` gives the name as well: the package itself need not be a file.
        named = (name for name in self.names if name.strip("."))
        self.alive = {name for name in named if _leads(project, name, absolute)}


def _leads(project: Project, name: str, importer: str) -> bool:
    located = project.locate(name, importer)
    if located is None:
        return False
    file, inside = located
    text = project.text(file)
    return not inside or re.search(rf"\b{inside[0]}\b|import \*", text) is not None


def _alike(first: str, second: str) -> bool:
    """Whether two dotted names may mean the same: they end alike."""
    ones, others = first.lstrip(".").split("."), second.lstrip(".").split(".")
    common = 0
    for one, another in zip(reversed(ones), reversed(others), strict=False):
        if one != another:
            break
        common += 1
    return common >= 2 or common == min(len(ones), len(others))
