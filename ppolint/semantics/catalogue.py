"""Which TorchRL class is which part of a pipeline, and what its positional arguments are called.

The classes that nearly every PPO script uses are listed here, under the names of all releases, so
that the pipeline is found without the release database; any other class of TorchRL is looked up
there by its bases (`_from_database`), which costs opening it once per process.
"""

from __future__ import annotations

from functools import lru_cache

PACKAGES = ("torchrl", "tensordict")

# Names of earlier releases -> the name a component goes by here.
RENAMED = {
    "SyncDataCollector": "Collector",
    "MultiSyncDataCollector": "MultiSyncCollector",
    "MultiaSyncDataCollector": "MultiAsyncCollector",
    "aSyncDataCollector": "AsyncCollector",
    "DataCollectorBase": "BaseCollector",
    "DistributedDataCollector": "DistributedCollector",
    "DistributedSyncDataCollector": "DistributedSyncCollector",
    "RPCDataCollector": "RPCCollector",
    "SafeModule": "TensorDictModule",
    "SafeSequential": "TensorDictSequential",
    "SafeProbabilisticModule": "ProbabilisticTensorDictModule",
    "SafeProbabilisticTensorDictSequential": "ProbabilisticTensorDictSequential",
}

_NAMES = {
    "environment": "EnvBase GymEnv GymWrapper TransformedEnv ParallelEnv SerialEnv BraxEnv DMControlEnv "
    "VmasEnv PettingZooEnv PettingZooWrapper VmasWrapper BraxWrapper DMControlWrapper JumanjiEnv "
    "IsaacGymEnv IsaacLabWrapper PendulumEnv MultiThreadedEnv RoboHiveEnv OpenSpielEnv MujocoPlaygroundEnv",
    "transform": "Compose Transform StepCounter RewardSum DoubleToFloat ObservationNorm VecNorm VecNormV2 "
    "InitTracker TensorDictPrimer CatTensors CatFrames ToTensorImage GrayScale Resize RewardScaling "
    "RewardClipping ClipTransform RenameTransform SelectTransform ExcludeTransform FlattenObservation "
    "UnsqueezeTransform SqueezeTransform ActionMask EndOfLifeTransform NoopResetEnv FrameSkipTransform "
    "SignTransform VideoRecorder DTypeCastTransform RewardToGo Reward2GoTransform ActionDiscretizer "
    "TargetReturn TrajCounter Timer gSDENoise CenterCrop Crop",
    "collector": "BaseCollector Collector MultiSyncCollector MultiAsyncCollector AsyncCollector "
    "MultiCollector DistributedCollector DistributedSyncCollector RPCCollector RayCollector",
    "buffer": "ReplayBuffer TensorDictReplayBuffer PrioritizedReplayBuffer "
    "TensorDictPrioritizedReplayBuffer RemoteTensorDictReplayBuffer ReplayBufferEnsemble",
    "storage": "LazyTensorStorage LazyMemmapStorage ListStorage TensorStorage LazyStackStorage",
    "sampler": "RandomSampler SamplerWithoutReplacement PrioritizedSampler SliceSampler "
    "SliceSamplerWithoutReplacement PrioritizedSliceSampler",
    "estimator": "GAE MultiAgentGAE TD0Estimator TD1Estimator TDLambdaEstimator VTrace",
    "loss": "LossModule PPOLoss ClipPPOLoss KLPENPPOLoss MAPPOLoss IPPOLoss A2CLoss ReinforceLoss DQNLoss "
    "DistributionalDQNLoss DDPGLoss SACLoss DiscreteSACLoss TD3Loss IQLLoss CQLLoss REDQLoss CrossQLoss "
    "QMixerLoss DTLoss OnlineDTLoss GAILLoss GRPOLoss",
    "module": "TensorDictModule TensorDictSequential ProbabilisticTensorDictModule "
    "ProbabilisticTensorDictSequential ProbabilisticActor Actor ValueOperator ActorValueOperator "
    "ActorCriticOperator ActorCriticWrapper QValueActor QValueModule LSTMModule GRUModule EGreedyModule "
    "AdditiveGaussianModule VmapModule",
}  # fmt: skip
KINDS = {name: kind for kind, names in _NAMES.items() for name in names.split()}

