"""The pipeline model: which components there are and how they are wired, in the idioms of scripts."""

from __future__ import annotations

import pytest
from scripts import PPO, line_of, model_of, project_model, replaced

from ppolint.semantics.components import UNKNOWN
from ppolint.semantics.pipeline import Pipeline


def test_pipeline_is_built_once():
    model = model_of(PPO)
    assert Pipeline.of(model) is model.pipeline is model.pipeline


# -- components -------------------------------------------------------------------------------
def test_components_go_by_the_name_of_today(script):
    (collector,) = script.collectors
    assert collector.name == "Collector"
    assert collector.label == "collector"
    assert collector.line == line_of("collector = SyncDataCollector(")


def test_environment_with_its_transforms_in_order(script):
    (env,) = script.collectors[0].envs
    assert [t.name for t in env.transforms] == ["ObservationNorm", "DoubleToFloat", "StepCounter"]
    assert env.complete
    assert env.base.env_name == "InvertedDoublePendulum-v4"
    assert env.is_batched is False
    (check,) = [s for s in script.steps if s.kind == "check"]
    assert check.component is env
    assert check.line == line_of("check_env_specs(env)\n")


def test_methods_of_a_transform_reached_through_the_environment():
    text = replaced("env.transform[0].init_stats(num_iter=100)", "norm.init_stats(100)")
    text = replaced(
        "env = TransformedEnv(", "norm = ObservationNorm()\nenv = TransformedEnv(", text
    )
    text = replaced('ObservationNorm(in_keys=["observation"])', "norm", text)
    (env,) = model_of(text).pipeline.collectors[0].envs
    norm = env.transform("ObservationNorm")
    assert [s.method for s in norm.methods("init_stats")] == ["init_stats"]


def test_actor_and_critic_of_the_loss(script):
    (loss,) = script.losses
    assert loss.is_ppo
    assert loss.actor is script.collectors[0].policy
    assert loss.critic is script.estimators[0].critic
    actor = loss.actor.sampler
    assert actor.distribution == "torchrl.modules.TanhNormal"
    assert set(actor.distribution_kwargs) == {"low", "high"}
    assert actor.return_log_prob is True
    assert actor.log_prob_key is None
    assert actor.default_interaction is None
    assert [p.label for p in actor.parts] == ["params"]


def test_arguments_are_found_under_the_names_of_all_releases(script):
    (loss,) = script.losses
    assert loss.argument("entropy_coeff").number == 1e-4
    assert loss.argument("critic_coeff") is None
    assert loss.sealed


def test_arguments_that_may_be_hidden_are_unknown():
    text = replaced("clip_epsilon=0.2, entropy_coef=1e-4)", "**options)")
    loss = model_of(text).pipeline.losses[0]
    assert loss.argument("entropy_coeff") is UNKNOWN
    assert not loss.sealed
    assert loss.actor.name == "ProbabilisticActor"


def test_options_in_a_dict_are_seen():
    text = replaced("return_log_prob=True,", "**options,")
    text = replaced("frames = 1000", 'frames = 1000\noptions = {"return_log_prob": False}', text)
    assert model_of(text).pipeline.losses[0].actor.return_log_prob is False


def test_buffer(script):
    (buffer,) = script.buffers
    assert buffer.storage.name == "LazyTensorStorage"
    assert script.number(buffer.capacity) == 1000
    assert buffer.without_replacement is True
    assert buffer.batch_size is None


@pytest.mark.parametrize(
    ("sampler", "answer"),
    [
        ("sampler=SamplerWithoutReplacement()", True),
        ("sampler=None", False),
        ("batch_size=64", False),
        ("sampler=make_sampler(cfg)", UNKNOWN),
        ("**options", UNKNOWN),
    ],
)
def test_sampling_without_replacement(sampler, answer):
    text = replaced("sampler=SamplerWithoutReplacement()", sampler)
    assert model_of(text).pipeline.buffers[0].without_replacement is answer


@pytest.mark.parametrize(
    ("parameters", "labels", "complete"),
    [
        ("loss_module.parameters()", ["loss_module"], True),
        ("list(actor.parameters()) + list(critic.parameters())", ["actor", "critic"], True),
        ("[*actor.parameters(), *critic.parameters()]", ["actor", "critic"], True),
        ("itertools.chain(actor.parameters(), critic.parameters())", ["actor", "critic"], True),
        ("[{'params': actor.parameters()}, {'params': critic.parameters(), 'lr': 1}]",
         ["actor", "critic"], True),
        ("net.parameters()", ["params"], True),
        ("(p for p in actor.parameters() if p.requires_grad)", ["actor"], True),
        ("get_parameters(actor)", [], False),
    ],
)  # fmt: skip
def test_what_an_optimiser_has(parameters, labels, complete):
    text = replaced("Adam(loss_module.parameters(), 3e-4)", f"Adam({parameters}, 3e-4)")
    text = replaced("import torch\n", "import itertools\nimport torch\n", text)
    (optimiser,) = model_of(text).pipeline.optimisers
    assert [c.label for c in optimiser.optimises] == labels
    assert optimiser.complete is complete


