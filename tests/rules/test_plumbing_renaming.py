"""Renaming a fixture's identifiers must not change what PPO101-PPO105 find in it.

The rules claim to see structure, not names. Every fixture of these rules is rewritten with
meaningless identifiers, on the same lines, and linted again: the same rules must report the
same lines. What a rename would turn into another program keeps its name: imported names,
attributes and keywords of libraries, builtins, dunder names, names that also occur in strings.
"""

from __future__ import annotations

import ast
import builtins
import collections
import enum
import hashlib
import json
import pathlib
import re
import subprocess
import sys
from collections.abc import Iterator

import numpy as np
import pytest
import torch

ROOT = pathlib.Path(__file__).resolve().parents[2]
RULES = ("PPO101", "PPO102", "PPO103", "PPO104", "PPO105")
FIXTURES = [
    path
    for code in RULES
    for folder in sorted((ROOT / "fixtures").glob(f"{code}-*"))
    for path in sorted(folder.iterdir())
    if path.name.startswith(("bad_", "good_")) and (path.is_dir() or path.suffix == ".py")
]

# What an attribute may mean on a value of a library: renaming it would change the operation.
LIBRARY_TYPES = (
    torch,
    torch.Tensor,
    torch.nn.Module,
    torch.optim.Optimizer,
    torch.distributions,
    torch.distributions.Distribution,
    torch.distributions.Normal,
    torch.distributions.Categorical,
    np,
    np.ndarray,
    list,
    dict,
    tuple,
    str,
    set,
    int,
    collections.deque,
    enum.Enum,
)
# Spoken by conventions that no type above shows: environments, named tuples, HuggingFace outputs,
# loggers.
PROTOCOLS = {
    "action_space",
    "observation_space",
    "single_action_space",
    "single_observation_space",
    "reset",
    "step",
    "num_envs",
    "logits",
    "generate",
    "add_scalar",
    "_replace",
    "_asdict",
    "_fields",
}
LIBRARY_ATTRIBUTES = PROTOCOLS.union(*(dir(kind) for kind in LIBRARY_TYPES))


def new_name(old: str) -> str:
    return "n" + hashlib.sha1(old.encode()).hexdigest()[:8]


class Unit:
    """The files of one fixture, renamed together so that their imports still meet."""

    def __init__(self, files: dict[str, str]):
        self.files = files
        self.trees = {name: ast.parse(text) for name, text in files.items()}
        self.siblings = {name.removesuffix(".py") for name in files}
        self.imported: set[str] = set()
        self.own_modules: set[str] = set()  # `import losses`: files keep their names
        self.quoted: set[str] = set()  # `namedtuple("Step", "obs action")`, `getattr(x, "obs")`
        self.functions: set[str] = set()
        self.records: set[str] = set()  # classes without `__init__`: keywords are fields
        self.field_names: set[int] = set()  # identities of the names that declare fields
        for tree in self.trees.values():
            for node in ast.walk(tree):
                self._survey(node)
        self.kept = self.imported | self.own_modules | set(dir(builtins)) | {"self", "cls"}

    def _survey(self, node: ast.AST) -> None:
        if isinstance(node, ast.Import):
            modules = {(a.asname or a.name).split(".")[0] for a in node.names}
            self.own_modules |= modules & self.siblings
            self.imported |= modules - self.siblings
        elif isinstance(node, ast.ImportFrom) and node.module not in self.siblings:
            self.imported |= {a.asname or a.name for a in node.names}
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            self.quoted |= set(re.findall(r"\w+", node.value))
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            self.functions.add(node.name)
        elif isinstance(node, ast.ClassDef):
            methods = {item.name for item in node.body if isinstance(item, ast.FunctionDef)}
            (self.functions if "__init__" in methods else self.records).add(node.name)
            for item in node.body:
                targets = getattr(item, "targets", None) or [getattr(item, "target", None)]
                self.field_names |= {id(t) for t in targets if isinstance(t, ast.Name)}

    def name(self, name: str) -> str:
        """What a variable, parameter, function or class is called now."""
        dunder = name.startswith("__") and name.endswith("__")
        return name if dunder or name in self.kept else new_name(name)

    def attribute(self, name: str) -> str:
        """What an attribute of a value of the fixture is called now."""
        if name in LIBRARY_ATTRIBUTES or name in self.quoted:
            return name
        return self.name(name)

    def renamed(self, file: str) -> str:
        text = self.files[file]
        lines = [line.encode() for line in text.splitlines(keepends=True)]
        edits = sorted(set(self._edits(self.trees[file], lines)), reverse=True)
        for line, column, old, new in edits:
            raw, end = lines[line - 1], column + len(old.encode())
            assert raw[column:end] == old.encode(), (file, line, old)
            lines[line - 1] = raw[:column] + new.encode() + raw[end:]
        return b"".join(lines).decode()

    def _edits(self, tree: ast.AST, lines: list[bytes]) -> Iterator[tuple[int, int, str, str]]:
        """Line, column in bytes, old and new name of every identifier of one file."""
        methods = {
            id(item)
            for node in ast.walk(tree)
            if isinstance(node, ast.ClassDef)
            for item in node.body
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.Name):
                rename = self.attribute if id(node) in self.field_names else self.name
                yield node.lineno, node.col_offset, node.id, rename(node.id)
            elif isinstance(node, ast.arg):
                yield node.lineno, node.col_offset, node.arg, self.name(node.arg)
            elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                rename = self.attribute if id(node) in methods else self.name
                column = lines[node.lineno - 1].index(node.name.encode(), node.col_offset + 3)
                yield node.lineno, column, node.name, rename(node.name)
            elif isinstance(node, ast.Attribute) and root(node.value) not in self.imported:
                rename = self.name if root(node.value) in self.own_modules else self.attribute
                column = node.end_col_offset - len(node.attr.encode())
                yield node.end_lineno, column, node.attr, rename(node.attr)
            elif isinstance(node, ast.Call):
                yield from self._keywords(node)
            elif isinstance(node, ast.ImportFrom) and node.module in self.siblings:
                for alias in node.names:
                    yield alias.lineno, alias.col_offset, alias.name, self.name(alias.name)
            elif isinstance(node, (ast.Global, ast.Nonlocal)):
                column = node.col_offset
                for name in node.names:
                    column = lines[node.lineno - 1].index(name.encode(), column)
                    yield node.lineno, column, name, self.name(name)

    def _keywords(self, call: ast.Call) -> Iterator[tuple[int, int, str, str]]:
        called = call.func.attr if isinstance(call.func, ast.Attribute) else root(call.func)
        if called in self.records:
            rename = self.attribute
        elif called in self.functions and root(call.func) not in self.imported:
            rename = self.name
        else:
            return
        for keyword in call.keywords:
            if keyword.arg is not None:
                yield keyword.lineno, keyword.col_offset, keyword.arg, rename(keyword.arg)


