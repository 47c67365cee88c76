"""Which TorchRL release a project targets, by the files it keeps its dependencies in."""

import json

import pytest

from ppolint.settings.release import (
    explain,
    known_releases,
    newest_known,
    parse_target,
    target_release,
)

NEWEST = known_releases()["torchrl"][-1]


@pytest.fixture
def project(tmp_path):
    """Writes files into a fresh repository and returns its target."""
    (tmp_path / ".git").mkdir()

    def write(files, folder=".", **options):
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return target_release(tmp_path / folder, **options)

    return write


UV_LOCK = '[[package]]\nname = "torch"\nversion = "2.6.0"\n\n[[package]]\nname = "torchrl"\nversion = "0.7.2"\n'
PIXI_LOCK = """packages:
- pypi: ./wheels/torchrl-0.6.0-cp311-cp311-manylinux1_x86_64.whl
  name: torchrl
  version: 0.6.0
"""
CONDA_LOCK = "package:\n- name: torchrl\n  version: 0.5.0\n  manager: pip\n"
PIPFILE_LOCK = json.dumps({"default": {"torchrl": {"version": "==0.4.0"}}})


@pytest.mark.parametrize(
    "name, text, release",
    [
        ("uv.lock", UV_LOCK, "0.7.2"),
        ("poetry.lock", UV_LOCK, "0.7.2"),
        ("pdm.lock", UV_LOCK, "0.7.2"),
        ("pixi.lock", PIXI_LOCK, "0.6.0"),
        ("conda-lock.yml", CONDA_LOCK, "0.5.0"),
        ("Pipfile.lock", PIPFILE_LOCK, "0.4.0"),
        ("pyproject.toml", '[project]\ndependencies = ["torchrl==0.8.1"]\n', "0.8.1"),
        ("pyproject.toml", '[tool.poetry.dependencies]\ntorchrl = "0.8.1"\n', "0.8.1"),
        ("pyproject.toml", '[tool.poetry.dependencies]\ntorchrl = {git = "g", tag = "v0.9.2"}\n', "0.9.2"),
        ("pyproject.toml", '[dependency-groups]\ndev = ["torchrl==0.8.1"]\n', "0.8.1"),
        ("pyproject.toml", '[project.optional-dependencies]\nrl = ["torchrl[atari]==0.8.1"]\n', "0.8.1"),
        ("pixi.toml", '[pypi-dependencies]\ntorchrl = "==0.8.1"\n', "0.8.1"),
        ("requirements.txt", "torch\ntorchrl==0.3.1  # pinned\n", "0.3.1"),
        ("requirements-dev.txt", "torchrl == 0.3.1 ; python_version > '3.8'\n", "0.3.1"),
        ("requirements.txt", "torchrl==0.3.1+cpu\n", "0.3.1"),
        ("requirements.txt", "torchrl==0.3.1 \\\n    --hash=sha256:00\n", "0.3.1"),
        ("requirements.txt", "git+https://github.com/pytorch/rl.git@v0.5.0\n", "0.5.0"),
        ("requirements.txt", "torchrl @ git+https://github.com/pytorch/rl@v0.5.0\n", "0.5.0"),
        ("requirements/base.txt", "torchrl==0.3.1\n", "0.3.1"),
        ("setup.cfg", "[options]\ninstall_requires =\n    torch\n    torchrl==0.2.1\n", "0.2.1"),
        ("setup.py", "from setuptools import setup\nREQ = ['torchrl==0.2.1']\nsetup(install_requires=REQ)\n", "0.2.1"),
        ("environment.yml", "dependencies:\n  - python=3.10\n  - pip:\n    - torchrl==0.4.0\n", "0.4.0"),
        ("environment.yaml", "dependencies:\n  - conda-forge::torchrl=0.4.0=py310_0\n", "0.4.0"),
    ],
)  # fmt: skip
def test_pins(project, name, text, release):
    target = project({name: text})
    assert (target.torchrl, target.exact, target.stated) == ((release,), True, True)
    assert target.source.startswith(name) and target.specifier == f"=={release}"


def test_a_pin_by_wildcard_is_a_range(project):
    target = project({"environment.yml": "dependencies:\n  - torchrl=0.9\n"})
    assert target.torchrl == ("0.9.0", "0.9.1", "0.9.2") and not target.exact


@pytest.mark.parametrize(
    "written, floor, newest",
    [
        (">=0.3,<0.5", "0.3.0", "0.4.0"),
        (">=0.11", "0.11.0", NEWEST),
        ("~=0.8.0", "0.8.0", "0.8.1"),
        (">0.9.1,<=0.11.0", "0.9.2", "0.11.0"),
        ("!=0.9.0,>=0.8.1,<0.9.2", "0.8.1", "0.9.1"),
    ],
)
def test_ranges(project, written, floor, newest):
    target = project({"pyproject.toml": f'[project]\ndependencies = ["torchrl{written}"]\n'})
    assert (target.floor, target.newest, target.exact) == (floor, newest, False)


