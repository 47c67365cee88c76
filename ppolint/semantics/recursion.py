"""Discounted recursions over time: generalised advantage estimation and returns.

GAE (Schulman et al. 2016, eq. 16) is A[t] = delta[t] + gamma*lambda*A[t+1]; a discounted return is
R[t] = r[t] + gamma*R[t+1]. Both are affine recursions that run backwards in time. They are told
apart by the coefficient of the recursion: what is the same in every step (the discount, lambda) is
counted, what changes from step to step (the masks of episode ends) is not. Two invariant factors
are GAE, one is a return; where `1 - lambda` weighs the rest it is a lambda-return.

A recursion hides in a variable that a loop carries, in cells of an array, at the end of a list, in
a filter, a power sum, or a function that calls itself. `recursions(file)` finds them all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ppolint.semantics.program import Carried, Frame, Loop, Site
from ppolint.semantics.values import Value, alternatives, terms, walk

if TYPE_CHECKING:
    from ppolint.semantics.model import FileModel

GAE = "gae"
RETURNS = "returns"

_PUSH_FRONT = frozenset({"insert", "appendleft"})
_PUSH = frozenset({"insert", "appendleft", "append"})


@dataclass(frozen=True, slots=True)
class Recursion:
    """One recursion: what it computes, the discounting factors, and where.

    `certain` says that the temporal difference error r + gamma*V' - V is visible in it, so that it
    is GAE whatever the rest of the program is. `stored` says that every step's value is kept, which
    a sum or a polynomial that is evaluated from its end does not do.
    """

    kind: str
    factors: tuple[Value, ...]
    certain: bool
    node: Any
    site: Site
    filtered: bool = False
    stored: bool = False


@dataclass(frozen=True, slots=True)
class Affine:
    """coefficient * x + rest, for one path through the branches."""

    coefficient: tuple[Value, ...]
    rest: tuple[Value, ...]
    whole: Value
    negative: bool = False


# -- affine forms -----------------------------------------------------------------------------
def affine(value: Value, is_target: Callable[[Value], bool]) -> list[Affine]:
    """`value` as affine functions of the target, one for each branch; empty when it is not."""
    core = value.core
    if is_target(core):
        return [Affine((), (), core)]
    if core.op == "neg":
        return [
            Affine(a.coefficient, tuple(_negated(r) for r in a.rest), core, not a.negative)
            for a in affine(core.args[0], is_target)
        ]
    if core.op == "add":
        found: list[tuple[Value, list[Affine]]] = []
        for term in core.args:
            inner = affine(term, is_target)
            if inner:
                found.append((term, inner))
            elif _mentions(term, is_target):
                return []
        if len(found) != 1:
            return []
        term, inner = found[0]
        others = tuple(t for t in core.args if t is not term)
        return [Affine(a.coefficient, (*others, *a.rest), core, a.negative) for a in inner]
    if core.op == "mul":
        found = [(f, a) for f in core.args if (a := affine(f, is_target))]
        if len(found) != 1 or sum(_mentions(f, is_target) for f in core.args) != 1:
            return []
        factor, inner = found[0]
        others = tuple(f for f in core.args if f is not factor)
        return [Affine((*others, *a.coefficient), a.rest, core, a.negative) for a in inner]
    if core.op in ("phi", "after"):
        return [a for part in core.args for a in affine(part, is_target)]
    if core.op == "where":
        return [a for part in core.args[1:] for a in affine(part, is_target)]
    if core.op == "fn" and core.data == "nan_to_num":
        return affine(core.args[0], is_target)
    return []


def _negated(value: Value) -> Value:
    return value.args[0] if value.op == "neg" else value


def _mentions(value: Value, is_target: Callable[[Value], bool]) -> bool:
    return any(is_target(v) for v in walk(value))


# -- classification ---------------------------------------------------------------------------
def classify(form: Affine, loop: Loop | None) -> tuple[str, tuple[Value, ...], bool] | None:
    """(kind, invariant factors, certain) of a recursion, or None when it is none of ours."""
    if form.negative:
        return None
    mask = loop.mask if loop is not None else 0
    invariant: list[Value] = []
    for factor in _expanded(form.coefficient, mask):
        parts = alternatives(factor)
        if any(_is_truncated(p) for p in parts):
            return None
        if factor.loops & mask or any(_is_mask(p) for p in parts):
            continue
        number = factor.number
        if number is not None and not 0 < abs(number) <= 1:
            return None
        if factor.op == "pow":
            return None
        invariant.append(factor)
    if any(_complement(part, factor) for factor in invariant for part in _parts(form.rest)):
        # a lambda-return mixes with 1 - lambda; with that factor alone it is a moving average
        return (RETURNS, tuple(invariant), False) if len(invariant) >= 2 else None
    certain = _temporal_difference(form.rest, invariant)
    if certain:
        # the discount is the factor that the temporal difference has too
        shared = {f for t in form.rest for part in _flat(t) if part.op == "mul" for f in part.args}
        invariant.sort(key=lambda f: f.core not in shared)
    if len(invariant) >= 2:
        return GAE, tuple(invariant), certain
    if len(invariant) == 1 and form.rest:
        if certain and _is_advantage(form.rest):
            return GAE, tuple(invariant), True
        return RETURNS, tuple(invariant), False
    return None


def _expanded(coefficient: tuple[Value, ...], mask: int) -> Iterator[Value]:
    """The factors; of `(mask * gamma)[t]`, computed for all steps at once, those of the product.

    At least one factor of such a product is an array, and no discount: a mask, else the first.
    """
    for factor in coefficient:
        core = factor.core
        base = core.args[0].core if core.op == "item" else None
        if base is None or base.op != "mul" or not core.loops & mask:
            yield factor
            continue
        masks = [f for f in base.args if any(_is_mask(p) for p in alternatives(f))]
        scalars = [f for f in base.args if f not in masks]
        if not masks:
            arrays = [f for f in scalars if not _is_scalar(f)] or scalars[:1]
            scalars = [f for f in scalars if f is not arrays[0]]
        yield from scalars


def _is_scalar(value: Value) -> bool:
    """A number, an attribute or a field of a configuration: what hyperparameters are kept in."""
    return value.number is not None or value.op == "attr"


def _is_mask(value: Value) -> bool:
    """1 - done, not done, a constant 0 or 1, a comparison."""
    if value.op in ("cmp", "not", "and", "or") or value.number in (0, 1):
        return True
    if value.op == "fn" and value.data in ("logical_not", "logical_and", "logical_or"):
        return True
    parts = terms(value)
    return len(parts) == 2 and any(p.number == 1 for p in parts) and any(p.op == "neg" for p in parts)


def _is_truncated(value: Value) -> bool:
    """A truncated importance weight (V-trace, Retrace, ACER): its clip can be seen.

    An index may be limited too: that says nothing about what is fetched with it.
    """
    stack = [value.core]
    while stack:
        core = stack.pop()
        if core.op in ("min", "max", "clip", "exp"):
            return True
        if core.op != "call" or core is value.core:
            parts = core.args[:1] if core.op == "item" else core.args
            stack.extend(a.core for a in parts)
    return False


def _parts(rest: Iterable[Value]) -> Iterator[Value]:
    for term in rest:
        core = term.args[0].core if term.op == "neg" else term.core
        for alternative in alternatives(core):
            yield from alternative.args if alternative.op == "mul" else (alternative,)


def _complement(part: Value, factor: Value) -> bool:
    """Whether `part` is 1 - factor."""
    core = part.core
    pieces = terms(core)
    return len(pieces) == 2 and any(p.number == 1 for p in pieces) and any(
        p.op == "neg" and p.args[0] is factor.core for p in pieces
    )


def _temporal_difference(rest: Iterable[Value], invariant: list[Value]) -> bool:
    """Whether the rest is r + gamma*V' - V with a discount that the coefficient shares."""
    flat = [t for r in rest for t in _flat(r)]
    discounted = any(
        t.op == "mul" and any(f.core in t.args for f in invariant) and not _is_negative(t)
        for t in flat
    )
    return discounted and any(_is_negative(t) for t in flat)


