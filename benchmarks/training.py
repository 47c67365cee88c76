"""Generated projects against CleanRL and Stable-Baselines3: frames per second and time to solve.

    python benchmarks/training.py speed --cleanrl CHECKOUT/cleanrl
    python benchmarks/training.py solve --cleanrl CHECKOUT/cleanrl --seeds 10

Every contender lives in a process of its own, with one thread, and takes one batch whenever it is
its turn; the order is reversed in every round. What counts is the CPU time of the process, and
ratios within a round, so that other work on the machine falls on all alike. Evaluation is not
counted. All contenders use the settings of the generated project, as far as they have them; with
`--own-defaults`, each runs as its authors ship it: CleanRL's script with no option but the
environment and the seed, and `PPO("MlpPolicy", env)`.

CleanRL's scripts are not part of this project: `--cleanrl` is the folder of a checkout of
vwxyzjn/cleanrl that has `ppo.py` and `ppo_continuous_action.py`. They run as they are, but for the
TensorBoard writer, which is replaced by one that does nothing, and for a wrapper whose signature
gymnasium has changed. Stable-Baselines3 is `pip install stable-baselines3`; pausing CleanRL's scripts takes
`pip install greenlet`.
"""

from __future__ import annotations

import argparse
import json
import math
import multiprocessing
import os
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

TASKS = {
    "cartpole": ("CartPole-v1", "discrete", 475.0, 2048),
    "pendulum": ("InvertedDoublePendulum-v5", "continuous", 9100.0, 4096),
}
# A contender is a generator: one batch per `next`, which gives the frames of the batch and the
# greedy policy so far, a function from observations (n, d) to actions.
Policy = Callable[[Any], Any]
Batches = Iterator[tuple[int, Policy]]


@dataclass(frozen=True)
class Setting:
    """What a contender needs to know."""

    task: str
    num_envs: int | None
    seed: int
    cleanrl: str
    project: str
    own_defaults: bool = False
    compile: bool = False

    def of(self, contender: str) -> Setting:
        """Return the setting of one contender."""
        return replace(self, compile=contender.endswith("--compile"))

    @property
    def env_id(self) -> str:
        return TASKS[self.task][0]

    @property
    def preset(self) -> Any:
        from ppolint.scaffold.environments import find_environment
        from ppolint.scaffold.presets import find_preset

        preset = find_preset(find_environment(self.env_id))
        return preset if self.num_envs is None else preset.fitted_to(self.num_envs)


def generated(setting: Setting) -> Batches:
    """The project that `ppolint scaffold` makes, without its loggers and checkpoints."""
    import numpy as np
    import torch

    sys.path.insert(0, str(Path(setting.project) / "src"))
    from contender.collection import make_collector
    from contender.config import Config
    from contender.environment import measure_statistics
    from contender.models import make_actor_critic
    from contender.ppo import PPO
    from contender.training import seed_everything
    from torchrl import torchrl_logger
    from torchrl.envs import ExplorationType, set_exploration_type

    torchrl_logger.setLevel("WARNING")
    preset = setting.preset
    config = Config(
        seed=setting.seed,
        num_envs=preset.num_envs,
        frames_per_batch=preset.frames_per_batch,
        total_frames=10_000_000,
        compile=setting.compile,
    )
    seed_everything(config.seed)
    device = torch.device("cpu")
    norm = measure_statistics(config)
    actor, critic = make_actor_critic(config, device)
    ppo = PPO(config, actor, critic, device)

    def act(observation: Any) -> Any:
        observation = torch.as_tensor(observation, dtype=torch.float32)
        if norm is not None:
            observation = ((observation - norm["loc"]) / norm["scale"]).clamp(-10, 10)
        with torch.no_grad(), set_exploration_type(ExplorationType.DETERMINISTIC):
            *_, action, _ = actor(observation=observation)
        action = action.numpy()
        return np.argmax(action, -1) if TASKS[setting.task][1] == "discrete" else action

    collector = make_collector(config, actor, norm, device)
    for data in collector:
        ppo.update(data)
        collector.update_policy_weights_()
        yield data.numel(), act


