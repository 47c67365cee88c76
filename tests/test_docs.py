"""Generated files are what the rules say, and every rule says what it must."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ppolint.rules import docs, registry
from ppolint.rules.base import Rule
from ppolint.settings.schema import KEYS

ROOT = Path(__file__).resolve().parents[1]


def test_generated_files_are_fresh() -> None:
    """When this fails: `python -m ppolint.rules.docs`."""
    assert [str(path.relative_to(docs.ROOT)) for path in docs.stale()] == []


@pytest.mark.parametrize("entry", registry.entries(), ids=lambda entry: entry.code)
def test_a_rule_is_complete(entry: registry.RuleEntry) -> None:
    rule = registry.load(entry.code)
    assert isinstance(rule, Rule)
    assert re.fullmatch(r"PPO\d{3}", entry.code)
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", entry.name)
    assert entry.module.rsplit(".", 1)[1] == entry.name.replace("-", "_")
    assert entry.family in registry.FAMILIES
    assert int(entry.code[3]) == {
        "general": 0,
        "plumbing": 1,
        "environment": 3,
        "modules": 4,
        "collection": 5,
        "objectives": 6,
        "training": 7,
        "releases": 9,
    }.get(entry.family)
    assert entry.summary
    assert entry.needs or entry.family == "general"
    assert docs.page(entry).title


def test_a_rule_module_does_not_import_a_parser() -> None:
    import subprocess
    import sys

    modules = ", ".join(entry.module for entry in registry.entries())
    code = f"import sys, {modules}; print('libcst' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "False\n"


def test_sections_are_read_in_any_markup() -> None:
    wanted = ("A title.", {"What it does": "a\n\nb", "Example": "x = 1"})
    assert docs.parsed("A title.\n\n## What it does\n\na\n\nb\n\n## Example\nx = 1\n") == wanted
    assert (
        docs.parsed("A\ntitle.\n\nWhat it does\n------------\na\n\nb\n\nExample:\n\nx = 1")
        == wanted
    )


def test_the_configuration_page_has_every_key() -> None:
    text = (ROOT / "docs" / "configuration.md").read_text()
    for name, key in KEYS.items():
        assert f"### `{name}`" in text
        assert key.example in text
        assert key.help in text


def test_documents_name_no_place_that_only_we_have() -> None:
    for path in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]:
        assert str(ROOT) not in path.read_text(), path
