"""Symbolic values: what an expression computes, in one normal form whatever the spelling.

A `Value` is an immutable, hash-consed node (`op`, `args`, `data`): two spellings of the same pure
computation are the same object, so "the same ratio in both products" is a test of identity. Only
pure operations are interned that way; every call that is not known to be pure carries the identity
of its call site in `data` (two calls `model(x)` and `old_model(x)`, or the same call twice, must
never cancel).

Operations (args; data):

    const ()            data: the Python constant; `bool` for True/False (1 == True in Python)
    ref ()              data: dotted name of something imported, a builtin, or `module.name`
    param ()            data: (function id, name)
    unknown ()          data: a number; nothing is known
    attr (base,)        data: attribute name
    item (base, index)
    slice (lo, hi, step)
    call (callee, *args) data: `CallSite`
    func / class ()     data: the definition
    alloc ()            data: `AllocSite`; a list, dict, set or comprehension with its own identity
    tuple (*items)
    neg add mul div pow exp log sqrt abs clip(x, lo, hi) min(a, b) max(a, b) where(c, a, b)
    fn (*args)          data: name of another pure function (tanh, softmax, stack, ...)
    reduce (x,)         data: "sum", "mean", "std", ...
    wrap (x,)           data: name; a change of shape, dtype or device that keeps the numbers
    cmp (a, b)          data: operator;  not (x,)  and/or (*xs)
    phi (*alternatives) a value that depends on the branch taken
    carry ()            data: (loop id, variable); a variable at the start of an iteration
    after (init, step)  data: loop id; a variable once the loop is over
    elem (iterable,)    data: loop id; the element of an iteration
    comp (element, iterable) data: loop id; what a comprehension makes

`core` is the value with every `wrap` taken out: the normal form that patterns compare.
`loops` is the bit mask of the loops the value depends on.
"""

from __future__ import annotations

from collections.abc import Iterator


class Value:
    """One node of the value graph; compare with `is`. Made by `normal_form.Values` only.

    `number` is that of a numeric constant (never of a bool), `string` the text of a string constant
    and `dotted` the name of something imported or a builtin; None for any other value.
    """

    __slots__ = (
        "__weakref__", "args", "core", "data", "dotted", "id", "loops", "number", "op", "string"
    )  # fmt: skip

    op: str
    args: tuple[Value, ...]
    data: object
    id: int
    loops: int
    core: Value
    number: float | int | None
    string: str | None
    dotted: str | None

    def __repr__(self) -> str:
        return show(self)


COMMUTATIVE = frozenset({"add", "mul", "min", "max"})
TRANSPARENT_PHI = frozenset({"phi", "after"})


def walk(value: Value, through_calls: bool = False) -> Iterator[Value]:
    """Every value that `value` is computed from, itself included, each once.

    Stops at calls (whose arguments are not what they return) unless `through_calls`.
    """
    seen = {value}
    stack = [value]
    while stack:
        node = stack.pop()
        yield node
        if node.op == "call" and not through_calls and node is not value:
            continue
        for arg in node.args:
            if arg not in seen:
                seen.add(arg)
                stack.append(arg)


def terms(value: Value) -> list[Value]:
    """The terms of a sum, in normal form (one term for anything else)."""
    core = value.core
    return list(core.args) if core.op == "add" else [core]


def factors(value: Value) -> list[Value]:
    """The factors of a product, sign dropped; the numerator's of a quotient."""
    core = value.core
    if core.op == "neg":
        core = core.args[0]
    if core.op == "mul":
        out: list[Value] = []
        for arg in core.args:
            out.extend(factors(arg) if arg.op == "div" else [arg])
        return out
    if core.op == "div":
        return factors(core.args[0])
    return [core]


def alternatives(value: Value) -> list[Value]:
    """The values that a name may hold: the branches of a phi (one for anything else)."""
    core = value.core
    if core.op in TRANSPARENT_PHI:
        out: list[Value] = []
        for arg in core.args:
            out.extend(a for a in alternatives(arg) if a not in out)
        return out
    return [core]


def show(value: Value, depth: int = 6) -> str:
    """A readable form for messages and debugging."""
    op, args, data = value.op, value.args, value.data
    if depth < 0:
        return "..."
    if op in ("const", "bool"):
        return repr(data)
    if op == "ref":
        return str(data)
    if op == "param":
        return str(data[1])  # type: ignore[index]
    if op == "attr":
        return f"{show(args[0], depth - 1)}.{data}"
    if op == "carry":
        return f"<{data[1]}>"  # type: ignore[index]
    inner = ", ".join(show(a, depth - 1) for a in args)
    if op in ("fn", "reduce", "wrap", "cmp"):
        return f"{data}({inner})"
    if op == "call":
        return f"{show(args[0], depth - 1)}({', '.join(show(a, depth - 1) for a in args[1:])})"
    return f"{op}({inner})"
