"""New findings that no code brings, but a change of the TorchRL requirement.

Admitting another release can bring dozens of findings, all of them with one cause: the line that says
which releases are used.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from ppolint.engine.plan import Options, Planner
from ppolint.findings import Diagnostic
from ppolint.review.causes import Cause
from ppolint.review.changes import FileChange, touches
from ppolint.review.projects import TreeProjects
from ppolint.review.tree import states_release
from ppolint.settings.release import TargetRelease

_MENTION = re.compile(r"(?i)torchrl|tensordict|pytorch/rl")


class Requirements:
    """Tells which new findings the change of a requirement brings.

    `of_code` are the files that the change of code reaches: what is new elsewhere, only the release
    can explain.
    """

    def __init__(
        self,
        base: TreeProjects,
        head: TreeProjects,
        changed: Mapping[str, FileChange],
        of_code: set[str],
        options: Options,
    ) -> None:
        self._base, self._head = base, head
        self._changed = changed
        self._of_code = of_code
        self._planner = Planner(options)
        self._stating = [c for c in changed.values() if c.new is not None and states_release(c.new)]

    def cause(self, finding: Diagnostic) -> Cause | None:
        """The line of the requirement that a new finding is due to, None for any other finding."""
        if not self._stating:
            return None
        change = self._changed.get(finding.path)
        if finding.path in self._of_code:
            about_releases = _family(finding) == "releases"
            if not about_releases or touches(finding, change, of_head=True):
                return None
        before, after = self._releases(finding.path, change)
        if (before.torchrl, before.tensordict) == (after.torchrl, after.tensordict):
            return None
        place = self._place(finding.path, after)
        if place is None:
            return None
        return Cause(*place, (), False, f"{_named(before)} to {_named(after)}")

    def _releases(
        self, path: str, change: FileChange | None
    ) -> tuple[TargetRelease, TargetRelease]:
        target = self._head.targets()[path]
        said = self._planner.plan(target).release
        old = self._base.tree.absolute((change.old if change is not None else None) or path)
        data = self._base.tree.content(old) or b""
        now = self._head.tree.content(target.absolute) or b""
        return self._base.release(old, data, said), self._head.release(target.absolute, now, said)

    def _place(self, path: str, release: TargetRelease) -> tuple[str, int] | None:
        """The changed line that states the release for a file; the nearest folder's, if several."""
        name, _, where = release.source.partition(":")
        row = int(where) if where.isdigit() else 0
        found = []
        for change in self._stating:
            stated = change.path
            folder = stated.removesuffix(name).rstrip("/") if stated.endswith(name) else None
            exact = folder is not None and (not folder or path.startswith(f"{folder}/"))
            for block in change.blocks:
                rows = range(block.new, block.new + max(1, len(block.added)))
                if exact and row in rows:
                    found.append((0, -len(folder or ""), stated, row))
                elif any(_MENTION.search(line) for line in (*block.added, *block.removed)):
                    at = next((i for i, s in enumerate(block.added) if _MENTION.search(s)), 0)
                    found.append((1, not exact, stated, max(1, block.new + at)))
                elif exact:  # of a lock file, only the line of the version changes
                    found.append((2, abs(block.new - row), stated, max(1, block.new)))
        if not found:
            return None
        *_, stated, line = min(found)
        return stated, line


def _named(release: TargetRelease) -> str:
    return f"`torchrl{release.specifier}`" if release.stated else "none"


def _family(finding: Diagnostic) -> str:
    from ppolint.rules.registry import by_code

    entry = by_code().get(finding.code)
    return entry.family if entry is not None else ""
