"""What is installed works: from a wheel, from an editable checkout, without torch."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

from ppolint import __version__
from ppolint.rules import registry

ROOT = Path(__file__).resolve().parents[1]
# What `pip install ppolint` brings: named here so that a new one is a decision, not an accident.
LIGHT = {"click", "jinja2", "libcst", "packaging", "pathspec", "tomli"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--quiet", "-w", str(folder)]
    subprocess.run([*command, str(ROOT)], check=True, capture_output=True)
    (built,) = folder.glob("*.whl")
    return built


def _environment(folder: Path) -> Path:
    """A virtual environment that sees the packages of this one, but not its ppolint."""
    venv.create(folder, with_pip=False)
    python = folder / ("Scripts" if os.name == "nt" else "bin") / "python"
    answer = subprocess.run(
        [str(python), "-c", "import site; print(site.getsitepackages()[0])"],
        check=True,
        capture_output=True,
        text=True,
    )
    packages = Path(answer.stdout.strip())
    import click

    borrowed = Path(click.__file__).parent.parent
    # A path file puts them behind the environment's own packages.
    (packages / "borrowed.pth").write_text(f"{borrowed}\n")
    return python


def _run(python: Path, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    return subprocess.run(
        [str(python), "-m", "ppolint", *arguments],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    python = _environment(tmp_path_factory.mktemp("environment"))
    target = subprocess.run(
        [str(python), "-c", "import site; print(site.getsitepackages()[0])"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(target)
    return python


def _where(python: Path, cwd: Path) -> str:
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    code = "import ppolint; print(ppolint.__file__)"
    run = subprocess.run(
        [str(python), "-c", code],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return run.stdout


def test_a_wheel_holds_data_and_templates(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    for wanted in (
        "ppolint/rules/index.json",
        "ppolint/torchrl_api/api.json.z",
        "ppolint/torchrl_api/releases.txt",
        "ppolint/_templates/README.md",
    ):
        assert wanted in names
    for entry in registry.entries():
        assert entry.module.replace(".", "/") + ".py" in names
    assert not [name for name in names if name.startswith(("tests", "fixtures", "benchmarks"))]


def test_an_installed_wheel_lints_and_explains(installed: Path, tmp_path: Path) -> None:
    assert "borrowed" not in _where(installed, tmp_path)
    assert str(ROOT) not in _where(installed, tmp_path)
    assert __version__ in _run(installed, "--version", cwd=tmp_path).stdout
    (tmp_path / "old.py").write_text("from torchrl.collectors import SyncDataCollector\n")
    run = _run(installed, "check", "--output-format", "concise", cwd=tmp_path)
    assert run.returncode == 1, run.stderr
    assert "old.py:1:32: PPO901" in run.stdout
    assert "hand-written-gae" in _run(installed, "rule", "PPO104", cwd=tmp_path).stdout


TEMPLATES = "from ppolint.scaffold.templates import find_templates; print(find_templates())"


def test_templates_are_found_from_a_wheel_and_from_a_checkout(installed: Path, tmp_path) -> None:
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    run = subprocess.run(
        [str(installed), "-c", TEMPLATES],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout.strip().endswith("_templates")
    assert (Path(run.stdout.strip()) / "README.md").exists()
    from ppolint.scaffold.templates import find_templates

    assert find_templates() == ROOT / "templates"


def test_run_time_dependencies_are_light() -> None:
    import re

    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    names = {re.match(r"[\w-]+", requirement)[0] for requirement in project["dependencies"]}
    assert names <= LIGHT
    assert "torch" in " ".join(project["optional-dependencies"]["train"])


def test_linting_imports_no_torch(tmp_path: Path) -> None:
    """Neither does finding every rule: an editor's environment has none."""
    (tmp_path / "torch.py").write_text("raise ImportError('torch was imported')\n")
    (tmp_path / "torchrl.py").write_text("raise ImportError('torchrl was imported')\n")
    (tmp_path / "tensordict.py").write_text("raise ImportError('tensordict was imported')\n")
    fixture = ROOT / "fixtures" / "readme" / "train.py"
    run = subprocess.run(
        [sys.executable, "-m", "ppolint", "check", "--no-cache", "--isolated", str(fixture)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 1
    assert run.stderr == ""
