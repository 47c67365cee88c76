"""Which keys the parts of a pipeline read and write."""

from __future__ import annotations

import pytest
from scripts import PPO, model_of, replaced

from ppolint.semantics import keys
from ppolint.semantics.components import UNKNOWN
from ppolint.semantics.keys import Keys

HEAD = """
from tensordict.nn import TensorDictModule, TensorDictSequential, ProbabilisticTensorDictModule
from torchrl.modules import ProbabilisticActor, ValueOperator, ActorValueOperator, TanhNormal
from torchrl.envs import *
from torchrl.envs import GymEnv, TransformedEnv, RewardSum, StepCounter, InitTracker, CatTensors
from torchrl.envs import RenameTransform, DoubleToFloat, VecNorm, ObservationNorm, TensorDictPrimer
from torchrl.objectives import ClipPPOLoss
from torchrl.objectives.value import GAE
net = make()
"""


def parsed(expression):
    """The keys of a module that is given them as `in_keys`."""
    model = model_of(f"{HEAD}\nx = TensorDictModule(net, in_keys={expression}, out_keys=['y'])\n")
    return model.pipeline.modules[0].in_keys


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ('["a", "b"]', ("a", "b")),
        ('("a", "b")', (("a", "b"),)),  # one nested key, as TensorDict reads it
        ('["a"] + ["b"]', ("a", "b")),
        ('[("agents", "a"), "b"]', (("agents", "a"), "b")),
        ('[("a",)]', ("a",)),
        ('[("agents", ("info", "a"))]', (("agents", "info", "a"),)),
        ('list(("a", "b"))', ("a", "b")),
        ('{"obs": "x", "h": "y"}', ("obs", "h")),
        ("[env.action_key]", UNKNOWN),
        ('[("agents", name)]', UNKNOWN),
        ("list(env.observation_spec.keys())", UNKNOWN),
        ("keys_of(env)", UNKNOWN),
        ("None", None),
    ],
)
def test_keys_as_written(expression, expected):
    assert parsed(expression) == expected


def test_a_list_that_grows_is_not_known_in_full():
    text = f"{HEAD}\nwanted = ['a']\nif cfg.pixels:\n    wanted.append('pixels')\nx = TensorDictModule(net, in_keys=wanted, out_keys=['y'])\n"
    assert model_of(text).pipeline.modules[0].in_keys is UNKNOWN


def test_keys_answer_three_ways():
    some = Keys(frozenset({"a"}), True)
    assert some.has("a") is True
    assert some.has("b") is False
    more = some | Keys(frozenset({"c"}), False)
    assert more.has("c") is True
    assert more.has("b") is UNKNOWN


def module(source, label="x"):
    return next(m for m in model_of(HEAD + source).pipeline.modules if m.label == label)


def test_a_value_operator_has_default_keys():
    reads, writes = keys.module_keys(module("x = ValueOperator(net, in_keys=['hidden'])"))
    assert (reads.found, writes.found) == ({"hidden"}, {"state_value"})
    _, writes = keys.module_keys(
        module("x = ValueOperator(net, in_keys=['observation', 'action'])")
    )
    assert writes.found == {"state_action_value"}


def test_a_sequence_reads_what_it_does_not_write_itself():
    reads, writes = keys.module_keys(
        module(
            "a = TensorDictModule(net, in_keys=['observation'], out_keys=['hidden'])\n"
            "b = TensorDictModule(net, in_keys=['hidden', 'mask'], out_keys=['logits'])\n"
            "x = TensorDictSequential(a, b)"
        )
    )
    assert reads.found == {"observation", "mask"}
    assert writes.found == {"hidden", "logits"}
    assert reads.complete
    assert writes.complete


def test_a_sequence_with_an_unknown_part_is_not_complete():
    reads, writes = keys.module_keys(
        module(
            "a = TensorDictModule(net, in_keys=['o'], out_keys=['h'])\nx = TensorDictSequential(a, build(cfg))"
        )
    )
    assert not reads.complete
    assert not writes.complete
    assert writes.found == {"h"}


