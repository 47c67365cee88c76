"""The parts of a TorchRL pipeline: what each was built from, as far as the code tells.

Three answers are kept apart everywhere:

    a value or component   it is known
    None                   it is certainly not given (the default applies)
    UNKNOWN                it may be given, but cannot be seen (`**kwargs`, a parameter, another
                           package); UNKNOWN is falsy, so `if actor.return_log_prob is False` and
                           `if loss.actor:` are both safe ways to ask

Attributes that name another component come in two forms: `collector.envs` has every alternative
(branches of an `if`), UNKNOWN among them when one cannot be seen; `collector.env` is the only one,
else UNKNOWN. The site of a component may be in another file of the project (`here` is False then);
`span` is the place in the linted file that leads to it.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

from ppolint.semantics import catalogue
from ppolint.semantics.component import UNKNOWN, Component, Unknown, only
from ppolint.semantics.values import Value

__all__ = ["UNKNOWN", "Component", "Unknown", "only"]


class Transform(Component):
    """A transform of an environment (or buffer). `conditional`: appended on some paths only."""

    conditional = False

    @cached_property
    def in_keys(self) -> tuple | Unknown | None:
        return self.pipeline.key_argument(self, "in_keys")

    @cached_property
    def out_keys(self) -> tuple | Unknown | None:
        return self.pipeline.key_argument(self, "out_keys")


class Environment(Component):
    """An environment: a library's, the project's own (`cls`), transformed, or several at once."""

    @cached_property
    def wrapped(self) -> tuple[Environment | Unknown | None, ...]:
        """What a `TransformedEnv` wraps, or what the workers of a batched environment build."""
        if self.name == "TransformedEnv":
            return self.parts_of("env")  # type: ignore[return-value]
        if self.is_parallel:
            return self.parts_of("create_env_fn")  # type: ignore[return-value]
        return ()

    @property
    def is_parallel(self) -> bool:
        """Whether it runs copies of an environment as one batch."""
        return self.name in ("ParallelEnv", "SerialEnv", "MultiThreadedEnv")

    @cached_property
    def base(self) -> Environment | Unknown:
        """The environment under all transforms and workers."""
        inner: Any = self
        for _ in range(8):
            if not isinstance(inner, Environment):
                return UNKNOWN
            if not inner.wrapped:
                return inner
            inner = only(inner.wrapped)
        return UNKNOWN

    @property
    def bases(self) -> tuple[Environment | Unknown, ...]:
        """Every environment that may be under the transforms."""
        out: dict[Any, None] = {}
        seen: set[Environment] = set()
        queue: list[Any] = [self]
        while queue:
            env = queue.pop(0)
            if not isinstance(env, Environment):
                out[UNKNOWN] = None
            elif env not in seen:
                seen.add(env)
                queue.extend(env.wrapped)
                if not env.wrapped:
                    out[env] = None
        return tuple(out)

    @cached_property
    def _transforms(self) -> tuple[tuple[Transform, ...], bool]:
        return self.pipeline.transforms_of(self)

    @property
    def transforms(self) -> tuple[Transform, ...]:
        """The transforms seen, innermost first: `Compose` spread out, appended ones included,
        those of the wrapped environment before its own."""
        return self._transforms[0]

    @property
    def complete(self) -> bool:
        """Whether `transforms` are all there can be."""
        return self._transforms[1]

    def transform(self, *names: str) -> Transform | None:
        """The first transform of one of these classes."""
        for transform in self.transforms:
            if transform.name in names:
                return transform
        return None

    @cached_property
    def env_name(self) -> str | Unknown | None:
        """The id given to a library's environment ("HalfCheetah-v4")."""
        value = self.argument("env_name")
        return self.pipeline.text(value)

    @cached_property
    def is_batched(self) -> bool | Unknown:
        """Whether its data has a leading environment dimension."""
        if self.is_parallel:
            return True
        if self.name == "TransformedEnv":
            known = {e.is_batched if isinstance(e, Environment) else UNKNOWN for e in self.wrapped}
            return known.pop() if len(known) == 1 else UNKNOWN
        if self.name.startswith("Vmas") or self.name.startswith("Isaac"):
            return True
        if self.name in ("GymEnv", "GymWrapper", "DMControlEnv", "DMControlWrapper", "PendulumEnv"):
            workers = self.argument("num_envs") or self.argument("num_workers")
            if self.name in ("GymWrapper", "DMControlWrapper"):
                return self.pipeline.wraps_single_env(self)
            return UNKNOWN if workers is not None else False
        if self.name == "EnvBase" and self.cls is not None:
            from ppolint.semantics.batches import is_batched

            found = is_batched(self.cls)
            return UNKNOWN if found is None else found
        return UNKNOWN