def cleanrl(setting: Setting) -> Batches:
    """CleanRL's script, stopped after every iteration by a thread switch in its writer."""
    import greenlet

    parent = greenlet.getcurrent()
    script = greenlet.greenlet(lambda: _run_cleanrl(setting, parent))
    while True:
        names = script.switch()
        yield names["args"].batch_size, _cleanrl_policy(names, setting)


def _run_cleanrl(setting: Setting, parent: Any) -> None:
    import runpy
    import types

    import gymnasium as gym

    class Writer:
        """Does nothing, but hands over at the last call of an iteration."""

        def __init__(self, *_: Any) -> None:
            pass

        def add_text(self, *_: Any) -> None:
            pass

        def close(self) -> None:
            pass

        def add_scalar(self, tag: str, *_: Any) -> None:
            if tag == "charts/SPS":
                parent.switch(sys._getframe(1).f_globals)

    stub = types.ModuleType("torch.utils.tensorboard")
    stub.SummaryWriter = Writer  # type: ignore[attr-defined]
    sys.modules["torch.utils.tensorboard"] = stub
    transform = gym.wrappers.TransformObservation
    gym.wrappers.TransformObservation = lambda env, function: transform(  # type: ignore[misc]
        env, function, env.observation_space
    )
    preset = setting.preset
    discrete = TASKS[setting.task][1] == "discrete"
    script = Path(setting.cleanrl) / ("ppo.py" if discrete else "ppo_continuous_action.py")
    sys.argv = [
        str(script),
        f"--env-id={setting.env_id}",
        f"--seed={setting.seed}",
        "--no-cuda",
    ]
    matched = [
        "--total-timesteps=10000000",
        f"--num-envs={preset.num_envs}",
        f"--num-steps={preset.frames_per_batch // preset.num_envs}",
        f"--num-minibatches={preset.num_minibatches}",
        f"--update-epochs={preset.epochs}",
        f"--learning-rate={preset.learning_rate}",
        "--no-anneal-lr",
        f"--gamma={preset.gamma}",
        f"--gae-lambda={preset.lmbda}",
        f"--ent-coef={preset.entropy_coeff}",
        f"--vf-coef={2 * preset.critic_coeff}",  # the script halves the squared error
        "--no-clip-vloss",
    ]
    if not setting.own_defaults:
        sys.argv += matched
    os.environ["CUDA_VISIBLE_DEVICES"] = ""
    with open(os.devnull, "w") as nowhere:
        sys.stdout = nowhere
        runpy.run_path(str(script), run_name="__main__")


def _cleanrl_policy(names: dict[str, Any], setting: Setting) -> Policy:
    import numpy as np
    import torch

    agent, envs = names["agent"], names["envs"]
    if TASKS[setting.task][1] == "discrete":
        return lambda observation: (
            agent.actor(torch.as_tensor(observation, dtype=torch.float32)).argmax(-1).numpy()
        )
    # Each of its environments has its own running statistics: take those of the first.
    env = envs.envs[0]
    while not hasattr(env, "obs_rms"):
        env = env.env
    mean, std = env.obs_rms.mean.copy(), np.sqrt(env.obs_rms.var + 1e-8)

    def act(observation: Any) -> Any:
        scaled = np.clip((observation - mean) / std, -10, 10)
        with torch.no_grad():
            action = agent.actor_mean(torch.as_tensor(scaled, dtype=torch.float32)).numpy()
        return np.clip(action, envs.single_action_space.low, envs.single_action_space.high)

    return act


