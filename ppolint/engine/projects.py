"""The projects that the files of a run belong to."""

from __future__ import annotations

import os
from functools import cached_property
from typing import TYPE_CHECKING

from ppolint.settings.files import Roots, Target, Walker
from ppolint.settings.load import SettingsResolver

if TYPE_CHECKING:
    from ppolint.semantics.contents import Contents
    from ppolint.semantics.project import Project
    from ppolint.semantics.subject import Subject
    from ppolint.settings.release import TargetRelease


class Projects:
    """One `Project` for each root, made when a file of it is analysed."""

    def __init__(self, resolver: SettingsResolver) -> None:
        self._resolver = resolver
        self._roots: dict[str, str] = {}
        self._disk = Roots()
        self._files: dict[str, tuple[str, ...]] = {}
        self._projects: dict[str, Project] = {}
        self._walked: list[tuple[str, list[Target]]] = []

    @cached_property
    def _contents(self) -> Contents:
        from ppolint.semantics.contents import Contents

        return Contents()

    def afresh(self) -> Projects:
        """The same, knowing nothing about the content of files: they have changed."""
        from ppolint.settings.release import forget

        forget()
        again = Projects(self._resolver)
        again._walked, again._files = self._walked, self._files
        return again

    def note_walk(self, folder: str, targets: list[Target]) -> None:
        """Remember what a walk of `folder` found, so that projects inside are not walked again."""
        self._walked.append((folder, targets))

    def subject(self, root: str) -> Subject | None:
        """What the project at `root` is about; None where finding out would mean to walk it."""
        if not self._is_walked(root):
            return None
        from ppolint.semantics.subject import subject_of

        return subject_of(self.project(root))

    def _is_walked(self, root: str) -> bool:
        return root in self._files or any(_is_in(root, folder) for folder, _ in self._walked)

    def files(self, root: str) -> tuple[str, ...]:
        """Absolute paths of the Python files and notebooks below `root`, sorted."""
        known = self._files.get(root)
        if known is None:
            prefix = root if root.endswith(os.sep) else root + os.sep
            for folder, targets in self._walked:
                if _is_in(root, folder):
                    found = [t.absolute for t in targets if t.absolute.startswith(prefix)]
                    break
            else:
                # Folders that cannot be read are reported by the walk over the named paths.
                walker = Walker(self._resolver, warn=lambda message: None)
                found = [t.absolute for t in walker.collect([root])] if os.path.isdir(root) else []
            known = self._files[root] = tuple(sorted(found))
        return known

    def read(self, absolute: str) -> bytes:
        """The bytes of a file; raises `OSError`."""
        return self._contents.of(absolute)

    def release(self, absolute: str, data: bytes, said: tuple[str, str] | None) -> TargetRelease:
        """The release that a file is judged by: the one `said`, else what the project says."""
        from ppolint.engine.targets import release_for

        return release_for(absolute, data, said)

    def root_of(self, absolute: str) -> str:
        """The root of the project that a file is in."""
        folder = os.path.dirname(absolute)
        known = self._roots.get(folder)
        if known is None:
            known = self._roots[folder] = self._root(folder)
        return known

    def _root(self, folder: str) -> str:
        return self._disk.of(folder)

    def project(self, root: str) -> Project:
        """The project at `root`."""
        known = self._projects.get(root)
        if known is None:
            from ppolint.semantics.project import Project

            known = self._projects[root] = Project(root, lambda: self.files(root), self._contents)
        return known


def _is_in(path: str, folder: str) -> bool:
    """Whether a path is a folder, or lies below it."""
    return path == folder or path.startswith(folder.rstrip(os.sep) + os.sep)
