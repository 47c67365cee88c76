"""Recursions in the cells of an array, and at the end of a list."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ppolint.semantics.program import Event, Loop
from ppolint.semantics.recurrence import (
    RETURNS,
    Affine,
    Recursion,
    affine,
    classify,
    place_of,
    runs_backwards,
)
from ppolint.semantics.values import Value, terms

if TYPE_CHECKING:
    from ppolint.semantics.model import FileModel

PUSHES = frozenset({"insert", "appendleft", "append"})
_IN_PLACE = frozenset({"copy_", "add_"})


def cell_recursions(file: FileModel, known_nodes: set[int]) -> Iterator[Recursion]:
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
        pushed = event.kind == "method" and event.key in PUSHES
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
    for event in file.events_of("store"):
        if event.base is None or not event.site.in_loop(loop):
            continue
        if event.base.core is cell.container and cell.field is None:
            left = event.value.core
            emptied = left.args[1:] if left.op == "where" else (left,)
            if left.op == "mul" and any(is_cell(f.core) for f in left.args):
                return True  # by a mask
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
    if event.kind == "method" and event.key in PUSHES and event.args:
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


def prepended(file: FileModel) -> Iterator[Recursion]:
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
