"""What is put into which container, where a statement fills several or only a part."""

from __future__ import annotations

from collections.abc import Iterator

from ppolint.semantics.program import Event
from ppolint.semantics.steps import literal_members
from ppolint.semantics.values import Value

PARTS = frozenset({"select", "narrow"})


def paired(core: Value, value: Value) -> list[tuple[Value, Value]]:
    """What is filled with what: one by one, where a loop goes over containers that are written out,
    `for kept, new in zip((states, rewards), (state, reward)): kept.append(new)`."""
    wholes = _written_out(core) or _rows(core, value)
    if not wholes:
        return [(core, value)]
    values = _written_out(value.core) if core.op == "item" or value.core.data == core.data else ()
    if len(values) != len(wholes):
        return [(whole.core, value) for whole in wholes]
    return list(zip((whole.core for whole in wholes), values))


def _rows(core: Value, value: Value) -> tuple[Value, ...]:
    """The lists in a list that is written out, where a loop counts them and goes over as many values:
    `for at, new in enumerate((state, reward)): kept[at].append(new)`."""
    if core.op != "item" or core.args[1].number is not None:
        return ()
    rows = literal_members(core.args[0].core)
    same = len(rows) == len(_written_out(value.core)) and core.args[1].loops & value.loops
    return rows if same and all(row.core.op == "alloc" for row in rows) else ()


def _written_out(core: Value) -> tuple[Value, ...]:
    """The members of the tuple or list that a value is an element of."""
    iterable = core.args[0].core if core.op == "elem" else core
    if iterable is core or iterable.op not in ("tuple", "alloc"):
        return ()
    return iterable.args if iterable.op == "tuple" else literal_members(iterable)


def flattened(core: Value) -> Iterator[Value]:
    """The members of a tuple, and of the tuples in it: `(state, (reward, mask, *action))`."""
    for part in core.args:
        if part.core.op == "tuple":
            yield from flattened(part.core)
        else:
            yield part.args[0] if part.op == "fn" and part.data == "star" else part


def whole_of(core: Value) -> Value | None:
    """The tensor that `x[t]` and `x.select(0, t)` are a part of."""
    if core.op == "item":
        return core.args[0].core
    if core.op == "call" and core.args[0].op == "attr" and core.args[0].data in PARTS:
        return core
    return None


def adds_up(event: Event) -> bool:
    """Whether a cell is increased: a running total, of which only the last value is wanted."""
    value = event.value.core
    if value.op != "add" or event.base is None:
        return False
    return any(t.op == "item" and t.args[0].core is event.base.core for t in value.args)


def is_of_element(core: Value, loop: int) -> bool:
    while core.op in ("item", "attr"):
        core = core.args[0].core
    return core.op == "elem" and core.data == loop
