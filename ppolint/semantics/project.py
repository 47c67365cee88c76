"""What a file cannot tell alone: which files belong together, and to what kind of program.

A project is a folder of Python files and notebooks. It answers three questions, each computed when
first asked: where is the module that an import names; is this file part of a PyTorch program
(itself, or through the files that import it or that it imports); which files mention a word.
"""

from __future__ import annotations

import os
import re
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from typing import Any

from ppolint.semantics.contents import Contents
from ppolint.semantics.import_lines import (
    handed_on,
    imported_names,
    torch_by_imports,
)

_LONGEST_LINE = 5_000
_WORD = re.compile(r"[A-Za-z_]\w*")
# A file of the project is looked into only when it may hold something a pattern is made of.
# Each pattern begins with letters that a search can jump to.
_RELEVANT = (
    *(
        re.compile(rf"{word}(?<!\w{word})(?!\w)")
        for word in "lfilter reversed clamp clip exp hardtanh minimum flip cumsum kl_divergence torchrl "
        "tensordict LightningModule".split()
    ),
    re.compile(r"\[::-1\]"),
    re.compile(r"-1\s*,\s*-1\s*\)"),
    re.compile(r"\*\*\s*\w+\.arange\b"),  # powers, one for each step
    re.compile(r"max(?<!\wmax)\([^\n]*\bmin\("),  # a limit in two steps
    re.compile(r"min(?<!\wmin)\([^\n]*\bmax\("),
)
# One step of a recursion, by itself in a short file: a sum with a product, and no word of it.
_STEP = re.compile(r"^[ \t]+return\b[^\n]*(?:\*[^\n]*\+|\+[^\n]*\*)", re.MULTILINE)
# A network that carries the lists of an episode, and who adds to them.
_LISTS = re.compile(
    r"nn\.Module(?<!\wnn\.Module)\b[\s\S]*^[ \t]+self\.\w+[ \t]*=[ \t]*\[\][ \t]*$", re.MULTILINE
)
_ADDS = re.compile(r"\.append\([^\n]*\blog_prob\(")
_SHORT = 8_000
_TREES = 48


def _is_relevant(text: str) -> bool:
    """Whether a file may hold what patterns are made of."""
    if any(pattern.search(text) for pattern in _RELEVANT):
        return len(text) < 1_000_000
    if len(text) >= _SHORT:
        return False
    return any(pattern.search(text) is not None for pattern in (_STEP, _ADDS, _LISTS))


