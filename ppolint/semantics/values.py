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

from collections.abc import Iterable, Iterator

MAX_PHI = 4
_FOLD_LIMIT = 1e12


class Value:
    """One node of the value graph; compare with `is`. Made by `Values` only."""

    __slots__ = ("__weakref__", "args", "core", "data", "id", "loops", "op")

    op: str
    args: tuple[Value, ...]
    data: object
    id: int
    loops: int
    core: Value

    def __repr__(self) -> str:
        return show(self)

    @property
    def number(self) -> float | int | None:
        """The number, if the value is a numeric constant (never for a bool)."""
        if self.op == "const" and isinstance(self.data, (int, float)):
            return self.data
        return None

    @property
    def string(self) -> str | None:
        """The text, if the value is a string constant."""
        if self.op == "const" and isinstance(self.data, str):
            return self.data
        return None

    @property
    def dotted(self) -> str | None:
        """The dotted name, if the value is an imported name or a builtin."""
        return self.data if self.op == "ref" else None  # type: ignore[return-value]


COMMUTATIVE = frozenset({"add", "mul", "min", "max"})
TRANSPARENT_PHI = frozenset({"phi", "after"})


class Values:
    """The interner of one file: makes values and keeps them in normal form."""

    def __init__(self) -> None:
        self._table: dict[tuple, Value] = {}
        self._unknowns = 0
        self.one = self.const(1)
        self.zero = self.const(0)
        self.none = self.const(None)

    def __len__(self) -> int:
        return len(self._table)

    # -- raw construction -------------------------------------------------------------------
    def make(
        self, op: str, args: tuple[Value, ...] = (), data: object = None, loops: int = 0
    ) -> Value:
        """The node for exactly these parts, without normalisation."""
        key = (op, args, data)
        found = self._table.get(key)
        if found is not None:
            return found
        node = Value()
        node.op, node.args, node.data = op, args, data
        node.id = len(self._table)
        self._table[key] = node
        plain = True
        for arg in args:
            loops |= arg.loops
            if arg.core is not arg:
                plain = False
        node.loops = loops
        if op == "wrap":
            node.core = args[0].core
        elif plain:
            node.core = node
        else:
            node.core = self._rebuild(op, tuple(a.core for a in args), data)
        return node

    def _rebuild(self, op: str, args: tuple[Value, ...], data: object) -> Value:
        if op == "add":
            return self.add(*args)
        if op == "mul":
            return self.mul(*args)
        if op == "neg":
            return self.neg(args[0])
        if op == "div":
            return self.div(*args)
        if op in ("min", "max"):
            return self.extremum(op, *args)
        if op == "where":
            return self.where(*args)
        if op == "clip":
            return self.clip(*args)
        if op == "exp":
            return self.exp(*args)
        return self.make(op, args, data)

    # -- leaves -----------------------------------------------------------------------------
    def const(self, value: object) -> Value:
        if isinstance(value, bool):
            return self.make("bool", (), value)
        if isinstance(value, float) and value != value:
            return self.unknown()
        return self.make("const", (), value)

    def ref(self, dotted: str) -> Value:
        return self.make("ref", (), dotted)

    def unknown(self) -> Value:
        """A value of which nothing is known; different from every other one."""
        self._unknowns += 1
        return self.make("unknown", (), self._unknowns)

    def attr(self, base: Value, name: str) -> Value:
        if base.op == "ref":
            return self.ref(f"{base.data}.{name}")
        return self.make("attr", (base,), name)

    # -- arithmetic in normal form ----------------------------------------------------------
    def neg(self, x: Value) -> Value:
        if x.number is not None:
            return self.const(-x.number)
        if x.op == "neg":
            return x.args[0]
        if x.op == "add":
            return self.add(*(self.neg(t) for t in x.args))
        if x.op == "wrap":
            return self.make("wrap", (self.neg(x.args[0]), *x.args[1:]), x.data)
        return self.make("neg", (x,))

    def add(self, *parts: Value) -> Value:
        terms: list[Value] = []
        total: float | int = 0
        for part in parts:
            for term in part.args if part.op == "add" else (part,):
                number = term.number
                if number is not None and abs(number) < _FOLD_LIMIT:
                    total += number
                    continue
                opposite = term.args[0] if term.op == "neg" else None
                for at, other in enumerate(terms):
                    if other is opposite or (other.op == "neg" and other.args[0] is term):
                        del terms[at]
                        break
                else:
                    terms.append(term)
        if total:
            centred = next((t for t in terms if _is_centred(t, total)), None)
            if centred is not None:
                # 1 + clip(r - 1, -c, c) is clip(r, 1 - c, 1 + c)
                terms.remove(centred)
                middle = self.const(total)
                shifted = (self.add(a.core, middle) for a in centred.args)
                terms.append(self.make("clip", tuple(shifted)))
                total = 0
        if total:
            terms.append(self.const(total))
        if any(_is_hinge(t) for t in terms):
            terms = self._unhinge(terms)
        if not terms:
            return self.zero
        if len(terms) == 1:
            return terms[0]
        terms.sort(key=_by_id)
        return self.make("add", tuple(terms))

    def _unhinge(self, terms: list[Value]) -> list[Value]:
        """x - relu(x - hi) is min(x, hi) and x + relu(lo - x) is max(x, lo)."""
        for whole in terms:
            lo = hi = None
            used = [whole]
            x = whole
            if whole.op == "min":
                # one side was recognised before: min(x, hi) + relu(lo - x)
                inner = [
                    a
                    for a in whole.args
                    if any(_is_hinge(t) and self.neg(a.core) in _parts(t) for t in terms)
                ]
                if inner:
                    x = inner[0]
                    hi = next(a for a in whole.args if a is not x)
            for term in terms:
                if term is whole or not _is_hinge(term):
                    continue
                negative = term.op == "neg"
                hinge = term.args[0] if negative else term
                excess = next((a for a in hinge.args if a is not self.zero), self.zero).core
                bound = self.sub(x.core, excess) if negative else self.add(excess, x.core)
                parts = bound.args if bound.op == "add" else (bound,)
                if x.core in parts or self.neg(x.core) in parts:
                    continue
                if negative:
                    hi = bound
                else:
                    lo = bound
                used.append(term)
            if len(used) > 1:
                limited = self.clip(x, lo or self.none, hi or self.none)
                return [*(t for t in terms if t not in used), limited]
        return terms

    def sub(self, a: Value, b: Value) -> Value:
        return self.add(a, self.neg(b))

    def mul(self, *parts: Value) -> Value:
        factors: list[Value] = []
        negative = False
        for part in parts:
            if part.op == "neg":
                negative = not negative
                part = part.args[0]
            for factor in part.args if part.op == "mul" else (part,):
                number = factor.number
                if number is not None:
                    if number < 0:
                        negative = not negative
                        number = -number
                        factor = self.const(number)
                    if number == 1:
                        continue
                    if number == 0:
                        return self.zero
                factors.append(factor)
        if not factors:
            product = self.one
        elif len(factors) == 1:
            product = factors[0]
        else:
            product = self._limited_product(factors) or self._quotient(factors)
            if product is None:
                factors.sort(key=_by_id)
                product = self.make("mul", tuple(factors))
        return self.neg(product) if negative else product

    def _quotient(self, factors: list[Value]) -> Value | None:
        """x * (1 / y) is x / y."""
        inverse = [f for f in factors if f.op == "div" and f.args[0].number == 1]
        if len(inverse) != 1:
            return None
        rest = [f for f in factors if f is not inverse[0]]
        return self.div(self.mul(*rest), inverse[0].args[1])

    def _limited_product(self, factors: list[Value]) -> Value | None:
        """sign(x) * min(|x|, c) and x * min(1, c / |x|) are clip(x, -c, c)."""
        for limit in factors:
            for bound in _shortened(limit):
                for whole in factors:
                    limited = self._limited_by(whole, bound) if whole is not limit else None
                    if limited is not None:
                        x, c = limited
                        rest = (f for f in factors if f is not whole and f is not limit)
                        return self.mul(self.make("clip", (x, self.neg(c), c)), *rest)
        return None

    def _limited_by(self, whole: Value, limit: Value) -> tuple[Value, Value] | None:
        """(x, c) where `whole` times `limit` is x, shortened to a length of at most c."""
        core = whole.core
        if core.op == "fn" and core.data == "sign" and limit.op == "min":
            x = core.args[0].core
            for length, c in (limit.args, limit.args[::-1]):
                if self._is_length(length.core, x):
                    return x, c.core
            return None
        parts = limit.args if limit.op == "min" else (limit.args[0], limit.args[2])
        for scale, one in (parts, parts[::-1]):
            if one.number == 1 and scale.core.op == "div":
                c, below = scale.core.args
                lengths = [t for t in terms(below) if t.number is None]  # |x|, or |x| + 1e-8
                if len(lengths) == 1 and self._is_length(lengths[0], core):
                    return core, c.core
        return None

    def _is_length(self, value: Value, x: Value) -> bool:
        return value.op == "abs" and value.args[0].core in (x, self.neg(x))

    def div(self, a: Value, b: Value) -> Value:
        if b.number == 1:
            return a
        x, y = a.number, b.number
        if x is not None and y:
            return self.const(x / y) if x % y else self.const(x // y)
        if a.core.op == "exp" and b.core.op == "exp":
            return self.exp(self.sub(a.core.args[0], b.core.args[0]))
        if a.number == 1 and b.core.op == "exp":
            return self.exp(self.neg(b.core.args[0]))
        negative = (a.op == "neg") != (b.op == "neg")
        a = a.args[0] if a.op == "neg" else a
        b = b.args[0] if b.op == "neg" else b
        quotient = self.make("div", (a, b))
        return self.neg(quotient) if negative else quotient

    def power(self, base: Value, exponent: Value) -> Value:
        if base.core.dotted in ("math.e", "numpy.e", "torch.e"):
            return self.exp(exponent)
        if exponent.number == 1:
            return base
        if exponent.number == -1:
            return self.div(self.one, base)
        if exponent.number == 0.5:
            return self.make("sqrt", (base,))
        if exponent.number == 2 and base.op == "neg":
            base = base.args[0]
        return self.make("pow", (base, exponent))

    def exp(self, x: Value) -> Value:
        return self.make("exp", (x,))

    def log(self, x: Value) -> Value:
        if x.core.op == "exp":
            return x.core.args[0]
        return self.make("log", (x,))

    # -- comparisons and clipping -----------------------------------------------------------
    def extremum(self, op: str, a: Value, b: Value) -> Value:
        """`min` or `max` of two values: one polarity, and clips recognised."""
        if a is b:
            return a
        if a.core.op == "neg" and b.core.op == "neg":
            flipped = "max" if op == "min" else "min"
            return self.neg(self.extremum(flipped, a.core.args[0], b.core.args[0]))
        if op == "min":
            # min(max(x, lo), hi) is a clip when lo and hi are the two sides of one interval
            for inner, hi in ((a, b), (b, a)):
                if inner.core.op == "max":
                    p, q = inner.core.args
                    for x, lo in ((p, q), (q, p)):
                        if _interval(lo.core, hi.core):
                            return self.clip(x, lo, hi)
        else:
            for inner, lo in ((a, b), (b, a)):
                if inner.core.op == "min":
                    p, q = inner.core.args
                    for x, hi in ((p, q), (q, p)):
                        if _interval(lo.core, hi.core):
                            return self.clip(x, lo, hi)
        first, second = (a, b) if a.id < b.id else (b, a)
        return self.make(op, (first, second))

    def clip(self, x: Value, lo: Value, hi: Value) -> Value:
        """`x` limited to [lo, hi]; a bound that is None makes it one-sided."""
        if lo is self.none and hi is self.none:
            return x
        if lo is self.none:
            return self.extremum("min", x, hi)
        if hi is self.none:
            return self.extremum("max", x, lo)
        # clip(x, m - c, m + c) = m + clip(x - m, -c, c), the form of value clipping
        middle = _middle(self, lo.core, hi.core)
        if middle is not None:
            centre, half_lo, half_hi = middle
            return self.add(centre, self.make("clip", (self.sub(x.core, centre), half_lo, half_hi)))
        return self.make("clip", (x, lo, hi))

    def where(self, condition: Value, a: Value, b: Value) -> Value:
        if a is b:
            return a
        limited = self.limited(condition, a, b)
        return self.make("where", (condition, a, b)) if limited is None else limited

    def limited(self, condition: Value, a: Value, b: Value) -> Value | None:
        """`a if condition else b` where that is a minimum, a maximum or a clip; else None."""
        c = condition.core
        if c.op != "cmp" or c.data not in ("<", "<=", ">", ">="):
            return None
        left, right = c.args
        less = c.data in ("<", "<=")
        if a.core is left and b.core is right:
            return self.extremum("min" if less else "max", a, b)
        if a.core is right and b.core is left:
            return self.extremum("max" if less else "min", a, b)
        # the second side of a clip: hi if x > hi else max(x, lo)
        for x, bound, above in ((left, right, not less), (right, left, less)):
            for taken, other, beyond in ((a, b, above), (b, a, not above)):
                inner, outer = ("max", "min") if beyond else ("min", "max")
                if taken.core is bound and other.core.op == inner and x in other.core.args:
                    result = self.extremum(outer, other, bound)
                    if result.core.op not in ("min", "max"):
                        return result
        return None

    def substituted(self, value: Value, old: Value, new: Value) -> Value:
        """`value` with `new` in the place of `old`, in normal form again; calls are left alone."""
        known = {old: new}

        def of(part: Value) -> Value:
            if part not in known:
                changed = part
                if part.args and part.op != "call":
                    args = tuple(of(a) for a in part.args)
                    if args != part.args:
                        changed = self._rebuild(part.op, args, part.data)
                known[part] = changed
            return known[part]

        return of(value)

    def phi(self, alternatives: Iterable[Value]) -> Value:
        """The value of a name where branches meet; too many alternatives are `unknown`."""
        seen: list[Value] = []
        for value in alternatives:
            for part in value.args if value.op == "phi" else (value,):
                if part not in seen:
                    seen.append(part)
        if len(seen) == 1:
            return seen[0]
        if len(seen) > MAX_PHI:
            seen = seen[-MAX_PHI:]
        return self.make("phi", tuple(seen))


def _parts(hinge: Value) -> tuple[Value, ...]:
    """The terms of what a relu is taken of."""
    core = hinge.args[0] if hinge.op == "neg" else hinge
    return tuple(t for a in core.args for t in (a.core.args if a.core.op == "add" else (a.core,)))


def _is_centred(term: Value, middle: float) -> bool:
    """Whether a value is clip(x - middle, lo, hi)."""
    return term.op == "clip" and any(
        t.number == -middle
        for t in (term.args[0].core.args if term.args[0].core.op == "add" else ())
    )


def _is_hinge(term: Value) -> bool:
    """relu(...), or its opposite."""
    core = term.args[0] if term.op == "neg" else term
    return core.op == "max" and any(a.number == 0 for a in core.args)


def _shortened(limit: Value) -> list[Value]:
    """What stands beside its bound in min(..., bound), and in a clip between 0 and 1."""
    core = limit.core
    if core.op == "min":
        return [core]
    if core.op == "clip" and core.args[1].number == 0 and core.args[2].number == 1:
        return [core]
    return []


def _by_id(value: Value) -> int:
    return value.id


def _constant_part(value: Value) -> tuple[float, Value | None]:
    """`value` as constant + rest."""
    if value.number is not None:
        return value.number, None
    if value.op == "add":
        for term in value.args:
            if term.number is not None:
                return term.number, value
    return 0.0, value


def _interval(lo: Value, hi: Value) -> bool:
    """Whether `lo` and `hi` look like the two sides of one interval."""
    if lo.number is not None and hi.number is not None:
        return lo.number < hi.number
    if lo.op == "neg" and lo.args[0] is hi:
        return True
    if lo.op == "min" and hi.op == "max" and lo.args == hi.args:
        return True  # whichever is smaller, and the other
    if lo.op == "add" and hi.op == "add":
        shared = [t for t in lo.args if t in hi.args]
        lo_rest = [t for t in lo.args if t not in shared]
        hi_rest = [t for t in hi.args if t not in shared]
        if shared and len(lo_rest) == len(hi_rest) == 1:
            low, high = lo_rest[0], hi_rest[0]
            return low.op == "neg" and high.op != "neg"
    return False


def _middle(values: Values, lo: Value, hi: Value) -> tuple[Value, Value, Value] | None:
    """(centre, -c, c) when the bounds are centre - c and centre + c and the centre is no constant."""
    if lo.op != "add" or hi.op != "add":
        return None
    shared = [t for t in lo.args if t in hi.args and t.number is None]
    if not shared:
        return None
    low = values.add(*(t for t in lo.args if t not in shared))
    high = values.add(*(t for t in hi.args if t not in shared))
    if low is values.neg(high) and low is not values.zero:
        return values.add(*shared), low, high
    return None


# -- looking into values --------------------------------------------------------------------
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
