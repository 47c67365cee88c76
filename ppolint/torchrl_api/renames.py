"""What static reading of the releases cannot know, kept by hand.

Which old name became which new one, arguments that exist only to raise, behaviour that changed
under an unchanged signature. When something was added or removed is *not* written here where the
database knows it. Each entry was read in the source of the releases and, where it says that
something raises, run on TorchRL 0.14.1.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class NameChange:
    """`old` (a public path) is spelled `new` today, or has no successor.

    `deprecated`: the first release that warns, None when none does. `exact`: a call with the same
    arguments does the same. `broken_since`: it can still be imported, but from this release on
    every call raises `raises`.
    """

    old: str
    new: str | None
    deprecated: str | None = None
    exact: bool = True
    broken_since: str | None = None
    raises: str = ""
    note: str = ""


_COLLECTORS = [
    NameChange(f"torchrl.collectors.{old}", f"torchrl.collectors.{new}", "0.11.0")
    for old, new in (
        ("SyncDataCollector", "Collector"),
        ("MultiSyncDataCollector", "MultiSyncCollector"),
        ("MultiaSyncDataCollector", "MultiAsyncCollector"),
        ("aSyncDataCollector", "AsyncCollector"),
        ("DataCollectorBase", "BaseCollector"),
        ("distributed.DistributedDataCollector", "distributed.DistributedCollector"),
        ("distributed.DistributedSyncDataCollector", "distributed.DistributedSyncCollector"),
        ("distributed.RPCDataCollector", "distributed.RPCCollector"),
    )
]
_SPECS = [
    NameChange(f"torchrl.data.{old}", f"torchrl.data.{new}", "0.6.0")
    for old, new in (
        ("BoundedTensorSpec", "Bounded"),
        ("CompositeSpec", "Composite"),
        ("DiscreteTensorSpec", "Categorical"),
        ("OneHotDiscreteTensorSpec", "OneHot"),
        ("UnboundedContinuousTensorSpec", "Unbounded"),
        ("UnboundedDiscreteTensorSpec", "UnboundedDiscrete"),
        ("BinaryDiscreteTensorSpec", "Binary"),
        ("MultiDiscreteTensorSpec", "MultiCategorical"),
        ("MultiOneHotDiscreteTensorSpec", "MultiOneHot"),
        ("NonTensorSpec", "NonTensor"),
        ("LazyStackedTensorSpec", "Stacked"),
        ("LazyStackedCompositeSpec", "StackedComposite"),
    )
]
# Made by a helper at import; calling one warns and then calls itself until the stack is full, in
# every release tested (0.3.1 to 0.14.1).
_ESTIMATES = [
    NameChange(
        f"torchrl.objectives.value.{old}",
        f"torchrl.objectives.value.{old.removesuffix('e')}or",
        broken_since="0.2.0",
        raises="RecursionError",
    )
    for old in ("TD0Estimate", "TD1Estimate", "TDLambdaEstimate")
]
_STUBS = [
    NameChange(
        f"torchrl.modules.{old}",
        f"torchrl.modules.{new}",
        exact=False,
        broken_since=since,
        raises="RuntimeError",
        note=note,
    )
    for old, new, since, note in (
        (
            "EGreedyWrapper",
            "EGreedyModule",
            "0.7.0",
            "append the module to the policy with TensorDictSequential",
        ),
        (
            "AdditiveGaussianWrapper",
            "AdditiveGaussianModule",
            "0.7.0",
            "append the module to the policy with TensorDictSequential",
        ),
        (
            "OrnsteinUhlenbeckProcessWrapper",
            "OrnsteinUhlenbeckProcessModule",
            "0.7.0",
            "append the module to the policy with TensorDictSequential",
        ),
    )
]

NAMES: tuple[NameChange, ...] = (
    *_COLLECTORS,
    *_SPECS,
    *_ESTIMATES,
    *_STUBS,
    NameChange(
        "torchrl.collectors.MultiProcessedWeightUpdate",
        "torchrl.collectors.MultiProcessedWeightUpdater",
    ),
    NameChange("torchrl.envs.RandomPolicy", "torchrl.collectors.RandomPolicy"),
    NameChange("torchrl.envs.set_exploration_mode", "torchrl.envs.set_exploration_type", "0.2.0"),
    NameChange(
        "torchrl.envs.exploration_mode",
        "torchrl.envs.exploration_type",
        "0.2.0",
        exact=False,
        note="it returns an ExplorationType, not a string",
    ),
    NameChange(
        "torchrl.envs.utils.set_exploration_mode",
        "torchrl.envs.utils.set_exploration_type",
        "0.2.0",
    ),
    NameChange(
        "torchrl.envs.utils.exploration_mode",
        "torchrl.envs.utils.exploration_type",
        "0.2.0",
        exact=False,
        note="it returns an ExplorationType, not a string",
    ),
    NameChange("tensordict.nn.set_interaction_mode", "tensordict.nn.set_interaction_type", "0.2.0"),
    NameChange(
        "tensordict.nn.probabilistic.interaction_mode",
        "tensordict.nn.probabilistic.interaction_type",
        "0.2.0",
        exact=False,
        note="it returns an InteractionType, not a string",
    ),
    NameChange("torchrl.trainers.Recorder", "torchrl.trainers.LogValidationReward", "0.7.0"),
    NameChange(
        "torchrl.trainers.LogReward",
        "torchrl.trainers.LogScalar",
        "0.7.0",
        exact=False,
        note="`reward_key` is now `key`, and comes first",
    ),
    NameChange(
        "torchrl.modules.LSTMNet",
        "torchrl.modules.LSTMModule",
        exact=False,
        note="it works on TensorDict keys, and has no feature layers of its own",
    ),
    NameChange(
        "torchrl.modules.NormalParamWrapper",
        "tensordict.nn.NormalParamExtractor",
        "0.5.0",
        exact=False,
        broken_since="0.7.0",
        raises="RuntimeError",
        note="put it behind the network: `nn.Sequential(net, NormalParamExtractor())`",
    ),
    NameChange(
        "tensordict.nn.distributions.NormalParamWrapper",
        "tensordict.nn.NormalParamExtractor",
        "0.5.0",
        exact=False,
        note="put it behind the network: `nn.Sequential(net, NormalParamExtractor())`",
    ),
    # It warns since 0.8.0 that 0.10 would replace it; that did not happen, the two are no equals,
    # and TorchRL's own PPO uses it: told by `ppolint api`, not reported.
    NameChange(
        "torchrl.envs.VecNorm",
        "torchrl.envs.VecNormV2",
        exact=False,
        note="`in_keys` is required, and the constructor warns since 0.8.0",
    ),
    NameChange(
        "tensordict.MemmapTensor",
        "tensordict.MemoryMappedTensor",
        exact=False,
        note="built with its class methods (`from_tensor`, `empty`), not by a call",
    ),
    NameChange("torchrl.data.rlhf", "torchrl.data.llm", "0.8.0"),
    NameChange("torchrl.envs.vec_envs", "torchrl.envs.batched_envs", "0.2.0"),
    NameChange("torchrl.objectives.value.pg", None),
    NameChange(
        "torchrl.objectives.value.vtrace",
        "torchrl.objectives.value.functional",
        exact=False,
        note="`vtrace_advantage_estimate`",
    ),
    # Gone before 0.2.0, the first release known here.
    NameChange("torchrl.modules.TensorDictModule", "tensordict.nn.TensorDictModule"),
    NameChange("torchrl.modules.TensorDictSequential", "tensordict.nn.TensorDictSequential"),
    NameChange("torchrl.objectives.add_ramdom_module", "torchrl.objectives.add_random_module"),
    NameChange("torchrl.envs.vec_env", "torchrl.envs.batched_envs"),
    NameChange(
        "torchrl.data.replay_buffers.rb_prototype",
        "torchrl.data.replay_buffers",
        exact=False,
        note="the classes are in `torchrl.data`",
    ),
)

_BY_OLD_NAME = {change.old: change for change in NAMES}


def name_change(path: str) -> NameChange | None:
    """The entry of a public path."""
    return _BY_OLD_NAME.get(path)


def successor(path: str) -> str | None:
    """What the same thing is called today; None when it is called as ever, or has no equal."""
    change = _BY_OLD_NAME.get(path)
    return change.new if change is not None and change.exact else None


def predecessors(path: str) -> tuple[str, ...]:
    """The old names of the same thing."""
    return tuple(change.old for change in NAMES if change.new == path and change.exact)


@dataclass(frozen=True, slots=True)
class AttributeChange:
    """Attribute `old` of instances of `owner` is `new` since `since`; from `removed` on, `old`
    raises `AttributeError`."""

    owner: str
    old: str
    new: str
    since: str
    removed: str


_LOSSES = ("torchrl.objectives.PPOLoss", "torchrl.objectives.A2CLoss")
_UNBATCHED = (
    *("action_spec", "observation_spec", "reward_spec", "done_spec", "state_spec"),
    *("input_spec", "output_spec"),
)
ATTRIBUTES: tuple[AttributeChange, ...] = (
    AttributeChange("torchrl.data.tensor_specs.ContinuousBox", "minimum", "low", "0.2.0", "0.4.0"),
    AttributeChange("torchrl.data.tensor_specs.ContinuousBox", "maximum", "high", "0.2.0", "0.4.0"),
    *(
        AttributeChange(
            "torchrl.envs.EnvBase", f"unbatched_{spec}", f"{spec}_unbatched", "0.7.0", "0.7.0"
        )
        for spec in _UNBATCHED
    ),
    *(
        AttributeChange(loss, old, new, "0.3.0", "0.4.0")
        for loss in _LOSSES
        for old, new in (
            ("actor", "actor_network"),
            ("critic", "critic_network"),
            ("actor_params", "actor_network_params"),
            ("critic_params", "critic_network_params"),
            ("target_actor_params", "target_actor_network_params"),
            ("target_critic_params", "target_critic_network_params"),
        )
    ),
    *(AttributeChange(loss, "entropy_coef", "entropy_coeff", "0.9.0", "0.9.0") for loss in _LOSSES),
    *(AttributeChange(loss, "critic_coef", "critic_coeff", "0.9.2", "0.9.2") for loss in _LOSSES),
    AttributeChange(
        "torchrl.objectives.value.ValueEstimatorBase",
        "_is_stateless",
        "is_stateless",
        "0.2.0",
        "0.6.0",
    ),
)


@dataclass(frozen=True, slots=True)
class KeyChange:
    """A TensorDict key that is written under another name since `since`."""

    old: str
    new: str
    since: str
    why: str


LOG_PROB = KeyChange(
    old="sample_log_prob",
    new="action_log_prob",
    since="0.9.0",
    why="a ProbabilisticActor writes its log-probability as <out_key>_log_prob unless "
    "log_prob_key says otherwise",
)


@dataclass(frozen=True, slots=True)
class BehaviourChange:
    """A change that leaves the code running and makes it do something else."""

    owner: str
    since: str
    what: str


BEHAVIOUR: tuple[BehaviourChange, ...] = (
    BehaviourChange(
        "torchrl.objectives.PPOLoss",
        "0.9.0",
        "`entropy_coef` is swallowed (0.9.0 and 0.9.1): 0.01 applies",
    ),
    BehaviourChange(
        "torchrl.objectives.PPOLoss",
        "0.9.0",
        "the log-probability is read from `action_log_prob`, before from `sample_log_prob`",
    ),
    BehaviourChange(
        "torchrl.modules.ProbabilisticActor",
        "0.9.0",
        "the log-probability is written to `<out_key>_log_prob`, before to `sample_log_prob`",
    ),
    BehaviourChange(
        "torchrl.modules.TanhNormal",
        "0.6.0",
        "`min` and `max` are swallowed (0.6.0 only): the support stays (-1, 1)",
    ),
    BehaviourChange(
        "torchrl.modules.TanhNormal",
        "0.6.0",
        "the mode is not defined: ExplorationType.MODE raises; use DETERMINISTIC",
    ),
    BehaviourChange(
        "tensordict.nn.CompositeDistribution",
        "0.9.0",
        "log-probabilities are no longer summed over the components",
    ),
)


def attribute_changes(name: str) -> tuple[AttributeChange, ...]:
    """Every entry whose old attribute is called `name`."""
    return tuple(c for c in ATTRIBUTES if c.old == name)
