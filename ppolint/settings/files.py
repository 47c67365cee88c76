"""Which files a run is about: walks folders, honouring excludes and `.gitignore`."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from typing import NamedTuple

from ppolint.settings.globs import PathPatterns, gitignore
from ppolint.settings.load import SettingsResolver
from ppolint.settings.schema import Settings

SUFFIXES = (".py", ".ipynb", ".pyi")


class Target(NamedTuple):
    """A file to lint: its path as the user sees it, its absolute path, and its settings."""

    path: str
    absolute: str
    settings: Settings


class MissingPath(Exception):
    """A path named on the command line is not there."""


class _Ignores(NamedTuple):
    """The `.gitignore` files that hold in a folder: (length of their folder's path, patterns)."""

    files: tuple[tuple[int, PathPatterns], ...] = ()

    def ignored(self, absolute: str, is_folder: bool) -> bool:
        for length, patterns in reversed(self.files):
            answer = patterns.match(absolute[length:], is_folder)
            if answer is not None:
                return answer
        return False

    def with_file(self, file: str, folder: str) -> _Ignores:
        """These and those of one more file, whose patterns are relative to `folder`."""
        try:
            with open(file, encoding="utf-8", errors="surrogateescape") as stream:
                patterns = gitignore(stream.read())
        except OSError:  # a dangling link or a folder of that name: git takes it as no file, too
            return self
        if not patterns:
            return self
        prefix = folder if folder.endswith(os.sep) else folder + os.sep
        return _Ignores((*self.files, (len(prefix), patterns)))


def _outer_ignores(folder: str) -> _Ignores:
    """The `.gitignore` files above `folder`, up to the root of its repository."""
    above: list[str] = []
    current = folder
    while True:
        if os.path.exists(os.path.join(current, ".git")):
            break
        parent = os.path.dirname(current)
        if parent == current:
            return _Ignores()
        above.append(parent)
        current = parent
    root = above[-1] if above else folder
    ignores = _Ignores().with_file(os.path.join(root, ".git", "info", "exclude"), root)
    for outer in reversed(above):
        ignores = ignores.with_file(os.path.join(outer, ".gitignore"), outer)
    return ignores


@lru_cache(maxsize=64)
def _excludes(exclude: tuple[str, ...], extend_exclude: tuple[str, ...]) -> PathPatterns:
    return PathPatterns([*exclude, *extend_exclude])


def excluded(absolute: str, settings: Settings) -> bool:
    """Whether the configuration excludes the file at this absolute path."""
    relative = _relative(absolute, settings.root)
    return _excludes(settings.exclude, settings.extend_exclude).matches(relative)


def _relative(absolute: str, root: str) -> str:
    prefix = root if root.endswith(os.sep) else root + os.sep
    relative = absolute[len(prefix) :] if absolute.startswith(prefix) else absolute.lstrip(os.sep)
    return relative.replace(os.sep, "/")


class Walker:
    """Collects the files below the named paths, each once.

    `warn` is called with a message for a folder that cannot be read. With `force_exclude`, files
    named one by one are left out as well when the configuration excludes them.
    """

    def __init__(
        self,
        resolver: SettingsResolver,
        warn: Callable[[str], None],
        force_exclude: bool = False,
    ) -> None:
        self.resolver = resolver
        self.warn = warn
        self.force_exclude = force_exclude

    def collect(self, paths: Iterable[str]) -> list[Target]:
        """The files to lint; raises `MissingPath` for a named path that is not there."""
        found: dict[str, Target] = {}
        for path in paths:
            for target in self._below(path):
                found.setdefault(target.absolute, target)
        return list(found.values())

    def _below(self, path: str) -> Iterator[Target]:
        absolute = os.path.abspath(path)
        shown = os.path.normpath(path)
        try:
            mode = os.stat(path).st_mode
        except OSError as error:
            raise MissingPath(f"{path}: {error.strerror}") from None
        if stat.S_ISDIR(mode):
            settings = self.resolver.for_folder(absolute)
            prefix = "" if shown == "." else shown if shown.endswith(os.sep) else shown + os.sep
            yield from self._walk(absolute, prefix, settings, _outer_ignores(absolute))
        elif stat.S_ISREG(mode):
            settings = self.resolver.for_folder(os.path.dirname(absolute))
            if not (self.force_exclude and excluded(absolute, settings)):
                yield Target(shown, absolute, settings)
        else:
            raise MissingPath(f"{path}: neither a file nor a folder")

    def _walk(
        self, folder: str, prefix: str, settings: Settings, ignores: _Ignores
    ) -> Iterator[Target]:
        pending = [(folder, prefix, settings, ignores)]
        while pending:
            folder, prefix, settings, ignores = pending.pop()
            try:
                with os.scandir(folder) as scan:
                    entries = list(scan)
            except OSError as error:
                self.warn(f"{prefix or folder}: {error.strerror}; the folder is skipped")
                continue
            names = {entry.name for entry in entries}
            if "pyvenv.cfg" in names and prefix:
                continue
            settings = self.resolver.inherit(folder, settings, names)
            if ".gitignore" in names:
                ignores = ignores.with_file(os.path.join(folder, ".gitignore"), folder)
            patterns = _excludes(settings.exclude, settings.extend_exclude)
            base = _relative(folder, settings.root) if folder != settings.root else ""
            base = base + "/" if base else ""
            folders = []
            for entry in sorted(entries, key=lambda entry: entry.name):
                name = entry.name
                is_folder = entry.is_dir(follow_symlinks=False)
                if not is_folder and not name.endswith(SUFFIXES):
                    continue
                if patterns.match(base + name, is_folder) or ignores.ignored(entry.path, is_folder):
                    continue
                if is_folder:
                    folders.append((entry.path, f"{prefix}{name}{os.sep}", settings, ignores))
                elif _is_file(entry):
                    yield Target(prefix + name, entry.path, settings)
            pending.extend(reversed(folders))


def _is_file(entry: os.DirEntry[str]) -> bool:
    """Whether it is a file or a link to one; not so a link in a circle or to where one may not look."""
    try:
        return entry.is_file()
    except OSError:
        return False


# What marks the root of a project, the strongest first when one folder has several.
_ROOT_MARKS = ("setup.py", "setup.cfg", ".git")


# What the top of a repository usually has, and a folder inside of it sometimes. No regex: to compile
# it took a twentieth of a run that finds everything in the cache.
_HINTS = (
    "readme", "license", "licence", "requirements", "environment", "pipfile", ".gitignore",
)  # fmt: skip


# Folders of everything: what lies in them directly belongs to no project.
_NO_PROJECTS = frozenset(
    map(os.path.abspath, (os.path.expanduser("~"), os.sep, os.environ.get("TMPDIR") or "/tmp"))
)


class Roots:
    """The roots of projects, each folder of the tree looked into once.

    The root is the nearest folder, at or above it, with a `pyproject.toml` of a project or of ppolint, a
    `setup.py`, a `setup.cfg` or a `.git`. Without one it is the highest folder, not above the
    working directory, that has a README, a licence or a list of requirements; else the working
    directory, when the folder is inside of it. For a folder elsewhere it is the highest of those
    above it with one of these, as far up as folders hold Python files or one of these, one in
    between left out (`src`); else the highest of those with Python files.
    """

    def __init__(self) -> None:
        self._marked: dict[str, bool] = {}
        self._hinted: dict[str, bool] = {}
        self._python: dict[str, bool] = {}

    def of(self, folder: str) -> str:
        """The root of the project that the absolute `folder` is in."""
        current = folder
        while not self._asked(self._marked, _is_root, current):
            parent = os.path.dirname(current)
            if parent == current:
                return self._guessed(folder)
            current = parent
        return current

    def _guessed(self, folder: str) -> str:
        top = os.getcwd()
        inside = folder == top or folder.startswith(top.rstrip(os.sep) + os.sep)
        if not inside:
            return self._guessed_elsewhere(folder)
        guess, current = top, folder
        while current != top:
            if self._asked(self._hinted, _has_hint, current):
                guess = current
            current = os.path.dirname(current)
        return guess

    def _guessed_elsewhere(self, folder: str) -> str:
        hinted, python, bare, current = None, folder, 0, folder
        while bare < 2 and current not in _NO_PROJECTS and current != os.path.dirname(current):
            if self._asked(self._hinted, _has_hint, current):
                hinted, bare = current, 0
            elif self._asked(self._python, _has_python, current):
                python, bare = (current, 0) if not bare else (python, 0)
            else:
                bare += 1
            current = os.path.dirname(current)
        return hinted or python

    @staticmethod
    def _asked(known: dict[str, bool], question: Callable[[str], bool], folder: str) -> bool:
        if folder not in known:
            known[folder] = question(folder)
        return known[folder]


def project_root(folder: str) -> str:
    """The root of the project that one folder is in, as `Roots` finds it."""
    return Roots().of(folder)


def _has_hint(folder: str) -> bool:
    try:
        return any(name.lower().startswith(_HINTS) for name in os.listdir(folder))
    except OSError:  # it vanished
        return False


def _has_python(folder: str) -> bool:
    try:
        return any(name.endswith(SUFFIXES) for name in os.listdir(folder))
    except OSError:  # it vanished
        return False


def _is_root(folder: str) -> bool:
    try:
        with open(os.path.join(folder, "pyproject.toml"), "rb") as stream:
            content = stream.read()
        if b"[project]" in content or b"tool.ppolint" in content or b"tool.poetry]" in content:
            return True
    except OSError:
        pass  # no such file: the other marks decide
    return any(os.path.exists(os.path.join(folder, mark)) for mark in _ROOT_MARKS)
