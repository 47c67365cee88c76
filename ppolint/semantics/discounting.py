"""Discounted sums without an affine loop: filters, powers, running discounts, calls of itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ppolint.semantics.program import Loop
from ppolint.semantics.recurrence import (
    GAE,
    RETURNS,
    Recursion,
    affine,
    classify,
    is_below_zero,
    is_reversed,
    place_of,
    temporal_difference,
)
from ppolint.semantics.values import Value, alternatives, walk

if TYPE_CHECKING:
    from ppolint.semantics.model import FileModel

_ACCUMULATING = frozenset({"sum", "cumsum"})
_PRODUCTS = frozenset({"matmul", "mm", "dot", "MatrixMultiply"})
_TRIANGLES = frozenset({"triu", "tril"})


def filter_forms(file: FileModel) -> Iterator[Recursion]:
    """`lfilter([1], [1, -c], x[::-1])[::-1]`."""
    for value in file.of_op("fn"):
        if value.data != "scan" or not is_reversed(value.args[1]):
            continue
        coefficient = value.args[0].core
        factors = coefficient.args if coefficient.op == "mul" else (coefficient,)
        if len(factors) < 1 or is_below_zero(coefficient):
            continue
        kind = GAE if len(factors) >= 2 else RETURNS
        for node, site in file.places(value):
            yield Recursion(kind, tuple(factors), False, node, site, filtered=True)


def power_forms(file: FileModel) -> Iterator[Recursion]:
    """sum of c**k * x[k], as a comprehension, a cumulative sum or a matrix product."""
    for value in [*file.of_op("reduce"), *file.of_op("fn")]:
        if value.op == "reduce" and value.data not in _ACCUMULATING:
            continue
        if value.op == "fn" and value.data not in _PRODUCTS:
            continue
        parts: list[Value] = []
        triangular = any(a.core.op == "fn" and a.core.data in _TRIANGLES for a in value.args)
        for arg in value.args:
            core = arg.core
            loops = ()
            if core.op == "comp":
                core = core.args[0].core
                loops = (file.loops[arg.core.data],)  # type: ignore[index]
            parts.extend((f, loops) for f in _product(core))  # type: ignore[misc]
        if len(parts) < 2:
            continue
        for factor, loops in parts:  # type: ignore[misc]
            base = _power_base(factor, loops)
            if base is None and triangular and factor.op == "pow":
                # lags t' - t of one range against itself cancel in the normal form
                base = factor.args[0].core if factor.args[1].number == 0 else None
            if base is None:
                continue
            invariant = base.args if base.op == "mul" else (base,)
            kind = GAE if len(invariant) >= 2 else RETURNS
            errors = [p for p, _ in parts if p is not factor]
            certain = any(temporal_difference((e,), list(invariant)) for e in errors)
            for node, site in file.places(value):
                yield Recursion(kind, tuple(invariant), certain, node, site)
            break
    yield from _augmented_powers(file)
    yield from _augmented_cells(file)
    yield from _undiscounted_sums(file)


def _augmented_cells(file: FileModel) -> Iterator[Recursion]:
    """x[t] += c**k * y[t + k] in a double loop."""
    for event in file.events:
        loops = event.site.loops()
        if event.kind != "augment" or event.key is None or len(loops) < 2:
            continue
        parts = _product(event.value)
        for factor in parts:
            base = _power_base(factor, loops[-1:])
            if base is not None and len(parts) > 1:
                invariant = base.args if base.op == "mul" else (base,)
                kind = GAE if len(invariant) >= 2 else RETURNS
                yield Recursion(kind, tuple(invariant), False, event.node, event.site, stored=True)
                break


def _undiscounted_sums(file: FileModel) -> Iterator[Recursion]:
    """cumsum(x[::-1])[::-1], the reward-to-go without a discount."""
    for value in file.of_op("fn"):
        inner = value.args[0].core if value.data == "flip" and value.args else None
        if inner is not None and inner.op == "reduce" and inner.data == "cumsum":
            if is_reversed(inner.args[0]):
                for node, site in file.places(inner):
                    yield Recursion(RETURNS, (), False, node, site)


def _product(value: Value) -> list[Value]:
    core = value.core
    if core.op == "neg":
        core = core.args[0].core
    if core.op == "mul":
        return [f for a in core.args for f in _product(a)]
    if core.op == "div":
        return _product(core.args[0])
    if core.op == "fn" and core.data in ("flip", "triu", "tril", "cat", "stack"):
        return _product(core.args[0])
    if core.op == "where" and core.args[2].number == 0:
        return _product(core.args[1])
    return [core]


def _power_base(value: Value, loops: tuple[Loop, ...]) -> Value | None:
    """c of c**k, when k counts: the index of the loop, or a range of numbers."""
    if value.op == "fn" and value.data in ("flip", "triu", "tril"):
        return _power_base(value.args[0].core, loops)
    if value.op == "comp":
        return _power_base(value.args[0].core, (*loops,))
    if value.op == "alloc":
        return None
    if value.op == "reduce" and value.data == "cumprod":
        return None
    if value.op != "pow":
        return None
    base, exponent = value.args[0].core, value.args[1].core
    if base.number is not None and not 0 < base.number < 1:
        return None
    mask = 0
    for loop in loops:
        mask |= loop.mask
    counts = bool(exponent.loops & ~base.loops) or any(
        v.op == "call"
        and str(v.args[0].dotted).rpartition(".")[2] in ("arange", "linspace")
        or (v.op == "fn" and v.data in ("range", "arange"))
        for v in walk(exponent)
    )
    if not counts or exponent.number is not None:
        return None
    return base


def _augmented_powers(file: FileModel) -> Iterator[Recursion]:
    """total += c**k * x[k] in a loop over k."""
    for loop in file.loops:
        for carried in list(loop.carried.values()):
            for alternative in alternatives(carried.step):
                if alternative.op != "add" or carried.start not in alternative.args:
                    continue
                rest = [t for t in alternative.args if t is not carried.start]
                for term in rest:
                    if _is_metric(term):
                        continue
                    found = [
                        b for f in _product(term) if (b := _power_base(f, (loop,))) is not None
                    ]
                    if found and len(_product(term)) > 1:
                        base = found[0]
                        invariant = base.args if base.op == "mul" else (base,)
                        kind = GAE if len(invariant) >= 2 else RETURNS
                        place = place_of(file, alternative, loop)
                        if place is not None:
                            yield Recursion(kind, tuple(invariant), False, *place)


def _is_metric(term: Value) -> bool:
    """Whether a sum takes what an environment says at the moment: a score, not a return."""
    return any(v.op == "call" and v.args[0].op == "attr" and v.args[0].data == "step"
               for v in walk(term))  # fmt: skip


def running_forms(file: FileModel) -> Iterator[Recursion]:
    """The double loop: total += d * x[k]; d *= c, started anew for each step of an outer loop."""
    for loop in file.loops:
        if loop.parent is None:
            continue
        for discount in list(loop.carried.values()):
            core = discount.step.core
            if core.op != "mul" or discount.start not in core.args:
                continue
            constant = [f for f in core.args if f is not discount.start and not f.loops & loop.mask]
            if not constant or discount.init.core.number != 1:
                continue
            if not loop.iterable or not loop.iterable.loops & loop.parent.mask:
                continue
            for total in list(loop.carried.values()):
                for alternative in alternatives(total.step):
                    if alternative.op != "add" or total.start not in alternative.args:
                        continue
                    weighted = [t for t in alternative.args if discount.start in _product(t)]
                    if weighted:
                        kind = GAE if len(constant) >= 2 else RETURNS
                        errors = [p for t in weighted for p in _product(t)]
                        certain = any(temporal_difference((e,), constant) for e in errors)
                        place = place_of(file, alternative, loop)
                        if place is not None:
                            yield Recursion(kind, tuple(constant), certain, *place)


def self_calling_forms(file: FileModel) -> Iterator[Recursion]:
    """A function whose result is affine in what it returns for the next step."""
    for event in file.events:
        if event.kind != "return" or event.site.frame.call_site is not None:
            continue
        function = event.site.frame.function
        if function is None:
            continue

        def calls_itself(v: Value, function: Any = function) -> bool:
            if v.op != "call":
                return False
            callee = v.args[0]
            if callee.op == "func":
                return callee.data is function
            return (
                callee.op == "attr"
                and callee.data == function.name
                and function.cls is not None
                and callee.args[0] is function.cls.self_value
            )

        for form in affine(event.value, calls_itself):
            if not form.rest or not form.coefficient:
                continue
            found = classify(form, None)
            if found is not None:
                yield Recursion(*found, event.node, event.site)
                break
