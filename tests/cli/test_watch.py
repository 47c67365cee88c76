"""`ppolint check --watch`: a run for every change, none without one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from ppolint.cli import main
from ppolint.cli.watch_check import watch

OPTIONS = {"config": None, "isolated": False, "force_exclude": False}


def runs(folder: Path, *changes: Callable[[], object]) -> list[int]:
    """How many runs there had been at each change, and at the end."""
    counts: list[int] = []
    done = [0]
    waiting = list(changes)

    def check(paths: tuple[str, ...], options: dict) -> int:
        done[0] += 1
        return 0

    def pause(seconds: float) -> None:
        counts.append(done[0])
        if not waiting:
            raise KeyboardInterrupt
        waiting.pop(0)()

    assert watch((str(folder),), OPTIONS, check, pause) == 0
    return counts


def test_a_run_for_every_change_and_none_without(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    code = tmp_path / "a.py"
    code.write_text("x = 1\n")
    assert runs(
        tmp_path,
        lambda: None,
        lambda: code.write_text("x = 100\n"),
        lambda: (tmp_path / "b.py").write_text("y = 1\n"),
        lambda: (tmp_path / "notes.txt").write_text("no code\n"),
        lambda: (tmp_path / "b.py").unlink(),
        lambda: (tmp_path / "ppolint.toml").write_text('ignore = ["PPO9"]\n'),
        lambda: (tmp_path / "requirements.txt").write_text("torchrl==0.6.0\n"),
        lambda: (tmp_path / "ppolint.toml").write_text("not toml at all\n"),
    ) == [1, 1, 2, 3, 3, 4, 5, 6, 7]


def test_what_is_printed_follows_the_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".git").mkdir()
    code = tmp_path / "a.py"
    code.write_text("from torchrl.collectors import SyncDataCollector\n")
    steps = [lambda: code.write_text("x = 1\n")]

    def pause(seconds: float) -> None:
        if not steps:
            raise KeyboardInterrupt
        steps.pop(0)()

    monkeypatch.setattr(watch, "__defaults__", (pause,))
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(main, ["check", "--watch", "--no-cache"])
    assert done.exit_code == 0
    assert done.stdout.index("PPO901") < done.stdout.index("No findings in 1 file.")
    assert CliRunner().invoke(main, ["check", "--watch", "-"]).exit_code == 2
