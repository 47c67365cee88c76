"""What a recursion is: an affine function of itself, its kind, and its direction in time.

GAE (Schulman et al. 2016, eq. 16) is A[t] = delta[t] + gamma*lambda*A[t+1]; a discounted return is
R[t] = r[t] + gamma*R[t+1]. They are told apart by the coefficient of the recursion: what is the same
in every step (the discount, lambda) is counted, what changes from step to step (the masks of episode
ends) is not. Two invariant factors are GAE, one is a return; where `1 - lambda` weighs the rest it
is a lambda-return.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ppolint.semantics.program import Loop, Site
from ppolint.semantics.values import Value, alternatives, terms, walk

if TYPE_CHECKING:
    from ppolint.semantics.model import FileModel

GAE = "gae"
RETURNS = "returns"


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
    """coefficient * x + rest, for one path through the branches.

    `weighted` are the factors of a product that has something subtracted from x in it, and `inside`
    what that product has of the rest: w, r and -q of w * (x + r - q) + v.
    """

    coefficient: tuple[Value, ...]
    rest: tuple[Value, ...]
    whole: Value
    negative: bool = False
    weighted: tuple[Value, ...] = ()
    inside: tuple[Value, ...] = ()


def affine(value: Value, is_target: Callable[[Value], bool]) -> list[Affine]:
    """`value` as affine functions of the target, one for each branch; empty when it is not."""
    core = value.core
    if is_target(core):
        return [Affine((), (), core)]
    if core.op == "neg":
        return [
            replace(a, rest=tuple(_negated(r) for r in a.rest), whole=core, negative=not a.negative)
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
        return [replace(a, rest=(*others, *a.rest), whole=core) for a in inner]
    if core.op == "mul":
        found = [(f, a) for f in core.args if (a := affine(f, is_target))]
        if len(found) != 1 or sum(_mentions(f, is_target) for f in core.args) != 1:
            return []
        factor, inner = found[0]
        others = tuple(f for f in core.args if f is not factor)
        return [
            replace(
                a,
                coefficient=(*others, *a.coefficient),
                whole=core,
                weighted=(*others, *a.weighted) if any(map(_is_negative, a.rest)) else (),
                inside=a.rest,
            )
            for a in inner
        ]
    if core.op in ("phi", "after"):
        return [a for part in core.args for a in affine(part, is_target)]
    if core.op == "where":
        return [a for part in core.args[1:] for a in affine(part, is_target)]
    if core.op == "fn" and core.data == "nan_to_num":
        return affine(core.args[0], is_target)
    if core.op == "clip" and all(_is_number(bound) for bound in core.args[1:]):
        return affine(core.args[0], is_target)  # against sums that grow without end
    return []


def _is_number(value: Value) -> bool:
    core = value.core
    return core.number is not None or (core.op == "neg" and core.args[0].number is not None)


def _negated(value: Value) -> Value:
    return value.args[0] if value.op == "neg" else value


def _mentions(value: Value, is_target: Callable[[Value], bool]) -> bool:
    return any(is_target(v) for v in walk(value))


def classify(form: Affine, loop: Loop | None) -> tuple[str, tuple[Value, ...], bool] | None:
    """(kind, invariant factors, certain) of a recursion, or None when it is none of ours."""
    if form.negative:
        return None
    mask = loop.mask if loop is not None else 0
    invariant: list[Value] = []
    for factor in _expanded(form.coefficient, mask):
        parts = alternatives(factor)
        if all(is_of_duration(p, mask) for p in parts):
            invariant.append(factor)
            continue
        if any(is_truncated(p) for p in parts):
            return None
        if factor.loops & mask or any(_is_mask(p) for p in _masking(parts)):
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
    if _is_corrected(form, mask) or _is_weighed(form, mask):
        return None
    certain = temporal_difference(form.rest, invariant)
    if certain:
        # the discount is the factor that the temporal difference has too
        shared = {f for t in form.rest for part in _flat(t) if part.op == "mul" for f in part.args}
        invariant.sort(key=lambda f: f.core not in shared)
    if len(invariant) >= 2:
        return GAE, tuple(invariant), certain
    if len(invariant) == 1 and form.rest:
        if certain and _is_advantage(form.rest):
            return GAE, tuple(invariant), True
        if not certain and temporal_difference(form.rest, _masked_discounts(form, mask)):
            return GAE, tuple(invariant), True  # lambda alone: the discount is in the masks
        if not certain and _is_undiscounted_error(form.rest):
            return GAE, tuple(invariant), False  # lambda alone: the discount is 1
        return RETURNS, tuple(invariant), False
    if not invariant and _is_discounted_by_step(form, mask):
        return RETURNS, (), False
    return None


def _is_discounted_by_step(form: Affine, mask: int) -> bool:
    """Whether r[t] + c[t] * x, with a reward and a discount of each step in two arrays."""
    parts = [*form.rest, *form.coefficient]
    if len(form.rest) != 1 or len(form.coefficient) != 1:
        return False
    return all(p.core.op == "item" and p.loops & mask and not _is_mask(p.core) for p in parts)


def is_of_duration(factor: Value, mask: int) -> bool:
    """Whether a discount is for a step that takes its time: gamma ** dt, or exp(-beta * dt)."""
    if factor.op == "pow":
        base, exponent = factor.args
        return bool(not base.loops & mask and base.number != 0 and exponent.loops & mask)
    if factor.op != "exp":
        return False
    rate = factor.args[0].core
    while rate.op == "neg":
        rate = rate.args[0].core
    changing = [bool(part.loops & mask) for part in rate.args] if rate.op == "mul" else []
    return any(changing) and not all(changing)


def _masked_discounts(form: Affine, mask: int) -> list[Value]:
    """The factors of each step in a coefficient: `0.0 if done else gamma`, kept in an array; and
    the arrays, which all errors may have been computed with at once."""
    kept = [f for f in form.coefficient if f.loops & mask and f.core.op == "item"]
    return [*kept, *(f.core.args[0] for f in kept)]


def _masking(parts: list[Value]) -> list[Value]:
    """The alternatives of a factor that may be masks: not the 1 of `lam = config.lam if gae else 1`."""
    others = [p for p in parts if p.number != 1]
    return others if others and not any(p.number == 0 for p in others) else parts


def _is_corrected(form: Affine, mask: int) -> bool:
    """Whether x' = w * (x - q) + v with a weight w of each step: Retrace, as in ACER."""
    outside = [t for t in form.rest if t not in form.inside and not _is_negative(t)]
    weights = [
        w for w in form.weighted if w.loops & mask and not any(map(_is_mask, alternatives(w)))
    ]
    return bool(weights and outside)


