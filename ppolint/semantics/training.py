"""Questions about a training loop that several rules ask of the pipeline."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ppolint.semantics.components import (
    UNKNOWN,
    Buffer,
    Collector,
    Component,
    Environment,
    Estimator,
    Loss,
    Unknown,
)
from ppolint.semantics.hyperparameters import known_number
from ppolint.semantics.paths import Path
from ppolint.semantics.program import Loop
from ppolint.semantics.story import Step, Story
from ppolint.semantics.values import Value

if TYPE_CHECKING:
    from ppolint.semantics.model import FileModel
    from ppolint.semantics.pipeline import Pipeline


# -- losses and their data ----------------------------------------------------------------------
def is_ppo(component: Any) -> bool:
    return isinstance(component, Loss) and component.is_ppo


def ppo_steps(story: Story) -> list[Step]:
    """The steps in which a loss of the PPO family is computed with gradients."""
    return [s for s in story.of("loss") if any(is_ppo(c) for c in s.components) and not s.no_grad]


def on_policy_steps(story: Story) -> list[Step]:
    """Like `ppo_steps`, A2C and Reinforce included."""
    return [
        s for s in story.of("loss")
        if any(isinstance(c, Loss) and c.is_on_policy for c in s.components) and not s.no_grad
    ]  # fmt: skip


def trained_stories(pipeline: Pipeline) -> list[tuple[Story, list[Step]]]:
    """The stories that train a loss of the PPO family, with its steps."""
    return [(s, steps) for s in pipeline.training if (steps := ppo_steps(s))]


def feeding_buffers(pipeline: Pipeline) -> dict[Buffer, tuple[Story, Step]]:
    """The buffers whose samples reach a PPO loss: buffer -> story and loss step."""
    out: dict[Buffer, tuple[Story, Step]] = {}
    for story, steps in trained_stories(pipeline):
        for step in steps:
            for path in step.data.paths:
                if path.origin == "buffer" and isinstance(path.component, Buffer):
                    out.setdefault(path.component, (story, step))
    return out


def trained_rollouts(pipeline: Pipeline) -> set[Value]:
    """The results of `env.rollout` that an estimator or a loss gets, or a buffer that is drawn from."""
    drawn = {c for s in pipeline.steps if s.kind == "sample" for c in s.components}
    out: set[Value] = set()
    for step in pipeline.steps:
        if step.kind in ("advantage", "loss") or (
            step.kind == "extend" and not drawn.isdisjoint(step.components)
        ):
            out.update(p.value.core for p in step.data.paths if p.origin == "rollout")
    return out


def sets_gradients(story: Story) -> bool:
    """Whether gradients are put into `.grad` by hand: projected, averaged, taken from elsewhere."""
    for event in story.pipeline.file.events:
        if event.site.root is not story.frame or event.base is None:
            continue
        if event.kind == "setattr" and event.key == "grad":
            if not (event.value.core.op == "const" and event.value.core.data is None):
                return True
        elif event.kind == "method" and str(event.key) in ("copy_", "add_", "set_", "sub_"):
            base = event.base.core
            while base.op == "attr" and base.data == "data":
                base = base.args[0].core
            if base.op == "attr" and base.data == "grad":
                return True
    return False


# -- sizes --------------------------------------------------------------------------------------
def number(file: FileModel, value: Value | Unknown | None, depth: int = 0) -> float | None:
    """The number a value has, folded through arithmetic over known numbers; else None."""
    if not isinstance(value, Value) or depth > 8:
        return None
    found = known_number(file, value)
    if found is not None:
        return found
    core = value.core
    if core.op in ("mul", "add", "div") or (core.op == "fn" and core.data == "FloorDivide"):
        parts = [number(file, a, depth + 1) for a in core.args]
        if any(p is None for p in parts):
            return None
        total = parts[0]
        for part in parts[1:]:
            if core.op == "mul":
                total *= part  # type: ignore[operator]
            elif core.op == "add":
                total += part  # type: ignore[operator]
            elif not part:
                return None
            else:
                total = total / part if core.op == "div" else total // part  # type: ignore[operator]
        return total
    if core.op == "neg":
        inner = number(file, core.args[0], depth + 1)
        return None if inner is None else -inner
    leaves = file.pipeline.wiring.leaves(value)
    if len(leaves) == 1 and leaves[0] is not core:
        return number(file, leaves[0], depth + 1)
    return None


def factors_of(file: FileModel, value: Value) -> list[Value]:
    """The factors of a product, names and attributes resolved."""
    leaves = file.pipeline.wiring.leaves(value)
    core = leaves[0] if len(leaves) == 1 else value.core
    if core.op == "mul":
        return [f for a in core.args for f in factors_of(file, a)]
    return [core]


# -- environments -------------------------------------------------------------------------------
def is_batched(path: Path) -> bool | Unknown:
    """Whether the data of a collector or rollout has an environment dimension before time."""
    source = path.component
    if isinstance(source, Collector):
        if source.name in ("MultiSyncCollector", "DistributedSyncCollector"):
            layout = source.argument("cat_results")
            if layout is None:
                return True
            return True if source.pipeline.text(layout) == "stack" else UNKNOWN
        if source.flag("split_trajs", False) is True:
            return UNKNOWN  # a row for each trajectory
        envs = source.envs
    elif isinstance(source, Environment):
        envs = (source,)
    else:
        return UNKNOWN
    known = {_has_several_rows(e) for e in envs}
    return known.pop() if len(known) == 1 else UNKNOWN


def _has_several_rows(env: Any) -> bool | Unknown:
    """Whether the data of an environment has a batch dimension: `gym.make_vec` included."""
    if not isinstance(env, Environment):
        return UNKNOWN
    if env.is_batched is not UNKNOWN:
        return env.is_batched
    base = env.base
    wrapped = base.argument("env") if isinstance(base, Environment) else None
    if not isinstance(wrapped, Value):
        return UNKNOWN
    made = [
        leaf.args[0].dotted or ""
        for leaf in env.pipeline.wiring.leaves(wrapped)
        if leaf.op == "call"
    ]
    if made and all(name.endswith(("make_vec", "VectorEnv")) for name in made):
        return True
    return UNKNOWN


# -- loops --------------------------------------------------------------------------------------
def collector_loops(story: Story) -> dict[Loop, Collector]:
    """The loops that get a batch of a collector in every iteration."""
    out: dict[Loop, Collector] = {}
    for step in story.of("collect"):
        component = step.component
        if not isinstance(component, Collector):
            continue
        loop = step.loop
        if loop is None and step.loops:
            loop = step.loops[-1]
        if loop is not None:
            out.setdefault(loop, component)
    return out


def training_loops(story: Story) -> set[Loop]:
    """The outermost loops in which a loss is trained."""
    return {s.loops[0] for s in on_policy_steps(story) if s.loops}


def minibatch_loop(step: Step, story: Story) -> Loop | None:
    """The loop over minibatches around a loss step: the innermost one in which rows are chosen."""
    for loop in reversed(step.loops):
        for other in story.of("sample"):
            if other.loop is loop or (other.loop is None and other.loops[-1:] == (loop,)):
                return loop
    return step.loops[-1] if step.loops else None


# -- contexts -----------------------------------------------------------------------------------
_HARMLESS = (
    "torch.", "torchrl.", "tensordict.", "builtins.", "contextlib.", "functools.", "tqdm", "timeit",
    "time.", "hydra.", "click.", "typer.", "ray.", "wandb.", "warnings.", "logging.",
)  # fmt: skip


def manager(context: Value) -> str:
    """The dotted name of the context manager or decorator that a value is; empty when unseen."""
    core = context.core
    while core.op == "call":
        core = core.args[0].core
    return core.dotted or ""


# What a context manager of the project may do to the steps inside of it, by the words it uses.
GRADIENTS = r"grad|inference|autocast|amp$|compile"
EXPLORATION = r"exploration|interaction"


def only_known_contexts(step: Step, about: str = f"{GRADIENTS}|{EXPLORATION}") -> bool:
    """Whether every `with` and decorator around a step can be seen, or is not `about` this."""
    return all(
        manager(c).startswith(_HARMLESS) or _is_of_something_else(c, about) for c in step.contexts
    )


def _is_of_something_else(context: Value, about: str) -> bool:
    """Whether a context manager is a generator of the project that does not speak of these things:
    it catches signals, takes times, opens files."""
    core = context.core
    while core.op == "call":
        core = core.args[0].core
    if core.op != "func":
        return False
    function: Any = core.data
    if not any((d.dotted or "").endswith("contextmanager") for d in function.decorators):
        return False
    return all(re.search(about, name) is None for name in names_in(function.node))


def names_in(node: Any) -> set[str]:
    """Every name that is written in a piece of syntax, attributes included."""
    from ppolint.semantics.scopes import children

    out, stack = set(), [node]
    while stack:
        current = stack.pop()
        if type(current).__name__ == "Name":
            out.add(current.value)
        stack.extend(children(current))
    return out


def context_of(step: Step, *dotted: str) -> Value | None:
    """The innermost context around a step that is one of these."""
    return next((c for c in reversed(step.contexts) if manager(c) in dotted), None)


# -- optimisation -------------------------------------------------------------------------------
def together(step: Step, story: Story, *kinds: str) -> list[Step]:
    """The steps of these kinds in the same innermost loop (or deeper) as `step`, in order."""
    depth = len(step.loops)
    return [s for s in story.of(*kinds) if s.loops[:depth] == step.loops]


def share(a: Step, b: Step, pipeline: Pipeline) -> bool:
    """Whether two steps may be about the same parameters: one optimiser, or its modules."""
    left, right = reach(a), reach(b)
    if UNKNOWN in left or UNKNOWN in right or not left or not right:
        return True
    return bool(left & right)


def reach(step: Step) -> set[Any]:
    """The components whose parameters a step is about, their parts included."""
    out: set[Any] = set()
    for component in step.components:
        out |= parameters(component)
    return out


def parameters(component: Any) -> set[Any]:
    """A component and everything that has its parameters: members, networks, parts."""
    from ppolint.semantics.components import Module, Optimiser

    if not isinstance(component, Component):
        return {UNKNOWN}
    out: set[Any] = {component}
    if isinstance(component, Optimiser):
        for owned in component.optimises:
            out |= parameters(owned)
        if not component.complete:
            out.add(UNKNOWN)
    elif isinstance(component, Loss):
        for network in (*component.actors, *component.critics):
            out |= parameters(network) if network is not None else set()
    elif isinstance(component, Module):
        out.update(component.walk())
        if component.parent is not None:
            out.add(component.parent)
            out.update(component.parent.walk())  # type: ignore[attr-defined]
        out.discard(None)
        out.discard(UNKNOWN)
    return out


# Methods that only keep what they are given: checkpoints, loggers, containers.
_KEEPERS = frozenset({"register", "save", "load", "watch", "append", "log"})


def has_unseen_use(pipeline: Pipeline, component: Component) -> bool:
    """Whether a component is handed to code that cannot be seen."""
    wanted = component.call.core
    for event in pipeline.file.events:
        if event.kind not in ("call", "method") or event.value.core is wanted:
            continue
        if event.value.core.op != "call" or not event.args:
            continue
        name = event.base.dotted if event.base is not None else None
        root = (name or "").partition(".")[0]
        if root in ("torch", "torchrl", "tensordict", "builtins", "tqdm", "logging", "copy"):
            continue
        if event.kind == "method" and (
            event.key in _KEEPERS or pipeline.candidates(event.base) != (UNKNOWN,)
        ):
            continue
        for argument in event.args:
            if component in pipeline.candidates(argument):
                return True
    return False


def links(pipeline: Pipeline) -> Iterator[tuple[Estimator, Loss]]:
    """Estimators with the PPO losses that get their advantages, in one story."""
    seen: set[tuple[int, int]] = set()
    for story, steps in trained_stories(pipeline):
        applied = [s for s in story.of("advantage") if isinstance(s.component, Estimator)]
        losses = [c for s in steps for c in s.components if is_ppo(c)]
        for step in applied:
            estimator = step.component
            if estimator.loss is not None:
                continue
            fed = {
                c for s in steps if _gets(pipeline, s, estimator) for c in s.components if is_ppo(c)
            }
            if not fed and len(set(losses)) == 1 and len({s.component for s in applied}) == 1:
                fed = set(losses)
            for loss in fed:
                if (id(estimator), id(loss)) not in seen:
                    seen.add((id(estimator), id(loss)))
                    yield estimator, loss  # type: ignore[misc]


def _gets(pipeline: Pipeline, step: Step, estimator: Estimator) -> bool:
    return any(o.component is estimator for p in pipeline.history(step) for o in p.did("advantage"))


# -- other files --------------------------------------------------------------------------------
def importing_pipelines(file: FileModel) -> Iterator[Pipeline]:
    """The pipelines of the training scripts that import this file, each understood once."""
    import os

    from ppolint.semantics.model import ParseError, build
    from ppolint.source.file import read_source

    project = file.project
    if project is None:
        return
    file.searched_project = True
    known: dict[str, Any] = project.__dict__.setdefault("_importing_models", {})
    for path in sorted(project.importers.get(os.path.abspath(file.source.path), ()))[:8]:
        if path not in known:
            text = project.text(path)
            known[path] = None
            if "backward" in text:
                try:
                    known[path] = build(read_source(path), project)
                except (ParseError, OSError):
                    continue  # that file reports it when it is its turn
        if known[path] is not None:
            yield known[path].pipeline


def is_built_by(component: Component, file: FileModel, function: str) -> bool:
    """Whether a component of another file's pipeline is built by a function of this file."""
    import os

    frame = component.site.frame
    mine = os.path.abspath(file.source.path)
    return os.path.abspath(frame.module.path) == mine and frame.scope == function


def told_there(steps: list[Step], components: list[Any]) -> bool:
    """Whether another file has all of it: steps and the components they are about.

    What is wrong there is reported there; here it would be reported a second time, at the call
    that leads to it.
    """
    modules = {id(s.site.frame.module) for s in steps}
    known = [c for c in components if isinstance(c, Component)]
    modules |= {id(c.site.frame.module) for c in known}
    return len(modules) == 1 and not steps[0].here