def _flat(value: Value, depth: int = 0) -> list[Value]:
    """The terms of a sum, also of one that was computed for all steps at once and is indexed."""
    out: list[Value] = []
    for alternative in alternatives(value):
        for term in terms(alternative):
            whole = _vectorised(term)
            if whole is not None and depth < 3:
                out.extend(_flat(whole, depth + 1))
            else:
                out.append(term)
    return out


def _vectorised(term: Value) -> Value | None:
    """The sum that `term` is an element of."""
    core = term
    for _ in range(6):
        if core.op in ("item", "elem", "comp") or (core.op == "fn" and core.data in ("flip", "cat")):
            core = core.args[0].core
        else:
            break
    return core if core is not term and core.op == "add" else None


def _is_negative(value: Value) -> bool:
    return value.op == "neg"


def _is_advantage(rest: Iterable[Value]) -> bool:
    """Whether the value that is subtracted is one whose successor is discounted (GAE, lambda=1)."""
    flat = [t for r in rest for t in _flat(r)]
    negative = {_container(t.args[0]) for t in flat if t.op == "neg"}
    positive = {
        _container(f) for t in flat if t.op == "mul" for f in t.args for f in alternatives(f)
    }
    return bool((negative & positive) - {None})


def _container(value: Value) -> Value | None:
    core = value.core
    return core.args[0].core if core.op == "item" else None


