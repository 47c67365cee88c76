"""Episodes that are stepped by hand: a loop that applies the policy and calls `env.step`.

`env.rollout` is one step of a story; the same written out is two, which belong together: the policy
decides how actions are drawn and whether gradients are kept, the environment is what moves. And
`env.step(td)` writes into the `td` it is given: what it returns need not be taken.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ppolint.semantics.components import Environment, Module
from ppolint.semantics.program import Event, Site
from ppolint.semantics.story import Step, Story, conditions
from ppolint.semantics.values import Value

if TYPE_CHECKING:
    from ppolint.semantics.pipeline import Pipeline


@dataclass(eq=False, slots=True)
class Stepped:
    """One turn of such a loop: `policy` is where the action comes from, `env` where it is sent."""

    policy: Step
    env: Step


def evaluations(pipeline: Pipeline, story: Story) -> Iterator[Stepped]:
    """The turns of hand-written loops between two batches of a collector, from a reset on, of which
    nothing is trained on or kept: an evaluation, whatever it is called."""
    from ppolint.semantics import training

    loops = training.collector_loops(story)
    stepped = [s for s in story.of("env_step") if _inside(s, loops)] if loops else []
    if not stepped:
        return
    kept = _kept(pipeline)
    for step in stepped:
        starts = {p.value.core for p in step.data.paths}
        if not starts or step.data.origin != "reset" or starts & kept:
            continue
        policy = _policy(step, story)
        if policy is not None and not _is_learned_from(pipeline, step, story):
            yield Stepped(policy, step)


def collections(pipeline: Pipeline) -> Iterator[Stepped]:
    """The turns of hand-written loops whose steps are what an on-policy loss is trained on: the
    steps reach it, or no other step of the story can be where its data comes from."""
    from ppolint.semantics import training

    kept = _trained(pipeline)
    for story in pipeline.stories:
        steps = story.of("env_step")
        if not steps or not training.on_policy_steps(story):
            continue
        turns = [
            Stepped(policy, s) for s in steps if (policy := _policy(s, story)) is not None
        ]  # fmt: skip
        elsewhere = story.of("collect", "rollout", "foreign_rollout") or pipeline.collectors
        loops = training.training_loops(story)
        for turn in turns:
            starts = {p.value.core for p in turn.env.data.paths}
            if turn.env.data.origin != "reset" or _is_replaced(turn):
                continue
            only = not elsewhere and len(steps) == 1 and turn.env.loops[0] in loops
            losses = training.on_policy_steps(story)
            if (only or starts & kept) and not training.told_there([turn.policy, *losses], []):
                yield turn


def _is_replaced(turn: Stepped) -> bool:
    """Whether the action that is sent may be another one than the policy wrote."""
    return any(
        o.kind == "opaque" or (o.kind == "write" and "action" in str(o.name))
        for o in turn.env.data.operations()
    )


def _is_learned_from(pipeline: Pipeline, step: Step, story: Story) -> bool:
    """Whether a gradient is taken of what a step returned: through a model of the environment, or of
    log-probabilities times returns."""
    sources = {v.core for v in (step.result, step.operand) if v is not None}
    return any(
        s.operand is not None and _comes_of(pipeline, s.operand, sources)
        for s in story.of("backward")
    )


def _comes_of(pipeline: Pipeline, value: Value, sources: set[Value]) -> bool:
    queue, seen = [value.core], set()
    while queue and len(seen) < 2000:
        core = queue.pop()
        if core in sources:
            return True
        if core in seen:
            continue
        seen.add(core)
        queue.extend(a.core for a in core.args)
        if core.op == "carry":
            queue.extend(v.core for v in pipeline.wiring.carried(core) or ())
    return len(seen) >= 2000


def _inside(step: Step, loops: dict) -> bool:
    """Whether a step is in a loop of its own inside the loop over a collector."""
    return any(l in loops for l in step.loops[:-1]) and step.loops[-1] not in loops


def _trained(pipeline: Pipeline) -> set[Value]:
    """Where data starts that is trained on."""
    return {
        p.value.core
        for step in pipeline.steps if step.kind in ("advantage", "loss", "extend")
        for p in step.data.paths
    }  # fmt: skip


def _kept(pipeline: Pipeline) -> set[Value]:
    """Where data starts that is trained on, or that is put away whole."""
    out = _trained(pipeline)
    for event in pipeline.file.events:
        if event.kind == "method" and event.key in ("append", "put", "add", "extend"):
            stored = event.args
        elif event.kind == "store":
            stored = (event.value,)
        else:
            continue
        for value in stored:
            out.update(
                p.value.core for p in pipeline.data(value).paths
                if p.origin == "reset" and not p.did("key")
            )  # fmt: skip
    return out


def _policy(step: Step, story: Story) -> Step | None:
    """The application of a policy that the data of `env.step` went through in the same turn."""
    applied = {
        o.value.core for p in step.data.paths for o in p.did("module") if o.value is not None
    }
    found = [
        s for s in story.of("forward")
        if s.loops == step.loops and s.index < step.index and s.result.core in applied
        and any(isinstance(c, Module) for c in s.components)
    ]  # fmt: skip
    acting = [
        s for s in found if any(isinstance(c, Module) and c.sampler for c in s.components)
    ]  # fmt: skip
    return (acting or found or [None])[-1]


# What may be done with a TensorDict without changing its root.
_READS = frozenset(
    "get keys items values clone to cpu copy select exclude append reset step step_and_maybe_reset "
    "step_mdp numel is_empty".split()
)


def stepped_in_place(pipeline: Pipeline, data: Value, site: Site) -> bool:
    """Whether a TensorDict was certainly given to `env.step` before a site, in the same function,
    and its root is what it was before."""
    before = [s for s in pipeline.steps if s.kind == "env_step" and s.site.frame is site.frame]
    last = None
    for step in before:
        if not 0 <= step.site.order < site.order or not _is_of_torchrl(step):
            continue
        if _given(pipeline, step.operand) is not data:
            continue
        around, here = step.loops, site.loops()
        if here[: len(around)] == around and set(step.conditions) <= set(conditions(site)):
            last = step
    if last is None:
        return False
    return not any(
        _may_change(pipeline, e, data)
        for e in pipeline.file.events
        if e.site.frame is site.frame and last.site.order < e.site.order < site.order
    )


def _is_of_torchrl(step: Step) -> bool:
    """Whether `step` is that of `EnvBase`, which writes "next" into what it is given."""
    return all(
        isinstance(env, Environment)
        and all(
            isinstance(b, Environment) and (b.cls is None or b.cls.method("step") is None)
            for b in (env, *env.bases)
        )
        for env in step.components
    )


def _given(pipeline: Pipeline, value: Value | None) -> Value | None:
    """The TensorDict that goes in: modules and `set` return the one that they write to."""
    for _ in range(4):
        if value is None or value.op != "call" or len(value.args) < 2:
            break
        found = pipeline.candidates(value.args[0])
        if not found or not all(isinstance(c, Module) for c in found):
            break
        value = value.args[1]
    return value


def _may_change(pipeline: Pipeline, event: Event, data: Value) -> bool:
    """Whether an event may have written at the root of a TensorDict."""
    if event.base is data:
        return event.kind != "method" or event.key not in _READS
    if data not in event.args:
        return False
    if event.kind == "method":
        return event.key not in _READS
    if event.kind == "call" and event.base is not None:
        name = event.base.dotted or ""
        if name.startswith(("builtins.", "torchrl.", "tensordict.", "torch.")):
            return False
        found = pipeline.candidates(event.base)
        return not found or not all(isinstance(c, Module) for c in found)
    return event.kind != "bind"
