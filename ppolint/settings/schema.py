"""The keys of the configuration: their types, their meaning, and what is wrong with a value."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, NamedTuple

# Folders that hold no code of the project, wherever they are.
DEFAULT_EXCLUDE = (
    ".bzr",
    ".direnv",
    ".eggs",
    ".git",
    ".hg",
    ".hypothesis",
    ".ipynb_checkpoints",
    ".mypy_cache",
    ".nox",
    ".ppolint_cache",
    ".pytest_cache",
    ".pytype",
    ".ruff_cache",
    ".svn",
    ".tox",
    ".venv",
    ".vscode",
    "__pycache__",
    "__pypackages__",
    "_build",
    "buck-out",
    "build",
    "dist",
    "node_modules",
    "site-packages",
    "venv",
)

SEVERITIES = ("info", "warning", "error")


class ConfigurationError(Exception):
    """The configuration cannot be used; the message names the file, the key and what is valid."""


class Settings(NamedTuple):
    """The configuration that holds for a folder. Globs are relative to `root`.

    `file` is where it was read from, None for the defaults. `select` is None when unsaid: the
    rules that are on by default.
    """

    root: str
    file: str | None = None
    select: tuple[str, ...] | None = None
    ignore: tuple[str, ...] = ()
    extend_select: tuple[str, ...] = ()
    per_file_ignores: tuple[tuple[str, tuple[str, ...]], ...] = ()
    exclude: tuple[str, ...] = DEFAULT_EXCLUDE
    extend_exclude: tuple[str, ...] = ()
    from_scratch: tuple[str, ...] = ()
    severity: tuple[tuple[str, str], ...] = ()
    torchrl_version: str | None = None
    cache_dir: str | None = None


class Key(NamedTuple):
    """One configuration key: how its value is read, and its line in the documentation.

    `kind` is the type in words; `example` is TOML.
    """

    read: Callable[[Any, str], Any]
    kind: str
    default: str
    example: str
    help: str


def _fail(where: str, wanted: str, value: Any) -> ConfigurationError:
    return ConfigurationError(f"{where} must be {wanted}, not {_toml_type(value)}")


def _toml_type(value: Any) -> str:
    names = {bool: "a boolean", int: "an integer", float: "a float", str: "a string"}
    if isinstance(value, list):
        wrong = [item for item in value if not isinstance(item, str)]
        return f"a list with {_toml_type(wrong[0])} in it" if wrong else "a list"
    return names.get(type(value), "a table" if isinstance(value, dict) else "a date")


def _text(value: Any, where: str) -> str:
    if not isinstance(value, str):
        raise _fail(where, "a string", value)
    return value


def _texts(value: Any, where: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise _fail(where, "a list of strings", value)
    return tuple(value)


def _text_lists(value: Any, where: str) -> tuple[tuple[str, tuple[str, ...]], ...]:
    if not isinstance(value, dict):
        raise _fail(where, "a table of globs and lists of rules", value)
    return tuple((glob, _texts(rules, f'{where}."{glob}"')) for glob, rules in value.items())


def _severities(value: Any, where: str) -> tuple[tuple[str, str], ...]:
    if not isinstance(value, dict):
        raise _fail(where, "a table of rules and severities", value)
    for rule, level in value.items():
        if level not in SEVERITIES:
            raise ConfigurationError(
                f"{where}.{rule} must be one of {', '.join(SEVERITIES)}, not {level!r}"
            )
    return tuple(value.items())


KEYS: dict[str, Key] = {
    "select": Key(
        _texts,
        "list of rules",
        "the rules that are on by default",
        'select = ["PPO1", "PPO9", "missing-return-log-prob"]',
        "Rules to run: codes, prefixes of codes, names, or `ALL`.",
    ),
    "ignore": Key(
        _texts,
        "list of rules",
        "[]",
        'ignore = ["PPO105"]',
        "Rules not to run. The more specific selector wins: `ignore` of a code beats `select` of "
        "its prefix, and the reverse.",
    ),
    "extend-select": Key(
        _texts,
        "list of rules",
        "[]",
        'extend-select = ["manual-replay-buffer"]',
        "Rules to run in addition to `select`.",
    ),
    "per-file-ignores": Key(
        _text_lists,
        "table of globs and lists of rules",
        "{}",
        'per-file-ignores = { "tests/**" = ["PPO301"] }',
        "Rules not to run on the files that match a glob.",
    ),
    "exclude": Key(
        _texts,
        "list of globs",
        ", ".join(f"`{folder}`" for folder in DEFAULT_EXCLUDE),
        'exclude = ["third_party"]',
        "Files and folders not to lint, as in `.gitignore`; replaces the default.",
    ),
    "extend-exclude": Key(
        _texts,
        "list of globs",
        "[]",
        'extend-exclude = ["legacy/**"]',
        "Files and folders not to lint, in addition to `exclude`.",
    ),
    "from-scratch": Key(
        _texts,
        "list of globs",
        "[]",
        'from-scratch = ["algorithms/ppo_by_hand.py"]',
        "Files in which PPO is written by hand on purpose: the rules on hand-written plumbing "
        "(`PPO1`) are off there, all others stay on.",
    ),
    "severity": Key(
        _severities,
        "table of rules and severities",
        "{}",
        'severity = { PPO104 = "info" }',
        "Severities (`info`, `warning`, `error`) that replace those of the rules.",
    ),
    "torchrl-version": Key(
        _text,
        "version or specifier",
        "what the project's lock files and requirements say",
        'torchrl-version = "0.14.1"',
        "The TorchRL release (or range of releases) that the project uses.",
    ),
    "cache-dir": Key(
        _text,
        "path",
        "`.ppolint_cache` beside the configuration",
        'cache-dir = "~/.cache/ppolint"',
        "Where results are kept between runs.",
    ),
}


def settings_from(table: dict, root: str, file: str) -> Settings:
    """The settings of a `[tool.ppolint]` table; raises `ConfigurationError` naming what is wrong."""
    values: dict[str, Any] = {}
    for key, value in table.items():
        known = KEYS.get(key)
        if known is None:
            from ppolint.rules.registry import suggestion

            raise ConfigurationError(
                f"{_shown(file)}: unknown key `{key}` in the ppolint configuration"
                f"{suggestion(key, KEYS)}; valid keys: {', '.join(KEYS)}"
            )
        values[key.replace("-", "_")] = known.read(value, f"{_shown(file)}: `{key}`")
    settings = Settings(root=root, file=file, **values)
    check_selectors(settings)
    return settings


def check_selectors(settings: Settings) -> None:
    """Raises `ConfigurationError` for a selector of the configuration that is no rule."""
    from ppolint.settings.selection import check

    assert settings.file is not None
    groups = [
        ("select", settings.select or ()),
        ("ignore", settings.ignore),
        ("extend-select", settings.extend_select),
        ("severity", tuple(rule for rule, _ in settings.severity)),
        *((f'per-file-ignores."{glob}"', rules) for glob, rules in settings.per_file_ignores),
    ]
    for key, selectors in groups:
        for selector in selectors:
            try:
                check(selector)
            except ConfigurationError as error:
                raise ConfigurationError(f"{_shown(settings.file)}: `{key}`: {error}") from None


def _shown(file: str) -> str:
    relative = os.path.relpath(file)
    return file if relative.startswith("..") else relative