def test_grouped_optimisers():
    text = replaced(
        "optim = torch.optim.Adam(loss_module.parameters(), 3e-4)",
        "from torchrl.objectives import group_optimizers\n"
        "a = torch.optim.Adam(actor.parameters())\n"
        "c = torch.optim.Adam(critic.parameters())\n"
        "optim = group_optimizers(a, c)",
    )
    pipeline = model_of(text).pipeline
    (step,) = pipeline.training[0].of("step")
    assert [c.label for c in step.component.optimises] == ["actor", "critic"]
    assert step.component.complete


# -- wiring -----------------------------------------------------------------------------------
def test_transforms_built_up_in_steps():
    text = replaced(
        'Compose(ObservationNorm(in_keys=["observation"]), DoubleToFloat(), StepCounter()),',
        "DoubleToFloat(),",
    )
    text = replaced(
        "env.transform[0].init_stats(num_iter=100)",
        "env.append_transform(StepCounter())\n"
        "if normalise:\n    env.append_transform(ObservationNorm())\n"
        "extra = Compose()\nextra.append(RewardSum())\nenv = TransformedEnv(env, extra)",
        text,
    )
    (env,) = model_of(text).pipeline.collectors[0].envs
    found = {t.name: t.conditional for t in env.transforms}
    assert list(found) == ["DoubleToFloat", "StepCounter", "ObservationNorm", "RewardSum"]
    assert found == {
        "DoubleToFloat": False, "StepCounter": False, "ObservationNorm": True, "RewardSum": False,
    }  # fmt: skip
    assert env.complete


@pytest.mark.parametrize("what", ["*make_transforms(cfg)", "make_transform(cfg)"])
def test_transforms_that_cannot_be_seen(what):
    text = replaced("DoubleToFloat(), StepCounter())", f"{what})")
    (env,) = model_of(text).pipeline.collectors[0].envs
    assert [t.name for t in env.transforms] == ["ObservationNorm"]
    assert not env.complete


def test_a_list_of_transforms_spread_into_compose():
    text = replaced(
        "frames = 1000", "frames = 1000\nparts = [DoubleToFloat()]\nparts.append(RewardSum())"
    )
    text = replaced(
        'Compose(ObservationNorm(in_keys=["observation"]), DoubleToFloat(), StepCounter())',
        "Compose(*parts)", text,
    )  # fmt: skip
    (env,) = model_of(text).pipeline.collectors[0].envs
    assert [t.name for t in env.transforms] == ["DoubleToFloat", "RewardSum"]
    assert env.complete


def test_parallel_environments_and_factories():
    text = replaced("env = TransformedEnv(\n    GymEnv(", "def base():\n    return GymEnv(")
    text = replaced(
        '"InvertedDoublePendulum-v4"),',
        '"HalfCheetah-v4")\n\nenv = TransformedEnv(\n    ParallelEnv(4, base),',
        text,
    )
    text = replaced("    Compose, Doub", "    ParallelEnv, Compose, Doub", text)
    (env,) = model_of(text).pipeline.collectors[0].envs
    assert env.is_batched is True
    assert env.base.env_name == "HalfCheetah-v4"
    assert env.bases == (env.base,)


@pytest.mark.parametrize(
    ("given", "shares"),
    [
        ("env", True),
        ("lambda: env", True),
        ("lambda: GymEnv('Pendulum-v1')", False),
        ("functools.partial(GymEnv, 'Pendulum-v1')", False),
        ("make(cfg)", UNKNOWN),
    ],
)
def test_whether_a_collector_shares_its_environment(given, shares):
    text = replaced("SyncDataCollector(env, actor", f"SyncDataCollector({given}, actor")
    text = replaced("import torch\n", "import functools\nimport torch\n", text)
    pipeline = model_of(text).pipeline
    (collector,) = pipeline.collectors
    assert collector.shares_env is shares
    rollouts = pipeline.training[0].of("rollout")
    assert (collector.env is rollouts[0].component) is (shares is True)


