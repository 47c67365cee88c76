"""What a power counts: c of c**k, however the powers were made."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ppolint.semantics.program import Loop
from ppolint.semantics.values import Value, alternatives, walk

if TYPE_CHECKING:
    from ppolint.semantics.model import FileModel


def parts_of_product(value: Value) -> list[Value]:
    core = _given(value)
    if core.op == "neg":
        core = core.args[0].core
    if core.op == "mul":
        return [f for a in core.args for f in parts_of_product(a)]
    if core.op == "div":
        return parts_of_product(core.args[0])
    if core.op == "fn" and core.data in ("flip", "triu", "tril", "cat", "stack"):
        return parts_of_product(core.args[0])
    if core.op == "where" and _is_zero(core.args[2]):
        return parts_of_product(core.args[1])
    if core.op == "item" and core.args[1].op == "slice":
        return parts_of_product(core.args[0])
    if core.op in ("comp", "elem", "item"):  # of products or powers that were computed before
        whole = core.args[0].core
        made = whole.args[0].core if whole.op == "comp" else whole
        if made.op in ("mul", "pow"):
            return parts_of_product(made)
    return [core]


def _given(value: Value) -> Value:
    """A value that is None where it is not needed: `powers if n > 1 else None`."""
    core = value.core
    branches = [a.core for a in core.args[1:]] if core.op == "where" else alternatives(core)
    options = [b for b in branches if not (b.op == "const" and b.data is None)]
    return options[0] if len(options) == 1 < len(branches) else core


def _is_zero(value: Value) -> bool:
    """Zero, or a tensor of zeros."""
    core = value.core
    if core.op == "call":
        return (core.args[0].dotted or "").endswith((".zeros", ".new_zeros"))
    return core.number == 0 or (core.op == "fn" and core.data == "zeros_like")


def power_base(value: Value, loops: tuple[Loop, ...]) -> Value | None:
    """c of c**k, when k counts: the index of the loop, or a range of numbers."""
    if value.op == "fn" and value.data in ("flip", "triu", "tril", "roll"):
        return power_base(value.args[0].core, loops)
    if value.op == "comp":
        return power_base(value.args[0].core, (*loops,))
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


def listed_base(file: FileModel, value: Value) -> Value | None:
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
        for event in file.events_of("method")
        if event.key == "append" and event.args
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
    return power_base(power, loops[-1:])


def _masked_powers(file: FileModel, matrix: Value) -> Value | None:
    """c of a matrix of zeros that has powers of it where a condition holds for the exponents, or
    cell by cell: `m[i, j] = c ** (j - i)`."""
    for event in file.events_of("store"):
        if event.base is None or event.value.core.op != "pow":
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