class Module(Component):
    """A TensorDict module with its keys; sequences and actor-critics have `parts`."""

    parent: Component | None = None
    role: str = ""

    @cached_property
    def in_keys(self) -> tuple | Unknown | None:
        """The keys as given; None when they are not given."""
        return self.pipeline.key_argument(self, "in_keys")

    @cached_property
    def out_keys(self) -> tuple | Unknown | None:
        return self.pipeline.key_argument(self, "out_keys")

    @cached_property
    def parts(self) -> tuple[Component | Unknown | None, ...]:
        """The modules it is put together from, in order of execution."""
        return self.pipeline.module_parts(self)

    @property
    def network(self) -> Value | Unknown | None:
        """What a `TensorDictModule` wraps: the network, as a value."""
        return self.argument("module")

    def walk(self) -> list[Component | Unknown]:
        """The module and all its parts, depth first."""
        out: list[Component | Unknown] = []
        queue: list[Any] = [self]
        while queue and len(out) < 64:
            current = queue.pop(0)
            if current is None or current in out and current is not UNKNOWN:
                continue
            out.append(current)
            if isinstance(current, Module):
                queue = [*current.parts, *queue]
        return out

    @property
    def sampler(self) -> Probabilistic | Unknown | None:
        """The part that draws the action; None when certainly nothing does."""
        found: list[Any] = [m for m in self.walk() if isinstance(m, Probabilistic)]
        if found:
            return found[0]
        return UNKNOWN if UNKNOWN in self.walk() else None


class Probabilistic(Module):
    """`ProbabilisticActor` or `ProbabilisticTensorDictModule`: makes a distribution and samples."""

    @cached_property
    def distribution(self) -> str | Unknown | None:
        """Dotted name of the distribution class, as imported."""
        return self.pipeline.dotted(self.argument("distribution_class"))

    @cached_property
    def distributions(self) -> frozenset[str] | Unknown | None:
        """Every distribution class it may have (branches); UNKNOWN when one cannot be seen."""
        value = self.argument("distribution_class")
        if value is None or isinstance(value, Unknown):
            return value
        names = [leaf.dotted for leaf in self.pipeline.resolved(value)]
        return UNKNOWN if None in names else frozenset(names)  # type: ignore[arg-type]

    @property
    def distribution_kwargs(self) -> dict[str, Value] | Unknown | None:
        """The arguments of the distribution by name; None when there are none."""
        return self.pipeline.dictionary(self.argument("distribution_kwargs"))

    @cached_property
    def return_log_prob(self) -> bool | Unknown:
        return self.flag("return_log_prob", False)

    @property
    def log_prob_key(self) -> Value | Unknown | None:
        return self.argument("log_prob_key")

    @property
    def spec(self) -> Value | Unknown | None:
        """None when it is not given, or given as None."""
        found = self.argument("spec")
        if isinstance(found, Value) and found.core is self.pipeline.file.values.none.core:
            return None
        return found

    @cached_property
    def default_interaction(self) -> str | Unknown | None:
        """ "RANDOM", "DETERMINISTIC", ... or None when it is not given."""
        value = self.argument("default_interaction_type")
        return self.pipeline.enum_member(value)


class Collector(Component):
    """What turns environment and policy into batches of frames."""

    @cached_property
    def envs(self) -> tuple[Environment | Unknown | None, ...]:
        """The environments it steps; a factory's result is an environment of its own."""
        return self.parts_of("create_env_fn")  # type: ignore[return-value]

    @property
    def env(self) -> Environment | Unknown | None:
        return only(self.envs)

    @property
    def shares_env(self) -> bool | Unknown:
        """Whether it steps an object that other code holds too (given as an instance)."""
        value = self.argument("create_env_fn")
        if value is None or isinstance(value, Unknown):
            return UNKNOWN
        return self.pipeline.is_instance(value)

    @cached_property
    def policies(self) -> tuple[Module | Unknown | None, ...]:
        if self.argument("policy") is None and self.argument("policy_factory") is not None:
            return self.parts_of("policy_factory")  # type: ignore[return-value]
        return self.parts_of("policy")  # type: ignore[return-value]

    @property
    def policy(self) -> Module | Unknown | None:
        return only(self.policies)

    @property
    def frames_per_batch(self) -> Value | Unknown | None:
        return self.argument("frames_per_batch")

    @property
    def total_frames(self) -> Value | Unknown | None:
        return self.argument("total_frames")

    @property
    def multi_process(self) -> bool:
        return self.name in catalogue.MULTI_PROCESS