def root(node: ast.expr) -> str | None:
    """`a` of `a.b.c`; None for what does not start with a name."""
    while isinstance(node, ast.Attribute):
        node = node.value
    return node.id if isinstance(node, ast.Name) else None


def findings(folder: pathlib.Path) -> dict[str, set[tuple[str, int, int, str]]]:
    """By fixture: (file, first row, last row, code) of everything PPO101-PPO105 report."""
    command = [sys.executable, "-m", "ppolint", "check", "--isolated", "--no-cache"]
    command += ["--select", ",".join(RULES), "--output-format", "json", "--exit-zero", "."]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    found: dict[str, set[tuple[str, int, int, str]]] = collections.defaultdict(set)
    for item in json.loads(done.stdout):
        path = pathlib.PurePath(item["filename"])
        if path.is_absolute():
            path = path.relative_to(folder.resolve())
        rows = item["location"]["row"], item["end_location"]["row"]
        found["/".join(path.parts[:2])].add((path.name, *rows, item["code"]))
    return found


def unit_of(path: pathlib.Path) -> dict[str, str]:
    files = sorted(path.glob("*.py")) if path.is_dir() else [path]
    return {file.name: file.read_text() for file in files}


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory):
    """Findings in copies of the fixtures as they are, and renamed."""
    plain, renamed = tmp_path_factory.mktemp("plain"), tmp_path_factory.mktemp("renamed")
    for path in FIXTURES:
        unit = Unit(unit_of(path))
        for name in unit.files:
            inside = pathlib.Path(path.parent.name) / path.name
            inside = inside / name if path.is_dir() else inside
            for folder, text in ((plain, unit.files[name]), (renamed, unit.renamed(name))):
                (folder / inside).parent.mkdir(parents=True, exist_ok=True)
                (folder / inside).write_text(text)
    return findings(plain), findings(renamed)


def label(path: pathlib.Path) -> str:
    return f"{path.parent.name}/{path.name}"


@pytest.mark.parametrize("path", FIXTURES, ids=label)
def test_renaming_changes_no_finding(path: pathlib.Path, both) -> None:
    plain, renamed = both
    assert renamed[label(path)] == plain[label(path)]


@pytest.mark.parametrize("path", FIXTURES, ids=label)
def test_the_renamed_fixture_is_a_program_with_other_names(path: pathlib.Path) -> None:
    unit = Unit(unit_of(path))
    for name, text in unit.files.items():
        renamed = unit.renamed(name)
        # the same tree on the same lines, but for the identifiers
        assert shape(ast.parse(renamed)) == shape(ast.parse(text))
        fields = {n.id for n in ast.walk(unit.trees[name]) if id(n) in unit.field_names}
        assert variables(text) & variables(renamed) <= unit.kept | fields


def shape(tree: ast.AST) -> list[tuple[str, int | None]]:
    return [(type(node).__name__, getattr(node, "lineno", None)) for node in ast.walk(tree)]


def variables(text: str) -> set[str]:
    return {node.id for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Name)}


def test_some_fixture_has_findings(both) -> None:
    assert sum(map(len, both[0].values())) > 50
