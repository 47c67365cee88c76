"""Every hand-written GAE and return of a file.

A recursion hides in a variable that a loop carries, in cells of an array or at the end of a list
(here), or in a filter, a power sum, or a function that calls itself (`discounting.py`). What makes
it one is in `recurrence.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ppolint.semantics.discounting import (
    filter_forms,
    power_forms,
    running_forms,
    self_calling_forms,
    terminal_forms,
)
from ppolint.semantics.program import Carried, Event, Frame, Loop
from ppolint.semantics.recurrence import (
    GAE,
    RETURNS,
    Affine,
    Recursion,
    affine,
    classify,
    is_of_duration,
    is_truncated,
    place_of,
    runs_backwards,
)
from ppolint.semantics.values import Value, alternatives, terms, walk

if TYPE_CHECKING:
    from ppolint.semantics.model import FileModel

_PUSH = frozenset({"insert", "appendleft", "append"})
_ARRAYS = frozenset({"zeros", "empty", "zeros_like", "empty_like", "new_zeros"})
_CONVERSIONS = frozenset(
    {"tensor", "as_tensor", "array", "asarray", "stack", "from_numpy", "FloatTensor", "Tensor"}
)
_KEEPING = _PUSH | {"copy_"}
_IN_PLACE = frozenset({"copy_", "add_"})


def recursions(file: FileModel) -> list[Recursion]:
    """Every recursion of a file, once a place; GAE where a place computes both."""
    best: dict[int, Recursion] = {}
    order: list[int] = []
    for found in _all(file):
        if any(_is_learned(file, factor) for factor in found.factors):
            continue
        node, site = file.here(found.node, found.site)
        if not site.frame.module.main:
            continue  # computed while another file is imported: that file has the finding
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
        elif frame.call_site.frame.module.main and _decided_by_caller(frame, found):
            yield _at_call(found)


def _at_call(found: Recursion) -> Recursion:
    frame = found.site.frame
    assert frame.call_site is not None
    return Recursion(found.kind, found.factors, found.certain, frame.call, frame.call_site)


def _decided_by_caller(frame: Frame, found: Recursion) -> bool:
    """Whether a helper of another file got its whole coefficient as one argument."""
    if found.kind == RETURNS:
        return found.filtered
    function = frame.function
    if function is None:
        return False
    params = function.node.params
    for param in (*params.posonly_params, *params.params, *params.kwonly_params):
        # not the locals: a helper may well multiply discount and lambda itself
        value = frame.env.get(param.name.value)
        if value is not None and value.core.op == "mul":
            if set(found.factors) <= set(value.core.args):
                return True
    return False


def _raw(file: FileModel) -> Iterator[Recursion]:
    carried_nodes: set[int] = set()
    for loop in file.loops:
        if any(_corrects(loop, carried) for carried in loop.carried.values()):
            continue
        for carried in list(loop.carried.values()):
            found = _carried(file, loop, carried)
            if found is not None:
                carried_nodes.add(id(found.node))
                yield found
    yield from _cells(file, carried_nodes)
    yield from _prepended(file)
    yield from filter_forms(file)
    yield from power_forms(file)
    yield from running_forms(file)
    yield from terminal_forms(file)
    yield from self_calling_forms(file)


def _corrects(loop: Loop, carried: Carried) -> bool:
    """Whether a recursion is weighed by truncated importance ratios: Retrace and its kin."""
    return any(
        any(
            is_truncated(p) and not is_of_duration(p, loop.mask)
            for f in form.coefficient
            for p in alternatives(f)
        )
        for form in affine(carried.step, lambda v: v is carried.start)
    )


def _carried(file: FileModel, loop: Loop, carried: Carried) -> Recursion | None:
    start = carried.start
    for form in affine(carried.step, lambda v: v is start):
        if not form.rest:
            continue
        known = classify(form, loop) if form.coefficient else _to_go(file, loop, carried, form)
        if known is None:
            continue
        if known[0] == RETURNS and _is_added_to_values(file, loop, carried):
            known = (GAE, *known[1:])
        if not runs_backwards(file, loop, carried.step) and not _is_put_first(file, loop, carried):
            continue
        place = place_of(file, form.whole, loop) or (
            (carried.node, carried.site) if carried.site is not None else None
        )
        if place is None or _is_backed_up(file, loop, start):
            continue
        stored = _is_kept(file, loop, carried)
        if not stored and _is_of_last_steps(file, loop):
            continue
        if loop.frame.module.main:
            # a helper of another file that does one step: it is no recursion without the loop
            place = file.here(*place)
        return Recursion(*known, *place, stored=stored)
    return None


def _is_of_last_steps(file: FileModel, loop: Loop) -> bool:
    """Whether a loop goes over a deque of so many steps: the n-step target of a replay memory, where
    only the sum for the first of them is wanted."""
    if loop.iterable is None:
        return False
    for part in walk(loop.iterable, through_calls=True):
        held = file.resolve(part) if part.op == "attr" else [part]
        for made in held:
            kind = getattr(made.data, "kind", None) if made.op == "alloc" else None
            if kind == "deque" and made.data.items:  # type: ignore[attr-defined]
                return True
    return False


def _to_go(
    file: FileModel, loop: Loop, carried: Carried, form: Affine
) -> tuple[str, tuple[Value, ...], bool] | None:
    """An undiscounted reward-to-go that the loop keeps for each step it goes back over: written to
    the step (`total += step.reward; step.to_go = total`), to an array, or to a list that becomes one.
    """
    own = all(t.op in ("attr", "item", "elem") and t.loops & loop.mask for t in form.rest)
    if form.negative or not own:
        return None
    whole = carried.step.core
    steps = {term.args[0].core for term in form.rest if term.op == "attr"}
    for event in file.events:
        if event.base is None or not event.site.in_loop(loop):
            continue
        base = event.base.core
        if event.kind == "setattr":
            kept = base in steps and event.value.core is whole
        elif event.kind == "store":
            kept = _is_array(base) and event.value.core is whole
        else:
            pushed = event.kind == "method" and event.key in _PUSH and bool(event.args)
            kept = pushed and event.args[-1].core is whole and _becomes_array(file, base)
        if kept:
            return RETURNS, (), False
    return None


def _is_array(core: Value) -> bool:
    name = core.args[0].dotted or "" if core.op == "call" else str(core.data)
    return core.op in ("call", "fn") and name.rpartition(".")[2] in _ARRAYS


def _becomes_array(file: FileModel, listed: Value) -> bool:
    """Whether a tensor or an array is made of a list, turned around or not."""
    held = {listed, *(u for u in file.users(listed) if u.op in ("item", "fn"))}
    for event in file.events:
        for value in (event.value, *event.args):
            if value is not None and value.op == "wrap" and value.core in held:
                if value.data in _CONVERSIONS:
                    return True
    return any(
        (user.op == "call" and (user.args[0].dotted or "").rpartition(".")[2] in _CONVERSIONS)
        or (user.op == "fn" and user.data in _CONVERSIONS)
        for part in held
        for user in file.users(part)
    )


def _is_added_to_values(file: FileModel, loop: Loop, carried: Carried) -> bool:
    """Whether the loop keeps each step's sum, and keeps it again with what another array has for
    the step: an advantage, and the return that it and the value make."""
    whole = carried.step.core
    alone, added = False, False
    for event in file.events:
        if event.kind != "store" or event.key.op == "slice" or not event.site.in_loop(loop):
            continue
        value = event.value.core
        if value is whole:
            alone = True
        elif value.op == "add" and set(terms(whole)) < set(terms(value)):
            rest = set(terms(value)) - set(terms(whole))
            added = added or all(
                t.op == "item" and t.args[1].core is event.key.core and t.loops & loop.mask
                for t in rest
            )
    return alone and added


def _is_backed_up(file: FileModel, loop: Loop, start: Value) -> bool:
    """Whether each step's value is added to a total of what the loop goes over: a search counts
    what its nodes are worth, `node.total += value`."""
    return any(
        event.kind == "augment"
        and event.key is None
        and event.site.in_loop(loop)
        and event.base is not None
        and event.base.core.op == "attr"
        and bool(event.base.core.args[0].loops & loop.mask)
        and any(part is start for part in walk(event.value))
        for event in file.events
    )


def _is_put_first(file: FileModel, loop: Loop, carried: Carried) -> bool:
    """Whether each step's value is put before those of the steps before it, as if the loop went
    backwards: returns, whatever became of them."""
    return any(
        event.site.in_loop(loop)
        and (
            (event.kind == "store" and event.value.core is carried.step.core
             and any(t.op == "neg" and t.loops & loop.mask for t in terms(event.key)))
            or (event.kind == "method" and bool(event.args)
                and event.args[-1].core is carried.step.core
                and (event.key == "appendleft"
                     or (event.key == "insert" and event.args[0].number == 0)))
        )
        for event in file.events
    )  # fmt: skip


def _is_kept(file: FileModel, loop: Loop, carried: Carried) -> bool:
    """Whether the loop puts the carried value of each step into a container."""
    sums = {a for a in alternatives(carried.step)} | {carried.step.core, carried.start}
    for event in file.events:
        if event.kind == "store":
            value = event.value
        elif event.kind == "method" and event.key in _KEEPING and event.args:
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


def _cells(file: FileModel, known_nodes: set[int]) -> Iterator[Recursion]:
    """x[t] = delta[t] + c * x[t+1], and lists that grow at the end they are read from."""
    seen: set[tuple[int, int]] = set()
    for event in file.events:
        cell = _cell_of(event)
        if cell is None:
            continue
        loops = event.site.loops()
        if not loops:
            continue
        loop = loops[-1]
        pushed = event.kind == "method" and event.key in _PUSH
        value = event.args[-1] if pushed else event.value
        place = (id(event.site.statement), id(event.site.frame))
        if place in seen:  # `x[t] += ...` is a change of x[t], and a store to it
            continue
        for is_cell, loop in cell.neighbours(loops):
            found = _cell_recursion(file, event, cell, value, is_cell, loop)
            if found is None:
                continue
            if id(found.node) not in known_nodes and not _is_moved(file, cell, is_cell, loop):
                seen.add(place)
                yield found
            break


def _is_moved(file: FileModel, cell: _Cell, is_cell: Callable, loop: Loop) -> bool:
    """Whether the cell that is added is emptied in the same loop: a reward that moves to the step
    before, of a step that does not count."""
    for event in file.events:
        if event.kind != "store" or event.base is None or not event.site.in_loop(loop):
            continue
        if event.base.core is cell.container and cell.field is None:
            left = event.value.core
            emptied = left.args[1:] if left.op == "where" else (left,)
            if any(a.number == 0 or (a.dotted or "").endswith(".nan") for a in emptied):
                if is_cell(file.values.make("item", (cell.container, event.key)).core):
                    return True
    return False


@dataclass(frozen=True, slots=True)
class _Cell:
    """What is stored to: `x[t]`, `x[t].a`, `x[t]["a"]`, or the end of the list `x`."""

    container: Value
    index: Value | None
    field: tuple[str, Any] | None = None

    def index_of(self, value: Value) -> Value | None:
        """The index of a value that is read from the same container and field."""
        if self.field is not None:
            kind, name = self.field
            if value.op != kind or (value.data if kind == "attr" else value.args[1].string) != name:
                return None
            value = value.args[0].core
        if value.op != "item" or value.args[0].core is not self.container:
            return None
        return value.args[1].core

    def neighbours(self, loops: tuple[Loop, ...]) -> Iterator[tuple[Callable, Loop]]:
        """What the next step's cell is, for the loops it may be the next step of."""
        index = self.index.core if self.index is not None else None

        def is_end(v: Value) -> bool:
            other = self.index_of(v)
            return other is not None and other.number in (0, -1)

        def is_next(v: Value) -> bool:
            other = self.index_of(v)
            return other is not None and other is not index and _is_neighbour(other, index)

        def is_same(v: Value) -> bool:
            return self.index_of(v) is index

        if index is None:
            yield is_end, loops[-1]
            return
        yield is_next, loops[-1]
        if index.number is None:
            # one cell for each agent, in a loop over time around the loop over agents
            for loop in loops[:-1]:
                if not index.loops & loop.mask:
                    yield is_same, loop


