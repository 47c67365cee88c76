"""Many files, some of them bad: every one is answered for, whatever happens to the others."""

from __future__ import annotations

import faulthandler
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from small_project import GAE_LOOP, OLD_IMPORT

from ppolint.engine import run as running
from ppolint.engine.pool import Crash
from ppolint.engine.pool import run as run_pool


def test_a_broken_file_is_reported_and_the_rest_is_linted(project, lint, found) -> None:
    result = lint()
    assert found(result) == [
        ("broken.py", "PPO001"),
        ("gae.py", "PPO104"),
        ("old.py", "PPO901"),
        ("unused.py", "PPO002"),
    ]
    assert not result.errors
    assert result.files == 6


def test_a_block_indented_too_far_does_not_hide_the_rest(project: Path, lint) -> None:
    text = f"{OLD_IMPORT}def f():\n    if x:\n            a()\n        b()  # here\n{GAE_LOOP}"
    (project / "odd.py").write_text(text)
    found = {d.code: d for d in lint("odd.py").diagnostics}
    assert {code: (d.row, d.column) for code, d in found.items()} == {
        "PPO901": (1, 32),
        "PPO001": (5, 9),
        "PPO104": (14, 16),
    }
    assert found["PPO901"].fix is None, "the text that was read is not the text of the file"


def test_a_recursion_that_runs_while_its_file_is_imported(project: Path, lint, found) -> None:
    """It belongs to that file, whoever imports a helper from it."""
    (project / "train.py").write_text(
        """\
import torch
import gymnasium as gym

if __name__ == "__main__":
    rewards, values, dones = torch.rand(8), torch.rand(9), torch.zeros(8)
    for iteration in range(4):
        advantages = torch.zeros(8)
        last = 0.0
        for t in reversed(range(8)):
            delta = rewards[t] + 0.99 * values[t + 1] * (1 - dones[t]) - values[t]
            advantages[t] = last = delta + 0.99 * 0.95 * (1 - dones[t]) * last


def make_env(name):
    return gym.make(name)
"""
    )
    (project / "play.py").write_text(
        """\
from train import make_env

env = make_env("CartPole-v1")
env.reset()
done = False
while not done:
    obs, reward, done, _, _ = env.step(env.action_space.sample())
    print(reward * 2)
"""
    )
    result = lint("train.py", "play.py")
    assert not result.errors
    assert found(result) == [("train.py", "PPO104")]


def test_keywords_of_a_class_in_another_file(project: Path, lint, found) -> None:
    (project / "vehicles.py").write_text(
        "from tensordict import TensorDict\n\n\nclass Vehicle:\n"
        "    def __init__(self, name, **more):\n        self.more = TensorDict(more)\n"
    )
    (project / "world.py").write_text(
        """\
import torch
import gymnasium as gym

from vehicles import Vehicle


def drive(env, policy):
    vehicle = Vehicle("a", wheels=[1, 2])
    state, _ = env.reset()
    rows = []
    for _ in range(100):
        action = policy(state).sample()
        log_prob = policy(state).log_prob(action)
        state, reward, done, _, _ = env.step(action)
        rows.append((state, action, log_prob, reward, done))
    return vehicle, rows
"""
    )
    result = lint("world.py", select=("PPO111",))
    assert (result.errors, found(result)) == ([], [("world.py", "PPO111")])


def test_files_without_a_word_that_a_rule_needs_are_not_analysed(project, lint) -> None:
    (project / "broken.py").write_text("print 'Python 2'\n")
    result = lint(select=("PPO901",))
    assert result.analysed == 1
    assert [d.path for d in result.diagnostics] == ["old.py"]


