"""What the rules about actors share: which actors reach a loss, which environment they act in."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ppolint.semantics.components import UNKNOWN, Component, Environment, Module, Probabilistic
from ppolint.semantics.values import Value

if TYPE_CHECKING:
    from ppolint.semantics.model import FileModel
    from ppolint.semantics.pipeline import Pipeline

_SPECS = frozenset(
    "action_spec full_action_spec action_spec_unbatched full_action_spec_unbatched "
    "unbatched_action_spec input_spec single_action_spec single_full_action_spec".split()
)


def once(components: Any) -> Iterator[Any]:
    """One component of each constructor call; a factory that is called twice has one."""
    seen = set()
    for component in components:
        if isinstance(component, Component):
            if id(component.node) not in seen:
                seen.add(id(component.node))
                yield component


def built_here(file: FileModel, name: str) -> Iterator[Any]:
    """The modules of one class that this file itself builds."""
    return once(
        m
        for m in file.pipeline.everything
        if isinstance(m, Module) and m.name == name and m.here and m.parent is None
    )


def runs_of(file: FileModel, component: Component) -> list[Any]:
    """What one constructor call builds in every run through it."""
    return [c for c in file.pipeline.everything if c.node is component.node]


def samplers(module: Any) -> list[Probabilistic]:
    """The parts of a module that draw actions."""
    if not isinstance(module, Module):
        return []
    return [part for part in module.walk() if isinstance(part, Probabilistic)]


def where(component: Component) -> str:
    """ " (built in models.py, line 12)" for a component that another file of the project builds."""
    if component.here:
        return ""
    module = component.site.frame.module
    path = module.path.replace("\\", "/").rpartition("/")[2]
    return f" (it is built in {path})"


def environments(actor: Probabilistic) -> tuple[Any, ...]:
    """The environments an actor acts in: that of its spec, else those its policy is run in."""
    pipeline = actor.pipeline
    spec = actor.spec
    if isinstance(spec, Value):
        found = environments_of_spec(pipeline, spec)
        if found:
            return found
    out: dict[Any, None] = {}
    for collector in pipeline.collectors:
        if any(actor in samplers(p) for p in collector.policies):
            out.update(dict.fromkeys(collector.envs))
    for step in pipeline.steps:
        if step.kind != "rollout":
            continue
        policy = step.argument(1, "policy")
        if not isinstance(policy, Value):
            continue
        if any(actor in samplers(p) for p in pipeline.candidates(policy)):
            out.update(dict.fromkeys(step.components))
    return tuple(out)


def environments_of_spec(pipeline: Pipeline, spec: Value) -> tuple[Any, ...]:
    """The environments whose action spec a value is: `env.action_spec`, `Composite(action=...)`."""
    core = spec.core
    for _ in range(8):
        if core.op == "attr" and core.data in _SPECS:
            found = pipeline.candidates(core.args[0])
            return tuple(c for c in found if isinstance(c, Environment)) or found
        if core.op in ("wrap", "item") or (core.op == "attr" and core.data == "space"):
            core = core.args[0].core
            continue
        if core.op == "attr":
            leaves = pipeline.resolved(core)
            if len(leaves) != 1 or leaves[0] is core:
                return ()
            core = leaves[0]
            continue
        if core.op == "call":
            callee = core.args[0]
            if callee.op == "attr" and callee.data in ("to", "clone"):
                core = callee.args[0].core
                continue
            name = (callee.dotted or "").rpartition(".")[2]
            if name in ("Composite", "CompositeSpec") and len(core.args) == 2:
                core = core.args[1].core
                continue
            return ()
        leaves = pipeline.resolved(core)
        if len(leaves) != 1 or leaves[0] is core:
            return ()
        core = leaves[0]
    return ()


def spec_call(pipeline: Pipeline, spec: Any) -> Value | None:
    """The call that makes a spec in the code (`Bounded(...)`), or None."""
    if not isinstance(spec, Value):
        return None
    for leaf in pipeline.resolved(spec):
        if leaf.op != "call":
            return None
        name = (leaf.args[0].dotted or "").rpartition(".")[2]
        if name in ("Composite", "CompositeSpec") and len(leaf.args) == 2:
            return spec_call(pipeline, leaf.args[1])
        return leaf
    return None


def depends_on_branch(actor: Component, env: Component) -> bool:
    """Whether the actor is built on one branch only, while the environment is there on all: the
    test may ask what kind of actions the environment has."""
    from ppolint.semantics.story import conditions

    around = conditions(env.site)
    return any(c not in around for c in conditions(actor.site))


__all__ = [
    "UNKNOWN",
    "built_here",
    "depends_on_branch",
    "environments",
    "once",
    "runs_of",
    "samplers",
    "where",
]
