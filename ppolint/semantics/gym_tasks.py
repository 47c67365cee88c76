"""What is known of Gymnasium tasks by their id: precision of observations, kind of actions.

`tests/rules/test_gym_tasks.py` compares the table with the tasks of the installed Gymnasium. A task
that is not in it, or an id that is computed, is UNKNOWN.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from ppolint.semantics.components import UNKNOWN, Environment, Unknown


@dataclass(frozen=True, slots=True)
class Task:
    """`actions` is "discrete" or "box"; `dimensions` and `unit` (all bounds -1 and 1) are of a
    box; `double` tells float64 observations."""

    actions: str
    dimensions: int = 0
    unit: bool = False
    double: bool = False


_BOX = {
    # id without version: dimensions, unit, double
    "Ant": (8, True, True),
    "HalfCheetah": (6, True, True),
    "Hopper": (3, True, True),
    "Humanoid": (17, False, True),
    "HumanoidStandup": (17, False, True),
    "InvertedDoublePendulum": (1, True, True),
    "InvertedPendulum": (1, False, True),
    "Pusher": (7, False, True),
    "Reacher": (2, True, True),
    "Swimmer": (2, True, True),
    "Walker2d": (6, True, True),
    "Pendulum": (1, False, False),
    "MountainCarContinuous": (1, True, False),
    "BipedalWalker": (4, True, False),
    "BipedalWalkerHardcore": (4, True, False),
    "LunarLanderContinuous": (2, True, False),
    "CarRacing": (3, False, False),
}
TASKS = {
    **{name: Task("box", *facts) for name, facts in _BOX.items()},
    **dict.fromkeys(
        ("CartPole", "Acrobot", "MountainCar", "LunarLander", "FrozenLake", "FrozenLake8x8", "Taxi",
         "CliffWalking", "Blackjack"),
        Task("discrete"),
    ),
}  # fmt: skip
# Atari and grid worlds: every task of these families has discrete actions.
_DISCRETE = re.compile(r"^(?:ALE/|MiniGrid-|procgen)|(?:NoFrameskip|Deterministic)-v\d+$")
_OPTIONS = frozenset({"continuous", "discrete", "is_slippery"})


def task(env: Environment | Unknown | None) -> Task | Unknown:
    """The task of a `GymEnv` (or of a `GymWrapper` around one `make`), transforms aside."""
    base: Any = env.base if isinstance(env, Environment) else UNKNOWN
    if not isinstance(base, Environment) or base.cls is not None or not base.sealed:
        return UNKNOWN
    if base.name == "GymEnv":
        if _OPTIONS & base.arguments.keys():
            return UNKNOWN
        name = base.env_name
    elif base.name == "GymWrapper":
        name = _made(base)
    else:
        return UNKNOWN
    if not isinstance(name, str):
        return UNKNOWN
    if _DISCRETE.search(name):
        return Task("discrete")
    return TASKS.get(re.sub(r"-v\d+$", "", name), UNKNOWN)


def _made(base: Environment) -> str | Unknown:
    """The id in `GymWrapper(gym.make("..."))`."""
    value = base.argument("env")
    if value is None or isinstance(value, Unknown):
        return UNKNOWN
    leaves = base.pipeline.resolved(value)
    if len(leaves) != 1 or leaves[0].op != "call" or len(leaves[0].args) != 2:
        return UNKNOWN
    callee = leaves[0].args[0].dotted or ""
    if not callee.startswith(("gym.", "gymnasium.")) or not callee.endswith(".make"):
        return UNKNOWN
    found = base.pipeline.text(leaves[0].args[1])
    return found if isinstance(found, str) else UNKNOWN


def action_encoding(env: Environment | Unknown | None) -> str | Unknown:
    """How an action of a Gymnasium environment is written: "one-hot", "index" or "box"; for a task
    that is not known, "one-hot or box" when it is certainly no index."""
    base: Any = env.base if isinstance(env, Environment) else UNKNOWN
    if not isinstance(base, Environment) or base.name not in ("GymEnv", "GymWrapper"):
        return UNKNOWN
    if base.cls is not None:
        return UNKNOWN
    as_index = base.flag("categorical_action_encoding", False)
    found = task(base)
    if isinstance(found, Task) and found.actions == "box":
        return "box"
    if as_index is UNKNOWN:
        return UNKNOWN
    if isinstance(found, Task):
        return "index" if as_index else "one-hot"
    return UNKNOWN if as_index else "one-hot or box"