def test_jobs_and_order_do_not_matter(project, lint) -> None:
    results = [lint(jobs=1), lint(jobs=4), lint(jobs=2, reverse=True)]
    assert results[0].diagnostics == results[1].diagnostics == results[2].diagnostics


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"import torchrl\0", "null bytes"),
        (b"# coding: klingon\nimport torchrl\n", "unknown encoding"),
        (b"import torchrl\nx = '\xff'\n", "not valid utf-8"),
        (b"import torchrl\nx = " + b"(" * 5000 + b")" * 5000, "nested more than"),
        (b"import torchrl\nx = " + b"+".join([b"a"] * 5000), "nested more than"),
        (b"import torchrl\n" + b"#" * 3_100_000, "characters"),
    ],
)
def test_what_cannot_be_analysed_is_told(project: Path, lint, data: bytes, reason: str) -> None:
    (project / "odd.py").write_bytes(data)
    result = lint("odd.py", "gae.py")
    assert [(d.path, d.code) for d in result.diagnostics] == [
        ("gae.py", "PPO104"),
        ("odd.py", "PPO003"),
    ]
    assert reason in result.diagnostics[1].message
    assert not result.errors


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_an_unreadable_file_is_told(project: Path, lint, found) -> None:
    (project / "gae.py").chmod(0)
    assert ("gae.py", "PPO003") in found(lint())


def test_a_file_that_vanishes_is_told(project: Path, lint, found, monkeypatch) -> None:
    from ppolint.settings.files import Walker

    collect = Walker.collect

    def collect_and_remove(self, paths):
        targets = collect(self, paths)
        (project / "gae.py").unlink()
        return targets

    monkeypatch.setattr(Walker, "collect", collect_and_remove)
    assert ("gae.py", "PPO003") in found(lint())


class _Rule:
    """Stands in for a rule that fails."""

    def __init__(self, fail) -> None:
        self._fail = fail

    def findings(self, model):
        if model.source.path == "gae.py":
            self._fail()
        return ()


def _overflow() -> None:
    faulthandler.disable()  # its report would be taken for a failure of the tests
    os.kill(os.getpid(), signal.SIGSEGV)


def _raise() -> None:
    raise KeyError("torch")


def _recurse() -> None:
    _recurse()


def _hang() -> None:
    time.sleep(60)


@pytest.fixture
def failing_rule(monkeypatch: pytest.MonkeyPatch):
    from ppolint.rules import registry

    load = registry.load

    def install(fail) -> None:
        monkeypatch.setattr(
            registry, "load", lambda code: _Rule(fail) if code == "PPO104" else load(code)
        )

    return install


@pytest.mark.parametrize("jobs", [1, 3])
def test_a_rule_that_raises_is_an_error_of_its_file_alone(
    project, lint, found, failing_rule, jobs
) -> None:
    failing_rule(_raise)
    result = lint(jobs=jobs)
    ((path, message),) = result.errors
    assert path == "gae.py"
    assert "PPO104: KeyError: 'torch'" in message
    assert ("old.py", "PPO901") in found(result)


@pytest.mark.parametrize("jobs", [1, 3])
def test_a_worker_that_is_killed_costs_one_file(project, lint, found, failing_rule, jobs) -> None:
    failing_rule(_overflow)
    result = lint(jobs=jobs)
    assert ("gae.py", "PPO003") in found(result)
    assert ("old.py", "PPO901") in found(result)
    assert not result.errors


def test_endless_recursion_costs_one_file(project, lint, found, failing_rule) -> None:
    failing_rule(_recurse)
    result = lint()
    assert ("gae.py", "PPO003") in found(result)
    assert ("old.py", "PPO901") in found(result)


def test_a_file_that_takes_for_ever_is_given_up(
    project, lint, found, failing_rule, monkeypatch
) -> None:
    failing_rule(_hang)
    monkeypatch.setattr(running, "TIME_LIMIT", 3.0)
    result = lint(jobs=2)
    assert result.errors == [("gae.py", "it took more than 3 s")]
    assert ("old.py", "PPO901") in found(result)


def _work(item: int) -> int:
    if item % 5 == 0:
        os._exit(7)
    return item * item


