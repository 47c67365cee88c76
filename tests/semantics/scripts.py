"""Small sources that look like real scripts, and models of them."""

from __future__ import annotations

from pathlib import Path

from ppolint.semantics.model import FileModel, build
from ppolint.semantics.project import Project
from ppolint.source.file import Source

# A whole PPO script. Tests replace one line of it, so each idiom stands on its own.
PPO = """
import torch
from torch import nn
from tensordict.nn import TensorDictModule, NormalParamExtractor
from torchrl.collectors import SyncDataCollector
from torchrl.data import LazyTensorStorage, ReplayBuffer, SamplerWithoutReplacement
from torchrl.envs import (
    Compose, DoubleToFloat, ExplorationType, GymEnv, ObservationNorm, RewardSum, StepCounter,
    TransformedEnv, check_env_specs, set_exploration_type,
)
from torchrl.modules import ProbabilisticActor, TanhNormal, ValueOperator
from torchrl.objectives import ClipPPOLoss
from torchrl.objectives.value import GAE

frames = 1000
env = TransformedEnv(
    GymEnv("InvertedDoublePendulum-v4"),
    Compose(ObservationNorm(in_keys=["observation"]), DoubleToFloat(), StepCounter()),
)
env.transform[0].init_stats(num_iter=100)
check_env_specs(env)
net = nn.Sequential(nn.LazyLinear(64), nn.Tanh(), nn.LazyLinear(2), NormalParamExtractor())
params = TensorDictModule(net, in_keys=["observation"], out_keys=["loc", "scale"])
actor = ProbabilisticActor(
    params,
    in_keys=["loc", "scale"],
    spec=env.action_spec,
    distribution_class=TanhNormal,
    distribution_kwargs={"low": -1.0, "high": 1.0},
    return_log_prob=True,
)
critic = ValueOperator(nn.LazyLinear(1), in_keys=["observation"])
actor(env.reset())
critic(env.reset())
collector = SyncDataCollector(env, actor, frames_per_batch=frames, total_frames=50_000)
buffer = ReplayBuffer(
    storage=LazyTensorStorage(max_size=frames), sampler=SamplerWithoutReplacement()
)
adv = GAE(gamma=0.99, lmbda=0.95, value_network=critic, average_gae=True)
loss_module = ClipPPOLoss(actor, critic, clip_epsilon=0.2, entropy_coef=1e-4)
optim = torch.optim.Adam(loss_module.parameters(), 3e-4)
scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optim, 50)

for i, batch in enumerate(collector):
    for _ in range(10):
        adv(batch)
        buffer.extend(batch.reshape(-1).cpu())
        for _ in range(frames // 64):
            sub = buffer.sample(64)
            vals = loss_module(sub.to("cpu"))
            loss = vals["loss_objective"] + vals["loss_critic"] + vals["loss_entropy"]
            loss.backward()
            nn.utils.clip_grad_norm_(loss_module.parameters(), 1.0)
            optim.step()
            optim.zero_grad()
    with torch.no_grad(), set_exploration_type(ExplorationType.DETERMINISTIC):
        env.rollout(1000, actor)
    scheduler.step()
collector.shutdown()
"""


def model_of(text: str, path: str = "train.py", project: Project | None = None) -> FileModel:
    return build(Source.from_text(text, path), project)


def project_model(folder: Path, files: dict[str, str], main: str) -> FileModel:
    """The model of `main` in a project of these files, written below `folder`."""
    for name, text in files.items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
    project = Project(str(folder), lambda: [str(folder / name) for name in files])
    return model_of(files[main], str(folder / main), project)


def replaced(old: str, new: str, text: str = PPO) -> str:
    """`text` with one place changed; fails when the place is not there once."""
    assert text.count(old) == 1, f"{old!r} is there {text.count(old)} times"
    return text.replace(old, new)


def line_of(snippet: str, text: str = PPO) -> int:
    """The 1-based line on which a snippet of the script starts."""
    assert text.count(snippet) == 1, f"{snippet!r} is there {text.count(snippet)} times"
    return text.count("\n", 0, text.index(snippet)) + 1
