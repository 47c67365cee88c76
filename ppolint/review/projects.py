"""Settings and projects read from a git tree: the engine runs on them as on files."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from ppolint.engine.projects import Projects
from ppolint.engine.targets import named
from ppolint.review.tree import Tree, TreePath, lintable, parsed_toml
from ppolint.semantics.project import Project
from ppolint.settings.files import Target, excluded
from ppolint.settings.load import FILE_NAMES, SettingsResolver
from ppolint.settings.schema import ConfigurationError, Settings, settings_from

if TYPE_CHECKING:
    from ppolint.settings.release import TargetRelease


class TreeSettings(SettingsResolver):
    """The configuration files of a tree; above its top, those on the disk."""

    def __init__(self, tree: Tree, config: str | None = None, isolated: bool = False) -> None:
        super().__init__(config, isolated)
        self._tree = tree

    def _own(self, folder: str) -> Settings | None:
        if self._tree.relative(folder) is None:
            return super()._own(folder)
        for name in FILE_NAMES:
            file = os.path.join(folder, name)
            data = self._tree.content(file)
            if data is None or (name == "pyproject.toml" and b"ppolint" not in data):
                continue
            try:
                table = parsed_toml(data)
            except ValueError as error:
                raise ConfigurationError(
                    f"{self._tree.relative(file)}: not valid TOML: {error}"
                ) from None
            if name == "pyproject.toml":
                tool = table.get("tool", {})
                table = tool.get("ppolint") if isinstance(tool, dict) else None
            if isinstance(table, dict):
                return settings_from(table, folder, file)
        return None


class TreeProject(Project):
    """A project whose files come from a tree."""

    def __init__(self, root: str, tree: Tree, files: tuple[str, ...]) -> None:
        super().__init__(root, lambda: files)
        self._tree = tree

    def read(self, path: str) -> bytes:
        return self._tree.content(path) or b""

    def is_file(self, path: str) -> bool:
        return self._tree.is_file(path)

    def is_folder(self, path: str) -> bool:
        return self._tree.is_folder(path)


class TreeProjects(Projects):
    """The projects of a tree."""

    def __init__(self, tree: Tree, resolver: SettingsResolver) -> None:
        super().__init__(resolver)
        self.tree = tree
        self._targets: dict[str, Target] | None = None

    def targets(self) -> dict[str, Target]:
        """The files to lint, by their paths in the tree, that no configuration excludes."""
        if self._targets is None:
            self._targets = {}
            for path in sorted(self.tree.entries):
                if lintable(path):
                    absolute = self.tree.absolute(path)
                    settings = self._resolver.for_folder(os.path.dirname(absolute))
                    if not excluded(absolute, settings):
                        self._targets[path] = Target(absolute, absolute, settings)
        return self._targets

    def read(self, absolute: str) -> bytes:
        data = self.tree.content(absolute)
        if data is None:
            raise FileNotFoundError(2, "its content is not in this clone", absolute)
        return data

    def release(self, absolute: str, data: bytes, said: tuple[str, str] | None) -> TargetRelease:
        if said is not None:
            return named(*said)
        from ppolint.settings.release import release_in

        folders = []
        folder = self.tree.relative(os.path.dirname(absolute)) or ""
        while True:
            folders.append(TreePath(self.tree, folder))
            if not folder:
                return release_in(folders, data.decode("utf-8", "replace"))
            folder = folder.rpartition("/")[0]

    def _root(self, folder: str) -> str:
        while folder != self.tree.top and self.tree.relative(folder) is not None:
            if any(self.tree.is_file(os.path.join(folder, n)) for n in ("setup.py", "setup.cfg")):
                return folder
            content = self.tree.content(os.path.join(folder, "pyproject.toml")) or b""
            if any(mark in content for mark in (b"[project]", b"tool.ppolint", b"tool.poetry]")):
                return folder
            folder = os.path.dirname(folder)
        return self.tree.top

    def files(self, root: str) -> tuple[str, ...]:
        known = self._files.get(root)
        if known is None:
            prefix = root.rstrip(os.sep) + os.sep
            found = [t.absolute for t in self.targets().values()]
            known = self._files[root] = tuple(p for p in found if p.startswith(prefix))
        return known

    def project(self, root: str) -> Project:
        known = self._projects.get(root)
        if known is None:
            known = self._projects[root] = TreeProject(root, self.tree, self.files(root))
        return known
