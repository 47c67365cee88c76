"""Where projects write down their dependencies, and what they say of TorchRL and TensorDict.

Everything is read as text or TOML; nothing is run, and a file that cannot be read or parsed says
nothing (the tools that own these files report their errors).
"""

from __future__ import annotations

import ast
import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from configparser import ConfigParser
from configparser import Error as ConfigError
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packaging.specifiers import SpecifierSet

from ppolint.settings.specifiers import (
    MENTION,
    NAMES,
    conda_specifier,
    parse_requirement,
    pip_specifier,
    poetry_specifier,
)

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_LOCK, _PROJECT, _REQUIREMENTS, _SETUP, _ENVIRONMENT, _OPTIONAL = range(6)
_LARGEST = 32 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Statement:
    """One thing that a file says: `package` in `specifier`, at `file:line` (`line` 0: unknown).

    `rank` orders the kinds of files: lock files first, optional dependencies last.
    """

    package: str
    specifier: SpecifierSet
    file: str
    line: int
    rank: int

    @property
    def where(self) -> str:
        return f"{self.file}:{self.line}" if self.line else self.file

    @property
    def locked(self) -> bool:
        return self.rank == _LOCK

    @property
    def optional(self) -> bool:
        """Development groups and extras: they narrow nothing."""
        return self.rank == _OPTIONAL


Found = Iterator[tuple[str, SpecifierSet, int]]


def folder_statements(folder: Path) -> list[Statement]:
    """What the dependency files directly in `folder` say (and in its `requirements` folder)."""
    statements: list[Statement] = []
    for path, name, rank, read in _files(folder):
        text = _text(path)
        if text is None or not MENTION.search(text):
            continue
        for package, specifier, line in read(text):
            actual = rank
            if line < 0:  # an optional dependency
                actual, line = max(rank, _OPTIONAL), -line
            statements.append(Statement(package, specifier, name, line, actual))
    return statements


def _text(path: Path) -> str | None:
    try:
        if path.stat().st_size > _LARGEST:
            return None
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError):
        return None


def _files(folder: Path) -> Iterator[tuple[Path, str, int, Callable[[str], Found]]]:
    """The dependency files of a folder: (path, name to show, rank, reader)."""
    try:
        names = {entry.name for entry in folder.iterdir()}
    except OSError:
        return
    fixed: dict[str, tuple[int, Callable[[str], Found]]] = {
        "uv.lock": (_LOCK, _toml_lock),
        "poetry.lock": (_LOCK, _toml_lock),
        "pdm.lock": (_LOCK, _toml_lock),
        "pylock.toml": (_LOCK, _toml_lock),
        "pixi.lock": (_LOCK, _yaml_lock),
        "conda-lock.yml": (_LOCK, _yaml_lock),
        "Pipfile.lock": (_LOCK, _pipfile_lock),
        "pyproject.toml": (_PROJECT, _pyproject),
        "pixi.toml": (_PROJECT, _pixi),
        "Pipfile": (_PROJECT, _pipfile),
        "setup.cfg": (_SETUP, _setup_cfg),
        "setup.py": (_SETUP, _setup_py),
    }
    for name, (rank, read) in fixed.items():
        if name in names:
            yield folder / name, name, rank, read
    for name in sorted(names):
        if re.fullmatch(r"(?i)requirements.*\.(txt|in)|.*requirements\.txt", name):
            yield folder / name, name, _REQUIREMENTS, _requirements
        elif re.fullmatch(r"(?i)(conda[-_]?)?env(ironment)?([-_.].*)?\.ya?ml", name):
            yield folder / name, name, _ENVIRONMENT, _environment
    if "requirements" in names and (folder / "requirements").is_dir():
        for path in sorted((folder / "requirements").glob("*.txt")):
            yield path, f"requirements/{path.name}", _REQUIREMENTS, _requirements


def _line(text: str, needle: str) -> int:
    position = text.find(needle)
    return text.count("\n", 0, position) + 1 if position >= 0 else 0


# -- readers: text of a file -> (package, specifier, line) -------------------------------------


