"""Discounted sums without an affine loop: filters, running discounts, rewards at the end, calls of itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from ppolint.semantics.power_bases import parts_of_product
from ppolint.semantics.program import Event
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
from ppolint.semantics.values import Value, alternatives

if TYPE_CHECKING:
    from ppolint.semantics.model import FileModel

_PUSHES = frozenset({"insert", "append", "appendleft"})


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
                    weighted = [
                        t for t in alternative.args if discount.start in parts_of_product(t)
                    ]
                    if weighted:
                        kind = GAE if len(constant) >= 2 else RETURNS
                        errors = [p for t in weighted for p in parts_of_product(t)]
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
