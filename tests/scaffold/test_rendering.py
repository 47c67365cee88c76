"""Every combination of options renders to code that its own checks accept."""

from __future__ import annotations

import ast
import compileall
import importlib.util
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from generated import COMBINATIONS

from ppolint.scaffold.plan import Options, plan_project
from ppolint.scaffold.render import render_project
from ppolint.scaffold.single_file import join_modules
from ppolint.scaffold.write import write_project


@pytest.fixture(scope="module")
def projects(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one project per combination."""
    root = tmp_path_factory.mktemp("projects")
    for options in COMBINATIONS:
        plan = plan_project(replace(options, directory=root / str(options.directory)))
        write_project(plan.directory, render_project(plan))
    return root


def run(*command: str, cwd: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=cwd,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:]


def test_every_combination_is_there(projects: Path) -> None:
    assert len(list(projects.glob("*-*"))) == 64


def test_compiles(projects: Path) -> None:
    assert compileall.compile_dir(projects, quiet=1)


def test_no_jinja_is_left(projects: Path) -> None:
    for path in projects.rglob("*"):
        if path.is_file() and path.suffix != ".pyc":
            assert not re.search(r"\{%|\{\{|\{#|%\}|\}\}\}|#\}", path.read_text()), path


def test_no_address_but_that_of_torchrl(projects: Path) -> None:
    for path in projects.rglob("*.*"):
        if path.suffix in {".py", ".md", ".toml", ".yaml", ".yml"}:
            addresses = re.findall(r"https?://[^\s)]+", path.read_text())
            assert set(addresses) <= {"https://github.com/pytorch/rl"}, path


# What the projects' own pyproject.toml says; a single file has none beside it.
SINGLE_FILE_RULES = ("--line-length=100", "--select=E,F,W,I,B,C4,PT,RUF,SIM,UP")


def test_ruff_check(projects: Path) -> None:
    run("ruff", "check", "--no-cache", ".", cwd=projects)
    scripts = [str(path) for path in projects.glob("*-single/*.py")]
    run("ruff", "check", "--no-cache", *SINGLE_FILE_RULES, *scripts, cwd=projects)


def test_ruff_format(projects: Path) -> None:
    folders = [str(path) for path in projects.glob("*-project")]
    run("ruff", "format", "--no-cache", "--check", *folders, cwd=projects)
    scripts = [str(path) for path in projects.glob("*-single/*.py")]
    run("ruff", "format", "--no-cache", "--check", "--line-length=100", *scripts, cwd=projects)


@pytest.mark.parametrize("env_id", ["Acrobot-v1", "HumanoidStandup-v5", "Pendulum-v1"])
def test_ruff_format_does_not_depend_on_the_names(tmp_path: Path, env_id: str) -> None:
    """Long names of packages and environments keep the layout of the code."""
    name = "a_project_with_quite_a_long_package_name"
    for collector in ("sync", "ray"):
        folder = tmp_path / collector
        plan = plan_project(
            Options(directory=folder, env_id=env_id, name=name, num_envs=1000, collector=collector)
        )
        write_project(folder, render_project(plan))
    run("ruff", "check", "--no-cache", ".", cwd=tmp_path)
    run("ruff", "format", "--no-cache", "--check", ".", cwd=tmp_path)


def test_ppolint_finds_nothing(projects: Path) -> None:
    run("ppolint", "check", "--select", "ALL", ".", cwd=projects)


@pytest.mark.slow
def test_mypy(projects: Path) -> None:
    if importlib.util.find_spec("mypy") is None:
        pytest.skip("mypy is not installed")
    options = ("--ignore-missing-imports", "--follow-imports=skip", "--no-error-summary")
    for folder in sorted(projects.glob("*-*")):
        target = ["src/demo"] if (folder / "src").is_dir() else ["demo.py"]
        run("mypy", *options, *target, cwd=folder)


def test_single_file_is_the_project_in_one_piece(projects: Path) -> None:
    """Every function and class of the modules that training needs is in the script, once."""
    project, script = projects / "discrete-ray-project", projects / "discrete-ray-single/demo.py"
    names = [node.name for node in ast.parse(script.read_text()).body if hasattr(node, "name")]
    assert len(names) == len(set(names))
    for module in (project / "src/demo").glob("*.py"):
        if module.name not in {"evaluate.py", "__init__.py"}:
            tree = ast.parse(module.read_text())
            assert {node.name for node in tree.body if hasattr(node, "name")} <= set(names), module


def test_joining_modules_moves_imports_to_the_top() -> None:
    first = '"""Numbers."""\n\nimport os\n\nfrom torch import nn\n\nONE = 1\n'
    second = (
        '"""Use."""\n\nimport sys\nfrom torch import Tensor\n\nfrom .first import ONE\n\n\n'
        'def use():\n    return ONE\n\n\nif __name__ == "__main__":\n    use()\n'
    )
    assert join_modules("# head\n", [first, second]) == (
        "# head\nimport os\nimport sys\n\nfrom torch import Tensor, nn\n\n"
        "# --- Numbers.\n\n\nONE = 1\n\n\n"
        '# --- Use.\n\n\ndef use():\n    return ONE\n\n\nif __name__ == "__main__":\n    use()\n'
    )