@pytest.mark.parametrize(
    "written, releases",
    [
        ("^0.8", ("0.8.0", "0.8.1")),
        ("~0.7.1", ("0.7.1", "0.7.2")),
        (">=0.3,<0.4", ("0.3.0", "0.3.1")),
    ],
)
def test_poetry_ranges(project, written, releases):
    text = f'[tool.poetry.dependencies]\ntorchrl = "{written}"\n'
    assert project({"pyproject.toml": text}).torchrl == releases


@pytest.mark.parametrize("written, release", [("torchrl", NEWEST), ("torchrl<0.12", "0.11.1")])
def test_without_a_lower_bound_the_newest_admitted_release_counts(project, written, release):
    assert project({"requirements.txt": f"{written}\n"}).torchrl == (release,)


def test_saying_nothing_means_the_newest_release_and_is_told(project):
    target = project({"pyproject.toml": '[project]\ndependencies = ["torch"]\n'})
    assert target == newest_known() and not target.stated
    assert "does not say" in target.explanation()


def test_a_lock_file_beats_a_declared_range(project):
    target = project(
        {
            "uv.lock": UV_LOCK,
            "pyproject.toml": '[project]\ndependencies = ["torchrl>=0.6"]\n',
        }
    )
    assert target.torchrl == ("0.7.2",) and target.source == "uv.lock:6"
    assert target.notes == ()


def test_declared_ranges_are_intersected(project):
    target = project(
        {
            "pyproject.toml": '[project]\ndependencies = ["torchrl>=0.6"]\n',
            "requirements.txt": "torchrl<0.8\n",
        }
    )
    assert (target.floor, target.newest) == ("0.6.0", "0.7.2")


def test_files_that_disagree_are_told(project):
    target = project(
        {
            "requirements.txt": "torchrl==0.3.1\n",
            "setup.py": "setup(install_requires=['torchrl==0.2.1'])\n",
        }
    )
    assert target.torchrl == ("0.3.1",)
    assert len(target.notes) == 1
    assert "requirements.txt:1" in target.notes[0] and "setup.py:1" in target.notes[0]
    assert any("note:" in line for line in explain([target]))


def test_the_nearest_folder_decides(project):
    files = {"requirements.txt": "torchrl==0.3.1\n", "sub/requirements.txt": "torchrl==0.9.1\n"}
    assert project(files, "sub/deeper").torchrl == ("0.9.1",)
    assert project(files, ".").torchrl == ("0.3.1",)


def test_the_search_stops_at_the_repository(tmp_path):
    (tmp_path / "requirements.txt").write_text("torchrl==0.3.1\n")
    (tmp_path / "repo" / ".git").mkdir(parents=True)
    assert target_release(tmp_path / "repo").stated is False
    assert target_release(tmp_path / "repo", top=tmp_path).torchrl == ("0.3.1",)
    (tmp_path / "plain").mkdir()
    assert target_release(tmp_path / "plain", top=tmp_path).torchrl == ("0.3.1",)


def test_a_script_speaks_for_itself(project):
    script = '# /// script\n# dependencies = ["torchrl==0.5.0"]\n# ///\nimport torchrl\n'
    target = project({"requirements.txt": "torchrl==0.3.1\n"}, file_text=script)
    assert target.torchrl == ("0.5.0",) and target.source.startswith("script metadata")


@pytest.mark.parametrize(
    "cell",
    [
        "!pip install torchrl==0.5.0",
        "%pip install -q torch torchrl==0.5.0 tensordict",
        "!pip3 install 'torchrl==0.5.0'",
        "!{sys.executable} -m pip install torchrl==0.5.0",
    ],
)
def test_an_install_cell_speaks_for_its_notebook(project, cell):
    notebook = json.dumps({"cells": [{"cell_type": "code", "source": [cell + "\n", "x = 1"]}]})
    assert project({}, file_text=notebook).torchrl == ("0.5.0",)
    assert project({}, file_text=cell + "\nimport torchrl\n").torchrl == ("0.5.0",)


def test_tensordict_is_read_too(project):
    target = project({"requirements.txt": "torchrl==0.9.1\ntensordict==0.9.0\n"})
    assert target.tensordict == ("0.9.0",)


def test_unknown_releases_are_judged_by_the_closest(project):
    old = project({"requirements.txt": "torchrl==0.1.1\n"})
    assert old.torchrl == ("0.2.0",) and "no known release" in old.notes[0]


def test_broken_files_say_nothing(project):
    target = project(
        {
            "pyproject.toml": "[project\ndependencies = torchrl",
            "setup.py": "def torchrl(:",
            "setup.cfg": "torchrl==1",
            "Pipfile.lock": "{torchrl",
            "requirements.txt": "torchrl==not!a!version\n",
        }
    )
    assert target == newest_known()


@pytest.mark.parametrize("text", ["0.14.1", "==0.14.1", " 0.14.1 "])
def test_a_named_release(text):
    target = parse_target(text, "--torchrl-version")
    assert target.torchrl == ("0.14.1",) and target.exact and target.source == "--torchrl-version"


def test_a_named_range():
    assert parse_target(">=0.6,<0.9", "configuration").newest == "0.8.1"


@pytest.mark.parametrize("text", ["", "new", "0.14.1 or so", ">="])
def test_a_bad_release_is_refused(text):
    with pytest.raises(ValueError, match="--torchrl-version"):
        parse_target(text, "--torchrl-version")
