"""The table of Gymnasium tasks says what the installed Gymnasium does."""

from __future__ import annotations

import re

import numpy as np
import pytest

from ppolint.semantics.gym_tasks import TASKS, Task

gymnasium = pytest.importorskip("gymnasium")


def _newest() -> dict[str, str]:
    """Name without version -> the newest id of a task that can be made here."""
    out: dict[str, str] = {}
    for spec in sorted(gymnasium.registry):
        name = re.sub(r"-v\d+$", "", spec)
        if name in TASKS:
            out[name] = spec
    return out


@pytest.mark.parametrize(("name", "spec"), sorted(_newest().items()))
def test_a_task_is_what_the_table_says(name: str, spec: str) -> None:
    try:
        env = gymnasium.make(spec)
    except gymnasium.error.DependencyNotInstalled:
        pytest.skip("its simulator is not installed")
    actions = env.action_space
    double = getattr(env.observation_space, "dtype", None) == np.float64
    if isinstance(actions, gymnasium.spaces.Discrete):
        found = Task("discrete")
    else:
        unit = bool((actions.low == -1).all() and (actions.high == 1).all())
        found = Task("box", actions.shape[-1], unit, double)
    env.close()
    assert TASKS[name] == found


def test_the_table_is_not_empty_of_known_tasks() -> None:
    assert {"CartPole", "Pendulum", "HalfCheetah"} <= _newest().keys()
