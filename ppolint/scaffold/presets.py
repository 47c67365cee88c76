"""Hyperparameters per environment, with the reasons for them."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ppolint.scaffold.environments import Environment


@dataclass(frozen=True)
class Preset:
    """Hyperparameters of a generated project, and what was measured with them.

    Attributes:
        num_envs: environments of the run, over all workers.
        num_minibatches: gradient steps of an epoch.
        solved_frames: frames after which runs were solved, or "" where it was not measured.
        curve: (frames, mean evaluation return) of a typical run, for the README.
    """

    num_envs: int
    frames_per_batch: int
    num_minibatches: int
    epochs: int
    learning_rate: float
    gamma: float
    lmbda: float
    entropy_coeff: float
    critic_coeff: float
    normalize_observations: bool
    reward_scale: float
    total_frames: int
    eval_every: int
    checkpoint_every: int
    initial_std: float = 1.0
    hidden_sizes: tuple[int, ...] = (64, 64)
    solved_frames: str = ""
    minutes: str = ""
    curve: tuple[tuple[int, float], ...] = ()

    @property
    def minibatch_size(self) -> int:
        """Frames of a gradient step."""
        return self.frames_per_batch // self.num_minibatches

    def fitted_to(self, num_envs: int) -> Preset:
        """Return the preset for another number of environments, with batches of about the same size.

        Every environment gives as many steps as make the batch divisible into the minibatches.
        """
        unit = num_envs * self.num_minibatches
        rounds = max(1, round(self.frames_per_batch / unit))
        return replace(self, num_envs=num_envs, frames_per_batch=unit * rounds)


_DISCRETE = Preset(
    num_envs=8,
    frames_per_batch=1024,
    num_minibatches=4,
    epochs=4,
    learning_rate=5e-4,
    gamma=0.99,
    lmbda=0.95,
    entropy_coeff=0.01,
    critic_coeff=0.25,
    normalize_observations=True,
    reward_scale=1.0,
    total_frames=500_000,
    eval_every=16_384,
    checkpoint_every=65_536,
)
_CONTINUOUS = Preset(
    num_envs=8,
    frames_per_batch=2048,
    num_minibatches=8,
    epochs=10,
    learning_rate=3e-4,
    gamma=0.99,
    lmbda=0.95,
    entropy_coeff=0.0,
    critic_coeff=0.5,
    normalize_observations=True,
    reward_scale=0.1,
    total_frames=1_000_000,
    eval_every=32_768,
    checkpoint_every=65_536,
    initial_std=0.6,
)
_PRESETS = {
    "CartPole-v1": replace(
        _DISCRETE,
        num_envs=16,
        frames_per_batch=512,
        num_minibatches=2,
        learning_rate=1.5e-3,
        normalize_observations=False,
        total_frames=98_304,
        eval_every=2048,
        checkpoint_every=8192,
        solved_frames="4,096 to 16,384 frames (ten seeds)",
        minutes="2 to 20 seconds",
        curve=(
            (2048, 152),
            (4096, 209),
            (6144, 486),
            (8192, 382),
            (10240, 475),
            (12288, 457),
            (14336, 411),
            (16384, 500),
        ),
    ),
    "InvertedDoublePendulum-v5": replace(
        _CONTINUOUS,
        num_envs=16,
        frames_per_batch=256,
        num_minibatches=2,
        learning_rate=1e-3,
        gamma=0.98,
        lmbda=0.8,
        reward_scale=0.05,
        total_frames=131_072,
        eval_every=4096,
        checkpoint_every=8192,
        solved_frames="36,864 to 53,248 frames (four seeds)",
        minutes="one to two minutes",
        curve=(
            (4096, 244),
            (8192, 487),
            (12288, 721),
            (16384, 773),
            (20480, 809),
            (24576, 1337),
            (28672, 2846),
            (32768, 2929),
            (36864, 9336),
            (40960, 9340),
            (45056, 9341),
            (49152, 9360),
        ),
    ),
    "Pendulum-v1": replace(
        _CONTINUOUS,
        frames_per_batch=1024,
        learning_rate=1e-3,
        gamma=0.9,
        initial_std=1.0,
        total_frames=204_800,
        eval_every=8192,
        checkpoint_every=16_384,
    ),
}


def find_preset(environment: Environment) -> Preset:
    """Return the preset of an environment, or the one of its kind of actions."""
    fallback = _DISCRETE if environment.action == "discrete" else _CONTINUOUS
    return _PRESETS.get(environment.env_id, fallback)


def is_tuned(environment: Environment) -> bool:
    """Tell whether the preset was tried on this very environment."""
    return environment.env_id in _PRESETS
