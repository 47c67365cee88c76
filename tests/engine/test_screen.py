"""The screen never skips what a rule needs, and knows a word from a part of a word."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ppolint.engine.analysis import analyse
from ppolint.engine.projects import Projects
from ppolint.engine.screen import Screen
from ppolint.engine.worker import screen_for
from ppolint.rules import registry
from ppolint.rules.needs import STORES
from ppolint.rules.registry import RuleEntry
from ppolint.settings.load import SettingsResolver
from ppolint.source.file import Source, read_source

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures"


def entry(*needs: tuple[str, ...]) -> RuleEntry:
    return RuleEntry(
        "PPO900",
        "test",
        "info",
        needs,
        "",
        None,
        True,
        False,
        None,
        None,
        "ppolint.rules.general.test",
    )


@pytest.mark.parametrize(
    ("needs", "text", "passes"),
    [
        ((("exp",),), "torch.exp(x)", True),
        ((("exp",),), "export(x)", False),
        ((("exp",), ("clamp", "clip")), "exp clip", True),
        ((("exp",), ("clamp", "clip")), "exp clipped", False),
        ((("[::-1]",),), "x[::-1]", True),
        ((("re:reversed|-1 *, *-1",),), "range(n, -1, -1)", True),
        ((("re:^import torch",),), "x\nimport torchrl", True),
        ((("re:^import torch",),), "  import torch", False),
        ((), "anything", False),
    ],
)
def test_needs(needs, text: str, passes: bool) -> None:
    assert bool(Screen([entry(*needs)]).passing(text.encode())) is passes


@pytest.mark.parametrize(
    ("text", "stores"),
    [
        ("buffer[step] = reward", True),
        ("rows[index[step]] += reward", True),
        ("kept['obs'][:, t] = obs", True),
        ("rows[\n    step\n] = reward", True),
        ("kept = {('next', 'reward'): reward}", True),
        ("memory.add(obs)", True),
        ("kwargs['n_steps'] = 4", False),
        ("rows[step] == reward", False),
        ("if name in ('a', 'b'):\n    pass", False),
        ("parser.add_argument('--seed')", False),
    ],
)
def test_what_puts_something_into_something(text: str, stores: bool) -> None:
    assert bool(Screen([entry(STORES)]).passing(text.encode())) is stores


def test_identifiers_in_a_notebook_are_those_of_its_code() -> None:
    screen = Screen([entry(("exp",), ('"a"', "\\d", "re:b$"))])
    cell = 'x = 1\nexp("a")'
    data = json.dumps({"cells": [{"cell_type": "code", "source": cell}]}).encode()
    assert b"nexp" in data
    assert screen.may_pass_notebook(data)
    assert screen.passing_source(Source.from_bytes(data, "a.ipynb"))
    assert not screen.may_pass_notebook(b"{}")


def test_the_screen_hides_no_finding(tmp_path: Path) -> None:
    """What a rule finds in the fixtures, it is also let through to."""
    codes = tuple(entry.code for entry in registry.entries())
    screen = screen_for(codes)
    project = Projects(SettingsResolver(isolated=True)).project(str(tmp_path))
    judged = 0
    for path in sorted(FIXTURES.glob("PPO*/bad_*.py")):
        source = read_source(path)
        passing = screen.passing_source(source)
        found = {f.code for f in analyse(source, codes, codes, project).findings}
        hidden = {code for code in found - set(passing) if registry.by_code()[code].needs}
        assert not hidden, path
        judged += len(found)
    assert judged > 500