def stable_baselines3(setting: Setting) -> Batches:
    """Stable-Baselines3, its training loop taken one iteration at a time."""
    import torch
    from stable_baselines3 import PPO
    from stable_baselines3.common.env_util import make_vec_env
    from stable_baselines3.common.vec_env import VecNormalize

    if setting.own_defaults:
        env = make_vec_env(setting.env_id, n_envs=1, seed=setting.seed)
        yield from _sb3_batches(PPO("MlpPolicy", env, seed=setting.seed, device="cpu"))
    preset = setting.preset
    env = make_vec_env(setting.env_id, n_envs=preset.num_envs, seed=setting.seed)
    if preset.normalize_observations:
        env = VecNormalize(env, gamma=preset.gamma)
    model = PPO(
        "MlpPolicy",
        env,
        seed=setting.seed,
        device="cpu",
        n_steps=preset.frames_per_batch // preset.num_envs,
        batch_size=preset.minibatch_size,
        n_epochs=preset.epochs,
        learning_rate=preset.learning_rate,
        gamma=preset.gamma,
        gae_lambda=preset.lmbda,
        ent_coef=preset.entropy_coeff,
        vf_coef=preset.critic_coeff,
        max_grad_norm=0.5,
        policy_kwargs={
            "net_arch": {"pi": list(preset.hidden_sizes), "vf": list(preset.hidden_sizes)},
            "activation_fn": torch.nn.Tanh,
            "log_std_init": math.log(preset.initial_std),
        },
    )
    yield from _sb3_batches(model)


def _sb3_batches(model: Any) -> Batches:
    import numpy as np
    from stable_baselines3.common.vec_env import VecNormalize

    env = model.env
    _, callback = model._setup_learn(10_000_000, None)

    def act(observation: Any) -> Any:
        if isinstance(env, VecNormalize):
            observation = env.normalize_obs(np.asarray(observation))
        return model.predict(observation, deterministic=True)[0]

    while True:
        model.collect_rollouts(env, callback, model.rollout_buffer, n_rollout_steps=model.n_steps)
        model._update_current_progress_remaining(model.num_timesteps, 10_000_000)
        model.train()
        yield model.n_steps * env.num_envs, act


CONTENDERS: dict[str, Callable[[Setting], Batches]] = {
    "generated": generated,
    "generated --compile": generated,
    "CleanRL": cleanrl,
    "Stable-Baselines3": stable_baselines3,
}


def play(act: Policy, env_id: str, episodes: int, seed: int) -> list[float]:
    """Play episodes, the first of each environment, and return their returns."""
    import gymnasium as gym
    import numpy as np

    envs = [gym.make(env_id) for _ in range(episodes)]
    state = np.stack([env.reset(seed=seed + index)[0] for index, env in enumerate(envs)])
    running = np.ones(episodes, dtype=bool)
    returns = np.zeros(episodes)
    while running.any():
        actions = act(state)
        for index in np.flatnonzero(running):
            state[index], reward, terminated, truncated, _ = envs[index].step(actions[index])
            returns[index] += reward
            running[index] = not (terminated or truncated)
    return returns.tolist()


def is_solved(act: Policy, setting: Setting, frames: int) -> bool:
    """Apply the stop rule of the generated project, the same for all contenders."""
    env_id, _, target, _ = TASKS[setting.task]
    if statistics.mean(play(act, env_id, 10, 50_000_000)) < target:
        return False
    returns = play(act, env_id, 100, 60_000_000 + frames)
    error = statistics.stdev(returns) * math.sqrt(1 / 100 + 1 / 20)
    return statistics.mean(returns) - 2 * error >= target


def serve(name: str, setting: Setting, pipe: Connection) -> None:
    """Run a contender in this process: a batch, or an evaluation, for every request."""
    import time

    import torch

    torch.set_num_threads(1)
    batches = CONTENDERS[name](setting)
    act, frames = None, 0
    while (request := pipe.recv()) != "stop":
        if request == "solved":
            pipe.send(is_solved(act, setting, frames))
            continue
        started = time.process_time()
        batch, act = next(batches)
        frames += batch
        pipe.send((batch, time.process_time() - started))
    os._exit(0)


class Contender:
    """A contender in its own process, as the one who gives turns sees it."""

    def __init__(self, name: str, setting: Setting) -> None:
        self.name = name
        self.frames, self.seconds, self.startup = 0, 0.0, 0.0
        self.pipe, theirs = multiprocessing.get_context("spawn").Pipe()
        self.process = multiprocessing.get_context("spawn").Process(
            target=serve, args=(name, setting, theirs), daemon=True
        )
        self.process.start()

    def turn(self) -> float:
        """Let it have one batch; return CPU seconds per frame."""
        self.pipe.send("batch")
        frames, seconds = self.pipe.recv()
        if self.frames == 0:  # imports and building everything, and a batch
            self.startup = seconds
        else:
            self.seconds += seconds
        self.frames += frames
        return seconds / frames

    def solved(self) -> bool:
        """Ask whether its policy solves the task."""
        self.pipe.send("solved")
        return self.pipe.recv()

    def stop(self) -> None:
        """End its process."""
        self.pipe.send("stop")
        self.process.join()


