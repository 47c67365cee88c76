"""A PPO script in the spelling of TorchRL 0.2 (2023): collector, bounds, loss and modes of then.

`test_revival.py` shows that it stops on TorchRL 0.14.1, and trains there after one
`ppolint check --fix`. Names, keywords and their order follow what scripts of that year have.
"""

import torch
from tensordict.nn import TensorDictModule
from tensordict.nn.distributions import NormalParamExtractor
from torch import nn
from torchrl.collectors import SyncDataCollector
from torchrl.data import BoundedTensorSpec, CompositeSpec
from torchrl.data.replay_buffers import ReplayBuffer
from torchrl.data.replay_buffers.samplers import SamplerWithoutReplacement
from torchrl.data.replay_buffers.storages import LazyTensorStorage
from torchrl.envs import Compose, DoubleToFloat, ObservationNorm, StepCounter, TransformedEnv
from torchrl.envs.libs.gym import GymEnv
from torchrl.envs.utils import check_env_specs, set_exploration_mode
from torchrl.modules import ProbabilisticActor, TanhNormal, ValueOperator
from torchrl.objectives import ClipPPOLoss
from torchrl.objectives.value import GAE

torch.manual_seed(0)
num_cells = 16
frames_per_batch = 64
total_frames = 128
sub_batch_size = 32
num_epochs = 2
clip_epsilon = 0.2
gamma = 0.99
lmbda = 0.95
entropy_eps = 1e-4

base_env = GymEnv("InvertedDoublePendulum-v4")
env = TransformedEnv(
    env=base_env,
    transform=Compose(
        ObservationNorm(in_keys=["observation"]),
        DoubleToFloat(in_keys=["observation"]),
        StepCounter(),
    ),
)
env.transform[0].init_stats(num_iter=50, reduce_dim=0, cat_dim=0)
check_env_specs(env)

reward_bounds = CompositeSpec(
    reward=BoundedTensorSpec(minimum=0.0, maximum=20.0, shape=(1,)),
)

actor_net = nn.Sequential(
    nn.LazyLinear(num_cells),
    nn.Tanh(),
    nn.LazyLinear(2 * env.action_spec.shape[-1]),
    NormalParamExtractor(),
)
policy_module = ProbabilisticActor(
    module=TensorDictModule(actor_net, in_keys=["observation"], out_keys=["loc", "scale"]),
    spec=env.action_spec,
    in_keys=["loc", "scale"],
    distribution_class=TanhNormal,
    distribution_kwargs={
        "min": env.action_spec.space.minimum,
        "max": env.action_spec.space.maximum,
    },
    return_log_prob=True,
)
value_module = ValueOperator(
    module=nn.Sequential(nn.LazyLinear(num_cells), nn.Tanh(), nn.LazyLinear(1)),
    in_keys=["observation"],
)
policy_module(env.reset())
value_module(env.reset())

collector = SyncDataCollector(
    env,
    policy_module,
    frames_per_batch=frames_per_batch,
    total_frames=total_frames,
    split_trajs=False,
    exploration_mode="random",
)
replay_buffer = ReplayBuffer(
    storage=LazyTensorStorage(frames_per_batch),
    sampler=SamplerWithoutReplacement(),
)
advantage_module = GAE(gamma=gamma, lmbda=lmbda, value_network=value_module, average_gae=True)
loss_module = ClipPPOLoss(
    actor=policy_module,
    critic=value_module,
    advantage_key="advantage",
    clip_epsilon=clip_epsilon,
    entropy_bonus=bool(entropy_eps),
    entropy_coef=entropy_eps,
    # these keys match by default but we set this for completeness
    value_target_key=advantage_module.value_target_key,
    critic_coef=1.0,
    gamma=0.99,
    loss_critic_type="smooth_l1",
)
optim = torch.optim.Adam(loss_module.parameters(), 3e-4)

updates = 0
for tensordict_data in collector:
    for _ in range(num_epochs):
        advantage_module(tensordict_data)
        data_view = tensordict_data.reshape(-1)
        assert torch.isfinite(data_view["sample_log_prob"]).all()
        replay_buffer.extend(data_view.cpu())
        for _ in range(frames_per_batch // sub_batch_size):
            subdata = replay_buffer.sample(sub_batch_size)
            loss_vals = loss_module(subdata)
            loss_value = (
                loss_vals["loss_objective"]
                + loss_vals["loss_critic"]
                + loss_vals["loss_entropy"]
            )
            loss_value.backward()
            torch.nn.utils.clip_grad_norm_(loss_module.parameters(), 1.0)
            optim.step()
            optim.zero_grad()
            updates += 1
    assert reward_bounds["reward"].space is not None
    with set_exploration_mode("mean"), torch.no_grad():
        eval_rollout = env.rollout(5, policy_module)
    print(f"reward {eval_rollout['next', 'reward'].mean().item():.3f}")

print(f"trained: {updates} updates, lr {optim.param_groups[0]['lr']}")
