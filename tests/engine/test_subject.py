"""A large library that has nothing to do with RL is not read, and nothing else is overlooked."""

from __future__ import annotations

from pathlib import Path

import pytest

from ppolint.semantics.project import Project
from ppolint.semantics.subject import SMALL, speaks_of_rl, subject_of

# GAE in words that give nothing away.
RECURSION = """\
import torch


def smooth(x, v, m, a=0.99, b=0.95):
    out = torch.zeros_like(x)
    last = 0.0
    for t in reversed(range(len(x))):
        d = x[t] + a * v[t + 1] * m[t] - v[t]
        last = d + a * b * m[t] * last
        out[t] = last
    return out
"""
LAYER = "import torch\n\n\nclass Layer(torch.nn.Module):\n    pass\n"


@pytest.fixture
def library(project: Path) -> Path:
    for path in project.glob("*.py"):
        path.unlink()
    for number in range(2 * SMALL):
        (project / f"layer_{number}.py").write_text(LAYER)
    (project / "smooth.py").write_text(RECURSION)
    return project


def test_a_recursion_in_a_large_library_of_another_kind_is_not_looked_at(
    library: Path, lint, found
) -> None:
    assert found(lint()) == found(lint("smooth.py")) == []


def test_in_a_small_project_the_shape_is_enough(project: Path, lint, found) -> None:
    (project / "smooth.py").write_text(RECURSION)
    assert ("smooth.py", "PPO104") in found(lint())


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("smooth.py", f"# of the rewards\n{RECURSION}"),
        ("train.py", "from smooth import smooth\n\nsmooth(reward, value, mask)\n"),
        ("layer_1.py", f"import gymnasium\nimport smooth\n{LAYER}"),
    ],
)
def test_what_speaks_of_rewards_and_what_it_imports_is(
    library: Path, lint, found, name: str, text: str
) -> None:
    (library / name).write_text(text)
    assert found(lint()) == found(lint("smooth.py")) == [("smooth.py", "PPO104")]


def test_who_imports_a_file_that_speaks_of_rewards_is_looked_at(library: Path, lint, found) -> None:
    (library / "rewards.py").write_text("# rewards\nSCALE = 2.0\n")
    (library / "smooth.py").write_text(f"from rewards import SCALE\n{RECURSION}")
    assert found(lint()) == [("smooth.py", "PPO104")]


def test_what_everybody_imports_is_no_sign(library: Path) -> None:
    (library / "base.py").write_text("# rewards short answers\n")
    for path in library.glob("layer_*.py"):
        path.write_text(f"import base\n{LAYER}")
    subject = subject_of(Project(str(library), lambda: map(str, library.glob("*.py"))))
    assert subject.is_another
    assert subject.may_concern(str(library / "base.py"))
    assert not subject.may_concern(str(library / "layer_1.py"))


def test_a_project_that_speaks_of_it_often_is_read_whole(library: Path) -> None:
    for number in range(10):
        (library / f"layer_{number}.py").write_text("# the reward of a step\n")
    subject = subject_of(Project(str(library), lambda: map(str, library.glob("*.py"))))
    assert not subject.is_another
    assert subject.may_concern(str(library / "smooth.py"))


def test_a_warm_run_notices_that_the_library_has_turned_to_rl(
    library: Path, lint, found, tmp_path: Path
) -> None:
    cache = str(tmp_path / "cache")
    assert found(lint(cache=cache)) == []
    (library / "train.py").write_text("from smooth import smooth\n\nsmooth(reward, 1, 2)\n")
    assert found(lint(cache=cache)) == [("smooth.py", "PPO104")]


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("REWARD_SCALE = 1", True),
        ("import gym", True),
        ("from ppo import Agent", True),
        ("class PPO:", True),
        ("from  torchrl.envs import GymEnv", True),
        ("this is supported by the gymnast", False),
        ("like a TensorDict", False),
        ("take advantage of it", False),
    ],
)
def test_words(text: str, answer: bool) -> None:
    assert speaks_of_rl(text.encode()) is answer
