"""Options, checked against each other, become a plan: all that is needed to render a project."""

from __future__ import annotations

import keyword
import re
import sys
from dataclasses import dataclass
from pathlib import Path

from ppolint.scaffold.environments import Environment, find_environment
from ppolint.scaffold.errors import ScaffoldError
from ppolint.scaffold.presets import Preset, find_preset, is_tuned

TORCHRL_VERSION = "0.14.1"
TENSORDICT_RANGE = ">=0.14,<0.15"
COLLECTORS = ("sync", "multi-sync", "multi-async", "ray")
LOGGERS = ("csv", "tensorboard", "wandb")
NUM_WORKERS = 2
DEFAULT_ENVIRONMENTS = {"discrete": "CartPole-v1", "continuous": "InvertedDoublePendulum-v5"}

# Names that would hide a module which the generated project imports.
_TAKEN = {"gymnasium", "matplotlib", "mujoco", "numpy", "ppolint", "pytest", "ray", "tensorboard"}
_TAKEN |= {"tensordict", "test", "tests", "torch", "torchrl", "tqdm", "tyro", "wandb"}


@dataclass(frozen=True)
class Options:
    """What was asked for; None where it was left open."""

    directory: Path | None = None
    action: str | None = None
    env_id: str | None = None
    num_envs: int | None = None
    collector: str = "sync"
    loggers: tuple[str, ...] = ("csv",)
    single_file: bool = False
    name: str | None = None


@dataclass(frozen=True)
class Plan:
    """Everything that decides how the project will look."""

    directory: Path
    name: str
    environment: Environment
    preset: Preset
    collector: str
    loggers: tuple[str, ...]
    single_file: bool

    @property
    def title(self) -> str:
        """The project's name for people."""
        return self.name.replace("_", " ")

    @property
    def num_workers(self) -> int:
        """Collector processes; one is the training process itself."""
        return 1 if self.collector == "sync" else NUM_WORKERS