def _toml_lock(text: str) -> Found:
    """Lock files are large, and every one writes `name` and `version` on neighbouring lines."""
    pattern = r'^name = "([\w-]+)"\s*\nversion = "([^"]+)"'
    for match in re.finditer(pattern, text, re.MULTILINE):
        yield from _pin(match[1], match[2], text.count("\n", 0, match.start()) + 1)


def _yaml_lock(text: str) -> Found:
    """`name:` and `version:` lines (conda-lock, old pixi), and file names of packages (pixi)."""
    pattern = r"^[\s-]*name: ([\w-]+)\s*\n\s*version: ['\"]?([\w.]+)"
    for match in re.finditer(pattern, text, re.MULTILINE):
        yield from _pin(match[1], match[2], text.count("\n", 0, match.start()) + 1)
    for match in re.finditer(r"/(torchrl|tensordict)-(\d+(?:\.\d+)+)[-_]", text):
        yield from _pin(match[1], match[2], text.count("\n", 0, match.start()) + 1)


def _pin(name: str, version: str, line: int) -> Found:
    package = NAMES.get(name.lower())
    specifier = pip_specifier(f"=={version}") if package else None
    if package and specifier is not None:
        yield package, specifier, line


def _pipfile_lock(text: str) -> Found:
    try:
        data = json.loads(text)
    except ValueError:
        return
    for section in ("default", "develop"):
        for name, entry in (data.get(section) or {}).items():
            version = entry.get("version", "") if isinstance(entry, dict) else ""
            yield from _pin(name, version.lstrip("="), _line(text, f'"{name}"'))


