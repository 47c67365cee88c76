"""Arguments that changed, as far as signatures cannot tell; kept by hand like `renames`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ArgumentChange:
    """Keyword `old` of `owner` (and of what inherits from it or forwards to it) is now `new`.

    `deprecated`: the first release that warns while it still works. `exact`: the same value means
    the same; otherwise `note` says what to write.
    """

    owner: str
    old: str
    new: str | None
    deprecated: str | None = None
    exact: bool = True
    note: str = ""


_LOSSES = ("torchrl.objectives.PPOLoss", "torchrl.objectives.A2CLoss")
_BASE_COLLECTORS = (
    "torchrl.collectors.Collector",
    "torchrl.collectors.MultiCollector",
    "torchrl.collectors.AsyncCollector",
    "torchrl.collectors.distributed.DistributedCollector",
    "torchrl.collectors.distributed.DistributedSyncCollector",
    "torchrl.collectors.distributed.RPCCollector",
)
_BOUNDED_DISTRIBUTIONS = tuple(
    f"torchrl.modules.{name}" for name in ("TanhNormal", "TruncatedNormal", "TanhDelta")
)

ARGUMENTS: tuple[ArgumentChange, ...] = (
    *(
        ArgumentChange(loss, "entropy_coef", "entropy_coeff", "0.9.0" if "A2C" in loss else "0.9.2")
        for loss in _LOSSES
    ),
    *(ArgumentChange(loss, "critic_coef", "critic_coeff", "0.9.2") for loss in _LOSSES),
    *(
        ArgumentChange(loss, "actor", "actor_network")
        for loss in (*_LOSSES, "torchrl.objectives.ReinforceLoss")
    ),
    *(
        ArgumentChange(loss, "critic", "critic_network")
        for loss in (*_LOSSES, "torchrl.objectives.ReinforceLoss")
    ),
    ArgumentChange("torchrl.data.Bounded", "minimum", "low", "0.3.0"),
    ArgumentChange("torchrl.data.Bounded", "maximum", "high", "0.3.0"),
    *(ArgumentChange(owner, "min", "low", "0.5.0") for owner in _BOUNDED_DISTRIBUTIONS),
    *(ArgumentChange(owner, "max", "high", "0.5.0") for owner in _BOUNDED_DISTRIBUTIONS),
    ArgumentChange(
        "torchrl.modules.ProbabilisticActor",
        "default_interaction_mode",
        "default_interaction_type",
        "0.2.0",
    ),
    ArgumentChange(
        "torchrl.modules.SafeProbabilisticModule",
        "default_interaction_mode",
        "default_interaction_type",
        "0.2.0",
    ),
    ArgumentChange(
        "tensordict.nn.ProbabilisticTensorDictModule",
        "default_interaction_mode",
        "default_interaction_type",
        "0.2.0",
    ),
    *(
        ArgumentChange(owner, "exploration_mode", "exploration_type", "0.2.0")
        for owner in _BASE_COLLECTORS
    ),
    *(ArgumentChange(owner, "devices", "device", "0.2.0") for owner in _BASE_COLLECTORS[1:2]),
    *(
        ArgumentChange(owner, "storing_devices", "storing_device", "0.2.0")
        for owner in _BASE_COLLECTORS[1:2]
    ),
    ArgumentChange(
        "torchrl.collectors.MultiCollector",
        "replay_buffer_chunk",
        "extend_buffer",
        "0.8.0",
        exact=False,
        note="`replay_buffer_chunk=True` is `extend_buffer=False`, and the reverse",
    ),
    *(
        ArgumentChange(
            owner, "local_init_rb", None, note="the buffer is always initialised where it is used"
        )
        for owner in _BASE_COLLECTORS[:2]
    ),
    ArgumentChange("torchrl.envs.TransformedEnv", "env", "base_env", "0.10.0"),
    ArgumentChange("torchrl.trainers.LogScalar", "reward_key", "key"),
    ArgumentChange(
        "torchrl.trainers.LogValidationReward", "exploration_mode", "exploration_type", "0.2.0"
    ),
    ArgumentChange("torchrl.envs.UnsqueezeTransform", "unsqueeze_dim", "dim", "0.5.0"),
    ArgumentChange(
        "tensordict.nn.CompositeDistribution",
        "aggregate_probabilities",
        None,
        "0.7.0",
        note="call `tensordict.nn.set_composite_lp_aggregate` instead",
    ),
    ArgumentChange(
        "torchrl.collectors.BaseCollector.update_policy_weights_",
        "policy_weights",
        "policy_or_weights",
        "0.9.0",
    ),
    ArgumentChange(
        "torchrl.record.loggers.get_logger",
        "use_ray_service",
        "service_backend",
        "0.14.0",
        exact=False,
        note='`service_backend="ray"`',
    ),
    ArgumentChange(
        "torchrl.record.loggers.Logger",
        "use_ray_service",
        "service_backend",
        "0.14.0",
        exact=False,
        note='`service_backend="ray"`',
    ),
)


@dataclass(frozen=True, slots=True)
class RaisingArgument:
    """A parameter that is still in the signature and only raises.

    `when`: the values that raise: "given" (any but None), "True" or "False". `key`: the field of
    `set_keys` that took its place. `drop`: what makes deleting it harmless: "None" (the value),
    "beside an estimator" (another object has the same job), or nothing.
    """

    owner: str
    name: str
    since: str
    when: str
    raises: str
    instead: str
    key: str | None = None
    drop: str | None = None


_PPO_FAMILY = (*_LOSSES, "torchrl.objectives.ReinforceLoss")
_GAMMA = "`loss.make_value_estimator(ValueEstimators.GAE, gamma=...)`"
_KEYS = {"advantage_key": "advantage", "value_target_key": "value_target", "value_key": "value"}
_BATCHED = "torchrl.envs.batched_envs.BatchedEnvBase"

RAISING: tuple[RaisingArgument, ...] = (
    *(
        RaisingArgument(
            loss, "gamma", "0.3.0", "given", "TypeError", _GAMMA, drop="beside an estimator"
        )
        for loss in _PPO_FAMILY
    ),
    *(
        RaisingArgument(
            loss, name, "0.3.0", "given", "RuntimeError", f"`loss.set_keys({key}=...)`", key
        )
        for loss in _PPO_FAMILY
        for name, key in _KEYS.items()
        if "PPO" in loss or name != "value_key"
    ),
    *(
        RaisingArgument(
            "torchrl.objectives.value.ValueEstimatorBase",
            name,
            "0.3.0",
            "given",
            "RuntimeError",
            f"`set_keys({key}=...)` of the estimator",
            key,
        )
        for name, key in _KEYS.items()
    ),
    RaisingArgument(
        _BATCHED,
        "pin_memory",
        "0.2.0",
        "True",
        "ValueError",
        "nothing: pin the memory of the buffer",
    ),
    RaisingArgument(_BATCHED, "allow_step_when_done", "0.2.0", "True", "ValueError", "nothing"),
    RaisingArgument(
        "torchrl.collectors.Collector",
        "reset_when_done",
        "0.2.0",
        "False",
        "ValueError",
        "nothing: environments are always reset",
    ),
)


# Keywords that a metaclass takes out of the call in a helper, where `extract` does not look.
METACLASS_KEYWORDS: dict[str, tuple[str, ...]] = {
    "torchrl.envs.EnvBase": ("compile",),
    # Taken by the Ray twin of the class, which the metaclass looks up at run time.
    "torchrl.envs.transforms.ModuleTransform": ("weight_sync_scheme", "actor_name"),
}
# Keywords that a constructor reads in one branch, only to raise: class -> keyword -> since.
RAISING_KEYWORDS: dict[str, dict[str, str]] = {
    "torchrl.envs.TransformedEnv": {"env": "0.12.0"},
}
# Their decorator takes `time_dim` by position although the function does not.
ANY_POSITION = "torchrl.objectives.value.functional."


@dataclass(frozen=True, slots=True)
class RequiredArgument:
    """A parameter with a default in the signature, without which construction raises."""

    owner: str
    name: str
    since: str
    raises: str


REQUIRED: tuple[RequiredArgument, ...] = (
    RequiredArgument("torchrl.envs.ObservationNorm", "in_keys", "0.3.0", "RuntimeError"),
)

# What applies when a loss is not told: its signature says None, its body this.
LOSS_DEFAULTS: dict[str, str] = {"entropy_coeff": "0.01", "critic_coeff": "1.0"}


# Keywords people take from other libraries and papers for those of a loss. Only where exactly one
# argument of the loss means the same.
LOSS_SYNONYMS: dict[str, str] = {
    "clip_param": "clip_epsilon",
    "clip_eps": "clip_epsilon",
    "clip_range": "clip_epsilon",
    "clip_coef": "clip_epsilon",
    "clip_ratio": "clip_epsilon",
    "epsilon": "clip_epsilon",
    "eps_clip": "clip_epsilon",
    "value_coef": "critic_coeff",
    "value_coeff": "critic_coeff",
    "vf_coef": "critic_coeff",
    "vf_coeff": "critic_coeff",
    "value_loss_coef": "critic_coeff",
    "value_loss_coeff": "critic_coeff",
    "critic_coefficient": "critic_coeff",
    "ent_coef": "entropy_coeff",
    "ent_coeff": "entropy_coeff",
    "entropy_coefficient": "entropy_coeff",
    "entropy_loss_coef": "entropy_coeff",
    "value_clip": "clip_value",
    "clip_vloss": "clip_value",
    "norm_adv": "normalize_advantage",
    "normalize_advantages": "normalize_advantage",
}


def argument_change(owners: tuple[str, ...], name: str) -> ArgumentChange | None:
    """The entry for keyword `name` of any of `owners` (public paths: a class and its bases)."""
    return next((c for c in ARGUMENTS if c.old == name and c.owner in owners), None)


def raising_argument(owners: tuple[str, ...], name: str) -> RaisingArgument | None:
    return next((c for c in RAISING if c.name == name and c.owner in owners), None)