def make_project(task: str, folder: Path) -> None:
    """Generate the project under test as the package `contender`."""
    from ppolint.scaffold.plan import Options, plan_project
    from ppolint.scaffold.render import render_project
    from ppolint.scaffold.write import write_project

    env_id, action, _, _ = TASKS[task]
    plan = plan_project(Options(directory=folder, action=action, env_id=env_id, name="contender"))
    write_project(folder, render_project(plan))


def measure_speed(names: list[str], setting: Setting, rounds: int) -> list[dict[str, Any]]:
    """Give every contender `rounds` turns after three to warm up."""
    contenders = [Contender(name, setting.of(name)) for name in names]
    costs: dict[str, list[float]] = {name: [] for name in names}
    for contender in contenders:
        for _ in range(3):
            contender.turn()
    for index in range(rounds):
        for contender in contenders if index % 2 == 0 else reversed(contenders):
            costs[contender.name].append(contender.turn())
    for contender in contenders:
        contender.stop()
    peers = [name for name in names if not name.startswith("generated")]
    return [
        {
            "contender": name,
            "fps_best": round(1 / min(values)),
            "fps_median": round(1 / statistics.median(values)),
            **{
                f"vs {peer}": round(
                    statistics.median(b / a for a, b in zip(values, costs[peer], strict=True)), 2
                )
                for peer in peers
            },
        }
        for name, values in costs.items()
    ]


def measure_solving(names: list[str], setting: Setting, budget: int) -> list[dict[str, Any]]:
    """Let contenders with one seed take turns until each has solved the task or used its frames."""
    every = TASKS[setting.task][3]
    running = [Contender(name, setting.of(name)) for name in names]
    rows = []
    while running:
        for contender in list(running):
            before = contender.frames
            contender.turn()
            solved = contender.frames // every > before // every and contender.solved()
            if solved or contender.frames >= budget:
                rows.append(
                    {
                        "contender": contender.name,
                        "seed": setting.seed,
                        "solved": solved,
                        "frames": contender.frames,
                        "startup_cpu_seconds": round(contender.startup, 2),
                        "cpu_seconds": round(contender.seconds, 2),
                    }
                )
                contender.stop()
                running.remove(contender)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["speed", "solve"])
    parser.add_argument("--task", choices=TASKS, default="cartpole")
    parser.add_argument("--cleanrl", required=True, help="folder with CleanRL's ppo.py")
    parser.add_argument("--num-envs", type=int, help="instead of the preset's")
    parser.add_argument(
        "--own-defaults", action="store_true", help="let the peers run as they are shipped"
    )
    parser.add_argument("--rounds", type=int, default=40, help="speed: batches of each contender")
    parser.add_argument("--seeds", type=int, default=10, help="solve: seeds 1 to this")
    parser.add_argument("--first-seed", type=int, default=1)
    parser.add_argument("--budget", type=int, default=131_072, help="solve: frames of a run")
    parser.add_argument("--without", action="append", default=[], help="contender to leave out")
    options = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    names = [name for name in CONTENDERS if name not in options.without]
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder) / "project"
        make_project(options.task, project)
        setting = Setting(
            options.task,
            options.num_envs,
            options.first_seed,
            options.cleanrl,
            str(project),
            options.own_defaults,
        )
        if options.what == "speed":
            for row in measure_speed(names, setting, options.rounds):
                print(json.dumps(row), flush=True)
            return
        names = [name for name in names if not name.endswith("--compile")]
        for seed in range(options.first_seed, options.first_seed + options.seeds):
            for row in measure_solving(names, replace(setting, seed=seed), options.budget):
                print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