def _is_weighed(form: Affine, mask: int) -> bool:
    """Whether the temporal difference errors are weighed by one thing and the recursion by another,
    both of each step: V-trace, also where it cannot be seen how the weights are truncated."""
    changing = {_array(f) for f in form.coefficient if f.loops & mask}
    changing -= {None}
    if not changing:
        return False
    for term in form.rest:
        core = _whole(term.core)
        if core.op != "mul":
            continue
        sums = [f for f in core.args if f.core.op == "add" and any(map(_is_negative, f.core.args))]
        weights = {_array(f) for f in core.args if f not in sums}
        # what also stops the bootstrap of the error itself is a mask
        within = {_array(f) for s in sums for t in s.core.args if t.op == "mul" for f in t.args}
        if not changing - within:
            continue
        if len(sums) == 1 and len(sums[0].core.args) >= 3 and weights and not weights & changing:
            if None not in weights:
                return True
    return False


def _array(value: Value) -> Value | None:
    """The array that a factor is from; None for a mask or a number."""
    core = _whole(value.core)
    if core.op == "item":
        core = core.args[0].core
    if core.number is not None or any(map(_is_mask, alternatives(core))):
        return None
    return core


def _whole(core: Value) -> Value:
    """What was computed for all steps at once, of one of its elements."""
    if core.op in ("item", "elem") and core.args[0].core.op in ("mul", "add"):
        return core.args[0].core
    return core


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
    if value.op in ("min", "max"):
        return all(a.number is None and _is_mask(a) for a in value.args)
    parts = terms(value)
    return (
        len(parts) == 2 and any(p.number == 1 for p in parts) and any(p.op == "neg" for p in parts)
    )


def is_truncated(value: Value) -> bool:
    """A truncated importance weight (V-trace, Retrace, ACER): its clip can be seen.

    An index may be limited too: that says nothing about what is fetched with it. Nor is the mask
    of an episode that ends for one of two reasons, 1 - max(terminated, truncated), nor one that is
    taken to 0 or 1.
    """
    if _is_mask(value) and not any(part.op in ("exp", "div") for part in walk(value)):
        return False
    stack = [value.core]
    while stack:
        core = stack.pop()
        if core.op == "clip" and _is_zero_to_one(core):
            if not any(part.op in ("exp", "div") for part in walk(core, through_calls=True)):
                continue
        if core.op in ("min", "max", "clip", "exp"):
            return True
        if core.op != "call" or core is value.core:
            parts = core.args[:1] if core.op == "item" else core.args
            stack.extend(a.core for a in parts)
    return False


def _is_zero_to_one(clip: Value) -> bool:
    return clip.args[1].number == 0 and clip.args[2].number == 1


