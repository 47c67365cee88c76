"""Every rename known of TorchRL: found on the release that lost it, mended, and left alone where the
old spelling is right.

A row is old code, the code after the safe fixes (None: there is none), the rule that finds it on
TorchRL 0.14.1, and a release on which nothing may be said.
"""

import importlib
from typing import NamedTuple

import pytest

from ppolint.engine.fixing import allowed, fix_source
from ppolint.semantics.model import build
from ppolint.settings.release import parse_target
from ppolint.source.file import Segment, Source

MODULES = {
    "PPO606": "objectives.unknown_loss_argument",
    "PPO901": "releases.removed_name",
    "PPO902": "releases.renamed_argument",
    "PPO903": "releases.unknown_argument",
    "PPO904": "releases.missing_argument",
    "PPO905": "releases.deprecated_api",
    "PPO906": "releases.renamed_key",
    "PPO907": "releases.too_new_api",
    "PPO908": "releases.removed_attribute",
    "PPO909": "releases.removed_argument",
}
RULES = {c: importlib.import_module(f"ppolint.rules.{m}").rule for c, m in MODULES.items()}


def source_of(text):
    return Source("train.py", text, (Segment(None, 0, len(text), text),))


def findings(text, release, source=None):
    target = parse_target(release, "test")
    model = build(source or source_of(text), release=lambda: target)
    return [f for rule in RULES.values() for f in rule.findings(model)]


def codes(text, release):
    return [f.code for f in findings(text, release)]


def fixed(text, release, unsafe=False):
    done = fix_source(
        source_of(text),
        lambda source: findings(source.text, release, source),
        allowed(unsafe),
    )
    assert done.refused == [] and done.overlapping == []
    return done.source.text


class Row(NamedTuple):
    old: str
    new: str | None
    code: str
    right_on: str | None

    def __str__(self):
        return self.old.replace("\n", "; ")[:70]


def names(module, pairs, right_on):
    """Rows about a name: its import, and a use."""
    for old, new in pairs:
        yield Row(
            f"from {module} import {old}\nx = {old}\n",
            f"from {module} import {new}\nx = {new}\n",
            "PPO901",
            right_on,
        )


def incidental(name, home):
    """Names that a module once imported for its own use."""
    return Row(
        f"from torchrl.collectors.collectors import {name}\n",
        f"from {home} import {name}\n",
        "PPO901",
        "0.10.1",
    )


def call(imports, old, new, code, right_on):
    """A row about the arguments of a call."""
    head = "".join(f"from {m} import {n}\n" for m, n in imports)
    return Row(f"{head}x = {old}\n", None if new is None else f"{head}x = {new}\n", code, right_on)


def objective(loss, old, new, code, right_on):
    return call(
        [("torchrl.objectives", loss)], f"{loss}({old})", new and f"{loss}({new})", code, right_on
    )


def attribute(loss, old, new, right_on):
    head = f"from torchrl.objectives import {loss}\nloss = {loss}(a, c)\n"
    return Row(f"{head}x = loss.{old}\n", f"{head}x = loss.{new}\n", "PPO908", right_on)


def moved_key(loss, old, key, right_on):
    """`loss = Loss(a, c, advantage_key="k")` becomes a `set_keys`."""
    module = "torchrl.objectives" + (".value" if loss in ESTIMATOR_ARGUMENTS else "")
    needed = ESTIMATOR_ARGUMENTS.get(loss, "a, c")
    head = f"from {module} import {loss}\n"
    return Row(
        f'{head}x = {loss}({needed}, {old}="k")\n',
        f'{head}x = {loss}({needed})\nx.set_keys({key}="k")\n',
        "PPO909",
        right_on,
    )


ESTIMATOR_ARGUMENTS = {
    "GAE": "gamma=0.9, lmbda=0.9, value_network=c",
    "TD0Estimator": "gamma=0.9, value_network=c",
    "TD1Estimator": "gamma=0.9, value_network=c",
    "TDLambdaEstimator": "gamma=0.9, lmbda=0.9, value_network=c",
    "VTrace": "gamma=0.9, actor_network=a, value_network=c",
}
KEYS = [
    ("advantage_key", "advantage"),
    ("value_target_key", "value_target"),
    ("value_key", "value"),
]
PPO = ["PPOLoss", "ClipPPOLoss", "KLPENPPOLoss"]
GAE_IMPORT = (
    "from torchrl.objectives.value import GAE\ngae = GAE(gamma=0.9, lmbda=0.9, value_network=c)\n"
)

