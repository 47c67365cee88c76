"""The command: what it prints, what it refuses, what it writes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from ppolint.cli.scaffold import command


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def invoke(*arguments: str, keys: str | None = None) -> Result:
    return CliRunner().invoke(command, arguments, input=keys)


def test_plan_then_tree_then_commands(folder: Path) -> None:
    result = invoke("cartpole", "--discrete")
    assert result.exit_code == 0, result.output
    plan = result.output.index("PPO on CartPole-v1")
    tree = result.output.index("cartpole/\n├── ")
    commands = result.output.index("Next:")
    assert plan < tree < commands
    assert result.output.splitlines()[-3:] == [
        "  cd cartpole",
        "  pip install -e .",
        "  python -m cartpole.training",
    ]
    for path in ("pyproject.toml", "src/cartpole/training.py", ".github/workflows/ci.yml"):
        assert (folder / "cartpole" / path).is_file()


def test_dry_run_writes_nothing(folder: Path) -> None:
    result = invoke("cartpole", "--discrete", "--dry-run")
    assert result.exit_code == 0
    assert "training.py" in result.output
    assert list(folder.iterdir()) == []


def test_single_file(folder: Path) -> None:
    result = invoke("--single-file", "--continuous", "--name", "pole", ".")
    assert result.exit_code == 0, result.output
    assert [path.name for path in folder.iterdir()] == ["pole.py"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--discrete", "--continuous"], "exclude each other"),
        (["--discrete", "--env", "Pendulum-v1"], "exclude each other"),
        (["--discrete", "--env", "CartPole-v9"], "did you mean"),
        (["--discrete", "--name", "no-package"], "--name"),
        (["--discrete", "--num-envs", "0"], "--num-envs"),
        (["--discrete", "--logger", "csv,excel"], "no logger 'excel'"),
        ([], "say --discrete or --continuous"),
        (["full", "--discrete"], "not empty"),
        (["file", "--discrete"], "is a file"),
    ],
)
def test_refusals_are_one_line_and_write_nothing(
    folder: Path, arguments: list[str], message: str
) -> None:
    (folder / "full").mkdir()
    (folder / "full" / "mine.txt").write_text("mine")
    (folder / "file").write_text("")
    result = invoke(*arguments)
    assert result.exit_code == 2
    assert message in result.output
    assert len(result.output.strip().splitlines()) == 1
    assert sorted(path.name for path in folder.rglob("*")) == ["file", "full", "mine.txt"]


def test_never_asks_in_a_pipe(folder: Path) -> None:
    result = invoke(keys="discrete\n")
    assert result.exit_code == 2
    assert "Actions" not in result.output


def test_asks_on_a_terminal(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal:
        """Stands in for `sys`: the runner's streams are pipes."""

        class _Stream:
            def isatty(self) -> bool:
                return True

        stdin = stdout = _Stream()

    monkeypatch.setattr("ppolint.cli.scaffold.sys", Terminal)
    answers = ["continuous", "Pendulum-v1", "multi-sync", "swing", "y"]
    result = invoke(keys="\n".join(answers) + "\n")
    assert result.exit_code == 0, result.output
    assert "Pendulum-v1" in (folder / "swing/src/swing/config.py").read_text()
    assert "MultiSyncCollector" in (folder / "swing/src/swing/collection.py").read_text()


def test_needs_no_torch(folder: Path) -> None:
    code = (
        "import sys\n"
        "for name in ('torch', 'torchrl', 'tensordict', 'gymnasium'): sys.modules[name] = None\n"
        "from ppolint.cli import main\n"
        "main(['scaffold', 'cartpole', '--discrete'])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=folder
    )
    assert done.returncode == 0, done.stderr
    assert (folder / "cartpole/src/cartpole/training.py").is_file()