# -- direction --------------------------------------------------------------------------------
def is_reversed(value: Value | None) -> bool:
    """Whether an iteration over `value` goes backwards."""
    if value is None:
        return False
    core = value.core
    if core.op == "fn":
        if core.data == "flip":
            return not is_reversed(core.args[0])
        if core.data == "range":
            return len(core.args) == 3 and _is_below_zero(core.args[2])
        if core.data in ("zip", "enumerate"):
            return any(is_reversed(a) for a in core.args)
        if core.data in ("cat", "stack", "map"):
            return is_reversed(core.args[0])
    if core.op == "call" and len(core.args) > 1:
        if (core.args[0].dotted or "").endswith(".arange") and len(core.args) == 4:
            return _is_below_zero(core.args[3])
        # a progress bar or a list around it: tqdm(reversed(...))
        return any(is_reversed(a) for a in core.args[1:2] if a.core.op == "fn")
    if core.op == "comp":
        return is_reversed(core.args[1])
    if core.op in ("phi", "after"):
        return all(is_reversed(a) for a in core.args)
    if core.op == "item" and core.args[1].op == "slice":
        step = core.args[1].args[2]
        return _is_below_zero(step) != is_reversed(core.args[0])
    return False


def _is_below_zero(value: Value) -> bool:
    return value.op == "neg" or (value.number is not None and value.number < 0)


def runs_backwards(file: FileModel, loop: Loop, value: Value) -> bool:
    """Whether the recursion in `value` runs from the last step to the first."""
    if loop.kind in ("for", "comprehension") and is_reversed(loop.iterable):
        return True
    counters = [
        c
        for c in loop.carried.values()
        if any(p.number is not None and p.number < 0 for p in terms(c.step)) and c.start in terms(c.step)
    ]
    if loop.kind == "while":
        return bool(counters) or _pops(file, loop)
    # a forward loop that reads x[T - 1 - t]
    for part in walk(value):
        if part.op == "item" and part.loops & loop.mask:
            index = part.args[1].core
            indices = index.args if index.op == "tuple" else (index,)
            for one in indices:
                if any(t.op == "neg" and t.loops & loop.mask for t in terms(one)):
                    return True
    return bool(counters) and any(
        c.start in (t.core for t in terms(p.args[1]))
        for c in counters
        for p in walk(value)
        if p.op == "item"
    )


def _pops(file: FileModel, loop: Loop) -> bool:
    return any(
        e.kind == "method" and e.key == "pop" and not e.args and e.site.in_loop(loop)
        for e in file.events
    )


# -- finding them -----------------------------------------------------------------------------
def recursions(file: FileModel) -> list[Recursion]:
    """Every recursion of a file, once a place; GAE where a place computes both."""
    best: dict[int, Recursion] = {}
    order: list[int] = []
    for found in _all(file):
        if any(_is_learned(file, factor) for factor in found.factors):
            continue
        node, site = file.here(found.node, found.site)
        key = id(node)
        known = best.get(key)
        if known is None:
            order.append(key)
        elif not (known.kind == RETURNS and found.kind == GAE):
            if not found.certain or known.certain:
                continue
        best[key] = Recursion(
            found.kind, found.factors, found.certain, node, site, found.filtered, found.stored
        )
    return [best[key] for key in order]


def _is_learned(file: FileModel, factor: Value) -> bool:
    """Whether a coefficient is a parameter of a network: a recurrence, with no discount in it."""
    return any(
        option.op == "call" and (option.args[0].dotted or "").endswith("nn.Parameter")
        for part in walk(factor)
        if part.op == "attr"
        for option in file.resolve(part)
    )


def _all(file: FileModel) -> Iterator[Recursion]:
    generic: dict[int, str] = {}
    pending: dict[int, list[Recursion]] = {}
    for found in _raw(file):
        if found.site.frame.call_site is not None:
            pending.setdefault(id(found.node), []).append(found)
            continue
        if generic.get(id(found.node)) != GAE:
            generic[id(found.node)] = found.kind
        yield found
    for node_id, calls in pending.items():
        yield from _of_calls(calls, generic.get(node_id))