def _cell_of(event: Event) -> _Cell | None:
    """The cell that an event stores to, if it is one."""
    if event.base is None:
        return None
    base = event.base.core
    if event.kind == "store" or (event.kind == "augment" and event.key is not None):
        name = event.key.string
        if name is not None and base.op == "item":
            return _Cell(base.args[0].core, base.args[1], ("item", name))
        return _Cell(base, event.key)
    if event.kind == "setattr" and base.op == "item":
        return _Cell(base.args[0].core, base.args[1], ("attr", event.key))
    if event.kind == "method" and event.key in _PUSH and event.args:
        return _Cell(base, None)
    if event.kind == "method" and event.key in _IN_PLACE:
        written = _written(event.base)
        if written.op == "item":
            return _Cell(written.args[0].core, written.args[1])
    return None


def _written(receiver: Value) -> Value:
    """What a method changes in place, also one that is called on what `copy_` returns."""
    while receiver.op == "wrap":
        receiver = receiver.args[-1 if receiver.data == "copy_" else 0]
    return receiver


def _cell_recursion(
    file: FileModel, event: Event, cell: _Cell, value: Value, is_cell: Callable, loop: Loop
) -> Recursion | None:
    loops = event.site.loops()
    for form in affine(value, is_cell):
        if event.kind == "augment":
            form = Affine(form.coefficient, (cell.container,), form.whole, form.negative)
        if not form.rest:
            continue
        found = classify(form, loop)
        if found is None and not form.coefficient and event.kind == "store":
            if loop is not loops[-1]:
                continue  # a running total of each agent
            # an undiscounted reward-to-go
            found = (RETURNS, (), False)
        if found is None:
            continue
        if loop is loops[-1]:
            backwards = runs_backwards(file, loop, value) or _nested_backwards(file, loops, value)
        else:
            backwards = runs_backwards(file, loop, value)
        if not backwards:
            continue
        node, site = place_of(file, form.whole, loops[-1]) or (event.node, event.site)
        # a sum without a discount is a return in a program about RL only
        return Recursion(*found, node, site, stored=bool(found[1]))
    return None


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
