"""The files of a git tree as the linter sees them, without a work tree."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from typing import NamedTuple

from ppolint.engine.limits import MAX_BYTES
from ppolint.review.git import Repository
from ppolint.settings.files import SUFFIXES
from ppolint.settings.load import FILE_NAMES

# What besides code is read: settings, and what states dependencies. A name too many costs little.
_TOLD_BY = re.compile(
    r"(?i)(?:.*requirements.*|ppolint\.toml|pyproject\.toml|setup\.(?:py|cfg)|.*\.lock"
    r"|.*lock\.(?:yml|toml|json)|pixi\.toml|pipfile|(?:conda[-_]?)?env(?:ironment)?.*\.ya?ml)"
)


class Entry(NamedTuple):
    """A regular file of a tree; `size` is in bytes."""

    blob: str
    size: int


class Tree:
    """A tree of a repository, laid over the absolute path `top` of its work tree."""

    def __init__(self, repository: Repository, name: str) -> None:
        self.top = repository.top
        self.entries: dict[str, Entry] = {}
        self.submodules: list[str] = []
        self._missing = repository.missing(name)
        # The size of an object that is not there cannot be told.
        sizes = () if self._missing else ("-l",)
        listing = repository.output("ls-tree", "-r", *sizes, "-z", "--full-tree", name)
        for line in listing.split(b"\0")[:-1]:
            meta, _, raw = line.partition(b"\t")
            mode, kind, blob, *size = meta.split()
            path = os.fsdecode(raw)
            if kind == b"commit":
                self.submodules.append(path)
            elif mode != b"120000":
                # Of a file that is not there, git prints the word BAD.
                known = int(size[0]) if size and size[0].isdigit() else 0
                self.entries[path] = Entry(blob.decode(), known)
        self.folders = {""}
        for path in self.entries:
            folder = path.rpartition("/")[0]
            while folder and folder not in self.folders:
                self.folders.add(folder)
                folder = folder.rpartition("/")[0]
        self._contents: dict[str, bytes] = {}
        self._children: dict[str, list[str]] | None = None

    def load(self, repository: Repository, other: Tree | None = None) -> None:
        """Read the content of every file the linter may ask for, once for both trees.

        Workers are forked from this process and cannot share a running git.
        """
        trees = [self] if other is None else [self, other]
        wanted = {e.blob for tree in trees for path, e in tree.entries.items() if _read(path, e)}
        wanted.difference_update(*(tree._missing for tree in trees))
        contents = repository.blobs(sorted(wanted))
        for tree in trees:
            tree._contents = contents

    def relative(self, absolute: str) -> str | None:
        """A path in the tree, None for one outside of it."""
        if absolute == self.top:
            return ""
        prefix = self.top.rstrip(os.sep) + os.sep
        if not absolute.startswith(prefix):
            return None
        return absolute[len(prefix) :].replace(os.sep, "/")

    def absolute(self, path: str) -> str:
        """Where the file at `path` would be in the work tree."""
        return os.path.join(self.top, path.replace("/", os.sep))

    def is_file(self, absolute: str) -> bool:
        return self.relative(absolute) in self.entries

    def is_folder(self, absolute: str) -> bool:
        return self.relative(absolute) in self.folders

    def content(self, absolute: str) -> bytes | None:
        """The bytes of a file, None when there is none (or it is not one that is read)."""
        entry = self.entries.get(self.relative(absolute) or "")
        return None if entry is None else self._contents.get(entry.blob)

    def children(self, path: str) -> list[str]:
        """The names in a folder."""
        if self._children is None:
            self._children = {}
            for each in (*self.entries, *self.folders):
                folder, _, name = each.rpartition("/")
                if name:
                    self._children.setdefault(folder, []).append(name)
        return self._children.get(path, [])


def lintable(path: str) -> bool:
    """Whether a path is one that the linter looks at."""
    return path.endswith(SUFFIXES)


def states_release(path: str) -> bool:
    """Whether a file may say which release of TorchRL is used."""
    from ppolint.engine.targets import _STATES_DEPENDENCIES

    name = path.rpartition("/")[2]
    return bool(_STATES_DEPENDENCIES.fullmatch(name)) or "/requirements/" in f"/{path}"


def _read(path: str, entry: Entry) -> bool:
    name = path.rpartition("/")[2]
    inside = path.split("/")[-2:-1] == ["requirements"]
    wanted = lintable(path) or inside or name in FILE_NAMES or _TOLD_BY.fullmatch(name)
    return bool(wanted) and entry.size <= MAX_BYTES


class TreePath:
    """A folder or file of a tree with as much of `pathlib.Path` as reading dependencies needs."""

    def __init__(self, tree: Tree, path: str) -> None:
        self._tree = tree
        self._path = path

    @property
    def name(self) -> str:
        return self._path.rpartition("/")[2]

    def __truediv__(self, name: str) -> TreePath:
        return TreePath(self._tree, f"{self._path}/{name}" if self._path else name)

    def __lt__(self, other: TreePath) -> bool:
        return self._path < other._path

    def iterdir(self) -> Iterator[TreePath]:
        return (self / name for name in self._tree.children(self._path))

    def glob(self, pattern: str) -> Iterator[TreePath]:
        ending = pattern.removeprefix("*")
        return (path for path in self.iterdir() if path.name.endswith(ending))

    def is_dir(self) -> bool:
        return self._path in self._tree.folders

    def stat(self) -> os.stat_result:
        entry = self._tree.entries.get(self._path)
        if entry is None:
            raise FileNotFoundError(self._path)
        return os.stat_result((0, 0, 0, 0, 0, 0, entry.size, 0, 0, 0))

    def read_text(self, encoding: str = "utf-8") -> str:
        data = self._tree.content(self._tree.absolute(self._path))
        if data is None:
            raise FileNotFoundError(self._path)
        return data.decode(encoding)


def parsed_toml(data: bytes) -> dict:
    """A TOML file; raises `ValueError` when it is none."""
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    return tomllib.loads(data.decode("utf-8-sig"))
