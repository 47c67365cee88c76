"""Adopting ppolint on old code: baselines and ignore comments."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from test_pull_requests import GAE, GAE_REFORMATTED, notebook

from ppolint.cli import main

OLD = "from torchrl.collectors import SyncDataCollector\n"
OTHER = "from torchrl.collectors import MultiSyncDataCollector\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / ".git").mkdir()
    (tmp_path / "old.py").write_text(OLD)
    (tmp_path / "gae.py").write_text(GAE)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, [*arguments])


def reported() -> list[str]:
    arguments = ["--baseline", "ppolint-baseline.json", "--output-format", "json", "--no-cache"]
    done = run("check", *arguments)
    return [f"{row['filename']} {row['code']}" for row in json.loads(done.stdout)]


def test_create_then_report_only_what_is_new(folder: Path) -> None:
    done = run("baseline", "create")
    assert (done.exit_code, done.stdout) == (0, "ppolint-baseline.json: 2 known findings\n")
    assert reported() == []
    assert run("check", "--baseline", "ppolint-baseline.json").exit_code == 0
    (folder / "old.py").write_text("import os\n\n" + OLD + OTHER)
    (folder / "gae.py").write_text(GAE_REFORMATTED)
    assert reported() == ["old.py PPO901"]
    assert run("check", "--baseline", "ppolint-baseline.json").exit_code == 1


def test_a_second_copy_of_a_known_finding_is_new(folder: Path) -> None:
    run("baseline", "create")
    (folder / "old.py").write_text(OLD + OLD)
    assert reported() == ["old.py PPO901"]
    (folder / "copy.py").write_text(GAE)
    assert reported() == ["copy.py PPO104", "old.py PPO901"]


def test_a_renamed_file_keeps_its_entries(folder: Path) -> None:
    run("baseline", "create")
    (folder / "gae.py").rename(folder / "returns.py")
    assert reported() == []


def test_from_another_folder_paths_are_those_of_the_baseline(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("baseline", "create")
    (folder / "sub").mkdir()
    monkeypatch.chdir(folder / "sub")
    done = run("check", "..", "--baseline", "../ppolint-baseline.json")
    assert done.exit_code == 0, done.output


def test_update_and_prune(folder: Path) -> None:
    run("baseline", "create")
    (folder / "gae.py").write_text("x = 1\n")
    (folder / "old.py").write_text(OLD + OTHER)
    pruned = run("baseline", "prune")
    assert pruned.stdout == "ppolint-baseline.json: 1 known finding (2 before)\n"
    assert reported() == ["old.py PPO901"]
    assert run("baseline", "update").stdout.startswith("ppolint-baseline.json: 2 known findings")
    assert reported() == []


def test_what_cannot_be_is_one_line(folder: Path) -> None:
    (folder / "broken.json").write_text("[]")
    (folder / "future.json").write_text('{"version": 99, "findings": {}}')
    run("baseline", "create")
    for arguments, said in {
        ("baseline", "create"): "there already: use `ppolint baseline update`",
        ("baseline", "update", "--file", "none.json"): "No such file",
        ("check", "--baseline", "broken.json"): "not a baseline of ppolint",
        ("check", "--baseline", "future.json"): "another version",
        ("baseline", "create", "nowhere", "--file", "x.json"): "nowhere",
    }.items():
        done = run(*arguments)
        assert done.exit_code == 2, arguments
        assert said in done.stderr
        assert done.stderr.startswith("error: ")
        assert done.stderr.count("\n") == 1


def test_ignores_are_written_once_and_silence_everything(folder: Path) -> None:
    call = "c = SyncDataCollector(\n    None,\n    None,  # a comment\n)  # another\n"
    (folder / "old.py").write_bytes((OLD + call).replace("\n", "\r\n").encode())
    (folder / "n.ipynb").write_text(notebook("%time\n" + OLD.rstrip(), "x = 1\n"))
    assert run("check", "--no-cache").exit_code == 1
    done = run("check", "--add-ignores", "--no-cache")
    assert done.exit_code == 0
    assert run("check", "--no-cache", "--fail-on", "info").stdout.startswith("No findings")
    assert "SyncDataCollector  # ppolint: ignore[PPO901]\r\n" in (
        (folder / "old.py").read_bytes().decode()
    )
    again = run("check", "--add-ignores", "--no-cache")
    assert again.stderr == "Added 0 ignore comments in 0 files.\n"