def test_policy_from_a_factory():
    text = replaced(
        "SyncDataCollector(env, actor,", "SyncDataCollector(env, policy_factory=lambda: actor,"
    )
    pipeline = model_of(text).pipeline
    assert pipeline.collectors[0].policy is pipeline.losses[0].actor


def test_a_helper_called_twice_makes_two_environments():
    text = replaced("env = TransformedEnv(\n", "def make_env():\n    return TransformedEnv(\n")
    text = replaced(
        "env.transform[0]", "env = make_env()\neval_env = make_env()\nenv.transform[0]", text
    )
    text = replaced(
        "        env.rollout(1000, actor)", "        eval_env.rollout(1000, actor)", text
    )
    pipeline = model_of(text).pipeline
    (rollout,) = pipeline.training[0].of("rollout")
    assert rollout.component is not pipeline.collectors[0].env
    assert rollout.component.label == "eval_env"
    assert pipeline.collectors[0].env.label == "env"


UTILS = """
from torch import nn
from tensordict.nn import TensorDictModule, TensorDictSequential
from torchrl.envs import GymEnv, RewardSum, TransformedEnv
from torchrl.modules import ActorValueOperator, ProbabilisticActor, ValueOperator
from torch.distributions import Categorical


def make_env(name, device="cpu"):
    env = TransformedEnv(GymEnv(name, device=device))
    env.append_transform(RewardSum())
    return env


def make_ppo_models(name):
    proof = make_env(name)
    common = TensorDictModule(nn.LazyLinear(8), in_keys=["observation"], out_keys=["hidden"])
    head = TensorDictModule(nn.Linear(8, 2), in_keys=["hidden"], out_keys=["logits"])
    policy = ProbabilisticActor(
        head, in_keys=["logits"], distribution_class=Categorical, return_log_prob=True
    )
    value = ValueOperator(nn.Linear(8, 1), in_keys=["hidden"])
    both = ActorValueOperator(common, policy, value)
    both(proof.rollout(3))
    return both.get_policy_operator(), both.get_value_operator()
"""
TRAIN = """
import torch
from torchrl.collectors import Collector
from torchrl.objectives import ClipPPOLoss
from torchrl.objectives.value import GAE
from utils import make_env, make_ppo_models


def main(cfg):
    actor, critic = make_ppo_models("CartPole-v1")
    collector = Collector(make_env("CartPole-v1"), actor, frames_per_batch=cfg.frames)
    adv = GAE(gamma=0.99, lmbda=0.95, value_network=critic)
    loss = ClipPPOLoss(actor, critic)
    optim = torch.optim.Adam(loss.parameters())
    for data in collector:
        with torch.no_grad():
            data = adv(data)
        out = loss(data)
        (out["loss_objective"] + out["loss_critic"]).backward()
        optim.step()
        optim.zero_grad()


if __name__ == "__main__":
    main(None)
"""


def test_components_built_in_another_file(tmp_path):
    pipeline = project_model(tmp_path, {"utils.py": UTILS, "train.py": TRAIN}, "train.py").pipeline
    (loss,) = pipeline.losses
    assert loss.actor.role == "policy"
    assert loss.critic.role == "value"
    assert loss.actor.parent is loss.critic.parent
    assert not loss.actor.here
    assert loss.actor.sampler.distribution == "torch.distributions.Categorical"
    assert TRAIN.splitlines()[loss.actor.line - 1].strip().startswith("actor, critic = make_ppo")
    (env,) = pipeline.collectors[0].envs
    assert [t.name for t in env.transforms] == ["RewardSum"]
    assert env.base.env_name == "CartPole-v1"
    (story,) = pipeline.training
    (call,) = story.of("loss")
    assert call.data.origin == "collector"
    assert call.data.always("advantage")


def test_helpers_of_unknown_packages_are_unknown():
    loss = model_of(TRAIN).pipeline.losses[0]
    assert loss.actor is UNKNOWN
    assert loss.critics == (UNKNOWN,)


