"""The hooks, installed and run by the real pre-commit from a checkout of this repository.

pre-commit builds an environment for the hook with pip, as it does for people, which is also how long
an installation of the linter takes: seconds, since it needs no torch.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
OLD_IMPORT = "from torchrl.collectors import SyncDataCollector\n"


def git(folder: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=test", "-c", "user.email=test@example.org"]
    subprocess.run(
        ["git", *identity, "-c", "init.defaultBranch=main", *arguments],
        cwd=folder,
        check=True,
        capture_output=True,
    )


@pytest.fixture(scope="module")
def hook_repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """This checkout, with what is not committed yet, as a repository of its own."""
    folder = tmp_path_factory.mktemp("ppolint")
    for name in ("ppolint", "templates"):
        shutil.copytree(
            ROOT / name,
            folder / name,
            ignore=shutil.ignore_patterns("__pycache__", ".ppolint_cache"),
        )
    for name in ("pyproject.toml", "README.md", "LICENSE", ".pre-commit-hooks.yaml"):
        shutil.copy(ROOT / name, folder / name)
    git(folder, "init", "-q")
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "a release")
    git(folder, "tag", "v0")
    return folder


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pre-commit-home")


@pytest.fixture
def project(tmp_path: Path, hook_repository: Path) -> Path:
    git(tmp_path, "init", "-q")
    (tmp_path / "old.py").write_text(OLD_IMPORT)
    (tmp_path / "clean.py").write_text("x = 1\n")
    (tmp_path / "build").mkdir()
    (tmp_path / "build" / "generated.py").write_text(OLD_IMPORT)
    (tmp_path / "notes.txt").write_text("SyncDataCollector\n")
    (tmp_path / "cell.ipynb").write_text(
        '{"cells": [{"cell_type": "code", "source": ["import torchrl.collectors as c\\n",'
        ' "c.SyncDataCollector"]}], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}\n'
    )
    git(tmp_path, "add", "-A")
    return tmp_path


def pre_commit(project: Path, hook_repository: Path, home: Path, hook: str):
    (project / ".pre-commit-config.yaml").write_text(
        yaml.safe_dump(
            {"repos": [{"repo": str(hook_repository), "rev": "v0", "hooks": [{"id": hook}]}]}
        )
    )
    git(project, "add", "-A")
    environment = {**os.environ, "PRE_COMMIT_HOME": str(home), "PYTHONPATH": ""}
    return subprocess.run(
        [sys.executable, "-m", "pre_commit", "run", "--all-files", "--color", "never"],
        cwd=project,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_hook_reports_modules_and_notebooks(project, hook_repository, home) -> None:
    run = pre_commit(project, hook_repository, home, "ppolint")
    assert run.returncode == 1, run.stdout + run.stderr
    assert "old.py:1:32" in run.stdout
    assert "cell.ipynb:cell 1:2:" in run.stdout
    # Excluded by default: pre-commit names the file, the hook leaves it out.
    assert "generated.py" not in run.stdout
    assert "2 findings in 2 files" in run.stdout
    (project / "old.py").unlink()
    (project / "cell.ipynb").unlink()
    run = pre_commit(project, hook_repository, home, "ppolint")
    assert run.returncode == 0, run.stdout + run.stderr


def test_the_fixing_hook_changes_files_and_then_passes(project, hook_repository, home) -> None:
    run = pre_commit(project, hook_repository, home, "ppolint-fix")
    assert run.returncode == 1
    assert "files were modified by this hook" in run.stdout
    assert (project / "old.py").read_text() == "from torchrl.collectors import Collector\n"
    assert '"c.Collector"' in (project / "cell.ipynb").read_text()
    run = pre_commit(project, hook_repository, home, "ppolint-fix")
    assert run.returncode == 0, run.stdout + run.stderr


def test_hooks_are_serial_and_take_python_and_notebooks() -> None:
    hooks = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
    assert [hook["id"] for hook in hooks] == ["ppolint", "ppolint-fix"]
    for hook in hooks:
        assert hook["require_serial"] is True
        assert {"python", "jupyter"} <= set(hook["types_or"])
