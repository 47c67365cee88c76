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
from typing import TYPE_CHECKING, Any

from ppolint.semantics import catalogue
from ppolint.semantics.program import CallSite, Class, Site
from ppolint.semantics.values import Value

if TYPE_CHECKING:
    from ppolint.semantics.pipeline import Pipeline
    from ppolint.semantics.story import Step


class Unknown:
    """The answer "cannot be seen"; there is one, `UNKNOWN`, and it is falsy."""

    __slots__ = ()

    def __bool__(self) -> bool:
        return False

    def __repr__(self) -> str:
        return "UNKNOWN"


UNKNOWN = Unknown()

# Arguments that may be given as a factory, which then stands for what it builds.
_BUILT = frozenset({"create_env_fn", "policy_factory"})


class Component:
    """One object of the pipeline, as built by one call (or derived from another component)."""

    def __init__(
        self, pipeline: Pipeline, kind: str, name: str, call: Value, cls: Class | None = None
    ) -> None:
        self.pipeline = pipeline
        self.kind = kind
        self.name = name
        self.call = call
        self.cls = cls

    def __repr__(self) -> str:
        return f"<{self.title} {self.label or ''} line {self.line}>"

    @property
    def title(self) -> str:
        """The class as a reader of the code knows it: a subclass of the project by its own name."""
        return self.cls.name if self.cls is not None else self.name

    # -- where ------------------------------------------------------------------------------
    @property
    def site(self) -> Site:
        site = self.call.core.data
        assert isinstance(site, CallSite)
        return site.site

    @property
    def node(self) -> Any:
        """The libcst Call node that builds the component, in the file of `site`."""
        return self.call.core.data.node  # type: ignore[attr-defined]

    @property
    def here(self) -> bool:
        """Whether the component is built in the linted file itself."""
        return self.site.frame.module.main

    @property
    def span(self) -> tuple[int, int]:
        """Offsets of the call, or of the call of this file that leads to it."""
        return self.pipeline.file.at(self.node, self.site)

    @property
    def line(self) -> int:
        """The 1-based line of `span` in the source text."""
        return self.pipeline.file.source.text.count("\n", 0, self.span[0]) + 1

    @cached_property
    def label(self) -> str:
        """The name it is first bound to (`env`, `self.actor`), or an empty string."""
        return self.pipeline.label_of(self)

    # -- arguments --------------------------------------------------------------------------
    @cached_property
    def _bound(self) -> tuple[dict[str, Value], bool]:
        """Argument name -> value, and whether there may be more than can be seen."""
        core = self.call.core
        site = core.data
        assert isinstance(site, CallSite)
        args = core.args[1:]
        bound: dict[str, Value] = {}
        names = self._positional_names()
        for at in range(site.positional):
            if at < len(names):
                bound[names[at]] = args[at]
        bound.update(zip(site.keywords, args[site.positional :]))
        return bound, site.star or site.double_star or self._own_constructor()

    def _positional_names(self) -> tuple[str, ...]:
        if self._own_constructor():
            return ()
        dotted = self.pipeline.file.callee(self.call)
        return catalogue.positional(dotted or "", self.name)

    def _own_constructor(self) -> bool:
        return self.cls is not None and any("__init__" in c.methods for c in self.cls.lineage())

    @property
    def positionals(self) -> tuple[Value, ...]:
        """The positional arguments as written."""
        site = self.call.core.data
        assert isinstance(site, CallSite)
        return self.call.core.args[1 : 1 + site.positional]

    @property
    def arguments(self) -> dict[str, Value]:
        """The arguments that can be seen, under the names they are bound to."""
        return dict(self._bound[0])

    @property
    def sealed(self) -> bool:
        """Whether every argument can be seen: no `**`, and no constructor of the project's own."""
        return not self._bound[1]

    def argument(self, name: str) -> Value | Unknown | None:
        """An argument by its name of today (`SYNONYMS` of other releases included)."""
        bound, more = self._bound
        for candidate in (name, *catalogue.SYNONYMS.get(name, ())):
            if candidate in bound:
                return bound[candidate]
        return UNKNOWN if more else None

    def flag(self, name: str, default: bool) -> bool | Unknown:
        """A boolean argument, or `default` when it is not given."""
        value = self.argument(name)
        if value is None:
            return default
        if isinstance(value, Unknown):
            return UNKNOWN
        found = self.pipeline.constant(value)
        return found if isinstance(found, bool) else UNKNOWN

    def part(self, name: str) -> Component | Unknown | None:
        """The component given as an argument: the only one it can be, else UNKNOWN."""
        return only(self.parts_of(name))

    def parts_of(self, name: str) -> tuple[Component | Unknown | None, ...]:
        """Every component that an argument may be; `(None,)` when it is not given."""
        value = self.argument(name)
        if value is None:
            return (None,)
        if isinstance(value, Unknown):
            return (UNKNOWN,)
        return self.pipeline.candidates(value, self if name in _BUILT else None)

    # -- what is done with it ---------------------------------------------------------------
    def methods(self, *names: str) -> list[Step]:
        """The calls of its methods, in order, over all stories; of any of `names` if given."""
        steps = self.pipeline.method_steps(self)
        return [s for s in steps if s.method in names] if names else list(steps)

    @cached_property
    def keys(self) -> dict[str, Any] | Unknown:
        """What `set_keys` (and the `*_key` arguments) renamed: setting -> key or UNKNOWN."""
        return self.pipeline.renamed_keys(self)


def only(found: tuple) -> Any:
    """The single member of `found`, else UNKNOWN (None when there is none)."""
    distinct = list(dict.fromkeys(found))
    if len(distinct) == 1:
        return distinct[0]
    return UNKNOWN if distinct else None


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
            known = {
                e.is_batched if isinstance(e, Environment) else UNKNOWN for e in self.wrapped
            }
            return known.pop() if len(known) == 1 else UNKNOWN
        if self.name.startswith("Vmas") or self.name.startswith("Isaac"):
            return True
        if self.name in ("GymEnv", "GymWrapper", "DMControlEnv", "DMControlWrapper", "PendulumEnv"):
            workers = self.argument("num_envs") or self.argument("num_workers")
            if self.name in ("GymWrapper", "DMControlWrapper"):
                return self.pipeline.wraps_single_env(self)
            return UNKNOWN if workers is not None else False
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
        return self.argument("spec")

    @cached_property
    def default_interaction(self) -> str | Unknown | None:
        """"RANDOM", "DETERMINISTIC", ... or None when it is not given."""
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
