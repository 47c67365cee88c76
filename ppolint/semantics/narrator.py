"""Tells the stories: from the events of the evaluator to the steps of `story.py`."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ppolint.semantics.components import UNKNOWN, Component
from ppolint.semantics.lineage import literal
from ppolint.semantics.program import Event, Frame, Loop
from ppolint.semantics.story import Step, Story
from ppolint.semantics.values import Value

if TYPE_CHECKING:
    from ppolint.semantics.pipeline import Pipeline

# (kind of component, method) -> kind of step
_METHODS = {
    ("environment", "rollout"): "rollout",
    ("environment", "reset"): "reset",
    ("environment", "step"): "env_step",
    ("environment", "step_and_maybe_reset"): "env_step",
    ("environment", "check_env_specs"): "check",
    ("collector", "next"): "collect",
    ("buffer", "extend"): "extend",
    ("buffer", "add"): "extend",
    ("buffer", "sample"): "sample",
    ("buffer", "empty"): "empty",
    ("estimator", "forward"): "advantage",
    ("loss", "value_estimator"): "advantage",
    ("loss", "forward"): "loss",
    ("loss", "zero_grad"): "zero_grad",
    ("module", "forward"): "forward",
    ("module", "zero_grad"): "zero_grad",
    ("optimiser", "step"): "step",
    ("optimiser", "zero_grad"): "zero_grad",
    ("scheduler", "step"): "schedule",
}
_CALLED = {"estimator": "advantage", "loss": "loss", "module": "forward"}
_WITH_DATA = frozenset({"extend", "advantage", "loss", "forward", "env_step"})
_FUNCTIONS = {
    "clip_grad_norm_": "clip",
    "clip_grad_value_": "clip",
    "clip_grad_norm": "clip",
    "check_env_specs": "check",
}
# Packages whose functions do not write into a TensorDict they are given.
_HARMLESS = frozenset(
    "builtins torch numpy math tqdm logging wandb torchrl tensordict time os".split()
)
# Methods of a TensorDict whose result is the point of calling them.
_OUT_OF_PLACE = frozenset(
    "to cpu cuda reshape view flatten permute squeeze unsqueeze select exclude clone detach "
    "contiguous float double half expand transpose split gather".split()
)


class Narrator:
    """Builds the stories of one file, in one pass over its events."""

    def __init__(self, pipeline: Pipeline) -> None:
        self.pipeline = pipeline
        self.file = pipeline.file
        self.stories: dict[int, Story] = {}
        self.unseen: dict[Value, list[tuple[int, Event]]] = {}
        self.untold: list[Event] = []  # of methods run on their own that a story looks into as well
        self._loops: set[tuple[int, int]] = set()
        self._index = 0

    def tell(self) -> list[Story]:
        """The stories worth telling, the module's first: each statement is in the most complete."""
        looked_into = set()
        for event in self.file.events:
            frame = event.site.frame
            while frame.caller is not None:
                if frame.function is not None:
                    looked_into.add(id(frame.function.node))
                frame = frame.caller
        for at, event in enumerate(self.file.events):
            root = event.site.root
            if root.function is not None and (
                root.function.name == "<lambda>" or id(root.function.node) in looked_into
            ):
                self.untold.append(event)
                continue
            self._index = at
            story = self._story(root)
            self._enter_loops(story, event)
            self._tell(story, event)
        return list(self.stories.values())

    def overhear(self, events: list[Event]) -> list[Step]:
        """The steps in events that are in no story: what factories do."""
        story = Story(self.pipeline, self.file.evaluator.frame, None)
        for event in events:
            self._tell(story, event)
        return story.steps

    def _story(self, root: Frame) -> Story:
        key = id(root) if root.function is not None else 0
        story = self.stories.get(key)
        if story is None:
            story = self.stories[key] = Story(self.pipeline, root, root.function)
        return story

    def _step(self, story: Story, kind: str, components: Any, event: Event, **more: Any) -> Step:
        step = Step(
            self.pipeline,
            kind,
            tuple(components),
            more.pop("operand", None),
            more.pop("result", event.value),
            more.pop("node", event.node),
            event.site,
            self._index,
            args=event.args,
            **more,
        )
        story.steps.append(step)
        return step

    # -- loops ------------------------------------------------------------------------------
    def _enter_loops(self, story: Story, event: Event) -> None:
        loop: Loop | None = event.site.loop
        fresh: list[Loop] = []
        while loop is not None:
            if (id(story), loop.bit) in self._loops:
                break
            self._loops.add((id(story), loop.bit))
            fresh.append(loop)
            loop = loop.parent
        for entered in reversed(fresh):
            if entered.iterable is not None and entered.kind == "for":
                self._loop_over(story, event, entered)

    def _loop_over(self, story: Story, event: Event, loop: Loop) -> None:
        assert loop.iterable is not None
        iterable = self.pipeline.iterable(loop.iterable)
        for component in self.pipeline.candidates(iterable):
            if isinstance(component, Component) and component.kind in ("collector", "buffer"):
                kind = "collect" if component.kind == "collector" else "sample"
                result = self.file.values.make("elem", (iterable,), loop.bit, loops=loop.mask)
                self._step(
                    story, kind, (component,), event, result=result, node=loop.node.iter,
                    loop=loop, method="__iter__", operand=result,
                )  # fmt: skip

    # -- events -----------------------------------------------------------------------------
    def _tell(self, story: Story, event: Event) -> None:
        if event.kind == "call":
            self._call(story, event)
        elif event.kind == "method":
            self._method(story, event)
        elif event.kind == "store":
            key = literal(event.key) if isinstance(event.key, Value) else None
            if event.base is not None and event.base.core.op != "alloc":
                self._step(story, "write", (), event, operand=event.base, name=key)

    def _call(self, story: Story, event: Event) -> None:
        callee = event.base
        assert callee is not None
        if callee.op == "ref":
            self._named(story, event, str(callee.data))
            return
        if callee.op == "attr":
            # a bound method under a name of its own: `estimate = loss.value_estimator`
            bound = replace(event, kind="method", base=callee.args[0], key=callee.data)
            self._method(story, bound)
            return
        if callee.op in ("func", "class"):
            return
        self._apply(story, event, self.pipeline.candidates(callee))

    def _apply(self, story: Story, event: Event, found: tuple) -> None:
        """A call of an object: of a module, an estimator, a loss, or of something unseen."""
        for component in found:
            if isinstance(component, Component) and component.kind in _CALLED:
                operand = event.args[0] if event.args else None
                if operand is None:
                    operand = self.pipeline.given(event.value, "tensordict", "td", "data")
                self._step(story, _CALLED[component.kind], found, event, operand=operand)
                return
        if event.args:
            self._unseen(event)

    def _unseen(self, event: Event) -> None:
        """Note that data went into something that may have changed it."""
        for arg in event.args:
            self.unseen.setdefault(arg, []).append((self._index, event))

    def _named(self, story: Story, event: Event, dotted: str) -> None:
        name = dotted.rpartition(".")[2]
        kind = _FUNCTIONS.get(name)
        if kind == "clip":
            operand = _first(event)
            if operand is None:
                operand = self.pipeline.given(event.value, "parameters")
            owners, complete = self.pipeline.owners(operand)
            found = owners if complete else (*owners, UNKNOWN)
            self._step(story, kind, found, event, name=name)
        elif kind == "check":
            operand = _first(event)
            if operand is None:
                operand = self.pipeline.given(event.value, "env")
            found = self.pipeline.candidates(operand) if operand is not None else (UNKNOWN,)
            self._step(story, kind, found, event)
        elif name == "backward" and event.args:
            self._step(story, "backward", (), event, operand=event.args[0], method=name)
        elif dotted == "builtins.next" and event.args:
            found = self.pipeline.candidates(self.pipeline.iterable(event.args[0]))
            for component in found:
                if isinstance(component, Component) and component.kind in ("collector", "buffer"):
                    kind = "collect" if component.kind == "collector" else "sample"
                    self._step(story, kind, found, event, operand=event.value, method="next")
                    return
        elif dotted.partition(".")[0] not in _HARMLESS:
            self._unseen(event)

    def _method(self, story: Story, event: Event) -> None:
        base, name = event.base, str(event.key)
        assert base is not None
        held = self.pipeline.held(base, name)
        if held is not None:
            self._apply(story, event, held)
            return
        found = self.pipeline.candidates(base)
        known = [c for c in found if isinstance(c, Component)]
        if known:
            kind = _METHODS.get((known[0].kind, name), "method")
            operand = _first(event) if kind in _WITH_DATA else None
            if kind in _WITH_DATA and operand is None:
                operand = self.pipeline.given(event.value, "tensordict", "data", "td")
            if kind in ("sample", "collect", "rollout", "reset"):
                operand = event.value
            self._step(story, kind, found, event, operand=operand, method=name)
            return
        if name == "rollout":
            self._step(story, "foreign_rollout", found, event, operand=base, method=name)
        elif name == "backward":
            operand = event.args[0] if event.args and self._is_helper(base) else base
            self._step(story, "backward", (), event, operand=operand, method=name)
        elif name == "step":
            self._unknown_step(story, event)
        elif name == "zero_grad":
            self._step(story, "zero_grad", found, event, method=name)
        elif name in ("set", "set_") and event.args and literal(event.args[0]) is not None:
            key = literal(event.args[0])
            self._step(story, "write", (), event, operand=base, name=key, method=name)
        elif name in _OUT_OF_PLACE and _is_statement(event):
            self._step(story, "discard", (), event, operand=base, name=name, method=name)

    def _is_helper(self, base: Value) -> bool:
        """Whether `base.backward(x)` is a Fabric or Accelerator, not a tensor with a gradient."""
        core = base.core
        return core.op not in ("add", "mul", "reduce", "div", "item", "neg")

    def _unknown_step(self, story: Story, event: Event) -> None:
        for arg in event.args:
            found = self.pipeline.candidates(arg)
            if any(isinstance(c, Component) and c.kind == "optimiser" for c in found):
                self._step(story, "step", found, event, method="step")
                return
        if not event.args and self.pipeline.candidates(event.base) == (UNKNOWN,):
            self._step(story, "step", (UNKNOWN,), event, method="step")


def _first(event: Event) -> Value | None:
    return event.args[0] if event.args else None


def _is_statement(event: Event) -> bool:
    body = getattr(event.site.statement, "body", ())
    if not isinstance(body, (list, tuple)):
        return False
    return any(type(s).__name__ == "Expr" and s.value is event.node for s in body)
