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
    out = Objective()
    _collect(pipeline, value.core, (), False, out, 0)
    return out


def _collect(
    pipeline: Pipeline,
    value: Value,
    coefficients: tuple[Value, ...],
    negative: bool,
    out: Objective,
    depth: int,
) -> None:
    core = value.core
    if depth > 12:
        out.complete = False
        return
    if core.op == "neg":
        _collect(pipeline, core.args[0], coefficients, not negative, out, depth + 1)
        return
    if core.op == "add":
        for part in terms(core):
            _collect(pipeline, part, coefficients, negative, out, depth + 1)
        return
    if core.op in ("phi", "after", "where"):
        parts = core.args[1:] if core.op == "where" else core.args
        for part in parts:
            _collect(pipeline, part, coefficients, negative, out, depth + 1)
        out.complete = False
        return
    if core.op in ("mul", "div"):
        found = factors(core)
        carriers = [f for f in found if _reaches_loss(pipeline, f)]
        if len(carriers) == 1:
            rest = tuple(f for f in found if f is not carriers[0])
            if core.op == "div":
                rest = (*rest, core.args[1])
            _collect(pipeline, carriers[0], (*coefficients, *rest), negative, out, depth + 1)
            return
    if core.op == "reduce" and core.data in _NUMBER_KEEPING:
        _reduction(pipeline, core, coefficients, negative, out, depth)
        return
    if core.op == "fn" and core.data in ("stack", "cat"):
        for part in pipeline.wiring.contents(core.args[0]) or ():
            _collect(pipeline, part, coefficients, negative, out, depth + 1)
        return
    found_term = _entry(pipeline, core)
    if found_term is not None:
        loss, call, key = found_term
        out.terms.append(Term(loss, call, key, coefficients, core, negative))
        return
    if core.op == "attr":
        definitions = pipeline.wiring.evaluator.definitions(core)
        if len(definitions) == 1:
            _collect(pipeline, definitions[0], coefficients, negative, out, depth + 1)
            return
    opaque = core.op in ("carry", "unknown", "param", "call", "elem", "item", "attr")
    if opaque or _reaches_loss(pipeline, core):
        out.complete = False
    out.others.append(core)


def _reduction(
    pipeline: Pipeline,
    core: Value,
    coefficients: tuple[Value, ...],
    negative: bool,
    out: Objective,
    depth: int,
) -> None:
    inner = core.args[0].core
    if inner.op == "comp":
        element, iterable = inner.args
        returned = _returned(pipeline, iterable)
        if returned is not None:
            loss, call = returned
            out.terms.append(Term(loss, call, "loss_*", coefficients, core, negative))
            return
        entry = _entry(pipeline, element.core)
        if entry is not None:
            loss, call, _ = entry
            found = _members(pipeline, iterable)
            keys = [k.string for k in found if k.string is not None]
            for key in keys or ["loss_*"]:
                out.terms.append(Term(loss, call, key, coefficients, core, negative))
            out.complete = out.complete and len(keys) == len(found) > 0
            return
    returned = _returned(pipeline, inner)
    if returned is not None:
        loss, call = returned
        out.terms.append(Term(loss, call, "*", coefficients, core, negative))
        return
    held = pipeline.wiring.contents(inner)
    if held:
        for part in held:
            _collect(pipeline, part, coefficients, negative, out, depth + 1)
        return
    _collect(pipeline, inner, coefficients, negative, out, depth + 1)


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
    """(loss, its call, key) of `loss_td[key]` and `loss_td.get(key)`."""
    if core.op == "item":
        base, index = core.args
        key = literal(index)
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
    return (*returned, key if isinstance(key, str) else "loss_*")


def _reaches_loss(pipeline: Pipeline, value: Value, depth: int = 0) -> bool:
    core = value.core
    if depth > 8:
        return False
    if _entry(pipeline, core) is not None or _returned(pipeline, core) is not None:
        return True
    if core.op in ("add", "mul", "neg", "div", "reduce", "phi", "after", "comp", "fn"):
        return any(_reaches_loss(pipeline, a, depth + 1) for a in core.args)
    return False