@pytest.mark.parametrize(
    ("arguments", "log_prob", "complete"),
    [
        ("return_log_prob=True", keys.LOG_PROB, True),
        ("", frozenset(), True),
        ("return_log_prob=True, log_prob_key='lp'", {"lp"}, True),
        ("log_prob_key='lp'", {"lp"}, True),
        ("return_log_prob=flag", frozenset(), False),
        ("**options", frozenset(), False),
    ],
)
def test_what_an_actor_writes(arguments, log_prob, complete):
    actor = module(
        "p = TensorDictModule(net, in_keys=['observation'], out_keys=['loc', 'scale'])\n"
        f"x = ProbabilisticActor(p, in_keys=['loc', 'scale'], distribution_class=TanhNormal, {arguments})"
    )
    reads, writes = keys.module_keys(actor)
    assert reads.found == {"observation"}
    given = {"loc", "scale"} if arguments == "**options" else {"loc", "scale", "action"}
    assert writes.found == given | log_prob
    assert writes.complete is complete


def test_an_actor_whose_distribution_reads_what_nothing_writes():
    actor = module(
        "p = TensorDictModule(net, in_keys=['observation'], out_keys=['params'])\n"
        "x = ProbabilisticActor(p, in_keys=['loc', 'scale'], distribution_class=TanhNormal)"
    )
    reads, _ = keys.module_keys(actor)
    assert reads.found == {"observation", "loc", "scale"}
    assert reads.complete


def env_writes(name, *transforms):
    source = f"env = TransformedEnv(GymEnv('{name}'), Compose({', '.join(transforms)}))"
    text = HEAD.replace("import GymEnv", "import Compose, GymEnv") + source
    env = next(e for e in model_of(text).pipeline.environments if e.label == "env")
    return keys.environment_writes(env)


@pytest.mark.parametrize(
    ("transform", "key"),
    [
        ("StepCounter()", "step_count"),
        ("StepCounter(step_count_key='t')", "t"),
        ("RewardSum()", "episode_reward"),
        ("RewardSum(out_keys=['total'])", "total"),
        ("InitTracker()", "is_init"),
        ("CatTensors(in_keys=['a', 'b'], out_key='obs')", "obs"),
        ("CatTensors(in_keys=['a', 'b'])", "observation_vector"),
        ("RenameTransform(in_keys=['pixels'], out_keys=['pixels_int'])", "pixels_int"),
        ("VecNorm(in_keys=['observation'], out_keys=['norm'])", "norm"),
    ],
)
def test_what_transforms_write(transform, key):
    with_it = env_writes("CartPole-v1", transform)
    assert with_it.has(key) is True
    assert with_it.complete
    assert env_writes("CartPole-v1", "DoubleToFloat()").has(key) is False


def test_environments_with_observations_of_an_unknown_kind():
    known = env_writes("HalfCheetah-v4", "RewardSum()")
    assert known.has("observation") is True
    assert known.has("pixels") is False
    unknown = env_writes("MyGame-v0", "RewardSum()")
    assert unknown.has("episode_reward") is True
    assert unknown.has("pixels") is UNKNOWN


def test_transforms_that_write_unseen_keys():
    assert not env_writes("CartPole-v1", "TensorDictPrimer(primers)").complete


def test_what_a_loss_reads_and_an_estimator_writes():
    pipeline = model_of(PPO).pipeline
    assert keys.loss_reads(pipeline.losses[0]).found == {
        "advantage", "value_target", "action", *keys.LOG_PROB,
    }  # fmt: skip
    assert keys.estimator_writes(pipeline.estimators[0]).found == {"advantage", "value_target"}


def test_settings_rename_what_is_read_and_written():
    text = replaced(
        "optim = torch",
        "loss_module.set_keys(advantage='adv')\nadv.set_keys(advantage=('a', 'adv'))\noptim = torch",
    )
    pipeline = model_of(text).pipeline
    assert keys.loss_reads(pipeline.losses[0]).has("adv") is True
    assert keys.loss_reads(pipeline.losses[0]).has("advantage") is False
    assert keys.estimator_writes(pipeline.estimators[0]).has(("a", "adv")) is True


def test_settings_that_cannot_be_seen():
    text = replaced("optim = torch", "loss_module.set_keys(**names)\noptim = torch")
    assert keys.loss_reads(model_of(text).pipeline.losses[0]).has("advantage") is UNKNOWN
