"""Which action space an environment has: asked of gymnasium, or of a table where it is missing."""

from __future__ import annotations

import contextlib
import difflib
import importlib.util
import io
import warnings
from dataclasses import dataclass

from ppolint.scaffold.errors import ScaffoldError


@dataclass(frozen=True)
class Environment:
    """What the generator knows about an environment.

    Attributes:
        env_id: gymnasium's id.
        action: "discrete" or "continuous".
        extra: gymnasium's extra that installs the simulator, "" where none is known.
        target_return: mean return at which the task counts as solved, None where none is agreed on.
    """

    env_id: str
    action: str
    extra: str
    target_return: float | None


def _table() -> dict[str, Environment]:
    classic = {
        "CartPole-v0": ("discrete", 195.0),
        "CartPole-v1": ("discrete", 475.0),
        "Acrobot-v1": ("discrete", -100.0),
        "MountainCar-v0": ("discrete", -110.0),
        "MountainCarContinuous-v0": ("continuous", 90.0),
        "Pendulum-v1": ("continuous", -200.0),
    }
    mujoco = {
        "Ant": 6000.0,
        "HalfCheetah": 4800.0,
        "Hopper": 3800.0,
        "Humanoid": None,
        "HumanoidStandup": None,
        "InvertedDoublePendulum": 9100.0,
        "InvertedPendulum": 950.0,
        "Pusher": 0.0,
        "Reacher": -3.75,
        "Swimmer": 360.0,
        "Walker2d": None,
    }
    table = {
        env_id: Environment(env_id, action, "classic-control", target)
        for env_id, (action, target) in classic.items()
    }
    for name, target in mujoco.items():
        for version in ("v4", "v5"):
            env_id = f"{name}-{version}"
            table[env_id] = Environment(env_id, "continuous", "mujoco", target)
    return table


KNOWN = _table()


def find_environment(env_id: str) -> Environment:
    """Return what is known about an environment.

    Raises:
        ScaffoldError: it does not exist, or its spaces are not those a PPO on vectors can use.
    """
    if importlib.util.find_spec("gymnasium") is not None:
        asked = _ask_gymnasium(env_id)
        if asked is not None:
            return asked
    if env_id in KNOWN:
        return KNOWN[env_id]
    raise ScaffoldError(
        f"environment '{env_id}' is not in the built-in table{_suggestion(env_id)}: "
        "install gymnasium and the environment's simulator, so that it can be checked"
    )


def _ask_gymnasium(env_id: str) -> Environment | None:
    """Make the environment once; None where gymnasium has it but its simulator is missing."""
    import gymnasium

    try:
        with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")  # about the age of an environment's version
            env = gymnasium.make(env_id)
    except gymnasium.error.DependencyNotInstalled:
        return None
    except (gymnasium.error.Error, ImportError) as error:
        if _simulator_is_missing(env_id, error):
            return None
        raise ScaffoldError(
            f"gymnasium has no environment '{env_id}'{_suggestion(env_id)}"
        ) from error
    observations, actions = env.observation_space, env.action_space
    threshold = env.spec.reward_threshold if env.spec is not None else None
    env.close()
    if not isinstance(observations, gymnasium.spaces.Box) or len(observations.shape) != 1:
        raise ScaffoldError(
            f"'{env_id}' observes {observations}: the generated networks read vectors, Box(n,)"
        )
    known = KNOWN.get(env_id)
    extra = known.extra if known is not None else ""
    target = known.target_return if known is not None else threshold
    if isinstance(actions, gymnasium.spaces.Discrete):
        return Environment(env_id, "discrete", extra, target)
    if isinstance(actions, gymnasium.spaces.Box) and len(actions.shape) == 1:
        return Environment(env_id, "continuous", extra, target)
    raise ScaffoldError(f"'{env_id}' takes actions from {actions}: neither Discrete nor Box(n,)")


def _simulator_is_missing(env_id: str, error: Exception) -> bool:
    return env_id in KNOWN and isinstance(error, ImportError)


def _suggestion(env_id: str) -> str:
    close = difflib.get_close_matches(env_id, KNOWN, n=1)
    return f" (did you mean '{close[0]}'?)" if close else ""