class Project:
    """The files under `root`, as `list_files` gives them (paths relative to the work directory)."""

    def __init__(
        self,
        root: str,
        list_files: Callable[[], Iterable[str]],
        contents: Contents | None = None,
    ) -> None:
        self.root = os.path.abspath(root)
        self._contents = contents or Contents()
        self._list_files = list_files
        self._texts: dict[str, str] = {}
        self._trees: OrderedDict[str, tuple[str, Any]] = OrderedDict()
        self._importers: dict[str, str] = {}  # file -> its folder
        self._locations: dict[tuple[str, str], tuple[str, tuple[str, ...]] | None] = {}
        self._folders: dict[tuple[str, str], bool] = {}
        self._torch: dict[str, bool] = {}

    # -- files ------------------------------------------------------------------------------
    @cached_property
    def files(self) -> tuple[str, ...]:
        """Absolute paths of all Python files and notebooks, sorted."""
        return tuple(sorted(os.path.abspath(p) for p in self._list_files()))

    def read(self, path: str) -> bytes:
        """The bytes of a file; none for one that cannot be read."""
        try:
            return self._contents.of(path)
        except OSError:
            return b""

    def is_file(self, path: str) -> bool:
        """Whether there is a file at the absolute `path`."""
        return os.path.isfile(path)

    def is_folder(self, path: str) -> bool:
        """Whether there is a folder at the absolute `path`."""
        return os.path.isdir(path)

    def text(self, path: str, keep: bool = True) -> str:
        """The raw text of a file; empty for one that cannot be read."""
        path = os.path.abspath(path)
        known = self._texts.get(path)
        if known is None:
            known = self.read(path).decode("utf-8", "replace")
            if "\r" in known:
                known = known.replace("\r\n", "\n").replace("\r", "\n")
            if path.endswith(".ipynb"):
                known = "\n".join(_notebook_lines(known))
            if keep:
                self._texts[path] = known
        return known

    def tree(self, path: str) -> Any:
        """The parsed module of a file worth looking into; None for any other."""
        from ppolint.semantics.parsing import ParseError

        text = self.text(path)
        if not (path.endswith(".py") and _is_relevant(text)):
            return None
        try:
            return self.parsed(path, text)
        except ParseError:
            return None

    def parsed(self, path: str, text: str) -> Any:
        """The module of a text, parsed once for the file itself and for those that import it.

        Raises:
            ParseError: the text is no Python.
        """
        from ppolint.semantics.parsing import parse

        path = os.path.abspath(path)
        known = self._trees.get(path)
        if known is not None and known[0] == text:
            self._trees.move_to_end(path)
            return known[1]
        tree = parse(text)
        self._trees[path] = (text, tree)
        self._trees.move_to_end(path)
        if len(self._trees) > _TREES:
            self._trees.popitem(last=False)
        return tree

    def handed_on(self, path: str, name: str, asked: frozenset[str] = frozenset()) -> str | None:
        """`.td.discount` for the name `discount` in a package with `from .td import discount`, or
        `from .td import *` where that has it; `asked`: packages that wait for an answer."""
        if os.path.basename(path) != "__init__.py":
            return None
        sources = self.__dict__.setdefault("_handed_on", {})
        if path not in sources:
            sources[path] = handed_on(self.text(path, keep=False))
        found = sources[path].get(name)
        if found is None and not name.startswith("*"):
            asked = asked | {path}
            for module in (m for key, m in sources[path].items() if key.startswith("*")):
                located = self.locate(module, path)
                if located is not None and not located[1] and located[0] not in asked:
                    if self._offers(located[0], name, asked):
                        module = _within(os.path.dirname(path), located[0]) or module
                        return f"{module}{'' if module.endswith('.') else '.'}{name}"
        return found

    def _offers(self, path: str, name: str, asked: frozenset[str]) -> bool:
        """Whether `from path import *` brings a name that is defined there, or handed on."""
        if self.handed_on(path, name, asked) is not None:
            return True
        words = (f"\ndef {name}(", f"\nclass {name}(", f"\nclass {name}:")
        text = self.text(path, keep=False)
        return any(word in text for word in words)

    def is_beside(self, path: str, package: str) -> bool:
        """Whether two files are in one folder of the root: a package speaks of its own modules in
        full, and who uses a library from outside does not depend on how it is built."""
        start = len(self.root) + 1
        folder, _, inside = package[start:].partition(os.sep)
        near = os.path.join(self.root, folder) + os.sep
        return bool(inside) and os.path.abspath(path).startswith(near)

    def remembered(self, question: str, answer: Callable[[], Any]) -> Any:
        """The answer to a question about the whole project, worked out once."""
        cache = self.__dict__.setdefault("_answers", {})
        if question not in cache:
            cache[question] = answer()
        return cache[question]

    # -- imports ----------------------------------------------------------------------------
    def locate(self, dotted: str, importer: str) -> tuple[str, tuple[str, ...]] | None:
        """The file that `dotted` (as written in `importer`) is in, and the names inside it.

        `pkg.utils.make_env` gives (".../pkg/utils.py", ("make_env",)); None when it is no file of
        the project. The search goes from the importer's folder up to the root and its `src`.
        """
        folder = self._importers.get(importer)
        if folder is None:
            folder = self._importers[importer] = os.path.dirname(os.path.abspath(importer))
        key = (folder, dotted)
        if key not in self._locations:
            self._locations[key] = self._locate(dotted, folder)
        return self._locations[key]

    def _locate(self, dotted: str, folder: str) -> tuple[str, tuple[str, ...]] | None:
        name = dotted.lstrip(".")
        level = len(dotted) - len(name)
        parts = name.split(".") if name else []
        if level:
            for _ in range(level - 1):
                folder = os.path.dirname(folder)
            return self._descend(folder, parts)
        if not parts or parts[0] == "builtins":
            return None
        for base in self._bases(folder):
            if self._holds(base, parts[0]):
                found = self._descend(base, parts)
                if found is not None:
                    return found
        return None

    def _bases(self, folder: str) -> Iterable[str]:
        inside = folder == self.root or folder.startswith(self.root + os.sep)
        while True:
            yield folder
            if folder == self.root or not inside:
                break
            folder = os.path.dirname(folder)
        yield os.path.join(self.root, "src")

    def _holds(self, base: str, name: str) -> bool:
        key = (base, name)
        known = self._folders.get(key)
        if known is None:
            path = os.path.join(base, name)
            known = self.is_file(path + ".py") or self.is_folder(path)
            self._folders[key] = known
        return known

    def _descend(self, base: str, parts: list[str]) -> tuple[str, tuple[str, ...]] | None:
        path = base
        for at, part in enumerate(parts):
            path = os.path.join(path, part)
            if self.is_file(path + ".py"):
                return path + ".py", tuple(parts[at + 1 :])
            if not self.is_folder(path):
                init = os.path.join(os.path.dirname(path), "__init__.py")
                return (init, tuple(parts[at:])) if at and self.is_file(init) else None
        init = os.path.join(path, "__init__.py")
        return (init, ()) if self.is_file(init) else None

    # -- what kind of program ---------------------------------------------------------------
    def imports(self, path: str) -> frozenset[str]:
        """The dotted names that a file imports, as written (relative ones keep their dots)."""
        return self._imports_of(os.path.abspath(path))

    def _imports_of(self, path: str) -> frozenset[str]:
        cache = self.__dict__.setdefault("_import_cache", {})
        known = cache.get(path)
        if known is None:
            cache[path] = known = imported_names(self.text(path))
        return known

    def uses_torch(self, path: str, text: str | None = None) -> bool:
        """Whether a file belongs to a PyTorch program.

        It does when it imports torch. When it imports another framework instead it does not. Else
        the files that it is connected with through imports decide.
        """
        path = os.path.abspath(path)
        names = imported_names(text) if text is not None else self._imports_of(path)
        answer = torch_by_imports(names)
        if answer is not None:
            return answer
        known = self._torch.get(path)
        if known is None:
            known = self._torch[path] = self._connected_to_torch(path, names)
        return known

    def _connected_to_torch(self, path: str, names: Iterable[str]) -> bool:
        """Breadth first over imports in both directions, not through other frameworks' files."""
        seen = {path}
        users = self.importers.get(path, ())
        queue = [*self.imported_files(path, names), *users]
        while queue:
            current = queue.pop()
            if current in seen:
                continue
            seen.add(current)
            answer = torch_by_imports(self._imports_of(current))
            if answer:
                return True
            if answer is False:
                continue
            queue.extend(self.importers.get(current, ()))
            if current in users and self._brings_torch(current):
                return True
        return False

    def _brings_torch(self, path: str) -> bool:
        """Whether a file imports such as import torch, and none that import another framework."""
        answers = {torch_by_imports(self._imports_of(p)) for p in self.imported_files(path)}
        return True in answers and False not in answers

    def imported_files(self, path: str, names: Iterable[str] | None = None) -> list[str]:
        """The files of the project that a file imports."""
        names = self.imports(path) if names is None else names
        return sorted({p for n in names if (p := self._file_of(n, path)) is not None})

    def _file_of(self, dotted: str, importer: str) -> str | None:
        located = self.locate(dotted, importer)
        return located[0] if located is not None else None

    @cached_property
    def importers(self) -> dict[str, list[str]]:
        """file -> the files of the project that import it."""
        out: dict[str, list[str]] = {}
        for path in self.files:
            for name in self._imports_of(path):
                target = self._file_of(name, path)
                if target is not None and target != path:
                    users = out.setdefault(target, [])
                    if path not in users:
                        users.append(path)
        return out

    def mentioning(self, word: str) -> list[str]:
        """The files whose text contains the identifier `word`, in order of their paths."""
        return [p for p in self.files if word in self._words(p)]

    def _words(self, path: str) -> frozenset[str]:
        cache = self.__dict__.setdefault("_word_cache", {})
        known = cache.get(path)
        if known is None:
            cache[path] = known = frozenset(_WORD.findall(self.text(path)))
        return known


def _notebook_lines(text: str) -> Iterator[str]:
    """The lines of the JSON of a notebook that are one string, as they read."""
    for line in text.split("\n"):
        line = line.strip()
        if line[:1] == '"' and len(line) < _LONGEST_LINE:  # pictures are longer
            line = line[1:].removesuffix(",")
            if line[-1:] == '"':
                yield line[:-1].removesuffix("\\n").replace('\\"', '"')


def _within(folder: str, path: str) -> str | None:
    """`.sub.module` for a file below a package's folder; None for one elsewhere."""
    if not path.startswith(folder + os.sep):
        return None
    parts = path[len(folder) + 1 :].removesuffix(".py").split(os.sep)
    return "." + ".".join(part for part in parts if part != "__init__")