ROWS = [
    # -- names ------------------------------------------------------------------------------
    *names("torchrl.collectors", [
        ("SyncDataCollector", "Collector"),
        ("MultiSyncDataCollector", "MultiSyncCollector"),
        ("MultiaSyncDataCollector", "MultiAsyncCollector"),
        ("aSyncDataCollector", "AsyncCollector"),
        ("DataCollectorBase", "BaseCollector"),
    ], "0.10.1"),
    *names("torchrl.collectors.collectors", [("SyncDataCollector", "Collector")], "0.10.1"),
    *names("torchrl.collectors.distributed", [
        ("DistributedDataCollector", "DistributedCollector"),
        ("RPCDataCollector", "RPCCollector"),
        ("DistributedSyncDataCollector", "DistributedSyncCollector"),
    ], "0.10.1"),
    *names("torchrl.collectors", [("MultiProcessedWeightUpdate", "MultiProcessedWeightUpdater")], "0.8.1"),
    Row("from torchrl.envs import RandomPolicy\n", "from torchrl.collectors import RandomPolicy\n", "PPO901", "0.10.1"),
    Row("from torchrl.collectors.collectors import RandomPolicy\n", None, "PPO901", "0.10.1"),
    incidental("StepCounter", "torchrl.envs"),
    incidental("TransformedEnv", "torchrl.envs"),
    incidental("EnvBase", "torchrl.envs"),
    incidental("EnvCreator", "torchrl.envs"),
    incidental("ReplayBuffer", "torchrl.data"),
    incidental("TensorDict", "tensordict"),
    incidental("TensorDictBase", "tensordict"),
    incidental("TensorDictModule", "tensordict.nn"),
    *(Row(f"from torchrl.collectors.collectors import {n}\n", None, "PPO901", "0.10.1")
      for n in ("split_trajectories", "ExplorationType", "set_exploration_type", "WeightUpdaterBase")),
    *names("torchrl.data", [
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
    ], "0.5.0"),
    *names("torchrl.data.tensor_specs", [("CompositeSpec", "Composite")], "0.5.0"),
    Row("import torchrl\nx = torchrl.data.CompositeSpec\n", "import torchrl\nx = torchrl.data.Composite\n", "PPO901", "0.5.0"),
    Row("from torchrl.data.rlhf import PromptData\n", "from torchrl.data import PromptData\n", "PPO901", "0.6.0"),
    Row("from torchrl.data.replay_buffers.rb_prototype import ReplayBuffer\n", None, "PPO901", None),
    Row("from torchrl.objectives.ppo import GAE\n", "from torchrl.objectives.value import GAE\n", "PPO901", "0.12.0"),
    Row("from torchrl.objectives.ppo import TD0Estimator\n", "from torchrl.objectives.value import TD0Estimator\n", "PPO901", "0.12.0"),
    Row("from torchrl.objectives import add_ramdom_module\n", "from torchrl.objectives import add_random_module\n", "PPO901", None),
    Row("from torchrl.objectives.value import pg\n", None, "PPO901", "0.7.2"),
    Row("import torchrl.objectives.value.vtrace\n", None, "PPO901", "0.2.1"),
    *names("torchrl.objectives.value", [
        ("TD0Estimate", "TD0Estimator"),
        ("TD1Estimate", "TD1Estimator"),
        ("TDLambdaEstimate", "TDLambdaEstimator"),
    ], None),
    Row("from torchrl.modules import NormalParamWrapper\nx = NormalParamWrapper(net)\n", None, "PPO901", "0.4.0"),
    Row("from torch import nn\nfrom torchrl.modules import NormalParamWrapper\nx = NormalParamWrapper(nn.Linear(1, 2), scale_lb=0.1)\n",
        "from torch import nn\nfrom torchrl.modules import NormalParamExtractor\nx = nn.Sequential(nn.Linear(1, 2), NormalParamExtractor(scale_lb=0.1))\n", "PPO901", "0.4.0"),
    *(Row(f"from torchrl.modules import {n}\nx = {n}(p)\n", None, "PPO901", "0.4.0")
      for n in ("EGreedyWrapper", "AdditiveGaussianWrapper", "OrnsteinUhlenbeckProcessWrapper")),
    Row("from torchrl.modules import LSTMNet\n", None, "PPO901", "0.3.1"),
    Row("from torchrl.modules import TensorDictModule\n", "from tensordict.nn import TensorDictModule\n", "PPO901", None),
    *names("torchrl.envs", [("set_exploration_mode", "set_exploration_type")], None),
    *names("torchrl.envs.utils", [("set_exploration_mode", "set_exploration_type")], None),
    *names("tensordict.nn", [("set_interaction_mode", "set_interaction_type")], None),
    Row("from torchrl.envs.utils import exploration_mode\n", None, "PPO901", None),
    *names("torchrl.trainers", [("Recorder", "LogValidationReward")], "0.6.0"),
    Row("from torchrl.trainers import LogReward\n", None, "PPO901", "0.6.0"),
    Row("from torchrl.envs.vec_envs import SerialEnv\n", "from torchrl.envs import SerialEnv\n", "PPO905", None),
    # -- arguments with a new name ----------------------------------------------------------
    *(objective(loss, "a, c, entropy_coef=0.1", "a, c, entropy_coeff=0.1", "PPO902", "0.8.1") for loss in (*PPO, "A2CLoss")),
    *(objective(loss, "a, c, critic_coef=0.1", "a, c, critic_coeff=0.1", "PPO902", "0.8.1") for loss in (*PPO, "A2CLoss")),
    objective("ReinforceLoss", "actor=a", "actor_network=a", "PPO902", "0.2.1"),
    call([("torchrl.data", "Bounded")], "Bounded(minimum=0, maximum=1, shape=(1,))", "Bounded(low=0, high=1, shape=(1,))", "PPO902", None),
    *(call([("torchrl.modules", d)], f"{d}({p}, min=-2, max=2)", f"{d}({p}, low=-2, high=2)", "PPO902", "0.4.0")
      for d, p in (("TanhNormal", "loc, scale"), ("TruncatedNormal", "loc, scale"), ("TanhDelta", "param"))),
    *(call([("torchrl.modules", "ProbabilisticActor"), ("torchrl.modules", d)],
           f'ProbabilisticActor(m, in_keys=["p"], distribution_class={d}, distribution_kwargs={{"min": -2, "max": 2}})',
           f'ProbabilisticActor(m, in_keys=["p"], distribution_class={d}, distribution_kwargs={{"low": -2, "high": 2}})',
           "PPO902", "0.4.0") for d in ("TanhNormal", "TruncatedNormal", "TanhDelta")),
    call([("torchrl.modules", "ProbabilisticActor")], 'ProbabilisticActor(m, in_keys=["p"], default_interaction_mode="mode")',
         'ProbabilisticActor(m, in_keys=["p"], default_interaction_type="mode")', "PPO902", None),
    *(call([("torchrl.collectors", c)], f'{c}(e, p, frames_per_batch=1, exploration_mode="mode")',
           f'{c}(e, p, frames_per_batch=1, exploration_type="mode")', "PPO902", None)
      for c in ("Collector", "MultiSyncCollector", "MultiAsyncCollector", "AsyncCollector")),
    call([("torchrl.collectors", "MultiSyncCollector")], "MultiSyncCollector(e, p, frames_per_batch=1, devices=d)",
         "MultiSyncCollector(e, p, frames_per_batch=1, device=d)", "PPO902", None),
    call([("torchrl.collectors", "MultiSyncCollector")], "MultiSyncCollector(e, p, frames_per_batch=1, storing_devices=d)",
         "MultiSyncCollector(e, p, frames_per_batch=1, storing_device=d)", "PPO902", None),
    call([("torchrl.collectors", "MultiSyncCollector")], "MultiSyncCollector(e, p, frames_per_batch=1, replay_buffer_chunk=True)", None, "PPO902", None),
    call([("torchrl.envs", "TransformedEnv")], "TransformedEnv(env=e)", "TransformedEnv(base_env=e)", "PPO902", "0.9.2"),
    call([("torchrl.trainers", "LogScalar")], "LogScalar(reward_key=k)", "LogScalar(key=k)", "PPO902", "0.9.2"),
    # -- positions --------------------------------------------------------------------------
    *(call([("torchrl.envs", e)], f"{e}(2, make, kw)", f"{e}(2, make, create_env_kwargs=kw)", "PPO902", "0.2.1") for e in ("ParallelEnv", "SerialEnv")),
    call([("torchrl.envs", "CatTensors")], 'CatTensors(["a"], "b", -1, False)', 'CatTensors(["a"], "b", -1, del_keys=False)', "PPO902", "0.3.1"),
    call([("torchrl.data", "LazyTensorStorage")], 'LazyTensorStorage(10, "cpu")', 'LazyTensorStorage(10, device="cpu")', "PPO902", "0.3.1"),
    call([("torchrl.data", "LazyMemmapStorage")], 'LazyMemmapStorage(10, "dir")', 'LazyMemmapStorage(10, scratch_dir="dir")', "PPO902", "0.3.1"),
    call([("torchrl.collectors.utils", "split_trajectories")], 'split_trajectories(td, "p")', 'split_trajectories(td, prefix="p")', "PPO902", "0.3.1"),
    # -- arguments that are gone, or raise --------------------------------------------------
    *(Row(f"from torchrl.objectives import {loss}\nx = {loss}(a, gamma=0.9)\n",
          f"from torchrl.objectives import {loss}\nx = {loss}(a)\nx.make_value_estimator(gamma=0.9)\n", "PPO909", None)
      for loss in ("A2CLoss", "ReinforceLoss", *PPO)),
    Row(f"from torchrl.objectives import ClipPPOLoss\n{GAE_IMPORT}x = ClipPPOLoss(a, c, gamma=0.9)\n",
        f"from torchrl.objectives import ClipPPOLoss\n{GAE_IMPORT}x = ClipPPOLoss(a, c)\n", "PPO909", None),
    *(moved_key(loss, old, key, "0.2.1") for loss in PPO for old, key in KEYS),
    *(moved_key(loss, old, key, None) for loss in ("A2CLoss", "ReinforceLoss") for old, key in KEYS[:2]),
    *(moved_key(estimator, old, key, None) for estimator in ESTIMATOR_ARGUMENTS for old, key in KEYS),
    *(call([("torchrl.envs", e)], f"{e}(2, make, {k}=True)", f"{e}(2, make)", "PPO909", None)
      for e in ("ParallelEnv", "SerialEnv") for k in ("pin_memory", "allow_step_when_done")),
    call([("torchrl.collectors", "Collector")], "Collector(e, p, frames_per_batch=1, reset_when_done=False)", "Collector(e, p, frames_per_batch=1)", "PPO909", None),
    call([("torchrl.collectors.distributed", "RayCollector")], "RayCollector(e, p, frames_per_batch=1, reset_when_done=True)", None, "PPO909", "0.2.1"),
    call([("torchrl.collectors", "Collector")], "Collector(e, p, frames_per_batch=1, local_init_rb=True)", None, "PPO909", "0.11.1"),
    call([("torchrl.collectors", "AsyncCollector")], "AsyncCollector(e, p, frames_per_batch=1, seed=0)", None, "PPO909", None),
    call([("torchrl.envs", "EnvBase")], "EnvBase(dtype=d)", None, "PPO909", "0.3.1"),
    call([("tensordict.nn", "CompositeDistribution")], "CompositeDistribution(p, distribution_map=m, aggregate_probabilities=True)", None, "PPO909", "0.6.0"),
    call([("torchrl.envs", "ObservationNorm")], "ObservationNorm(0.0, 1.0)", None, "PPO904", "0.2.1"),
    # -- arguments that still work ----------------------------------------------------------
    Row("from torchrl.collectors import Collector\nc = Collector(e, p, frames_per_batch=1)\nc.update_policy_weights_(policy_weights=w)\n",
        "from torchrl.collectors import Collector\nc = Collector(e, p, frames_per_batch=1)\nc.update_policy_weights_(policy_or_weights=w)\n", "PPO905", None),
    call([("torchrl.record.loggers", "get_logger")], 'get_logger("csv", "n", "e", use_ray_service=True)', None, "PPO905", "0.12.0"),
    # -- swallowed --------------------------------------------------------------------------
    *(objective(loss, "a, c, banana=1", None, "PPO606", None) for loss in (*PPO, "A2CLoss")),
    # -- attributes -------------------------------------------------------------------------
    Row("from torchrl.envs import GymEnv\nx = GymEnv('P').action_spec.space.minimum\n",
        "from torchrl.envs import GymEnv\nx = GymEnv('P').action_spec.space.low\n", "PPO908", "0.3.1"),
    Row("from torchrl.envs import GymEnv\nenv = GymEnv('P')\nx = env.action_spec.space.maximum\n",
        "from torchrl.envs import GymEnv\nenv = GymEnv('P')\nx = env.action_spec.space.high\n", "PPO908", "0.3.1"),
    Row("from torchrl.envs import GymEnv\nx = GymEnv('P').unbatched_action_spec\n",
        "from torchrl.envs import GymEnv\nx = GymEnv('P').action_spec_unbatched\n", "PPO908", "0.6.0"),
    *(attribute(loss, old, new, "0.3.1") for loss in ("ClipPPOLoss", "A2CLoss") for old, new in (
        ("actor", "actor_network"), ("critic", "critic_network"), ("actor_params", "actor_network_params"),
        ("critic_params", "critic_network_params"), ("target_critic_params", "target_critic_network_params"))),
    attribute("PPOLoss", "entropy_coef", "entropy_coeff", "0.8.1"),
    Row("from torchrl.objectives.value import GAE\ngae = GAE(gamma=0.9, lmbda=0.9, value_network=c)\nx = gae._is_stateless\n",
        "from torchrl.objectives.value import GAE\ngae = GAE(gamma=0.9, lmbda=0.9, value_network=c)\nx = gae.is_stateless\n", "PPO908", "0.5.0"),
    # -- keys and members -------------------------------------------------------------------
    Row('from tensordict import TensorDict\ndef f(td: TensorDict):\n    return td["sample_log_prob"]\n',
        'from tensordict import TensorDict\ndef f(td: TensorDict):\n    return td["action_log_prob"]\n', "PPO906", "0.8.1"),
    *(Row(
        "from torchrl.envs.utils import ExplorationType, set_exploration_type\n"
        "from torchrl.modules import ProbabilisticActor, TanhNormal\n"
        'actor = ProbabilisticActor(m, in_keys=["p"], distribution_class=TanhNormal)\n'
        f"with set_exploration_type(ExplorationType.{mode}):\n    pass\n",
        "from torchrl.envs.utils import ExplorationType, set_exploration_type\n"
        "from torchrl.modules import ProbabilisticActor, TanhNormal\n"
        'actor = ProbabilisticActor(m, in_keys=["p"], distribution_class=TanhNormal)\n'
        "with set_exploration_type(ExplorationType.DETERMINISTIC):\n    pass\n", "PPO905", "0.5.0")
      for mode in ("MODE", "MEDIAN")),
]  # fmt: skip


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_found_on_the_newest_release(row):
    assert row.code in codes(row.old, "0.14.1")