def _of_calls(calls: list[Recursion], kind: str | None) -> Iterator[Recursion]:
    """What a helper computes for the arguments of its calls; `kind`: for unknown arguments.

    A helper that always computes the same is judged where it is written. One that computes returns
    for one call and advantages for another is a filter: what it does is the caller's doing.
    """
    kinds = {c.kind for c in calls}
    for found in calls:
        frame = found.site.frame
        if frame.module.main:
            if kind == RETURNS and len(kinds) > 1:
                if found.kind == GAE:
                    yield _at_call(found)
            elif kind is None or kind == found.kind or found.kind == GAE:
                yield found
        elif _decided_by_caller(frame, found):
            yield _at_call(found)


def _at_call(found: Recursion) -> Recursion:
    frame = found.site.frame
    assert frame.call_site is not None
    return Recursion(found.kind, found.factors, found.certain, frame.call, frame.call_site)


def _decided_by_caller(frame: Frame, found: Recursion) -> bool:
    """Whether a helper of another file got its whole coefficient as one argument."""
    if found.kind == RETURNS:
        return found.filtered
    for value in frame.env.values():
        core = value.core
        if core.op == "mul" and set(found.factors) <= set(core.args):
            return True
    return False


def _raw(file: FileModel) -> Iterator[Recursion]:
    carried_nodes: set[int] = set()
    for loop in file.loops:
        if any(_corrects(carried) for carried in loop.carried.values()):
            continue
        for carried in list(loop.carried.values()):
            found = _carried(file, loop, carried)
            if found is not None:
                carried_nodes.add(id(found.node))
                yield found
    yield from _cells(file, carried_nodes)
    yield from _prepended(file)
    yield from _filters(file)
    yield from _power_sums(file)
    yield from _running_discounts(file)
    yield from _self_calls(file)


def _corrects(carried: Carried) -> bool:
    """Whether a recursion is weighed by truncated importance ratios: Retrace and its kin."""
    return any(
        any(_is_truncated(p) for f in form.coefficient for p in alternatives(f))
        for form in affine(carried.step, lambda v: v is carried.start)
    )


def _carried(file: FileModel, loop: Loop, carried: Carried) -> Recursion | None:
    start = carried.start
    for form in affine(carried.step, lambda v: v is start):
        if not form.rest or not form.coefficient:
            continue
        known = classify(form, loop)
        if known is None or not runs_backwards(file, loop, carried.step):
            continue
        place = _place(file, form.whole, loop) or (
            (carried.node, carried.site) if carried.site is not None else None
        )
        if place is None:
            continue
        return Recursion(*known, *place, stored=_is_kept(file, loop, carried))
    return None


def _is_kept(file: FileModel, loop: Loop, carried: Carried) -> bool:
    """Whether the loop puts the carried value of each step into a container."""
    sums = {a for a in alternatives(carried.step)} | {carried.step.core, carried.start}
    for event in file.events:
        if event.kind == "store":
            value = event.value
        elif event.kind == "method" and event.key in _PUSH and event.args:
            value = event.args[-1]
        else:
            continue
        if event.site.in_loop(loop):
            listed = getattr(value.core.data, "items", None) or ()
            parts = [*alternatives(value), *terms(value), *listed]
            held = set(terms(value))
            if any(held >= set(terms(s)) for s in sums if s.op == "add"):
                return True
            if any(p in sums or any(a in sums for a in alternatives(p)) for p in parts):
                return True
    return False


def _place(file: FileModel, value: Value, loop: Loop | None) -> tuple[Any, Site] | None:
    for node, site in file.places(value):
        if loop is None or site.in_loop(loop):
            return node, site
    return None


