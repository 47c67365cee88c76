"""Discounted sums without an affine loop: filters, powers, running discounts, calls of itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from ppolint.semantics.operations import elements
from ppolint.semantics.program import Event, Loop
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
_PRODUCTS = frozenset({"matmul", "mm", "bmm", "dot", "MatrixMultiply", "einsum"})
_CONVOLUTIONS = frozenset(f"torch.nn.functional.conv{n}d" for n in (1, 2))
_LOGGING = frozenset({"add_scalar", "add_scalars", "log_metric", "log_scalar"})
_PUSHES = frozenset({"insert", "append", "appendleft"})
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
            parts.extend((f, loops) for f in _product(core))  # type: ignore[misc]
        if len(parts) < 2:
            continue
        invariant: list[Value] = []
        errors: list[Value] = []
        for factor, loops in parts:  # type: ignore[misc]
            base = _power_base(factor, loops) or _listed_base(file, factor)
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
            window = (site.frame, site.loops(), kind, tuple(invariant))
            if not site.loops() or window not in windows:
                windows.add(window)
                yield Recursion(kind, tuple(invariant), certain, node, site)
    yield from _convolutions(file)
    yield from _augmented_powers(file)
    yield from _augmented_cells(file)
    yield from _undiscounted_sums(file)


def _augmented_cells(file: FileModel) -> Iterator[Recursion]:
    """x[t] += c**k * y[t + k] in a double loop."""
    for event in file.events:
        loops = event.site.loops()
        if event.kind != "augment" or event.key is None or len(loops) < 2:
            continue
        if _is_metric(event.value) or any(_is_simulated(event.value, lp) for lp in loops):
            continue
        parts = _product(event.value)
        running = _running_discounts(loops[-1])
        for factor in parts:
            base = _power_base(factor, loops[-1:])
            invariant = running.get(factor, ())
            if base is not None:
                invariant = base.args if base.op == "mul" else (base,)
            if invariant and len(parts) > 1:
                kind = GAE if len(invariant) >= 2 else RETURNS
                yield Recursion(kind, tuple(invariant), False, event.node, event.site, stored=True)
                break


def _undiscounted_sums(file: FileModel) -> Iterator[Recursion]:
    """cumsum(x[::-1])[::-1], the reward-to-go without a discount."""
    for value in file.of_op("fn"):
        inner = value.args[0].core if value.data == "flip" and value.args else None
        if inner is not None and inner.op == "reduce" and inner.data == "cumsum":
            summed = inner.args[0].core
            if is_reversed(summed) and not _is_log_likelihood(summed.args[0].core):
                for node, site in file.places(inner):
                    yield Recursion(RETURNS, (), False, node, site)
    for value in file.of_op("reduce"):
        if _sums_the_rest(value):
            for node, site in file.places(value):
                yield Recursion(RETURNS, (), False, node, site)
    for value in file.of_op("add"):
        if _is_rest_of_total(value):
            for node, site in file.places(value):
                yield Recursion(RETURNS, (), False, node, site)


def _sums_the_rest(value: Value) -> bool:
    """sum(x[t:]) for each of the steps of x."""
    whole = value.args[0].core if value.data == "sum" else None
    if whole is None or whole.op != "item" or whole.args[1].op != "slice":
        return False
    start, stop, step = (part.core for part in whole.args[1].args)
    if start.op != "elem" or not all(p.op == "const" and p.data is None for p in (stop, step)):
        return False
    steps = start.args[0].core
    if steps.op != "fn" or steps.data != "range" or len(steps.args) != 1:
        return False
    count = steps.args[0].core
    if count.op == "item" and count.args[1].number == 0:  # x.shape[0]
        shape = count.args[0].core
        return shape.op == "attr" and shape.args[0].core is whole.args[0].core
    return count.op == "fn" and count.data == "len"


def _is_rest_of_total(value: Value) -> bool:
    """x.sum() - x.cumsum(0) + x, or without the x where the sums are moved by one step."""
    totals = {
        t.args[0].core for t in value.args if t.op == "reduce" and t.data in ("sum", "nansum")
    }
    for term in value.args:
        parts = [term.args[0].core] if term.op == "neg" else []
        moved = parts and parts[0].op == "fn" and parts[0].data == "cat"
        if moved:
            parts = [_sliced(e) for e in elements(parts[0]) or ()]
        for part in parts:
            if part.op == "reduce" and part.data == "cumsum" and part.args[0].core in totals:
                if moved or part.args[0].core in [t.core for t in value.args]:
                    return True
    return False


def _sliced(value: Value) -> Value:
    core = value.core
    return core.args[0].core if core.op == "item" and core.args[1].op == "slice" else core


def _product(value: Value) -> list[Value]:
    core = _given(value)
    if core.op == "neg":
        core = core.args[0].core
    if core.op == "mul":
        return [f for a in core.args for f in _product(a)]
    if core.op == "div":
        return _product(core.args[0])
    if core.op == "fn" and core.data in ("flip", "triu", "tril", "cat", "stack"):
        return _product(core.args[0])
    if core.op == "where" and _is_zero(core.args[2]):
        return _product(core.args[1])
    if core.op == "item" and core.args[1].op == "slice":
        return _product(core.args[0])
    if core.op in ("comp", "elem", "item"):  # of products or powers that were computed before
        whole = core.args[0].core
        made = whole.args[0].core if whole.op == "comp" else whole
        if made.op in ("mul", "pow"):
            return _product(made)
    return [core]


def _is_of_ring(rewards: Value) -> bool:
    """Whether rewards are fetched from a ring: the n-step target of a replay memory."""
    return any(
        part.op == "item" and any(p.op == "fn" and p.data == "Modulo" for p in walk(part.args[1]))
        for part in walk(rewards)
    )


def _is_polynomial(parts: list) -> bool:
    """Whether the exponents count in different loops: a polynomial of two variables."""
    counters = {f.args[1].core.loops for f, _ in parts if f.op == "pow"} - {0}
    return len(counters) > 1


def _is_weighted_loss(errors: list[Value]) -> bool:
    """Whether rewards weigh logarithms of probabilities: a policy loss. A logarithm by itself is the
    reward of an imitator."""
    return len(errors) > 1 and any(map(_is_log_likelihood, errors))


def _is_log_likelihood(factor: Value) -> bool:
    core = factor.args[0].core if factor.op == "neg" else factor
    if core.op == "call" and core.args[0].op == "attr":
        return core.args[0].data == "log_prob"
    return core.op == "log" or (core.op == "fn" and core.data in ("log_softmax", "logsigmoid"))


def _given(value: Value) -> Value:
    """A value that is None where it is not needed: `powers if n > 1 else None`."""
    core = value.core
    branches = [a.core for a in core.args[1:]] if core.op == "where" else alternatives(core)
    options = [b for b in branches if not (b.op == "const" and b.data is None)]
    return options[0] if len(options) == 1 < len(branches) else core


def _contracts(einsum: Value) -> bool:
    """Whether an einsum sums over something: "ij,jb->ib", but not the outer product "i,j->ij"."""
    inputs, arrow, output = (einsum.args[0].string or "").replace(" ", "").partition("->")
    return bool(arrow) and bool(set(inputs) - set(output) - {",", "."})


def _is_zero(value: Value) -> bool:
    """Zero, or a tensor of zeros."""
    core = value.core
    if core.op == "call":
        return (core.args[0].dotted or "").endswith((".zeros", ".new_zeros"))
    return core.number == 0 or (core.op == "fn" and core.data == "zeros_like")


def _power_base(value: Value, loops: tuple[Loop, ...]) -> Value | None:
    """c of c**k, when k counts: the index of the loop, or a range of numbers."""
    if value.op == "fn" and value.data in ("flip", "triu", "tril", "roll"):
        return _power_base(value.args[0].core, loops)
    if value.op == "comp":
        return _power_base(value.args[0].core, (*loops,))
    if value.op == "alloc":
        return None
    if value.op == "reduce" and value.data == "cumprod":
        return _repeated(value.args[0].core)
    if value.op != "pow":
        return None
    base, exponent = _given(value.args[0]), value.args[1].core
    base = _repeated(base) or base
    if base.number is not None and not 0 < base.number < 1:
        return None
    if base.op == "add" and all(t.number is None for t in base.args):
        return None  # a polynomial of a difference: discounts are numbers, or one less another
    mask = 0
    for loop in loops:
        mask |= loop.mask
    counts = bool(exponent.loops & ~base.loops) or any(
        v.op == "call"
        and str(v.args[0].dotted).rpartition(".")[2] in ("arange", "linspace")
        or (v.op == "fn" and v.data in ("range", "arange"))
        or (v.op == "reduce" and v.data == "cumsum" and _is_ones(v.args[0]))
        for v in walk(exponent)
    )
    if not counts or exponent.number is not None:
        return None
    return base


def _listed_base(file: FileModel, value: Value) -> Value | None:
    """c of powers c**k that a list, or a library, has for each step: `powers.append(c**k)`, or
    `numpy.logspace(0, n, num=n, base=c)`, or a matrix: `m[lags >= 0] = c ** lags[lags >= 0]`."""
    if value.op == "call" and (value.args[0].dotted or "").endswith(".logspace"):
        base = file.keywords(value).get("base")
        return base.core if base is not None else None
    if value.op == "call":
        return _masked_powers(file, value) if _is_zero(value) else None
    if value.op != "alloc":
        return None
    added = [
        event
        for event in file.events
        if event.kind == "method" and event.key == "append" and event.args
        if event.base is not None and event.base.core is value
    ]
    if len(added) != 1:
        return None
    power, loops = added[0].args[-1].core, added[0].site.loops()
    for loop in loops[-1:]:
        for carried in loop.carried.values():
            core = carried.step.core
            if carried.init.core.number == 1 and core.op == "mul" and carried.start in core.args:
                constant = [f for f in core.args if f is not carried.start]
                if power in (carried.start, core) and len(constant) == 1:
                    return constant[0] if not constant[0].loops & loop.mask else None
    return _power_base(power, loops[-1:])


def _masked_powers(file: FileModel, matrix: Value) -> Value | None:
    """c of a matrix of zeros that has powers of it where a condition holds for the exponents, or
    cell by cell: `m[i, j] = c ** (j - i)`."""
    for event in file.events:
        if event.kind != "store" or event.base is None or event.value.core.op != "pow":
            continue
        base, key = event.base.core, event.key.core
        row = base.args[1] if base.op == "item" and base.args[0].core is matrix else None
        if base is not matrix and row is None:
            continue
        c, exponent = (a.core for a in event.value.core.args)
        if key.op == "cmp":
            if exponent.op == "item" and exponent.args[1].core is key:
                return c
        elif exponent.op != "abs" and exponent.loops == key.loops | (row.loops if row else 0):
            if exponent.loops.bit_count() == 2:
                return c
    return None


def _repeated(value: Value) -> Value | None:
    """c of a tensor that holds c everywhere: its cumulative products are the powers of c."""
    if value.op == "call":
        name = (value.args[0].dotted or "").rpartition(".")[2]
        if name == "full" and len(value.args) > 2:
            return value.args[2].core
        if name == "pad" and len(value.args) > 1:
            return _repeated(value.args[1].core)
    if value.op == "mul":
        rest = [f for f in value.args if not _is_ones(f)]
        if len(rest) == len(value.args) - 1:
            return rest[0].core if len(rest) == 1 else None
    return None


def _is_ones(value: Value) -> bool:
    core = value.core
    if core.number == 1 or (core.op == "fn" and core.data == "ones_like"):
        return True
    return core.op == "call" and (core.args[0].dotted or "").endswith((".ones", ".ones_like"))


def _convolutions(file: FileModel) -> Iterator[Recursion]:
    """conv1d(x, powers of c): a filter that looks ahead."""
    for value in file.of_op("call"):
        if value.args[0].dotted not in _CONVOLUTIONS or len(value.args) < 3:
            continue
        for factor in _product(value.args[2]):
            base = _power_base(factor, ())
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
                    if _is_of_ring(term):
                        continue
                    factors = [(f, _power_base(f, (loop,))) for f in _product(term)]
                    found = [base for _, base in factors if base is not None]
                    # a line search takes shorter and shorter steps along one direction
                    summed = any(b is None and f.loops & loop.mask for f, b in factors)
                    if found and summed and not _is_minimised(file, loop, carried.start):
                        base = found[0]
                        invariant = base.args if base.op == "mul" else (base,)
                        kind = GAE if len(invariant) >= 2 else RETURNS
                        place = place_of(file, alternative, loop)
                        if place is not None and not seen:
                            seen = True
                            yield Recursion(kind, tuple(invariant), False, *place)


def _is_minimised(file: FileModel, loop: Loop, total: Value) -> bool:
    """Whether what a loop sums up is a loss by itself, or a part of one, that no log-probability
    weighs: errors of a model, of which later ones count less."""
    for event in file.events:
        if event.kind != "method" or event.key != "backward" or event.base is None:
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


def terminal_forms(file: FileModel) -> Iterator[Recursion]:
    """The one reward of an episode, discounted back to each of its steps: `x.insert(0, g); g *= c`,
    in a loop over what x weighs in a loss afterwards. A weight of one that decays is no reward."""
    for loop in file.loops:
        if loop.iterable is None or loop.kind != "for":
            continue
        for carried in list(loop.carried.values()):
            core = carried.step.core
            if core.op != "mul" or carried.start not in core.args:
                continue
            constant = tuple(f for f in core.args if f is not carried.start)
            if len(constant) != 1 or constant[0].loops & loop.mask:
                continue
            if carried.init.core.number is not None:
                continue
            for event in file.events:
                if _puts_first(event, carried.start) and event.site.in_loop(loop):
                    if _weighs_losses(file, event.base.core, loop.iterable.core):  # type: ignore[union-attr]
                        yield Recursion(
                            RETURNS, constant, False, event.node, event.site, stored=True
                        )


def _weighs_losses(file: FileModel, weights: Value, weighed: Value) -> bool:
    """Whether products of two lists, element by element, are subtracted from a total."""
    return any(
        term.op == "neg" and {weights, weighed} == {
            f.args[0].core for f in term.args[0].core.args if f.op == "elem"
        }
        for loop in file.loops
        for carried in loop.carried.values()
        for alternative in alternatives(carried.step)
        if alternative.op == "add" and carried.start in alternative.args
        for term in alternative.args
    )  # fmt: skip


def _puts_first(event: Event, value: Value) -> bool:
    if event.kind != "method" or event.base is None or not event.args:
        return False
    first = event.key == "appendleft" or (event.key == "insert" and event.args[0].number == 0)
    return first and event.args[-1].core is value.core


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


def _put_before(event: Event, calls_itself: Callable[[Value], bool]) -> list[Value]:
    """What is put before, or after, the list that the function returns for the next step."""
    if event.kind == "method":
        held = event.base is not None and calls_itself(event.base.core)
        return list(event.args[-1:]) if held else []
    items = getattr(event.value.core.data, "items", None) or ()
    starred = [i for i in items if i.op == "fn" and i.data == "star"]
    if len(starred) != 1 or not calls_itself(starred[0].args[0].core):
        return []
    return [i for i in items if i is not starred[0]]


def self_calling_forms(file: FileModel) -> Iterator[Recursion]:
    """A function whose result is affine in what it returns for the next step, or a list that starts
    with such a value."""
    for event in file.events:
        pushes = event.kind == "method" and event.key in _PUSHES
        if (event.kind != "return" and not pushes) or event.site.frame.call_site is not None:
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

        def is_end(v: Value, whole: Callable[[Value], bool] = calls_itself) -> bool:
            return v.op == "item" and v.args[1].number in (0, -1) and whole(v.args[0].core)

        forms = [] if pushes else affine(event.value, calls_itself)
        for new in _put_before(event, calls_itself):
            forms += affine(new, is_end)
        for form in forms:
            if not form.rest or not form.coefficient:
                continue
            if any(term.core.op == "carry" for term in form.rest):
                continue  # an expectation over what may come next: a search of a tree
            found = classify(form, None)
            if found is not None:
                yield Recursion(*found, event.node, event.site)
                break
