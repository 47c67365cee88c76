"""What is known of normalisers: which environments have them, and who gives them statistics."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ppolint.semantics.components import UNKNOWN, Environment, Transform, Unknown
from ppolint.semantics.values import Value

if TYPE_CHECKING:
    from ppolint.semantics.model import FileModel
    from ppolint.semantics.program import Event

RUNNING = frozenset({"VecNorm", "VecNormV2"})
_STATISTICS = frozenset({"init_stats", "load_state_dict"})
_NUMBERS = frozenset({"loc", "scale"})
_USES = frozenset({"rollout", "reset", "env_step"})


def is_bare(norm: Transform) -> bool:
    """Whether an `ObservationNorm` is certainly built without statistics."""
    if norm.cls is not None or not norm.sealed:
        return False
    return all(
        norm.argument(name) is None or norm.pipeline.constant(norm.argument(name)) is None
        for name in ("loc", "scale")
    )


def used_environments(file: FileModel) -> Iterator[Environment]:
    """The environments that data is made with, those of collectors first."""
    pipeline = file.pipeline
    seen: dict[Any, None] = {}
    for collector in pipeline.collectors:
        seen.update(dict.fromkeys(collector.envs))
    for step in pipeline.steps:
        if step.kind in _USES:
            seen.update(dict.fromkeys(step.components if len(step.components) == 1 else ()))
    for env in seen:
        if isinstance(env, Environment):
            yield env


def statistics(file: FileModel) -> Iterator[tuple[Event, tuple[Any, ...]]]:
    """What gives a normaliser its numbers, with the transforms it may be of: `init_stats`,
    `load_state_dict`, `norm.loc = loc`, `norm.register_buffer("loc", loc)`."""
    pipeline = file.pipeline
    for event in (*file.events, *pipeline.wiring.events):
        if event.base is None:
            continue
        if event.kind == "method" and event.key == "register_buffer":
            gives = bool(event.args) and event.args[0].string in _NUMBERS
        elif event.kind == "method":
            gives = event.key in _STATISTICS
        else:
            gives = event.kind == "setattr" and event.key in _NUMBERS
        if gives:
            yield event, behind(file, event.base, event.site.order)


def behind(file: FileModel, value: Value, order: int) -> tuple[Any, ...]:
    """The transforms that a value may be at a time: a name, `env.transform[0]`, `env.transform`."""
    pipeline = file.pipeline
    core = value.core
    if core.op == "item":
        owner = core.args[0].core
        index = core.args[1].number
        if owner.op == "attr" and owner.data == "transform" and isinstance(index, int):
            out: list[Any] = []
            for env in pipeline.candidates(owner.args[0]):
                own = _own(env, order)
                out.append(
                    own[index] if own is not None and -len(own) <= index < len(own) else UNKNOWN
                )
            return tuple(out)
        return (UNKNOWN,)
    if core.op == "attr" and core.data == "transform":
        out = []
        for env in pipeline.candidates(core.args[0]):
            own = _own(env, order)
            out.extend(own if own is not None else (UNKNOWN,))
        return tuple(out)
    return pipeline.candidates(value)


def _own(env: Any, order: int) -> tuple[Transform, ...] | None:
    """The transforms that the outermost `TransformedEnv` alone has at a time (others are appended
    later); None when they are not all seen."""
    if not isinstance(env, Environment) or not env.complete:
        return None
    inner = [t for e in env.wrapped if isinstance(e, Environment) for t in e.transforms]
    return tuple(t for t in env.transforms if t not in inner and t.site.order <= order)


def initialised(file: FileModel, env: Environment, norm: Transform) -> bool | Unknown:
    """Whether a normaliser is given statistics somewhere."""
    for event, found in statistics(file):
        if norm in found:
            return True
        if UNKNOWN in found:
            # the state of a module, an optimiser or a loss is nobody's here
            if event.key != "init_stats" and not may_be_transform(event):
                continue
            return UNKNOWN
    if elsewhere(file, env):
        return UNKNOWN
    return False


def may_be_transform(event: Event) -> bool:
    """Whether the name of what a state is loaded into speaks of environments or transforms."""
    core = event.base.core if event.base is not None else None
    names = []
    while core is not None:
        if core.op == "attr":
            names.append(str(core.data))
            core = core.args[0].core
        elif core.op == "item":
            core = core.args[0].core
        else:
            names.append(str(core.data[1]) if core.op == "param" else "")
            break
    return any(word in name.lower() for name in names for word in ("transform", "env", "norm"))


def elsewhere(file: FileModel, env: Environment) -> bool:
    """Whether the environment is given to something of another package, or to a function that is
    not looked into."""
    for event in file.events_of("call"):
        if event.base is None:
            continue
        if event.base.op == "func":
            result = event.value.core
            if result.op != "call" or result.args[0].core is not event.base.core:
                continue
        elif event.base.op != "ref":
            continue
        elif str(event.base.data).startswith(("torchrl.", "torch.", "builtins.", "tensordict.")):
            continue
        if any(env in file.pipeline.candidates(a) for a in event.args):
            return True
    return False
