"""An old script does not run; after one `ppolint check --fix` it trains."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("tutorial_2023.py")

pytest.importorskip("torchrl", reason="the revived script is run on the installed TorchRL")


def run(*command, folder):
    return subprocess.run(
        [sys.executable, *command],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


@pytest.fixture
def script(tmp_path):
    (tmp_path / ".git").mkdir()
    return Path(shutil.copy(SCRIPT, tmp_path / "train.py"))


def test_it_stops_at_an_import(script):
    done = run(script.name, folder=script.parent)
    assert done.returncode == 1
    assert "ImportError: cannot import name 'SyncDataCollector'" in done.stderr


def test_it_trains_after_one_fix(script):
    fixed = run(
        "-m",
        "ppolint",
        "check",
        "--fix",
        "--no-cache",
        "--select",
        "PPO9",
        ".",
        folder=script.parent,
    )
    assert fixed.returncode == 0, fixed.stdout + fixed.stderr
    text = script.read_text()
    for old in ("SyncDataCollector", "entropy_coef=", "space.minimum", "TensorSpec", '"min"'):
        assert old not in text
    assert "# these keys match by default but we set this for completeness" in text
    done = run(script.name, folder=script.parent)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "trained: 8 updates" in done.stdout


def test_it_is_right_for_the_release_it_was_written_for(script):
    (script.parent / "requirements.txt").write_text("torchrl==0.2.1\n")
    done = run(
        "-m",
        "ppolint",
        "check",
        "--no-cache",
        "--select",
        "PPO9",
        "--output-format",
        "concise",
        ".",
        folder=script.parent,
    )
    assert done.returncode == 0, done.stdout