@pytest.mark.parametrize("row", [r for r in ROWS if r.new is not None], ids=str)
def test_mended(row):
    after = fixed(row.old, "0.14.1")
    assert after == row.new
    assert codes(after, "0.14.1") == []


@pytest.mark.parametrize("row", [r for r in ROWS if r.right_on is not None], ids=str)
def test_silent_where_the_old_spelling_is_right(row):
    assert codes(row.old, row.right_on) == []


# What is accepted without a warning, or is a matter of behaviour: nothing to report.
SILENT = [
    "from torchrl.objectives import ClipPPOLoss\nx = ClipPPOLoss(actor=a, critic=c)\n",
    "from torchrl.objectives import A2CLoss\nx = A2CLoss(actor=a, critic=c)\n",
    # The warning says that 0.10 would remove it; it did not, and TorchRL's own PPO uses it.
    'from torchrl.envs import VecNorm\nx = VecNorm(in_keys=["observation"])\n',
    # A mean of samples on 0.14.1; `exploration-type-mean` (PPO714) has more to say.
    "from torchrl.envs.utils import ExplorationType\nx = ExplorationType.MEAN\n",
    "from tensordict.nn import make_functional\n",
    "from torchrl.collectors import WeightUpdaterBase\n",
]


@pytest.mark.parametrize("text", SILENT)
def test_what_still_works_is_not_reported(text):
    assert codes(text, "0.14.1") == []


def test_make_functional_is_gone_with_tensordict_0_15():
    from dataclasses import replace

    target = replace(parse_target("0.14.1", "test"), tensordict=("0.15.0",))
    text = "from tensordict.nn import make_functional\n"
    model = build(source_of(text), release=lambda: target)
    assert [f.code for f in RULES["PPO901"].findings(model)] == ["PPO901"]