def _parts(rest: Iterable[Value]) -> Iterator[Value]:
    for term in rest:
        core = term.args[0].core if term.op == "neg" else term.core
        for alternative in alternatives(core):
            factors = alternative.args if alternative.op == "mul" else (alternative,)
            yield from factors
            for factor in factors:
                if factor.core.op == "add" and len(factors) > 1:
                    yield from _parts(factor.core.args)


def _complement(part: Value, factor: Value) -> bool:
    """Whether `part` is 1 - factor."""
    core = part.core
    if core.number is not None and factor.number is not None:
        return 0 < factor.number < 1 and abs(core.number + factor.number - 1) < 1e-9
    pieces = terms(core)
    return (
        len(pieces) == 2
        and any(p.number == 1 for p in pieces)
        and any(p.op == "neg" and p.args[0] is factor.core for p in pieces)
    )


def temporal_difference(rest: Iterable[Value], invariant: list[Value]) -> bool:
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
        if core.op in ("item", "elem", "comp") or (
            core.op == "fn" and core.data in ("flip", "cat")
        ):
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


def _is_undiscounted_error(rest: Iterable[Value]) -> bool:
    """Whether the rest is r + V' - V, with V' and V from one array."""
    flat = [t for r in rest for t in _flat(r)]
    values = {_container(t.args[0]) for t in flat if t.op == "neg"} - {None}
    positive = [t for t in flat if t.op != "neg"]
    next_values = [
        t
        for t in positive
        for option in (t.args[1:] if t.op == "where" else alternatives(t))
        if _container(option) in values
    ]
    return bool(next_values) and len(positive) > len(next_values)


def _container(value: Value) -> Value | None:
    core = value.core
    return core.args[0].core if core.op == "item" else None


def is_reversed(value: Value | None) -> bool:
    """Whether an iteration over `value` goes backwards."""
    if value is None:
        return False
    core = value.core
    if core.op == "fn":
        if core.data == "flip":
            return not is_reversed(core.args[0])
        if core.data == "range":
            return len(core.args) == 3 and is_below_zero(core.args[2])
        if core.data in ("zip", "enumerate"):
            return any(is_reversed(a) for a in core.args)
        if core.data in ("cat", "stack", "map"):
            return is_reversed(core.args[0])
    if core.op == "call" and core.args[0].op == "attr" and core.args[0].data == "unbind":
        return is_reversed(core.args[0].args[0])
    if core.op == "call" and len(core.args) > 1:
        if (core.args[0].dotted or "").endswith(".unbind"):
            return is_reversed(core.args[1])
        if (core.args[0].dotted or "").endswith(".arange") and len(core.args) == 4:
            return is_below_zero(core.args[3])
        # a progress bar or a list around it: tqdm(reversed(...))
        return any(is_reversed(a) for a in core.args[1:2] if a.core.op == "fn")
    if core.op == "comp":
        return is_reversed(core.args[1])
    if core.op in ("phi", "after"):
        return all(is_reversed(a) for a in core.args)
    if core.op == "item" and core.args[1].op == "slice":
        step = core.args[1].args[2]
        return is_below_zero(step) != is_reversed(core.args[0])
    return False


def is_below_zero(value: Value) -> bool:
    return value.op == "neg" or (value.number is not None and value.number < 0)


def runs_backwards(file: FileModel, loop: Loop, value: Value) -> bool:
    """Whether the recursion in `value` runs from the last step to the first."""
    if loop.kind in ("for", "comprehension") and is_reversed(loop.iterable):
        return True
    counters = [
        c
        for c in loop.carried.values()
        if any(p.number is not None and p.number < 0 for p in terms(c.step))
        and c.start in terms(c.step)
    ]
    if loop.kind == "while":
        return bool(counters) or _pops(file, loop)
    # a forward loop that reads x[T - 1 - t]
    for part in walk(value):
        if part.op == "item" and part.loops & loop.mask:
            index = part.args[1].core
            if index.loops & loop.mask and is_reversed(part.args[0]):
                return True
            indices = index.args if index.op == "tuple" else (index,)
            for one in indices:
                chosen = one.args[0].core if one.op == "item" else one  # those of them that go on
                if any(t.op == "neg" and t.loops & loop.mask for t in terms(chosen)):
                    return True
    return bool(counters) and any(
        c.start in (t.core for t in terms(p.args[1]))
        for c in counters
        for p in walk(value)
        if p.op == "item"
    )


def _pops(file: FileModel, loop: Loop) -> bool:
    return any(
        e.key == "pop" and not e.args and e.site.in_loop(loop) for e in file.events_of("method")
    )


def place_of(file: FileModel, value: Value, loop: Loop | None) -> tuple[Any, Site] | None:
    for node, site in file.places(value):
        if loop is None or site.in_loop(loop):
            return node, site
    return None
