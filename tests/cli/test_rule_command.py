"""`ppolint rule`: every rule can be explained."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from ppolint.cli import main
from ppolint.rules import registry


def rule(*arguments: str):
    return CliRunner().invoke(main, ["rule", *arguments])


def test_without_a_name_all_rules_are_listed() -> None:
    lines = rule().stdout.splitlines()
    assert [line.split()[0] for line in lines] == [entry.code for entry in registry.entries()]


@pytest.mark.parametrize("name", ["PPO104", "ppo104", "hand-written-gae"])
def test_a_rule_is_explained_by_code_and_by_name(name: str) -> None:
    text = rule(name).stdout
    assert text.startswith("# hand-written-gae (PPO104)\n")
    for heading in ("What it does", "Why is this bad?", "Example", "Use instead"):
        assert f"\n## {heading}\n" in text


def test_all_of_them() -> None:
    text = rule("--all").stdout
    assert all(f"# {entry.name} ({entry.code})" in text for entry in registry.entries())


def test_as_json() -> None:
    row = json.loads(rule("PPO002", "--output-format", "json").stdout)
    assert (row["code"], row["fix"], row["severity"]) == ("PPO002", "safe", "info")
    assert set(row["sections"]) >= {"What it does", "Why is this bad"}


def test_an_unknown_rule() -> None:
    run = rule("hand-writen-gae")
    assert run.exit_code == 2
    assert 'did you mean "hand-written-gae"' in run.stderr