def test_components_as_attributes_of_a_class():
    text = """
import torch
from torchrl.collectors import Collector
from torchrl.objectives import ClipPPOLoss
from torchrl.objectives.value import GAE
from torchrl.envs import GymEnv


class Trainer:
    def __init__(self, actor, critic, cfg):
        self.env = GymEnv(cfg.name)
        self.loss_module = ClipPPOLoss(actor, critic)
        self.adv = GAE(gamma=0.99, lmbda=0.95, value_network=critic)
        self.optim = torch.optim.Adam(self.loss_module.parameters())
        self.collector = Collector(self.env, actor, frames_per_batch=10)

    def train(self):
        for batch in self.collector:
            self.update(batch)

    def update(self, batch):
        self.adv(batch)
        for rows in batch.reshape(-1).split(32):
            self.optim.zero_grad()
            self.objective(rows).backward()
            self.optim.step()

    def objective(self, rows):
        losses = self.loss_module(rows)
        return losses["loss_objective"] + 0.5 * losses["loss_critic"]
"""
    pipeline = model_of(text).pipeline
    (story,) = pipeline.training
    assert story.name == "Trainer.train"
    kinds = [s.kind for s in story.steps if s.kind != "method"]
    assert kinds == ["collect", "advantage", "zero_grad", "loss", "backward", "step"]
    (loss,) = story.of("loss")
    assert loss.component.label == "self.loss_module"
    assert loss.data.origin == "collector"
    assert loss.data.source is pipeline.collectors[0]
    assert [o.kind for o in loss.data.operations()] == ["advantage", "reshape", "chunk"]
    assert loss.data.flattened


def test_losses_in_a_dict_of_groups():
    text = """
from torchrl.objectives import ClipPPOLoss
from torchrl.collectors import Collector

def train(env, policies, critics):
    losses = {}
    for group in env.group_map:
        loss_module = ClipPPOLoss(policies[group], critics[group])
        loss_module.set_keys(reward=(group, "reward"), advantage=(group, "advantage"))
        losses[group] = loss_module
    for batch in Collector(env, None, frames_per_batch=5):
        for group in losses:
            value = losses[group](batch)
            value["loss_objective"].backward()
"""
    pipeline = model_of(text).pipeline
    (call,) = pipeline.training[0].of("loss")
    assert call.component is pipeline.losses[0]
    assert pipeline.losses[0].keys == {"reward": UNKNOWN, "advantage": UNKNOWN}


def test_set_keys():
    text = replaced(
        "optim = torch",
        "loss_module.set_keys(advantage='adv', value=('agents', 'value'))\noptim = torch",
    )
    assert model_of(text).pipeline.losses[0].keys == {
        "advantage": "adv",
        "value": ("agents", "value"),
    }


def test_a_subclass_goes_by_both_names():
    text = replaced(
        "frames = 1000",
        "class Mine(ClipPPOLoss):\n    def __init__(self, a, c, **kw):\n        super().__init__(a, c, **kw)\n\nframes = 1000",
    )
    text = replaced("loss_module = ClipPPOLoss(", "loss_module = Mine(", text)
    (loss,) = model_of(text).pipeline.losses
    assert (loss.name, loss.title, loss.cls.name) == ("ClipPPOLoss", "Mine", "Mine")
    assert loss.actor is UNKNOWN


@pytest.mark.parametrize(
    ("decorator", "body", "known"),
    [
        ("@abstractmethod", "pass", False),
        ("", "raise NotImplementedError", False),
        ("", '"""The actor."""', False),
        ("", "pass", False),
        ("", "...", False),
        ("", "print('no actor')", True),
        ("", "return None", True),
    ],
)
def test_abstract_methods_do_not_return_none(decorator, body, known):
    text = f"""
from abc import abstractmethod
from torchrl.objectives import ClipPPOLoss

class Agent:
    def __init__(self):
        self.actor = self.make_actor()
        self.loss = ClipPPOLoss(self.actor, None)

    {decorator}
    def make_actor(self):
        {body}
"""
    (loss,) = model_of(text).pipeline.losses
    assert loss.actor is (None if known else UNKNOWN)
    assert loss.critic is None


CONFIG = """
from dataclasses import dataclass
from types import SimpleNamespace


@dataclass
class Config:
    frames: int = 1000


class Settings:
    def __init__(self, frames=3):
        self.frames = frames


"""


@pytest.mark.parametrize(
    ("made", "number"),
    [
        ("Config()", 1000),
        ("Config(frames=5)", 5),
        ("Config(5)", 5),
        ("Config(**options)", UNKNOWN),
        ("Settings()", 3),
        ("Settings(8)", 8),
        ("SimpleNamespace(frames=9)", 9),
        ("tyro.cli(Config)", UNKNOWN),
        ("load(path)", UNKNOWN),
    ],
)
def test_numbers_in_configuration_objects(made, number):
    text = replaced("max_size=frames", "max_size=cfg.frames")
    text = replaced("frames = 1000", f"{CONFIG}cfg = {made}\nframes = 1000", text)
    pipeline = model_of(text).pipeline
    assert pipeline.number(pipeline.buffers[0].capacity) == number