class Buffer(Component):
    """A replay buffer, with what it stores and how it samples."""

    @property
    def storage(self) -> Component | Unknown | None:
        return self.part("storage")

    @property
    def sampler(self) -> Component | Unknown | None:
        """None: none is given, which samples at random with replacement."""
        return self.part("sampler")

    @property
    def capacity(self) -> Value | Unknown | None:
        """The size of the storage as a value; None for a buffer without storage (1,000 frames)."""
        storage = self.storage
        if isinstance(storage, Component):
            return storage.argument("max_size")
        return storage

    @property
    def batch_size(self) -> Value | Unknown | None:
        return self.argument("batch_size")

    @property
    def without_replacement(self) -> bool | Unknown:
        """Whether one pass shows each row once."""
        if "Prioritized" in self.name:
            return False
        sampler = self.sampler
        if sampler is UNKNOWN:
            return UNKNOWN
        if sampler is None:
            return False
        return sampler.name in catalogue.WITHOUT_REPLACEMENT  # type: ignore[union-attr]

    @property
    def samples_slices(self) -> bool | Unknown:
        """Whether a sample consists of ordered pieces of trajectories."""
        sampler = self.sampler
        if isinstance(sampler, Component):
            return sampler.name in catalogue.SLICES
        return UNKNOWN if sampler is UNKNOWN else False


class Estimator(Component):
    """An advantage estimator; `loss` is set for one that a loss module made for itself."""

    loss: Loss | None = None

    @property
    def critic(self) -> Module | Unknown | None:
        """The value network; None for GAE over stored values."""
        if self.loss is not None:
            return self.loss.critic
        return self.part("value_network")


class Loss(Component):
    """A loss module."""

    @property
    def is_ppo(self) -> bool:
        """Whether it needs the log-probability of the data: PPO and its variants."""
        return self.name in catalogue.PPO_FAMILY

    @property
    def is_on_policy(self) -> bool:
        return self.name in catalogue.ON_POLICY

    @property
    def actor(self) -> Module | Unknown | None:
        return self.part("actor_network")

    @property
    def critic(self) -> Module | Unknown | None:
        return self.part("critic_network")

    @property
    def actors(self) -> tuple[Module | Unknown | None, ...]:
        return self.parts_of("actor_network")  # type: ignore[return-value]

    @property
    def critics(self) -> tuple[Module | Unknown | None, ...]:
        return self.parts_of("critic_network")  # type: ignore[return-value]


class Optimiser(Component):
    """An optimiser of torch, or `group_optimizers` of several (`members`)."""

    @cached_property
    def members(self) -> tuple[Component | Unknown | None, ...]:
        if self.name != "group_optimizers":
            return (self,)
        return tuple(c for p in self.positionals for c in self.pipeline.candidates(p))

    @cached_property
    def _parameters(self) -> tuple[tuple[Component, ...], bool]:
        return self.pipeline.parameters_of(self)

    @property
    def optimises(self) -> tuple[Component, ...]:
        """The modules and losses whose parameters it was given."""
        return self._parameters[0]

    @property
    def complete(self) -> bool:
        """Whether `optimises` is all it was given."""
        return self._parameters[1]


class Scheduler(Component):
    """A learning-rate scheduler."""

    def _positional_names(self) -> tuple[str, ...]:
        return ("optimizer",)

    @property
    def optimiser(self) -> Optimiser | Unknown | None:
        return self.part("optimizer")


CLASSES: dict[str, type[Component]] = {
    "environment": Environment,
    "transform": Transform,
    "collector": Collector,
    "buffer": Buffer,
    "storage": Component,
    "sampler": Component,
    "estimator": Estimator,
    "loss": Loss,
    "module": Module,
    "optimiser": Optimiser,
    "scheduler": Scheduler,
}
PROBABILISTIC = frozenset({"ProbabilisticActor", "ProbabilisticTensorDictModule"})