def _load_toml(text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return {}


def _table(data: Any, *keys: str) -> dict[str, Any]:
    for key in keys:
        data = data.get(key) if isinstance(data, dict) else None
    return data if isinstance(data, dict) else {}


def _list(data: Any) -> list[str]:
    return [item for item in data if isinstance(item, str)] if isinstance(data, list) else []


def _pyproject(text: str) -> Found:
    data = _load_toml(text)
    project = _table(data, "project")
    yield from _listed(_list(project.get("dependencies")), text)
    groups = [
        *_table(project, "optional-dependencies").values(),
        *_table(data, "dependency-groups").values(),
        *_table(data, "tool", "pdm", "dev-dependencies").values(),
        _table(data, "tool", "uv").get("dev-dependencies"),
        *(_table(e).get("dependencies") for e in _table(data, "tool", "hatch", "envs").values()),
    ]
    for group in groups:
        yield from _listed(_list(group), text, optional=True)
    poetry = _table(data, "tool", "poetry")
    yield from _named(_table(poetry, "dependencies"), text, poetry_specifier)
    for group in _table(poetry, "group").values():
        yield from _named(_table(group, "dependencies"), text, poetry_specifier, optional=True)
    yield from _named(_table(poetry, "dev-dependencies"), text, poetry_specifier, optional=True)
    yield from _pixi_tables(_table(data, "tool", "pixi"), text)


def _pixi(text: str) -> Found:
    yield from _pixi_tables(_load_toml(text), text)


def _pixi_tables(data: dict[str, Any], text: str) -> Found:
    for table in (data, *_table(data, "feature").values()):
        yield from _named(_table(table, "dependencies"), text, conda_specifier)
        yield from _named(_table(table, "pypi-dependencies"), text, conda_specifier)


def _pipfile(text: str) -> Found:
    data = _load_toml(text)
    yield from _named(_table(data, "packages"), text, poetry_specifier)
    yield from _named(_table(data, "dev-packages"), text, poetry_specifier, optional=True)


def _listed(requirements: Iterable[str], text: str, *, optional: bool = False) -> Found:
    for requirement in requirements:
        parsed = parse_requirement(requirement)
        if parsed is not None:
            line = _line(text, requirement)
            yield *parsed, -line if optional else line


def _named(
    table: dict[str, Any],
    text: str,
    read: Callable[[str], SpecifierSet | None],
    *,
    optional: bool = False,
) -> Found:
    for name, value in table.items():
        package = NAMES.get(name.lower())
        if package is None:
            continue
        match = re.search(rf"^\s*[\"']?{re.escape(name)}[\"']?\s*[=.\]]", text, re.MULTILINE)
        line = text.count("\n", 0, match.end()) + 1 if match else 0
        specifier = _named_specifier(package, value, read)
        if specifier is not None:
            yield package, specifier, -line if optional else line


def _named_specifier(
    package: str, value: Any, read: Callable[[str], SpecifierSet | None]
) -> SpecifierSet | None:
    if isinstance(value, dict):
        tag = value.get("tag") or value.get("rev") or ""
        if "git" in value and re.fullmatch(r"v?\d+(\.\d+)+", tag):
            return SpecifierSet(f"=={tag.lstrip('v')}")
        value = value.get("version")
    return read(value) if isinstance(value, str) else None


def _requirements(text: str) -> Found:
    for number, line in enumerate(text.splitlines(), 1):
        if not line.lstrip().startswith("#"):
            parsed = parse_requirement(re.sub(r"^\s*(-e|--editable)\s+", "", line))
            if parsed is not None:
                yield *parsed, number


def _setup_cfg(text: str) -> Found:
    parser = ConfigParser(interpolation=None)
    try:
        parser.read_string(text)
    except ConfigError:
        return
    required = parser.get("options", "install_requires", fallback="")
    yield from _listed(required.splitlines(), text)
    if parser.has_section("options.extras_require"):
        for _, value in parser.items("options.extras_require"):
            yield from _listed(value.splitlines(), text, optional=True)


def _setup_py(text: str) -> Found:
    """Requirement strings anywhere in the program: in the call, or in a list it is given."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError):
        return
    extras: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.keyword) and node.arg == "extras_require":
            extras.update(id(child) for child in ast.walk(node.value))
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and len(node.value) < 200:
            parsed = parse_requirement(node.value)
            # Prose and keywords mention the package too: only a version makes it a requirement.
            if parsed is not None and len(parsed[1]):
                yield *parsed, -node.lineno if id(node) in extras else node.lineno


def _environment(text: str) -> Found:
    """The dependency items of a conda environment file; those below `pip:` are pip's."""
    pip_indent = None
    for number, line in enumerate(text.splitlines(), 1):
        match = re.match(r"^(\s*)-\s*(.*?)\s*(#.*)?$", line)
        if match is None:
            continue
        indent, item = len(match[1]), match[2].strip("\"'")
        if pip_indent is not None and indent <= pip_indent:
            pip_indent = None
        if item == "pip:":
            pip_indent = indent
            continue
        if pip_indent is not None:
            parsed = parse_requirement(item)
            if parsed is not None:
                yield *parsed, number
            continue
        conda = re.match(r"(?:[\w-]+::)?([\w-]+)\s*(.*)$", item)
        package = NAMES.get(conda[1].lower()) if conda else None
        specifier = conda_specifier(conda[2]) if package else None
        if package and specifier is not None:
            yield package, specifier, number


# -- what a file says of itself ----------------------------------------------------------------

_SCRIPT_BLOCK = re.compile(r"(?m)^# /// script\s*$\s(?P<content>(^#(| .*)$\s)+)^# ///\s*$")
# In the raw JSON of a notebook a line ends at `\n"` or `"`; in a script at the end of the line.
_PIP = re.compile(
    r"[!%]\s*(?:\{?sys\.executable\}?\s+-m\s+|python3?\s+-m\s+|uv\s+)?pip3?\s+install\s+"
    r"((?:\\\"|[^\n\"\\])*)"
)


def file_statements(text: str) -> list[Statement]:
    """What a script (PEP 723) or a notebook (`!pip install`) says of its own dependencies."""
    if not MENTION.search(text):
        return []
    statements = []
    block = _SCRIPT_BLOCK.search(text)
    if block:
        lines = [line[2:] for line in block["content"].splitlines()]
        data = _load_toml("\n".join(lines))
        for requirement in _list(data.get("dependencies")):
            parsed = parse_requirement(requirement)
            if parsed is not None:
                line = text.count("\n", 0, block.start()) + 1
                statements.append(Statement(*parsed, "script metadata", line, _PROJECT))
    for match in _PIP.finditer(text):
        for word in re.split(r"\s+", match[1].replace('\\"', "").replace("'", "")):
            parsed = parse_requirement(word)
            if parsed is not None and len(parsed[1]):
                statements.append(Statement(*parsed, "pip install", 0, _PROJECT))
    return [s for s in statements if len(s.specifier)]
