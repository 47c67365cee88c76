"""Sums of c**k * x[k]: comprehensions, cumulative sums, matrix products, convolutions, loops."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ppolint.semantics.power_bases import listed_base, parts_of_product, power_base
from ppolint.semantics.program import Loop, Site
from ppolint.semantics.ratios import is_exponential_ratio
from ppolint.semantics.recurrence import GAE, RETURNS, Recursion, place_of, temporal_difference
from ppolint.semantics.undiscounted import is_log_likelihood, undiscounted_sums
from ppolint.semantics.values import Value, alternatives, terms, walk
from ppolint.semantics.values import factors as factors_of

if TYPE_CHECKING:
    from ppolint.semantics.model import FileModel

_ACCUMULATING = frozenset({"sum", "cumsum"})
_PRODUCTS = frozenset({"matmul", "mm", "bmm", "dot", "MatrixMultiply", "einsum"})
_CONVOLUTIONS = frozenset(f"torch.nn.functional.conv{n}d" for n in (1, 2))
_LOGGING = frozenset({"add_scalar", "add_scalars", "log_metric", "log_scalar"})
_TRIANGLES = frozenset({"triu", "tril"})


def power_forms(file: FileModel) -> Iterator[Recursion]:
    """sum of c**k * x[k], as a comprehension, a cumulative sum or a matrix product."""
    windows: set[tuple] = set()  # the full window of a step, and the shorter one at the end
    for value in [*file.of_op("reduce"), *file.of_op("fn")]:
        if value.op == "reduce" and value.data not in _ACCUMULATING:
            continue
        if value.op == "fn" and value.data not in _PRODUCTS:
            continue
        if value.data == "einsum" and not _contracts(value):
            continue
        if _is_reported(file, value):
            continue
        parts: list[Value] = []
        matrix = value.op == "fn" and value.data != "dot"
        triangular = matrix or any(
            a.core.op == "fn" and a.core.data in _TRIANGLES for a in value.args
        )
        for arg in value.args:
            core = arg.core
            loops = ()
            if core.op == "comp":
                core = core.args[0].core
                loops = (file.loops[arg.core.data],)  # type: ignore[index]
            parts.extend((f, loops) for f in parts_of_product(core))  # type: ignore[misc]
        if len(parts) < 2:
            continue
        invariant: list[Value] = []
        errors: list[Value] = []
        for factor, loops in parts:  # type: ignore[misc]
            base = power_base(factor, loops) or listed_base(file, factor)
            if base is None and triangular and factor.op == "pow":
                # lags t' - t of one range against itself cancel in the normal form
                base = factor.args[0].core if factor.args[1].number == 0 else None
            if base is None:
                errors.append(factor)
            else:
                invariant.extend(base.args if base.op == "mul" else (base,))
        if not invariant or not errors or _is_weighted_loss(errors) or _is_polynomial(parts):
            continue
        if any(map(_is_of_ring, errors)):
            continue
        kind = GAE if len(invariant) >= 2 else RETURNS
        certain = any(temporal_difference((e,), invariant) for e in errors)
        for node, site in file.places(value):
            if _are_of_iteration(parts, site):
                continue
            window = (site.frame, site.loops(), kind, tuple(invariant))
            if not site.loops() or window not in windows:
                windows.add(window)
                yield Recursion(kind, tuple(invariant), certain, node, site)
    yield from _convolutions(file)
    yield from _augmented_powers(file)
    yield from _augmented_cells(file)
    yield from undiscounted_sums(file)


def _are_of_iteration(parts: list, site: Site) -> bool:
    """Whether all powers are one number in each iteration of the loop around: a step of a search."""
    around = 0
    for loop in site.loops():
        around |= loop.mask
    exponents = [f.args[1].core for f, _ in parts if f.op == "pow"]
    return bool(exponents) and all(
        e.loops and not e.loops & ~around and not any(p.op == "call" for p in walk(e))
        for e in exponents
    )


def _augmented_cells(file: FileModel) -> Iterator[Recursion]:
    """x[t] += c**k * y[t + k] in a double loop."""
    for event in file.events_of("augment"):
        loops = event.site.loops()
        if event.key is None or len(loops) < 2:
            continue
        if _is_metric(event.value) or any(_is_simulated(event.value, lp) for lp in loops):
            continue
        parts = parts_of_product(event.value)
        running = _running_discounts(loops[-1])
        for factor in parts:
            base = power_base(factor, loops[-1:])
            invariant = running.get(factor, ())
            if base is not None:
                invariant = base.args if base.op == "mul" else (base,)
            if invariant and len(parts) > 1:
                kind = GAE if len(invariant) >= 2 else RETURNS
                yield Recursion(kind, tuple(invariant), False, event.node, event.site, stored=True)
                break


def _is_of_ring(rewards: Value) -> bool:
    """Whether rewards are fetched from a ring: the n-step target of a replay memory."""
    return any(
        part.op == "item" and any(p.op == "fn" and p.data == "Modulo" for p in walk(part.args[1]))
        for part in walk(rewards)
    )


def _is_of_window(file: FileModel, rewards: Value) -> bool:
    """Whether rewards are of steps that are taken from the front of a deque one by one: the n-step
    targets of a replay memory."""
    fronts = [
        event.base.core
        for event in file.events_of("method")
        if event.key == "popleft" and event.base is not None
    ]
    return bool(fronts) and any(part in fronts for part in walk(rewards))


def _is_polynomial(parts: list) -> bool:
    """Whether the exponents count in different loops: a polynomial of two variables."""
    counters = {f.args[1].core.loops for f, _ in parts if f.op == "pow"} - {0}
    return len(counters) > 1


def _is_weighted_loss(errors: list[Value]) -> bool:
    """Whether rewards weigh logarithms of probabilities, or ratios of them: a policy loss. A
    logarithm by itself is the reward of an imitator."""
    return len(errors) > 1 and any(
        is_log_likelihood(e) or is_exponential_ratio(e) or is_exponential_ratio(_less_one(e))
        for e in errors
    )


def _less_one(value: Value) -> Value:
    """`x` of 1 - x."""
    rest = [t for t in terms(value) if t.number is None]
    return rest[0].args[0].core if len(rest) == 1 and rest[0].op == "neg" else value


def _contracts(einsum: Value) -> bool:
    """Whether an einsum sums over something: "ij,jb->ib", but not the outer product "i,j->ij"."""
    inputs, arrow, output = (einsum.args[0].string or "").replace(" ", "").partition("->")
    return bool(arrow) and bool(set(inputs) - set(output) - {",", "."})


def _convolutions(file: FileModel) -> Iterator[Recursion]:
    """conv1d(x, powers of c): a filter that looks ahead."""
    for value in file.of_op("call"):
        if value.args[0].dotted not in _CONVOLUTIONS or len(value.args) < 3:
            continue
        for factor in parts_of_product(value.args[2]):
            base = power_base(factor, ())
            if base is not None:
                invariant = base.args if base.op == "mul" else (base,)
                kind = GAE if len(invariant) >= 2 else RETURNS
                call = file.call_site(value)
                yield Recursion(kind, tuple(invariant), False, call.node, call.site)


def _augmented_powers(file: FileModel) -> Iterator[Recursion]:
    """total += c**k * x[k] in a loop over k."""
    for loop in file.loops:
        for carried in list(loop.carried.values()):
            seen = False  # the branches of one sum are one finding
            for alternative in alternatives(carried.step):
                if seen or alternative.op != "add" or carried.start not in alternative.args:
                    continue
                rest = [t for t in alternative.args if t is not carried.start]
                for term in rest:
                    if _is_metric(term) or _is_simulated(term, loop, carried.start):
                        continue
                    if _is_of_ring(term) or _is_of_window(file, term):
                        continue
                    factors = [(f, power_base(f, (loop,))) for f in parts_of_product(term)]
                    found = [base for _, base in factors if base is not None]
                    # a line search takes shorter and shorter steps along one direction
                    summed = any(
                        f.loops & loop.mask and not _is_power(f, loop) for f in factors_of(term)
                    )  # also by the slices that the loop moves
                    if found and summed and not _is_minimised(file, loop, carried.start):
                        base = found[0]
                        invariant = base.args if base.op == "mul" else (base,)
                        kind = GAE if len(invariant) >= 2 else RETURNS
                        place = place_of(file, alternative, loop)
                        if place is not None and not seen:
                            seen = True
                            yield Recursion(kind, tuple(invariant), False, *place)


def _is_power(factor: Value, loop: Loop) -> bool:
    return any(power_base(part, (loop,)) is not None for part in parts_of_product(factor))


def _is_minimised(file: FileModel, loop: Loop, total: Value) -> bool:
    """Whether what a loop sums up is a loss by itself, or a part of one, that no log-probability
    weighs: errors of a model, of which later ones count less."""
    for event in file.events_of("method"):
        if event.key != "backward" or event.base is None:
            continue
        queue = [event.base.core]
        for value in queue:
            if value is total or (value.op == "after" and total in _totals(loop, value)):
                return True
            if value.op in ("add", "neg", "div", "phi", "after", "where", "reduce"):
                queue.extend(a.core for a in value.args)
            elif value.op == "mul" and sum(not _is_setting(a.core) for a in value.args) == 1:
                queue.extend(a.core for a in value.args)
    return False


def _is_setting(core: Value) -> bool:
    return (
        core.number is not None
        or core.op == "attr"
        or (core.op == "div" and _is_setting(core.args[0].core))
    )


def _totals(loop: Loop, after: Value) -> set[Value]:
    """The variable of a loop that a value is left over from."""
    return {c.start for c in loop.carried.values() if c.step.core in [a.core for a in after.args]}


def _is_metric(term: Value) -> bool:
    """Whether a sum takes what an environment says at the moment: a score, not a return."""
    return any(v.op == "call" and v.args[0].op == "attr" and v.args[0].data == "step"
               for v in walk(term))  # fmt: skip


def _is_simulated(term: Value, loop: Loop, total: Value | None = None) -> bool:
    """Whether what is summed comes of a state that the loop takes from step to step: a planner tries
    actions on a model, and nothing was recorded."""
    starts = {
        c.start
        for c in loop.carried.values()
        if c.start is not total and not _counts_or_discounts(c.start.core, c.step.core)
    }
    return any(v in starts for v in walk(term, through_calls=True))


def _counts_or_discounts(start: Value, step: Value) -> bool:
    """Whether a variable is multiplied by something in each step, or counts the steps."""
    if step.op not in ("mul", "add") or start not in step.args:
        return False
    return step.op == "mul" or all(a is start or a.number is not None for a in step.args)


def _is_reported(file: FileModel, value: Value) -> bool:
    """Whether a number is only written to a log."""
    users = file.users(value)
    return bool(users) and all(
        u.op == "call" and u.args[0].op == "attr" and u.args[0].data in _LOGGING for u in users
    )


def _running_discounts(loop: Loop) -> dict[Value, tuple[Value, ...]]:
    """d of `d = d * c` in a loop over the steps after one, d being 1 at first, with its c."""
    out: dict[Value, tuple[Value, ...]] = {}
    if loop.parent is None:
        return out
    for carried in loop.carried.values():
        core = carried.step.core
        if core.op != "mul" or carried.start not in core.args or carried.init.core.number != 1:
            continue
        constant = [f for f in core.args if f is not carried.start]
        if loop.iterable is None or not loop.iterable.loops & loop.parent.mask:
            continue
        if not any(f.loops & loop.mask for f in constant):
            out[carried.start] = tuple(constant)
    return out
