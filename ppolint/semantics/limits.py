"""Minima, maxima and clips in normal form, however they are written."""

from __future__ import annotations

from collections.abc import Callable

from ppolint.semantics.values import Value, terms


class Limits:
    """The part of `Values` that knows limits; mixed into it."""

    zero: Value
    none: Value
    make: Callable[..., Value]
    add: Callable[..., Value]
    sub: Callable[..., Value]
    mul: Callable[..., Value]
    neg: Callable[..., Value]

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
        # c * sign(x) if |x| > c else x
        for length, bound, above in ((left, right, not less), (right, left, less)):
            beyond, within = (a.core, b.core) if above else (b.core, a.core)
            if beyond.op == "mul" and self._is_length(length, within):
                signs = [f for f in beyond.args if f is not bound]
                if len(signs) == 1 and len(beyond.args) == 2 and _is_sign(signs[0], within):
                    return self.make("clip", (within, self.neg(bound), bound))
        return None

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
                    if any(is_hinge(t) and self.neg(a.core) in _parts(t) for t in terms)
                ]
                if inner:
                    x = inner[0]
                    hi = next(a for a in whole.args if a is not x)
            for term in terms:
                if term is whole or not is_hinge(term):
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


def _is_sign(value: Value, x: Value) -> bool:
    core = value.core
    return core.op == "fn" and core.data == "sign" and core.args[0].core is x


def _parts(hinge: Value) -> tuple[Value, ...]:
    """The terms of what a relu is taken of."""
    core = hinge.args[0] if hinge.op == "neg" else hinge
    return tuple(t for a in core.args for t in (a.core.args if a.core.op == "add" else (a.core,)))


def is_hinge(term: Value) -> bool:
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
            if low.number is not None and high.number is not None:
                return low.number < high.number
            return low.op == "neg" and high.op != "neg"
    return False


def _middle(values: Limits, lo: Value, hi: Value) -> tuple[Value, Value, Value] | None:
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
