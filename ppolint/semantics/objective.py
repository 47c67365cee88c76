"""What the gradients are taken of: the terms of the sum that `backward()` is called on."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ppolint.semantics.components import Component
from ppolint.semantics.lineage import literal
from ppolint.semantics.values import Value, factors, terms

if TYPE_CHECKING:
    from ppolint.semantics.pipeline import Pipeline

# Operations on what a loss returned that leave its entries what they are.
_SAME_ENTRIES = frozenset({"method", "copy", "device", "cast"})
EVERY, FILTERED = "*", "loss_*"
_NUMBER_KEEPING = frozenset({"mean", "sum", "nanmean", "nansum"})


@dataclass(eq=False, slots=True)
class Term:
    """One term: entry `key` of what `loss` returned in `call`, times `coefficients`.

    `key` is "loss_*" for all entries that are filtered by a condition, and "*" for the sum of
    every entry, diagnostics included.
    """

    loss: Component
    call: Value
    key: str
    coefficients: tuple[Value, ...]
    value: Value
    negative: bool = False


@dataclass(eq=False, slots=True)
class Objective:
    """The terms of one backward pass; `complete` when there is nothing else in the sum that could
    be a term of a TorchRL loss."""

    terms: list[Term] = field(default_factory=list)
    others: list[Value] = field(default_factory=list)
    complete: bool = True

    @property
    def keys(self) -> frozenset[str]:
        return frozenset(t.key for t in self.terms)

    @property
    def losses(self) -> tuple[Component, ...]:
        return tuple(dict.fromkeys(t.loss for t in self.terms))


def objective(pipeline: Pipeline, value: Value) -> Objective:
    """The terms of a value that `backward()` is called on."""
    sum_ = _Sum(pipeline)
    sum_.collect(value.core, (), False, 0)
    return sum_.out


class _Sum:
    """Takes a sum apart. `accumulating` are the loops over which a variable adds up: there its
    value at the start of an iteration is what is collected anyway."""

    def __init__(self, pipeline: Pipeline) -> None:
        self.pipeline = pipeline
        self.out = Objective()
        self.accumulating: set[object] = set()
        self.filtered = False

    def collect(
        self, core: Value, coefficients: tuple[Value, ...], negative: bool, depth: int
    ) -> None:
        core = core.core
        below = depth + 1
        if depth > 12:
            self.out.complete = False
        elif core.op == "neg":
            self.collect(core.args[0], coefficients, not negative, below)
        elif core.op == "add":
            for part in terms(core):
                self.collect(part, coefficients, negative, below)
        elif core.op == "after":
            self._accumulated(core, coefficients, negative, below)
        elif core.op in ("phi", "where"):
            self._branches(core, coefficients, negative, below)
        elif core.op == "carry" and core.data[0] in self.accumulating:  # type: ignore[index]
            return
        elif core.op in ("mul", "div") and self._scaled(core, coefficients, negative, below):
            return
        elif core.op == "reduce" and core.data in _NUMBER_KEEPING:
            self._reduction(core, coefficients, negative, below)
        elif core.op == "fn" and core.data in ("stack", "cat"):
            for part in self.pipeline.wiring.contents(core.args[0]) or ():
                self.collect(part, coefficients, negative, below)
        elif not self._term(core, coefficients, negative):
            self._other(core, coefficients, negative, below)

    def _accumulated(
        self, core: Value, coefficients: tuple[Value, ...], negative: bool, depth: int
    ) -> None:
        """A variable after the loop in which it adds up."""
        init, step = core.args
        self.accumulating.add(core.data)
        self.collect(init, coefficients, negative, depth)
        self.collect(step, coefficients, negative, depth)
        self.accumulating.discard(core.data)

    def _branches(
        self, core: Value, coefficients: tuple[Value, ...], negative: bool, depth: int
    ) -> None:
        """Alternatives. One that leaves an accumulating variable alone makes a filter of the
        other; any others make the sum depend on the branch."""
        parts = core.args[1:] if core.op == "where" else core.args
        rest = [p for p in parts if not self._untouched(p.core)]
        outer = self.filtered
        if len(rest) < len(parts):
            self.filtered = True
        if len(rest) != 1 or len(rest) == len(parts):
            self.out.complete = False
        for part in rest:
            self.collect(part, coefficients, negative, depth)
        self.filtered = outer

    def _untouched(self, core: Value) -> bool:
        return core.op == "carry" and core.data[0] in self.accumulating  # type: ignore[index]

    def _scaled(
        self, core: Value, coefficients: tuple[Value, ...], negative: bool, depth: int
    ) -> bool:
        found = factors(core)
        carriers = [f for f in found if _reaches_loss(self.pipeline, f)]
        if len(carriers) != 1:
            self._other(core, coefficients, negative, depth)
            return True
        rest = tuple(f for f in found if f is not carriers[0])
        if core.op == "div":
            rest = (*rest, core.args[1])
        self.collect(carriers[0], (*coefficients, *rest), negative, depth)
        return True

    def _term(self, core: Value, coefficients: tuple[Value, ...], negative: bool) -> bool:
        """Add the terms that an entry of what a loss returned stands for."""
        entry = _entry(self.pipeline, core)
        if entry is None:
            return False
        loss, call, key = entry
        keys = [key]
        if key == EVERY and core.op == "item" and core.args[1].core.op == "elem":
            # loss_td[key] for each of some keys
            members = _members(self.pipeline, core.args[1].core.args[0])
            known = [m.string for m in members if m.string is not None]
            self.out.complete = self.out.complete and len(known) == len(members) > 0
            keys = known or [FILTERED]
        elif key == EVERY and self.filtered:
            keys = [FILTERED]
        self.out.terms += [Term(loss, call, k, coefficients, core, negative) for k in keys]
        return True

    def _other(
        self, core: Value, coefficients: tuple[Value, ...], negative: bool, depth: int
    ) -> None:
        if core.op == "attr":
            definitions = self.pipeline.wiring.evaluator.definitions(core)
            if len(definitions) == 1:
                self.collect(definitions[0], coefficients, negative, depth)
                return
        opaque = core.op in ("carry", "unknown", "param", "call", "elem", "item", "attr")
        if opaque or _reaches_loss(self.pipeline, core):
            self.out.complete = False
        self.out.others.append(core)

    def _reduction(
        self, core: Value, coefficients: tuple[Value, ...], negative: bool, depth: int
    ) -> None:
        """`sum(...)` and `mean(...)` of a comprehension, a loss TensorDict or a list."""
        inner = core.args[0].core
        if inner.op == "comp":
            outer = self.filtered
            self.filtered = outer or _has_filter(self.pipeline, inner)
            self.collect(inner.args[0], coefficients, negative, depth)
            self.filtered = outer
            return
        returned = _returned(self.pipeline, inner)
        if returned is not None:
            loss, call = returned
            key = FILTERED if _is_selected(inner) else EVERY
            self.out.terms.append(Term(loss, call, key, coefficients, core, negative))
            return
        for part in self.pipeline.wiring.contents(inner) or (inner,):
            self.collect(part, coefficients, negative, depth)


def _has_filter(pipeline: Pipeline, comprehension: Value) -> bool:
    """Whether a comprehension has an `if`."""
    part = pipeline.wiring.evaluator.loops[comprehension.data].node  # type: ignore[index]
    part = getattr(part, "for_in", None)
    while part is not None:
        if part.ifs:
            return True
        part = part.inner_for_in
    return False


def _is_selected(core: Value) -> bool:
    """Whether a view of a TensorDict goes through `select` or `exclude`."""
    while core.op == "call" and core.args[0].op == "attr":
        if core.args[0].data in ("select", "exclude"):
            return True
        core = core.args[0].args[0].core
    return False


def _members(pipeline: Pipeline, value: Value) -> list[Value]:
    """The keys in a list or tuple, however it is put together."""
    out: list[Value] = []
    for leaf in pipeline.wiring.leaves(value):
        if leaf.op == "tuple":
            out.extend(m for a in leaf.args for m in _members(pipeline, a))
        elif leaf.op != "alloc":
            out.append(leaf)
    return out


def _returned(pipeline: Pipeline, value: Value) -> tuple[Component, Value] | None:
    """(loss, its call) when a value is the TensorDict that a loss returned, or a view of it."""
    core = value.core
    method = core.args[0] if core.op == "call" else core
    if method.op == "attr" and method.data in ("items", "values", "keys", "select", "exclude"):
        return _returned(pipeline, method.args[0])
    for path in pipeline.lineage.paths(core):
        for operation in reversed(path.operations):
            if operation.kind in _SAME_ENTRIES:
                continue
            known = isinstance(operation.component, Component) and operation.value is not None
            if operation.kind == "loss" and known:
                return operation.component, operation.value  # type: ignore[return-value]
            break
    return None


def _entry(pipeline: Pipeline, core: Value) -> tuple[Component, Value, str] | None:
    """(loss, its call, key) of `loss_td[key]`, `loss_td.get(key)`, and an element of its values;
    the key is `EVERY` where it is not a literal."""
    if core.op == "item" and core.args[0].core.op == "elem":
        base, key = core.args[0].core.args[0], None  # element 1 of an item
    elif core.op == "item":
        base, key = core.args[0], literal(core.args[1])
    elif core.op == "elem":
        base, key = core.args[0], None
    elif core.op == "call" and core.args[0].op == "attr" and core.args[0].data in ("get", "pop"):
        base = core.args[0].args[0]
        key = literal(core.args[1]) if len(core.args) > 1 else None
    elif core.op == "attr":
        base, key = core.args[0], str(core.data)
    else:
        return None
    returned = _returned(pipeline, base)
    if returned is None:
        return None
    return (*returned, key if isinstance(key, str) else EVERY)


def _reaches_loss(pipeline: Pipeline, value: Value, depth: int = 0) -> bool:
    core = value.core
    if depth > 8:
        return False
    if _entry(pipeline, core) is not None or _returned(pipeline, core) is not None:
        return True
    if core.op in ("add", "mul", "neg", "div", "reduce", "phi", "after", "comp", "fn"):
        return any(_reaches_loss(pipeline, a, depth + 1) for a in core.args)
    return False
