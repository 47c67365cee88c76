"""Which TensorDict keys the parts of a pipeline read and write.

A key is a string or a tuple of strings (a tuple of one is the string). A set of keys that cannot be
seen in full says so: `Keys.complete` is False, and `Keys.has` answers UNKNOWN instead of False.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ppolint.semantics.components import UNKNOWN, Module, Probabilistic, Unknown
from ppolint.semantics.values import Value

if TYPE_CHECKING:
    from ppolint.semantics.components import Environment, Estimator, Loss, Transform
    from ppolint.semantics.pipeline import Pipeline

Key = Any  # str | tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Keys:
    """Some keys; `complete` when there are certainly no others."""

    found: frozenset[Key]
    complete: bool

    def has(self, key: Key) -> bool | Unknown:
        if key in self.found:
            return True
        return False if self.complete else UNKNOWN

    def __or__(self, other: Keys) -> Keys:
        return Keys(self.found | other.found, self.complete and other.complete)


NOTHING = Keys(frozenset(), True)
ANYTHING = Keys(frozenset(), False)


def parse_key(pipeline: Pipeline, value: Value) -> Key | Unknown | None:
    """One key as written: "a", ("agents", "a"); None for a Python None."""
    found = [_key(leaf) for leaf in _leaves(pipeline, value)]
    return found[0] if len(found) == 1 else UNKNOWN


def _leaves(pipeline: Pipeline, value: Value) -> list[Value]:
    core = value.core
    return [core] if core.op == "tuple" else pipeline.wiring.leaves(value)


def _key(leaf: Value) -> Key | Unknown | None:
    if leaf.string is not None:
        return leaf.string
    if leaf.op == "const" and leaf.data is None:
        return None
    if leaf.op == "tuple":
        parts: list[str] = []
        for arg in leaf.args:
            inner = _key(arg.core)
            if isinstance(inner, str):
                parts.append(inner)
            elif isinstance(inner, tuple):
                parts.extend(inner)
            else:
                return UNKNOWN
        return parts[0] if len(parts) == 1 else tuple(parts)
    return UNKNOWN


def parse_keys(pipeline: Pipeline, value: Value, listed: bool = False) -> tuple | Unknown | None:
    """A list of keys as written; UNKNOWN when any of them cannot be seen.

    A tuple is one nested key, as TensorDict takes it, unless a list is made of it (`listed`).
    """
    core = value.core
    if core.op == "fn" and core.data == "cat":
        parts = [parse_keys(pipeline, a) for a in core.args]
        if all(isinstance(p, tuple) for p in parts):
            return tuple(k for p in parts for k in p)  # type: ignore[union-attr]
        return UNKNOWN
    found = pipeline.wiring.leaves_of_container(value)
    if len(found) != 1:
        return UNKNOWN
    leaf = found[0]
    if leaf.string is not None:
        return (leaf.string,)
    if leaf.op == "const" and leaf.data is None:
        return None
    items: tuple[Value, ...]
    if leaf.op == "tuple":
        items = leaf.args if listed else (leaf,)
    elif leaf.op == "alloc":
        site: Any = leaf.data
        if site.kind == "dict":
            if site.entries is None or len(site.entries) != len(site.items or ()):
                return UNKNOWN
            return tuple(site.entries)
        if site.kind != "list" or leaf in pipeline.wiring.stored:
            return UNKNOWN
        items = site.items or ()
    else:
        return UNKNOWN
    out = []
    for item in items:
        key = parse_key(pipeline, item)
        if key is None or key is UNKNOWN:
            return UNKNOWN
        out.append(key)
    return tuple(out)


# -- what components read and write -----------------------------------------------------------
# The log-probability goes by one name up to 0.6 and by the other since.
LOG_PROB = frozenset({"action_log_prob", "sample_log_prob"})
_STEP_KEYS = frozenset({"reward", "done", "terminated", "truncated", "action"})
_LOSS_READS = {
    "advantage": "advantage", "value_target": "value_target", "action": "action",
    "sample_log_prob": LOG_PROB,
}  # fmt: skip
_ESTIMATOR_WRITES = {"advantage": "advantage", "value_target": "value_target"}
# Environments with one flat observation under "observation".
_FLAT = ("CartPole", "Pendulum", "Acrobot", "MountainCar", "LunarLander", "BipedalWalker",
         "HalfCheetah", "Hopper", "Walker2d", "Ant", "Humanoid", "Swimmer", "Reacher", "Pusher",
         "InvertedPendulum", "InvertedDoublePendulum")  # fmt: skip
# Transforms with a fixed output, and the argument that renames it.
_TRANSFORM_WRITES = {
    "StepCounter": (("step_count", "step_count_key"), ("truncated", "truncated_key")),
    "InitTracker": (("is_init", "init_key"),),
    "CatTensors": (("observation_vector", "out_key"),),
    "TrajCounter": (("traj_count", "out_key"),),
    "ActionMask": (),
    "VideoRecorder": (),
    "NoopResetEnv": (),
    "FrameSkipTransform": (),
    "TensorDictRecorder": (),
    "Reward2GoTransform": (("reward_to_go", "out_keys"),),
    "TargetReturn": (("target_return", "out_keys"),),
    "EndOfLifeTransform": (("end-of-life", "eol_key"), ("lives", "lives_key")),
}
_IN_TO_OUT = frozenset(
    "DoubleToFloat ObservationNorm VecNorm VecNormV2 CatFrames ToTensorImage GrayScale Resize "
    "ClipTransform FlattenObservation UnsqueezeTransform SqueezeTransform RewardScaling "
    "RewardClipping SignTransform DTypeCastTransform RenameTransform CenterCrop Crop "
    "BinarizeReward PermuteTransform".split()
)


def _given(value: Any) -> Keys | None:
    """Keys given as an argument; None when they are not given."""
    if value is None:
        return None
    return ANYTHING if isinstance(value, Unknown) else Keys(frozenset(value), True)


def transform_writes(transform: Transform) -> Keys:
    """The keys that a transform adds to (or replaces in) what an environment returns."""
    name = transform.name
    if transform.cls is not None:
        return ANYTHING
    if name == "RewardSum":
        return _given(transform.out_keys) or Keys(frozenset({"episode_reward"}), True)
    if name in _TRANSFORM_WRITES:
        out: set[Key] = set()
        complete = True
        for default, argument in _TRANSFORM_WRITES[name]:
            value = transform.argument(argument)
            if value is None:
                out.add(default)
                continue
            found = parse_keys(transform.pipeline, value) if isinstance(value, Value) else UNKNOWN
            if isinstance(found, tuple):
                out.update(found)
            elif found is not None:
                complete = False
        return Keys(frozenset(out), complete)
    if name in _IN_TO_OUT:
        found_keys = _given(transform.out_keys) or _given(transform.in_keys)
        # without keys these work on what is there already
        return found_keys or NOTHING
    return _given(transform.out_keys) or ANYTHING


def environment_writes(env: Environment) -> Keys:
    """The keys of a step and a reset of an environment: observations, reward, done flags, and what
    its transforms add. Complete only for environments with a known observation."""
    out = NOTHING
    for base in env.bases:
        out |= _base_writes(base)
    for transform in env.transforms:
        out |= transform_writes(transform)
    return out if env.complete else Keys(out.found, False)


def _base_writes(base: Environment | Unknown) -> Keys:
    if isinstance(base, Unknown):
        return ANYTHING
    found = set(_STEP_KEYS)
    complete = False
    if base.name == "GymEnv" and base.cls is None:
        found.add("observation")
        pixels = base.flag("from_pixels", False)
        if pixels is not False:
            found.add("pixels")
        name = base.env_name
        complete = pixels is False and isinstance(name, str) and name.split("-")[0] in _FLAT
    return Keys(frozenset(found), complete)


def module_keys(module: Any) -> tuple[Keys, Keys]:
    """(reads, writes) of a module; a sequence reads only what its earlier parts do not write."""
    if not isinstance(module, Module):
        return ANYTHING, ANYTHING
    if isinstance(module, Probabilistic):
        return _probabilistic_keys(module)
    if module.parts:
        return _chained(module.parts)
    reads, writes = _given(module.in_keys), _given(module.out_keys)
    if module.name == "ValueOperator" and module.cls is None:
        reads = reads or Keys(frozenset({"observation"}), True)
        value = "state_action_value" if "action" in reads.found else "state_value"
        writes = writes or Keys(frozenset({value}), reads.complete)
    if module.cls is not None:
        return reads or ANYTHING, ANYTHING
    return reads or ANYTHING, writes or ANYTHING


def _chained(parts: tuple) -> tuple[Keys, Keys]:
    reads, writes = NOTHING, NOTHING
    for part in parts:
        part_reads, part_writes = module_keys(part)
        unmet = frozenset() if not writes.complete else part_reads.found - writes.found
        reads |= Keys(unmet, part_reads.complete and writes.complete)
        writes |= part_writes
    return reads, writes


def _probabilistic_keys(module: Probabilistic) -> tuple[Keys, Keys]:
    wanted = _given(module.in_keys) or ANYTHING
    before_reads, before = _chained(module.parts) if module.parts else (NOTHING, NOTHING)
    unmet = wanted.found - before.found if before.complete else frozenset()
    reads = before_reads | Keys(unmet, wanted.complete and before.complete)
    writes = before | (_given(module.out_keys) or Keys(frozenset({"action"}), True))
    if module.return_log_prob is UNKNOWN or isinstance(module.log_prob_key, Unknown):
        return reads, Keys(writes.found, False)
    if module.log_prob_key is not None:
        named = parse_keys(module.pipeline, module.log_prob_key)
        return reads, writes | (_given(named) or Keys(LOG_PROB, True))
    if module.return_log_prob:
        writes |= Keys(LOG_PROB, True)
    return reads, writes


def loss_reads(loss: Loss) -> Keys:
    """What a PPO loss reads of the data beside what its networks read."""
    return _settings(loss, _LOSS_READS)


def estimator_writes(estimator: Estimator) -> Keys:
    """The advantage and the value target, under the names that are set."""
    return _settings(estimator, _ESTIMATOR_WRITES)


def _settings(component: Any, defaults: dict[str, Any]) -> Keys:
    renamed = component.keys
    if isinstance(renamed, Unknown):
        return ANYTHING
    out: set[Key] = set()
    complete = True
    for setting, default in defaults.items():
        key = renamed.get(setting, default)
        if isinstance(key, Unknown):
            complete = False
        elif isinstance(key, frozenset):
            out |= key
        else:
            out.add(key)
    return Keys(frozenset(out), complete)
