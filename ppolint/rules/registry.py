"""Which rules there are, known without importing any of them.

`index.json`, beside this module, holds the declaration of every rule, one a line. It is made from
the rule modules by `python -m ppolint.rules.docs`; a test fails when it is stale. A rule's module
is imported when the rule has to look at a file.
"""

from __future__ import annotations

import importlib
import json
import os
from collections.abc import Iterable
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from ppolint.rules.base import Rule

INDEX = os.path.join(os.path.dirname(__file__), "index.json")

# The first digit of a code is its family.
FAMILIES = {
    "general": "Files and comments",
    "plumbing": "Hand-written plumbing",
    "environment": "Environments",
    "modules": "Actors and critics",
    "collection": "Collection and replay",
    "objectives": "Advantages and losses",
    "training": "Optimisation and evaluation",
    "releases": "The API of the targeted TorchRL release",
}


class RuleEntry(NamedTuple):
    """What is declared of a rule, as plain data; `module` is where the rule itself is."""

    code: str
    name: str
    severity: str
    needs: tuple[tuple[str, ...], ...]
    summary: str
    fix: str | None
    default: bool
    across_files: bool
    program: str | None
    torchrl: str | None
    module: str

    @property
    def family(self) -> str:
        return self.module.split(".")[2]


@lru_cache(maxsize=1)
def entries() -> tuple[RuleEntry, ...]:
    """Every rule of the index, by code."""
    with open(INDEX, encoding="utf-8") as file:
        return tuple(_entry(row) for row in json.load(file))


def _entry(row: dict) -> RuleEntry:
    needs = tuple(tuple(alternatives) for alternatives in row.pop("needs"))
    return RuleEntry(needs=needs, **row)


@lru_cache(maxsize=1)
def by_code() -> dict[str, RuleEntry]:
    """The rules of the index under their codes."""
    return {entry.code: entry for entry in entries()}


@lru_cache(maxsize=1)
def general() -> frozenset[str]:
    """The codes of the rules about files and comments, which no model is needed for."""
    return frozenset(entry.code for entry in entries() if entry.family == "general")


def find(text: str) -> RuleEntry | None:
    """The rule with this code or name, in any case; None when there is none."""
    wanted = text.strip()
    for entry in entries():
        if entry.code == wanted.upper() or entry.name == wanted.lower():
            return entry
    return None


def suggestion(text: str, choices: Iterable[str]) -> str:
    """` (did you mean "x"?)` for the choice closest to `text`, or an empty string."""
    import difflib

    known = {choice.lower(): choice for choice in choices}
    close = difflib.get_close_matches(text.lower(), known, n=1, cutoff=0.6)
    return f' (did you mean "{known[close[0]]}"?)' if close else ""


def load(code: str) -> Rule:
    """The rule itself: imports its module."""
    return importlib.import_module(by_code()[code].module).rule


def modules() -> list[str]:
    """The name of every rule module there is, whether the index has it or not."""
    import pkgutil

    import ppolint.rules

    found = []
    for family in pkgutil.iter_modules(ppolint.rules.__path__, "ppolint.rules."):
        if family.ispkg:
            package = importlib.import_module(family.name)
            for module in pkgutil.iter_modules(package.__path__, family.name + "."):
                if not module.ispkg and not module.name.rsplit(".", 1)[1].startswith("_"):
                    found.append(module.name)
    return found


def discover(broken: list[str] | None = None) -> list[RuleEntry]:
    """The entries that the rule modules declare: imports them all. What the index must hold.

    Raises `ValueError` for two rules with one code or name. A module that cannot be imported is
    described in `broken`, or raises what it raises when that is None.
    """
    found: dict[str, RuleEntry] = {}
    names: dict[str, str] = {}
    for module in modules():
        try:
            rule = getattr(importlib.import_module(module), "rule", None)
        except Exception as error:
            if broken is None:
                raise
            broken.append(f"{module}: {type(error).__name__}: {error}")
            continue
        if rule is None:
            continue
        if rule.code in found or rule.name in names:
            other = found.get(rule.code) or found[names[rule.name]]
            raise ValueError(f"{module} and {other.module} both declare {rule.code} {rule.name}")
        names[rule.name] = rule.code
        found[rule.code] = RuleEntry(
            code=rule.code,
            name=rule.name,
            severity=rule.severity.label,
            needs=tuple(tuple(alternatives) for alternatives in rule.needs),
            summary=rule.summary,
            fix=rule.fix.value if rule.fix is not None else None,
            default=rule.default,
            across_files=rule.across_files,
            program=rule.program,
            torchrl=rule.torchrl,
            module=module,
        )
    return [found[code] for code in sorted(found)]