# Classes that scripts call often and that are no components: the database need not be asked.
_OTHERS = frozenset(
    "TensorDict MLP ConvNet DdpgCnnActor DdpgMlpActor DuelingCnnDQNet LSTMCell GRUCell MultiAgentMLP "
    "MultiAgentConvNet NormalParamExtractor AddStateIndependentNormalScale TanhNormal OneHotCategorical "
    "MaskedCategorical MaskedOneHotCategorical IndependentNormal TruncatedNormal TanhDelta Delta "
    "Composite Bounded Unbounded Categorical OneHot Binary MultiCategorical MultiOneHot NonTensor "
    "CompositeSpec BoundedTensorSpec UnboundedContinuousTensorSpec UnboundedDiscreteTensorSpec "
    "DiscreteTensorSpec OneHotDiscreteTensorSpec BinaryDiscreteTensorSpec MultiDiscreteTensorSpec "
    "CSVLogger WandbLogger TensorboardLogger MLFlowLogger CloudpickleWrapper EnvCreator SoftUpdate "
    "HardUpdate RandomPolicy CudaGraphModule TensorDictParams ExplorationType InteractionType "
    "ValueEstimators MarlGroupMapType NormalParamWrapper".split()
)

_BASES = {
    "torchrl.envs.transforms._base.Transform": "transform",
    "torchrl.envs.transforms.transforms.Transform": "transform",
    "torchrl.envs.common.EnvBase": "environment",
    "torchrl.collectors._base.BaseCollector": "collector",
    "torchrl.collectors.collectors.DataCollectorBase": "collector",
    "torchrl.data.replay_buffers.replay_buffers.ReplayBuffer": "buffer",
    "torchrl.data.replay_buffers.storages.Storage": "storage",
    "torchrl.data.replay_buffers.samplers.Sampler": "sampler",
    "torchrl.objectives.value.advantages.ValueEstimatorBase": "estimator",
    "torchrl.objectives.common.LossModule": "loss",
    "tensordict.nn.common.TensorDictModuleBase": "module",
}

_OPTIMISERS = frozenset(
    "Adam AdamW SGD RMSprop Adagrad NAdam RAdam Adamax Adadelta Muon LBFGS SparseAdam ASGD Rprop "
    "Adafactor".split()
)

_COLLECTOR = ("create_env_fn", "policy")
_LOSS = ("actor_network", "critic_network")
POSITIONAL: dict[str, tuple[str, ...]] = {
    "TransformedEnv": ("env", "transform", "cache_specs"),
    "ParallelEnv": ("num_workers", "create_env_fn"),
    "SerialEnv": ("num_workers", "create_env_fn"),
    "MultiThreadedEnv": ("num_workers", "env_name"),
    "GymEnv": ("env_name",),
    "GymWrapper": ("env",),
    "StepCounter": ("max_steps", "truncated_key", "step_count_key"),
    "RewardSum": ("in_keys", "out_keys", "reset_keys"),
    "DoubleToFloat": ("in_keys", "out_keys", "in_keys_inv", "out_keys_inv"),
    "ObservationNorm": ("loc", "scale", "in_keys", "out_keys", "in_keys_inv", "out_keys_inv"),
    "VecNorm": ("in_keys", "out_keys"),
    "VecNormV2": ("in_keys", "out_keys"),
    "InitTracker": ("init_key",),
    "TensorDictPrimer": ("primers",),
    "CatTensors": ("in_keys", "out_key"),
    "CatFrames": ("N", "dim", "in_keys", "out_keys"),
    "RenameTransform": ("in_keys", "out_keys"),
    "Collector": _COLLECTOR,
    "MultiSyncCollector": _COLLECTOR,
    "MultiAsyncCollector": _COLLECTOR,
    "AsyncCollector": _COLLECTOR,
    "LazyTensorStorage": ("max_size",),
    "LazyMemmapStorage": ("max_size",),
    "ListStorage": ("max_size",),
    "LazyStackStorage": ("max_size",),
    "TensorStorage": ("storage", "max_size"),
    "PrioritizedSampler": ("max_capacity", "alpha", "beta"),
    "TensorDictModule": ("module", "in_keys", "out_keys"),
    "ValueOperator": ("module", "in_keys", "out_keys"),
    "Actor": ("module", "in_keys", "out_keys"),
    "ProbabilisticActor": ("module", "in_keys", "out_keys"),
    "ProbabilisticTensorDictModule": ("in_keys", "out_keys"),
    "ActorValueOperator": ("common_operator", "policy_operator", "value_operator"),
    "ActorCriticOperator": ("common_operator", "policy_operator", "value_operator"),
    "ActorCriticWrapper": ("policy_operator", "value_operator"),
    "ClipPPOLoss": _LOSS,
    "PPOLoss": _LOSS,
    "KLPENPPOLoss": _LOSS,
    "MAPPOLoss": _LOSS,
    "IPPOLoss": _LOSS,
    "A2CLoss": _LOSS,
    "ReinforceLoss": _LOSS,
}

