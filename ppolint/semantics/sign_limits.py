"""Clipped surrogates without a clip: the limits that either sign of the advantage leaves of it.

For a positive advantage only the upper limit of the ratio matters, for a negative one only the
lower. Losses that are written this way branch, mask, or put the sign into the limit.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ppolint.semantics.ratios import (
    in_product,
    is_exponential_ratio,
    is_one_side,
    is_quotient,
    loss_factors,
)
from ppolint.semantics.values import Value, factors, terms, walk

if TYPE_CHECKING:
    from ppolint.semantics.model import FileModel


def halves(branches: tuple[Value, ...]) -> tuple[Value, Value] | None:
    """where(A > 0, min(r, 1+e), max(r, 1-e)), with or without the advantage inside; also as the
    sum of two products of which a mask, or a hinge of the advantage, leaves one."""
    found: dict[str, list[tuple[Value, Value]]] = {"min": [], "max": []}
    for branch in branches:
        for factor in loss_factors(branch):
            if factor.op in ("min", "max"):
                for x, limit in (factor.args, factor.args[::-1]):
                    bound = limit.core
                    if bound.op == "clip" and bound.args[0].core is x.core:
                        bound = bound.args[2 if factor.op == "min" else 1].core
                    if is_one_side(bound, below=factor.op == "max"):
                        found[factor.op].append((_unmasked(x.core), bound))
            elif factor.op == "where":
                for x, bound, below in _sides(factor):
                    found["max" if below else "min"].append((x, bound))
    for x, hi in found["min"]:
        for y, _lo in found["max"]:
            if x is y and not (x.number is not None):
                return x, hi
    return None


def is_piecewise(value: Value, ratio: Value) -> bool:
    """Whether a ratio is replaced below 1-e and above 1+e, by whatever: a clip that rolls back."""
    sides = {
        below
        for part in walk(value)
        if part.op == "where"
        for x, _, below in _sides(part)
        if x is ratio
    }
    return len(sides) == 2


def _sides(choice: Value) -> Iterator[tuple[Value, Value, bool]]:
    """(x, bound, below) where something else is taken for `x` beyond a bound around 1."""
    test = choice.args[0].core
    if test.op != "cmp":
        return
    for x, bound in (test.args, test.args[::-1]):
        for below in (True, False):
            if x.number is None and is_one_side(bound.core, below):
                yield x.core, bound.core, below


def is_half(file: FileModel, upper: Value) -> bool:
    """Whether min(r, 1+e) stands beside max(r, 1-e), each in a product of its own: what branches by
    the sign of the advantage do."""
    for ratio, bound in (upper.args, upper.args[::-1]):
        if is_exponential_ratio(ratio) and is_one_side(bound.core, below=False):
            lower = [
                user
                for user in file.users(ratio)
                if user.op == "max"
                and any(a is not ratio and is_one_side(a.core, below=True) for a in user.args)
            ]
            return in_product(file, upper) and any(in_product(file, half) for half in lower)
    return False


def limit_by_sign(
    clipped: Value, parts: list[Value], others: list[Value]
) -> tuple[Value, Value] | None:
    """min(r*A, where(A > 0, (1+e)*A, (1-e)*A)), the form without a clip."""
    ratios = [f for f in others if is_exponential_ratio(f) or is_quotient(f)]
    for part in [clipped, *parts]:
        arms = part.args[1:] if part.op == "where" else part.args
        if part.op not in ("where", "phi") or len(arms) != 2:
            continue
        one, two = arms[0].core, arms[1].core
        for high, low in ((one, two), (two, one)):
            for h in factors(high):
                for lw in factors(low):
                    if is_one_side(h, below=False) and is_one_side(lw, below=True):
                        if ratios or len(others) > 1:
                            ratio = ratios[0] if ratios else others[0]
                            return ratio, part
    return None


def is_signed_limit(limit: Value, parts: list[Value], others: list[Value]) -> bool:
    """(1 + e * sign(A)) * A or A + e * |A|, beside r * A."""
    if not any(is_exponential_ratio(f) or is_quotient(f) for f in others):
        return False
    for part in parts:
        if part.op == "add" and any(t.number == 1 for t in part.args):
            for scale in (f for t in part.args for f in factors(t)):
                if _signed(scale.core) in others:
                    return True
    rest = [t for t in terms(limit) if t not in others and t.op != "neg"]
    return 0 < len(rest) == len(terms(limit)) - 1 and all(
        any(f.op == "abs" and f.args[0].core in others for f in factors(t)) for t in rest
    )


def _signed(value: Value) -> Value | None:
    """What a value is the sign of: sign(A), or 2 * (A > 0) - 1."""
    if value.op == "fn" and value.data == "sign":
        return value.args[0].core
    if value.op != "add" or len(value.args) != 2 or not any(t.number == -1 for t in value.args):
        return None
    for term in value.args:
        doubled = factors(term)
        if len(doubled) == 2 and any(f.number == 2 for f in doubled):
            for test in doubled:
                if test.core.op == "cmp" and test.core.data in (">", ">="):
                    left, right = test.core.args[0].core, test.core.args[1].core
                    return left if right.number == 0 else None
    return None


def are_limits_of_product(clip: Value) -> bool:
    """Whether r * A is limited by the smaller and the larger of (1-e)*A and (1+e)*A."""
    lo, hi = clip.args[1].core, clip.args[2].core
    if lo.op != "min" or hi.op != "max" or lo.args != hi.args:
        return False
    one, two = ([f.core for f in factors(a)] for a in lo.args)
    shared = [f for f in one if f in two]
    sides = [[f for f in part if f not in shared] for part in (one, two)]
    if not shared or any(len(side) != 1 for side in sides):
        return False
    a, b = sides[0][0], sides[1][0]
    return any(
        is_one_side(low, below=True) and is_one_side(high, below=False)
        for low, high in ((a, b), (b, a))
    )


def is_smooth_limit(limited: Value, ratio: Value) -> bool:
    """Whether a sum is 1 + e * tanh((r - 1) / e), a limit without corners."""
    if not any(t.number == 1 for t in terms(limited)):
        return False
    for part in (f for t in terms(limited) for f in factors(t)):
        if part.op == "fn" and part.data == "tanh":
            if any(v is ratio for v in walk(part)):
                return True
    return False


def stopped_ratio(product: Value) -> Value | None:
    """The ratio in r * A * mask, where the mask stops the gradient beyond either limit: by what r
    is above and below of, and the sign of the advantage."""
    for ratio in (f for f in product.args if is_exponential_ratio(f)):
        for mask in product.args:
            if mask is ratio:
                continue
            sides = set()
            signs = False
            for test in walk(mask):
                if test.op != "cmp" or test.data not in ("<", "<=", ">", ">="):
                    continue
                left, right = test.args[0].core, test.args[1].core
                if left is ratio or right is ratio:
                    bound = right if left is ratio else left
                    sides.update(below for below in (True, False) if is_one_side(bound, below))
                elif left.number == 0 or right.number == 0:
                    signs = True
            if len(sides) == 2 and signs:
                return ratio
    return None


def _unmasked(value: Value) -> Value:
    """`x` of `x[mask]`."""
    if value.op == "item" and value.args[1].core.op in ("cmp", "not", "and", "or"):
        return value.args[0].core
    return value
