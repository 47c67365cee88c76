"""The training loop as an ordered list of steps: what happens to the data, and where.

A `Story` is one run through the code: the module body, or a function or method that nothing else in
the file calls, with everything it calls looked into. Steps are in order of evaluation; loop bodies
appear once. What a step's `kind` can be:

    collect       a batch of a collector: a loop over it, or `next(...)`
    rollout       env.rollout(...)
    foreign_rollout  the same of something that is not seen; `operand` is what is rolled out
    reset         env.reset()
    env_step      env.step(td), env.step_and_maybe_reset(td)
    advantage     an estimator (or `loss.value_estimator`) is applied
    extend        data goes into a buffer (extend, add)
    sample        rows come out of a buffer: `sample()`, or a loop over the buffer
    empty         the buffer is emptied
    forward       a TensorDict module (policy, critic) is applied
    loss          a loss module is applied
    backward      gradients; `data` is the value they are of
    clip          clip_grad_norm_, clip_grad_value_
    step          an optimiser steps
    zero_grad     gradients are cleared
    schedule      a scheduler steps
    write         `td[key] = x`, `td.set(key, x)`; `name` is the key, `data` the TensorDict
    read          `td[key]`, `td.get(key)` of data with a known origin; `name` is the key
    method        any other method of a component; `method` is its name
    check         check_env_specs
    discard       a TensorDict operation as a statement, its result dropped; `name` is the method
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ppolint.semantics.components import UNKNOWN, Component, Unknown, only
from ppolint.semantics.program import Frame, Function, Loop, Site
from ppolint.semantics.values import Value

if TYPE_CHECKING:
    from ppolint.semantics.objective import Objective
    from ppolint.semantics.paths import Data
    from ppolint.semantics.pipeline import Pipeline

NO_GRAD = frozenset({"torch.no_grad", "torch.inference_mode", "torch.autograd.no_grad"})


@dataclass(eq=False, slots=True)
class Step:
    """One thing that happens. `components` are what it may be done with (UNKNOWN included);
    `operand` is the data as a value; `result` what comes out; `index` its place in the order."""

    pipeline: Pipeline = field(repr=False)
    kind: str
    components: tuple[Component | Unknown | None, ...]
    operand: Value | None
    result: Value
    node: Any = field(repr=False)
    site: Site = field(repr=False)
    index: int
    method: str = ""
    name: Any = None
    args: tuple[Value, ...] = ()
    loop: Loop | None = None  # the loop that a collect or sample step is the head of

    @property
    def component(self) -> Any:
        """The one component it is done with, else UNKNOWN. An attribute that starts as None
        counts as what it is set to later."""
        return only(tuple(c for c in self.components if c is not None))

    @property
    def loops(self) -> tuple[Loop, ...]:
        """The loops around it, outermost first; callers' included, comprehensions not."""
        return tuple(l for l in self.site.loops() if l.kind != "comprehension")

    @property
    def contexts(self) -> tuple[Value, ...]:
        """The `with` items and decorators around it, outermost first."""
        return self.site.contexts

    @property
    def conditions(self) -> tuple[Any, ...]:
        """The (if node, branch) pairs around it, those of the callers included."""
        return conditions(self.site)

    @property
    def span(self) -> tuple[int, int]:
        return self.pipeline.file.at(self.node, self.site)

    @property
    def here(self) -> bool:
        """Whether the code of the step is in the linted file itself."""
        return self.site.frame.module.main

    @property
    def line(self) -> int:
        return self.pipeline.file.source.text.count("\n", 0, self.span[0]) + 1

    @property
    def scope(self) -> str:
        return self.site.frame.scope

    @property
    def data(self) -> Data:
        """Where its data comes from, and what was done to it before this step."""
        return self.pipeline.data(self.operand, self)

    @property
    def no_grad(self) -> bool:
        """Whether it runs without gradients."""
        return self.under(*NO_GRAD)

    @property
    def inference_mode(self) -> bool:
        return self.under("torch.inference_mode")

    def under(self, *dotted: str) -> bool:
        """Whether one of these context managers (or decorators) is around it."""
        return any(self._manager(c) in dotted for c in self.contexts)

    @property
    def exploration(self) -> str | Unknown | None:
        """The innermost `set_exploration_type` around it: "RANDOM", ...; None when there is none."""
        for context in reversed(self.contexts):
            name = self._manager(context) or ""
            if name.rpartition(".")[2] in (
                "set_exploration_type", "set_exploration_mode", "set_interaction_type",
            ):  # fmt: skip
                core = context.core
                if core.op != "call" or len(core.args) < 2:
                    return UNKNOWN
                return self.pipeline.enum_member(core.args[1])
        return None

    @property
    def objective(self) -> Objective:
        """The terms that a backward step takes gradients of."""
        from ppolint.semantics.objective import Objective, objective

        return (
            Objective(complete=False)
            if self.operand is None
            else objective(self.pipeline, self.operand)
        )

    def _manager(self, context: Value) -> str | None:
        core = context.core
        if core.op == "call":
            # torch.no_grad()(f) and torch.no_grad() are the same manager
            callee = core.args[0]
            return self._manager(callee) if callee.op == "call" else callee.dotted
        return core.dotted

    def argument(self, position: int | None, name: str | None) -> Value | Unknown | None:
        """An argument of the call the step is: a value, None when not given, or UNKNOWN."""
        core = self.result.core
        if core.op != "call":
            if position is not None and position < len(self.args):
                return self.args[position]
            return UNKNOWN
        found = self.pipeline.file.argument(self.result, position, name)
        if found is None:
            site = self.pipeline.file.call_site(self.result)
            if site.star or site.double_star:
                return UNKNOWN
        return found


@dataclass(eq=False, slots=True)
class Story:
    """One run through the code; `function` is None for the module body."""

    pipeline: Pipeline = field(repr=False)
    frame: Frame = field(repr=False)
    function: Function | None
    steps: list[Step] = field(default_factory=list)

    @property
    def name(self) -> str:
        return self.function.qualname if self.function is not None else "<module>"

    def of(self, *kinds: str) -> list[Step]:
        """The steps of these kinds, in order."""
        return [s for s in self.steps if s.kind in kinds]

    def with_component(self, component: Component, *kinds: str) -> list[Step]:
        """The steps that may be done with a component."""
        return [
            s for s in self.steps if component in s.components and (not kinds or s.kind in kinds)
        ]

    @property
    def trains(self) -> bool:
        """Whether a loss is computed and its gradients taken."""
        return bool(self.of("loss")) and bool(self.of("backward"))

    def walk(self) -> Iterator[tuple[Step, int]]:
        """Steps with the depth of loops around each."""
        for step in self.steps:
            yield step, len(step.loops)


def conditions(site: Site) -> tuple[Any, ...]:
    """The branches taken to get to a site, in its function and in those that called it."""
    out: list[Any] = []
    current: Site | None = site
    while current is not None:
        out[:0] = current.conditions
        current = current.frame.call_site
    return tuple(out)