# What an argument was called in other releases, or is called as well.
SYNONYMS: dict[str, tuple[str, ...]] = {
    "actor_network": ("actor",),
    "critic_network": ("critic",),
    "value_network": ("value_estimator",),
    "log_prob_key": ("log_prob_keys",),
    "entropy_coeff": ("entropy_coef",),
    "critic_coeff": ("critic_coef",),
    "transform": ("transforms",),
    "policy_operator": ("policy_op", "policy_operator"),
    "spec": ("action_spec",),
}

PPO_FAMILY = frozenset({"PPOLoss", "ClipPPOLoss", "KLPENPPOLoss", "MAPPOLoss", "IPPOLoss"})
ON_POLICY = PPO_FAMILY | {"A2CLoss", "ReinforceLoss"}
MULTI_PROCESS = frozenset(
    "MultiSyncCollector MultiAsyncCollector AsyncCollector MultiCollector DistributedCollector "
    "DistributedSyncCollector RPCCollector RayCollector".split()
)
WITHOUT_REPLACEMENT = frozenset({"SamplerWithoutReplacement", "SliceSamplerWithoutReplacement"})
SLICES = frozenset({"SliceSampler", "SliceSamplerWithoutReplacement", "PrioritizedSliceSampler"})


@lru_cache(maxsize=4096)
def classify(dotted: str) -> tuple[str, str] | None:
    """(kind, today's class name) of an imported class, or None when it is no pipeline component."""
    package, _, rest = dotted.partition(".")
    name = rest.rpartition(".")[2]
    if package == "torch":
        parts = rest.split(".")
        if parts[0] == "optim":
            if parts[1:2] == ["lr_scheduler"] and len(parts) == 3:
                return ("scheduler", name)
            if name in _OPTIMISERS:
                return ("optimiser", name)
        return None
    if package not in PACKAGES or not name:
        return None
    name = RENAMED.get(name, name)
    if name == "group_optimizers":
        return ("optimiser", name)
    kind = KINDS.get(name)
    if kind is not None:
        return (kind, name)
    if name in _OTHERS or not name[0].isupper():
        return None
    return _from_database(dotted)


def _from_database(dotted: str) -> tuple[str, str] | None:
    from ppolint.torchrl_api.database import load

    database = load()
    public = database.identify(dotted)
    if public is None:
        return None
    lifetime = database.lifetime(public)
    if not lifetime:
        return None
    package = public.partition(".")[0]
    release = lifetime.releases[-1]
    if package == "torchrl":
        view = database.at(release)
    else:
        view = database.at(database.newest, release)
    entity = view.resolve(public)
    if entity is None or entity.kind != "class":
        return None
    for base in view.mro(entity.path):
        kind = _BASES.get(base)
        if kind is not None:
            name = entity.public.rpartition(".")[2]
            return (kind, RENAMED.get(name, name))
    return None


@lru_cache(maxsize=1024)
def positional(dotted: str, name: str) -> tuple[str, ...]:
    """Names of the positional parameters of a class, in order; empty when they are not known."""
    known = POSITIONAL.get(name)
    if known is not None:
        return known
    package = dotted.partition(".")[0]
    if package not in PACKAGES:
        return ()
    from ppolint.torchrl_api.database import load
    from ppolint.torchrl_api.signatures import Kind

    database = load()
    public = database.identify(dotted)
    if public is None:
        return ()
    view = database.at(database.newest)
    entity = view.resolve(public)
    signature = view.signature(entity.path) if entity is not None else None
    if signature is None:
        return ()
    by_position = (Kind.POSITIONAL_ONLY, Kind.POSITIONAL_OR_KEYWORD)
    return tuple(p.name for p in signature.parameters if p.kind in by_position)
