"""What a large project is about, told from the words of its files.

Most PyTorch code has nothing to do with reinforcement learning, and a library of hundreds of files
shows it at once: hardly one of them speaks of rewards or advantages. Of such a library only the
files that do, and their neighbours by imports, can hold anything for the rules about programs that
learn from an environment.
"""

from __future__ import annotations

import os
import re
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ppolint.semantics.project import Project

# Fewer files are quickly read, and say too little about what they are part of.
SMALL = 50
# A repository about RL speaks of it in every fourth file at least; a library that has a trainer or
# a metric for it besides everything else, in one of a hundred.
SHARE = 0.02
_WORDS = (b"reward", b"advantages", b"gymnasium")
# Each begins with letters that the search can jump to: most files hold "support".
_NAMES = (re.compile(rb"ppo(?![a-z0-9])"), re.compile(rb"gym(?![a-z0-9])"))
_TORCHRL = (b"torchrl", b"tensordict")
_IMPORTS = re.compile(rb"\b(?:import|from)[ \t]+(?:torchrl|tensordict)\b")


def speaks_of_rl(data: bytes) -> bool:
    """Whether a file names what only reinforcement learning has."""
    data = data.lower()
    if any(word in data for word in _WORDS):
        return True
    if any(name.search(data) is not None for name in _NAMES):
        return True
    return any(name in data for name in _TORCHRL) and _IMPORTS.search(data) is not None


class Subject:
    """What one project is about."""

    def __init__(self, project: Project) -> None:
        self._project = project

    def may_concern(self, path: str) -> bool:
        """Whether rules about RL programs have to look at the file at the absolute `path`."""
        return not self.is_another or path in self._near

    @cached_property
    def is_another(self) -> bool:
        """Whether it is a large project that has next to nothing to do with RL."""
        size = len(self._project.files)
        return size > SMALL and len(self._speaking) < SHARE * size

    @cached_property
    def _speaking(self) -> frozenset[str]:
        project = self._project
        return frozenset(path for path in project.files if speaks_of_rl(project.read(path)))

    @cached_property
    def _near(self) -> frozenset[str]:
        """The files that speak of it, those that they import, and those that import them."""
        imported = {p for path in self._speaking for p in self._project.imported_files(path)}
        return frozenset(self._speaking | imported | self._users())

    def _users(self) -> set[str]:
        """The files that import one that speaks of it, but for what everybody imports."""
        stems = {_stem(path).encode("utf-8", "surrogateescape") for path in self._speaking}
        users: dict[str, list[str]] = {path: [] for path in self._speaking}
        for path in self._project.files if stems else ():
            data = self._project.read(path)
            if any(stem in data for stem in stems):
                for imported in self._project.imported_files(path):
                    if imported in users:
                        users[imported].append(path)
        return {p for paths in users.values() if len(paths) <= SMALL for p in paths}


def _stem(path: str) -> str:
    """The word by which an import names a file."""
    folder, name = os.path.split(path)
    stem = name.rpartition(".")[0]
    return os.path.basename(folder) if stem == "__init__" else stem


def subject_of(project: Project) -> Subject:
    """The subject of a project, looked for once."""
    return project.remembered("subject", lambda: Subject(project))
