"""Patterns mean what they mean to git."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ppolint.settings.globs import PathPatterns, gitignore

PATHS = [
    "a.py",
    "b.py",
    "build/a.py",
    "src/build/a.py",
    "src/a.py",
    "src/deep/er/a.py",
    "src/deep/b.ipynb",
    "data[1]/a.py",
    "x#y.py",
]
PATTERNS = [
    "a.py",
    "/a.py",
    "build",
    "build/",
    "/build/",
    "src/build",
    "*.py",
    "!a.py",
    "!src/a.py",
    "src/*",
    "src/**",
    "**/deep",
    "src/**/a.py",
    "deep/",
    "?.py",
    "[ab].py",
    "[!a].py",
    "*.py[co]",
    "*.[ip][py]*",
    "x\\#y.py",
    "#a.py",
    "er",
    "data\\[1\\]",
    "  ",
    "a.py  ",
    "/",
]


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("repository")
    subprocess.run(["git", "init", "-q", str(root)], check=True)
    for path in PATHS:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text("")
    return root


def _ignored_by_git(root: Path) -> set[str]:
    run = subprocess.run(
        ["git", "check-ignore", "--no-index", "--stdin"],
        cwd=root,
        input="\n".join(PATHS),
        capture_output=True,
        text=True,
        check=False,
    )
    return set(run.stdout.replace('"', "").split("\n")) - {""}


@settings(
    max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
@given(patterns=st.lists(st.sampled_from(PATTERNS), min_size=1, max_size=4))
def test_gitignore_agrees_with_git(repository: Path, patterns: list[str]) -> None:
    text = "\n".join(patterns) + "\n"
    (repository / ".gitignore").write_text(text)
    made = gitignore(text)
    assert {path for path in PATHS if made.matches(path)} == _ignored_by_git(repository)


@pytest.mark.parametrize(
    ("pattern", "path", "wanted"),
    [
        ("tests/**", "tests/a/b.py", True),
        ("tests/**", "src/tests/b.py", False),
        ("tests", "src/tests/b.py", True),
        ("*_test.py", "a/b_test.py", True),
        ("algorithms/ppo_by_hand.py", "algorithms/ppo_by_hand.py", True),
        ("a[bc]d.py", "acd.py", True),
        ("[a-c]x", "bx", True),
        ("**", "any/thing.py", True),
    ],
)
def test_globs_of_the_configuration(pattern: str, path: str, wanted: bool) -> None:
    assert PathPatterns([pattern]).matches(path) is wanted