def plan_project(options: Options) -> Plan:
    """Fill in what was left open and check that all fits together.

    Raises:
        ScaffoldError: it does not.
    """
    if options.collector not in COLLECTORS:
        raise ScaffoldError(f"--collector is one of {', '.join(COLLECTORS)}")
    unknown = [logger for logger in options.loggers if logger not in LOGGERS]
    if unknown:
        raise ScaffoldError(f"no logger '{unknown[0]}': --logger takes {', '.join(LOGGERS)}")
    if options.action is None and options.env_id is None:
        raise ScaffoldError("say --discrete or --continuous, or name an environment with --env")
    environment = find_environment(options.env_id or DEFAULT_ENVIRONMENTS[options.action or ""])
    if options.action not in (None, environment.action):
        raise ScaffoldError(
            f"{environment.env_id} has {environment.action} actions: "
            f"--{options.action} and --env {environment.env_id} exclude each other"
        )
    directory = options.directory
    if directory is None:
        directory = Path(_snake_case(environment.env_id))
    name = options.name
    if name is None:
        name = re.sub(r"[-. ]+", "_", directory.resolve().name).lower()
    _check_name(name)

    preset = find_preset(environment)
    num_workers = 1 if options.collector == "sync" else NUM_WORKERS
    num_envs = options.num_envs
    if num_envs is None:
        num_envs = max(1, preset.num_envs // num_workers)
    if not 1 <= num_envs <= 1024:
        raise ScaffoldError(f"--num-envs {num_envs} is not between 1 and 1024")
    return Plan(
        directory=directory,
        name=name,
        environment=environment,
        preset=preset.fitted_to(num_envs * num_workers),
        collector=options.collector,
        # CSV is always written: the learning curve is drawn from it.
        loggers=tuple(name for name in LOGGERS if name == "csv" or name in options.loggers),
        single_file=options.single_file,
    )


def describe(plan: Plan) -> str:
    """Return the plan as text: components, hyperparameters and why, frames and time."""
    preset, environment = plan.preset, plan.environment
    discrete = environment.action == "discrete"
    envs = preset.num_envs // plan.num_workers
    collector = {
        "sync": "Collector, in the training process: exact resume, the least overhead",
        "multi-sync": f"MultiSyncCollector, {plan.num_workers} processes that wait for each policy",
        "multi-async": f"MultiAsyncCollector, {plan.num_workers} processes that never wait",
        "ray": f"RayCollector, {plan.num_workers} Ray actors, here or on a cluster",
    }[plan.collector]
    components = [
        ("environment", f"{environment.env_id}, {envs} at once in one process (SyncVectorEnv)"),
        ("transforms", _transforms(preset)),
        ("actor", "OneHotCategorical" if discrete else "TanhNormal within the action bounds"),
        ("critic", f"its own network; both have hidden layers of {_list(preset.hidden_sizes)}"),
        ("collector", collector),
        ("advantage", "GAE over the whole batch, anew in each epoch"),
        ("loss", "ClipPPOLoss, every coefficient written out"),
        ("loggers", ", ".join(plan.loggers)),
    ]
    steps = preset.frames_per_batch // preset.num_envs
    values = [
        (f"{preset.frames_per_batch} frames a batch", f"{preset.num_envs} x {steps} steps"),
        (f"{preset.minibatch_size} a minibatch, {preset.epochs} epochs", _gradient_steps(preset)),
        (f"learning rate {preset.learning_rate:g}", "constant; --anneal-learning-rate lowers it"),
        (f"gamma {preset.gamma:g}, lambda {preset.lmbda:g}", _horizon(preset)),
        (f"entropy {preset.entropy_coeff:g}", _entropy_reason(preset)),
        (f"reward scale {preset.reward_scale:g}", "the critic's targets; reports are unscaled"),
    ]
    lines = [f"{plan.name}: PPO on {environment.env_id} with TorchRL {TORCHRL_VERSION}", ""]
    lines += [f"  {key:<12} {value}" for key, value in components]
    lines += ["", *(f"  {value:<32} {why}" for value, why in values), ""]
    lines.append(f"  {_expectation(plan)}")
    return "\n".join(lines)


def _transforms(preset: Preset) -> str:
    names = ["DoubleToFloat", "StepCounter", "RewardSum"]
    if preset.normalize_observations:
        names.append("ObservationNorm (measured once, then fixed)")
    if preset.reward_scale != 1.0:
        names.append("RewardScaling")
    return ", ".join(names)


def _list(sizes: tuple[int, ...]) -> str:
    return " and ".join(map(str, sizes))


def _gradient_steps(preset: Preset) -> str:
    return f"{preset.epochs * preset.num_minibatches} gradient steps a batch"


def _horizon(preset: Preset) -> str:
    return f"looks about {round(1 / (1 - preset.gamma))} steps ahead"


def _entropy_reason(preset: Preset) -> str:
    if preset.entropy_coeff:
        return "keeps the policy from settling too early"
    return "the learned deviation explores enough"


def _expectation(plan: Plan) -> str:
    preset, target = plan.preset, plan.environment.target_return
    frames = f"at most {preset.total_frames:,} frames"
    if target is None:
        return f"{frames}; no return is agreed on as solving the task"
    if preset.solved_frames:
        return (
            f"{frames}; solved (a return of {target:g}) after\n"
            f"  {preset.solved_frames}, {preset.minutes} on one core"
        )
    tried = "" if is_tuned(plan.environment) else "; settings not tried on this environment"
    return f"{frames}, less once a return of {target:g} is confirmed{tried}"


def _snake_case(env_id: str) -> str:
    stem = re.sub(r"-v\d+$", "", env_id.split("/")[-1].split(":")[-1])
    stem = stem.replace("CartPole", "Cartpole").replace("-", "_")
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", stem).lower()


def _check_name(name: str) -> None:
    if not re.fullmatch(r"[a-z][a-z0-9_]{,39}", name) or keyword.iskeyword(name):
        raise ScaffoldError(
            f"'{name}' cannot be the name of a Python package: "
            "give one of at most 40 small letters, digits and underscores with --name"
        )
    if name in _TAKEN or name in sys.stdlib_module_names:
        raise ScaffoldError(f"the name '{name}' would hide the module {name}: give another --name")