def _cells(file: FileModel, known_nodes: set[int]) -> Iterator[Recursion]:
    """x[t] = delta[t] + c * x[t+1], and lists that grow at the end they are read from."""
    seen: set[tuple[int, int]] = set()
    for event in file.events:
        if event.kind == "store":
            base, index, value = event.base, event.key, event.value
        elif event.kind == "method" and event.key in _PUSH and event.args:
            base, index, value = event.base, None, event.args[-1]
        elif event.kind == "augment" and event.key is not None:
            base, index, value = event.base, event.key, event.value
        else:
            continue
        loops = event.site.loops()
        if base is None or not loops:
            continue
        loop = loops[-1]
        container = base.core
        place = (id(event.site.statement), id(event.site.frame))
        if place in seen:  # `x[t] += ...` is a change of x[t], and a store to it
            continue

        def is_cell(v: Value, container: Value = container, index: Value | None = index) -> bool:
            if v.op != "item" or v.args[0].core is not container:
                return False
            other = v.args[1].core
            if index is None:
                return other.number in (0, -1)
            return other is not index.core and _is_neighbour(other, index.core)

        for form in affine(value, is_cell):
            if event.kind == "augment":
                form = Affine(form.coefficient, (container,), form.whole, form.negative)
            if not form.rest:
                continue
            found = classify(form, loop)
            if found is None and not form.coefficient and event.kind == "store" and form.rest:
                # an undiscounted reward-to-go
                found = (RETURNS, (), False)
            if found is None:
                continue
            if not (runs_backwards(file, loop, value) or _nested_backwards(file, loops, value)):
                continue
            node, site = _place(file, form.whole, loop) or (event.node, event.site)
            if id(node) not in known_nodes:
                seen.add(place)
                # a sum without a discount is a return in a program about RL only
                yield Recursion(*found, node, site, stored=bool(found[1]))
            break


def _prepended(file: FileModel) -> Iterator[Recursion]:
    """[delta + c * rest[0], *rest]: a list that is built from its end."""
    for value in file.of_op("fn"):
        if value.data != "cat" or len(value.args) != 2:
            continue
        for one, rest in (value.args, value.args[::-1]):
            new, container = one.core, rest.core
            items = getattr(new.data, "items", None) if new.op == "alloc" else None
            if not items or len(items) != 1:
                continue

            def is_end(v: Value, container: Value = container) -> bool:
                return (
                    v.op == "item" and v.args[0].core is container
                    and v.args[1].number in (0, -1)
                )  # fmt: skip

            for form in affine(items[0], is_end):
                places = file.places(value)
                if not form.rest or not form.coefficient or not places:
                    continue
                node, site = places[0]
                loop = next((lp for lp in file.loops if container.loops & lp.mask), None)
                found = classify(form, loop)
                if found is not None:
                    yield Recursion(*found, node, site, stored=True)


def _nested_backwards(file: FileModel, loops: tuple[Loop, ...], value: Value) -> bool:
    return any(runs_backwards(file, loop, value) for loop in loops[:-1])


def _is_neighbour(one: Value, other: Value) -> bool:
    """Whether two indices differ by a constant, in one of their dimensions."""
    if one.op == "tuple" and other.op == "tuple" and len(one.args) == len(other.args):
        different = [(a, b) for a, b in zip(one.args, other.args) if a is not b]
        return len(different) == 1 and _is_neighbour(*different[0])
    a = {t for t in terms(one) if t.number is None}
    b = {t for t in terms(other) if t.number is None}
    return a == b and bool(a)


def _filters(file: FileModel) -> Iterator[Recursion]:
    """`lfilter([1], [1, -c], x[::-1])[::-1]`."""
    for value in file.of_op("fn"):
        if value.data != "scan" or not is_reversed(value.args[1]):
            continue
        coefficient = value.args[0].core
        factors = coefficient.args if coefficient.op == "mul" else (coefficient,)
        if len(factors) < 1 or _is_below_zero(coefficient):
            continue
        kind = GAE if len(factors) >= 2 else RETURNS
        for node, site in file.places(value):
            yield Recursion(kind, tuple(factors), False, node, site, filtered=True)


_ACCUMULATING = frozenset({"sum", "cumsum"})
_PRODUCTS = frozenset({"matmul", "mm", "dot", "MatrixMultiply"})
_TRIANGLES = frozenset({"triu", "tril"})


def _power_sums(file: FileModel) -> Iterator[Recursion]:
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
            certain = any(_temporal_difference((e,), list(invariant)) for e in errors)
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
        v.op == "call" and str(v.args[0].dotted).rpartition(".")[2] in ("arange", "linspace")
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
                        place = _place(file, alternative, loop)
                        if place is not None:
                            yield Recursion(kind, tuple(invariant), False, *place)


def _is_metric(term: Value) -> bool:
    """Whether a sum takes what an environment says at the moment: a score, not a return."""
    return any(v.op == "call" and v.args[0].op == "attr" and v.args[0].data == "step"
               for v in walk(term))  # fmt: skip


def _running_discounts(file: FileModel) -> Iterator[Recursion]:
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
                        certain = any(_temporal_difference((e,), constant) for e in errors)
                        place = _place(file, alternative, loop)
                        if place is not None:
                            yield Recursion(kind, tuple(constant), certain, *place)


def _self_calls(file: FileModel) -> Iterator[Recursion]:
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
