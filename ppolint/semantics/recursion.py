"""Every hand-written GAE and return of a file.

A recursion hides in a variable that a loop carries, in cells of an array or at the end of a list
(here), or in a filter, a power sum, or a function that calls itself (`discounting.py`). What makes
it one is in `recurrence.py`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

from ppolint.semantics.array_cells import PUSHES, cell_recursions, prepended
from ppolint.semantics.discounting import (
    filter_forms,
    running_forms,
    self_calling_forms,
    terminal_forms,
)
from ppolint.semantics.powers import power_forms
from ppolint.semantics.program import Carried, Frame, Loop
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

_ARRAYS = frozenset({"zeros", "empty", "zeros_like", "empty_like", "new_zeros"})
_CONVERSIONS = frozenset(
    {"tensor", "as_tensor", "array", "asarray", "stack", "from_numpy", "FloatTensor", "Tensor"}
)
_KEEPING = PUSHES | {"copy_"}


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
        yield from _of_calls(file, calls, generic.get(node_id))


def _of_calls(file: FileModel, calls: list[Recursion], kind: str | None) -> Iterator[Recursion]:
    """What a helper computes for the arguments of its calls; `kind`: for unknown arguments.

    A helper that always computes the same is judged where it is written. One that computes returns
    for one call and advantages for another is a filter: what it does is the caller's doing.
    """
    kinds = {c.kind for c in calls}
    for found in calls:
        frame = found.site.frame
        if frame.module.main:
            if kind == RETURNS and (len(kinds) > 1 or _is_shared(file, frame, found)):
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
    return _is_made_gae(frame, found)


def _is_shared(file: FileModel, frame: Frame, found: Recursion) -> bool:
    """Whether a helper that this call makes GAE is a filter that other files use too."""
    if not _is_made_gae(frame, found) or file.project is None or frame.function is None:
        return False
    file.searched_project = True
    users = file.project.importers.get(os.path.abspath(file.source.path), ())
    return any(frame.function.name in file.project.text(path) for path in users)


def _is_made_gae(frame: Frame, found: Recursion) -> bool:
    """Whether a call hands the product of discount and lambda to a helper as one argument."""
    function = frame.function
    if function is None or found.kind != GAE:
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
    yield from cell_recursions(file, carried_nodes)
    yield from prepended(file)
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
        # with a discount of each step it is a return in a program about RL only
        kept = stored and bool(known[1] or not form.coefficient)
        return Recursion(*known, *place, stored=kept)
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
    for event in file.events_of("store", "setattr", "method"):
        if event.base is None or not event.site.in_loop(loop):
            continue
        base = event.base.core
        if event.kind == "setattr":
            kept = base in steps and event.value.core is whole
        elif event.kind == "store":
            kept = _is_array(base) and event.value.core is whole
        else:
            pushed = event.kind == "method" and event.key in PUSHES and bool(event.args)
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
    for event in file.events_of("store"):
        if event.key.op == "slice" or not event.site.in_loop(loop):
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
        event.key is None
        and event.site.in_loop(loop)
        and event.base is not None
        and event.base.core.op == "attr"
        and bool(event.base.core.args[0].loops & loop.mask)
        and any(part is start for part in walk(event.value))
        for event in file.events_of("augment")
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
        for event in file.events_of("store", "method")
    )  # fmt: skip


def _is_kept(file: FileModel, loop: Loop, carried: Carried) -> bool:
    """Whether the loop puts the carried value of each step into a container."""
    sums = {a for a in alternatives(carried.step)} | {carried.step.core, carried.start}
    for event in file.events_of("store", "method"):
        if event.kind == "store":
            value = event.value
        elif event.key in _KEEPING and event.args:
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