def test_the_pool_answers_for_every_item() -> None:
    items = list(range(23))
    answers = dict(run_pool(_work, items, 3, 60.0))
    assert sorted(answers) == items
    for item in items:
        if item % 5:
            assert answers[item] == item * item
        else:
            assert answers[item] == Crash("it ended with exit status 7", None)


def test_severities_and_per_file_ignores_of_the_configuration(project: Path, lint, found) -> None:
    (project / "tests").mkdir()
    (project / "tests" / "test_gae.py").write_text(GAE_LOOP)
    (project / "scratch.py").write_text(GAE_LOOP)
    (project / "comment.py").write_text("# ppolint: from-scratch\n" + GAE_LOOP)
    (project / "ppolint.toml").write_text(
        "select = ['PPO104', 'PPO901']\n"
        "severity = {hand-written-gae = 'info'}\n"
        "from-scratch = ['scratch.py']\n"
        "per-file-ignores = {'tests' = ['PPO1']}\n"
    )
    result = lint()
    assert found(result) == [("gae.py", "PPO104"), ("old.py", "PPO901")]
    assert {d.code: d.severity for d in result.diagnostics}["PPO104"] == "info"


def test_moving_and_reformatting_code_keeps_its_fingerprint(project: Path, lint) -> None:
    before = lint("gae.py").diagnostics
    (project / "gae.py").write_text(
        "import os\n\n" + GAE_LOOP.replace("(1 - dones[t]) * last", "( 1-dones[t] )*last")
    )
    after = lint("gae.py").diagnostics
    assert [d.fingerprint for d in before] == [d.fingerprint for d in after]
    assert before[0].row != after[0].row
    (project / "gae.py").write_text(GAE_LOOP + "\n\n" + GAE_LOOP)
    twice = lint("gae.py").diagnostics
    assert len({d.fingerprint for d in twice}) == len(twice) > 1


@pytest.mark.parametrize("seed", ["0", "1", "424242"])
def test_hash_seeds_do_not_matter(project: Path, lint, seed: str) -> None:
    run = subprocess.run(
        [sys.executable, "-m", "ppolint", "check", "--no-cache", "--output-format", "json"],
        env={**os.environ, "PYTHONHASHSEED": seed},
        capture_output=True,
        text=True,
        check=False,
    )
    rows = json.loads(run.stdout)
    assert [(r["filename"], r["code"], r["message"]) for r in rows] == [
        (d.path, d.code, d.message) for d in lint().diagnostics
    ]


def test_a_finding_over_two_cells_ends_with_the_first(project: Path, lint) -> None:
    cells = [
        """\
import gymnasium as gym
import torch

class Agent:
    def __init__(self, net):
        self.net = net
        self.states, self.actions, self.rewards, self.log_probs = [], [], [], []

    def keep(self, state, action, reward, log_prob):
        self.states.append(state)
        self.actions.append(action)
        self.rewards.append(reward)
        self.log_probs.append(log_prob)

    def learn(self, optimiser):
        loss = -(torch.stack(self.log_probs) * torch.tensor(self.rewards)).mean()
        loss.backward()
        optimiser.step()
""",
        """\
agent.states.append(0)
agent.rewards.append(0.0)
""",
    ]
    notebook = {
        "cells": [
            {"cell_type": "code", "source": "agent = Agent(None)\n" + cell if at else cell,
             "metadata": {}, "outputs": [], "execution_count": None}
            for at, cell in enumerate(cells)
        ],
        "metadata": {}, "nbformat": 4, "nbformat_minor": 5,
    }  # fmt: skip
    (project / "two.ipynb").write_text(json.dumps(notebook))
    found = [d for d in lint("two.ipynb").diagnostics if d.code == "PPO111"]
    assert [(d.cell, d.row) for d in found] == [(1, 7)]
    assert 13 <= found[0].end_row <= 19
