"""A plain check is read as click reads it, or left to click."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ppolint.cli import plain
from ppolint.cli.check import command

ARGUMENTS = st.sampled_from(
    [
        "a.py", "folder", "", ".", "-", "--", "--fix", "--diff", "--exit-zero", "--no-cache", "-j", "2",
        "--jobs", "--output-format", "json", "full", "--output-format=json", "--config", "x.toml",
        "--severity", "warning", "--fail-on", "error", "none", "--color", "never", "--select", "PPO1",
        "-h", "--help", "--watch", "--isolated", "--statistics", "--exit", "--unknown", "-o", "out",
    ]
)  # fmt: skip


def _by_click(arguments: list[str]) -> dict | None:
    try:
        return command.make_context("check", list(arguments)).params
    except (click.ClickException, click.exceptions.Exit):
        return None


@given(st.lists(ARGUMENTS, max_size=6))
def test_what_is_read_is_what_click_reads(arguments: list[str]) -> None:
    read = plain.parsed(arguments)
    if read is not None:
        paths, options = read
        assert {**options, "paths": paths} == _by_click(arguments)


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["a.py", "b.py"],
        ["--exit-zero", "--config", "x.toml", "."],
        [
            "--output-format",
            "json",
            "--output-format",
            "github",
            "--no-cache",
            "--isolated",
            "a.py",
        ],
        ["--severity", "error", "--fail-on", "info", "--color", "always"],
        ["--fix", "--unsafe-fixes", "--statistics"],
    ],
)
def test_hooks_and_editors_do_without_click(arguments: list[str]) -> None:
    read = plain.parsed(arguments)
    assert read is not None
    assert {**read[1], "paths": read[0]} == _by_click(arguments)


@pytest.mark.parametrize(
    "arguments", [["rule"], [], ["--version"], ["check", "-"], ["check", "-h"]]
)
def test_the_rest_is_left_to_click(arguments: list[str]) -> None:
    assert plain.read(arguments) is None


def test_a_plain_check_does_not_import_click(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("x = 1\n")
    code = (
        "import sys\n"
        "from ppolint.cli.entry import run\n"
        "sys.argv = ['ppolint', 'check', '--isolated', 'a.py']\n"
        "try:\n    run()\nexcept SystemExit as end:\n    print(end.code, 'click' in sys.modules)\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert ran.stdout.splitlines()[-1] == "0 False"
