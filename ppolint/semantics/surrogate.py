"""Hand-written PPO losses, as patterns over values.

The clipped surrogate (Schulman et al. 2017, eq. 7) is the minimum of r*A and clip(r, 1-e, 1+e)*A
with r = exp(log pi - log pi_old). What identifies it is the clip: everything else may be spelled in
many ways, be split over helpers, or be wrong. The KL-penalised surrogate is eq. 8.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ppolint.semantics.penalties import penalised_sums
from ppolint.semantics.program import Site
from ppolint.semantics.ratios import (
    around_one,
    bounds_are_symbols,
    epsilon_of,
    has_gradient,
    in_product,
    is_difference,
    is_exponential_ratio,
    is_log_prob,
    is_quotient,
    is_repeated,
    log_prob_evidence,
    loss_factors,
    settled,
    stripped,
)
from ppolint.semantics.sign_limits import (
    are_limits_of_product,
    halves,
    is_half,
    is_piecewise,
    is_signed_limit,
    is_smooth_limit,
    limit_by_sign,
    stopped_ratio,
)
from ppolint.semantics.values import Value, alternatives, factors, terms, walk

if TYPE_CHECKING:
    from ppolint.semantics.model import FileModel

# Lines between the clip and the minimum that still read as one statement of the loss.
_NEAR = 12


@dataclass(frozen=True, slots=True)
class Surrogate:
    """One PPO loss: `kind` is "clip" or "kl"; `bound` the clip range, where it can be seen."""

    kind: str
    value: Value
    ratio: Value | None
    epsilon: Value | None
    node: Any
    site: Site
    first: Any  # where it starts: the clip of the ratio, when that stands before


def surrogates(file: FileModel) -> list[Surrogate]:
    """Every PPO loss of a file, once a place; clipped ones first."""
    found: list[Surrogate] = []
    seen: set[int] = set()
    once: set[tuple[Value, Any]] = set()  # computed again, for a log
    candidates = [((k, v, r, c), _places(file, v, c)) for k, v, r, c in _candidates(file)]
    for (kind, value, ratio, clip), node, site in settled(file, candidates):
        place = (value, site.frame.function)
        if id(node) in seen or place in once:
            continue
        seen.add(id(node))
        once.add(place)
        epsilon = None
        first = node
        if clip is not None:
            first = _start(file, clip, node, site)
            if clip.op == "clip":
                epsilon = epsilon_of(clip)
                hi = clip.args[2].core.number
                if epsilon is None and hi is not None:
                    epsilon = file.values.const(round(hi - 1, 10))
        found.append(Surrogate(kind, value, ratio, epsilon, node, site, first))
    return _without_inner(file, found)


def _places(file: FileModel, value: Value, clip: Value | None) -> list[tuple[Any, Site]]:
    """Where a loss is computed; the call, where a helper of another file puts together what is
    computed here."""
    places = file.places(value)
    if clip is None or any(site.frame.module.main for _, site in places):
        return places
    if any(site.frame.module.main for _, site in file.places(clip)):
        return [file.here(node, site) for node, site in places]
    return places


def _without_inner(file: FileModel, found: list[Surrogate]) -> list[Surrogate]:
    """One finding for one loss: a sum around a surrogate that was found is not another one."""
    spans = [(file.span(f.first)[0], file.span(f.node)[1]) for f in found]
    return [
        f
        for at, f in enumerate(found)
        if not any(
            other != at and _inside(spans[other], spans[at], at > other)
            and (f.kind == "kl" or found[other].kind == f.kind)
            for other in range(len(found))
        )
    ]  # fmt: skip


def _inside(inner: tuple[int, int], outer: tuple[int, int], later: bool) -> bool:
    if inner == outer:
        return later
    return outer[0] <= inner[0] and inner[1] <= outer[1]


def _start(file: FileModel, clip: Value, node: Any, site: Site) -> Any:
    """The place of the clip in the same function, if it is shortly before `node`."""
    start = file.span(node)[0]
    text = file.source.text
    best, best_at = node, start
    bounds = clip.args[1:]
    limits = [
        u
        for u in file.users(clip.args[0])
        if u.op in ("min", "max", "where") and any(b in u.args for b in bounds)
    ]
    for part in [clip, *(u for u in limits if u is not clip)]:
        for other, other_site in file.places(part):
            if other_site.frame is not site.frame or not other_site.frame.module.main:
                continue
            at = file.span(other)[0]
            if at < best_at and text.count("\n", at, start) <= _NEAR:
                best, best_at = other, at
    return best


def _candidates(file: FileModel) -> Iterator[tuple[str, Value, Value | None, Value | None]]:
    covered: set[Value] = set()
    for op in ("where", "add"):
        for value in file.of_op(op):
            match = halves(value.args[1:] if op == "where" else value.args)
            if match is not None:
                covered.update(_inner_extrema(value))
                yield "clip", value, *match
    for op in ("min", "max"):
        for value in file.of_op(op):
            match = _pessimistic(value) if value not in covered else None
            if match is not None:
                ratio, clip = match
                covered.update(_inner_extrema(value))
                yield "clip", value, ratio, clip
    for upper in file.of_op("min"):
        if upper not in covered and is_half(file, upper):
            yield "clip", upper, upper, upper
    for value in file.of_op("mul"):
        ratio = stopped_ratio(value)
        if ratio is not None:
            yield "clip", value, ratio, None
    # a helper makes the products, and its caller takes the minimum
    compared = {id(node) for clip in covered for node, _ in file.places(clip)}
    for clip in file.of_op("clip"):
        if clip in covered or not around_one(clip) or _weighs_log_prob(file, clip):
            continue
        if not has_gradient(file, clip):
            continue
        if all(id(node) in compared for node, _ in file.places(clip)):
            continue
        argument = clip.args[0].core
        if is_exponential_ratio(argument) and in_product(file, clip):
            yield "clip", clip, argument, clip
        elif any(is_exponential_ratio(f) for f in factors(argument)) and len(factors(argument)) > 1:
            yield "clip", clip, argument, clip
    for value in file.of_op("exp"):
        inner = value.args[0].core
        if inner.op == "clip" and is_difference(inner.args[0]) and _symmetric(inner):
            if inner not in covered and value not in covered and in_product(file, value):
                weight = _weighs_log_prob(file, value) or not has_gradient(file, value)
                if log_prob_evidence(inner.args[0]) and not weight:
                    yield "clip", value, value, None
    for value, ratio in penalised_sums(file):
        yield "kl", value, ratio, None


def _pessimistic(value: Value) -> tuple[Value, Value] | None:
    """(ratio, clip) when `value` is the min or max of r*A and clip(r)*A."""
    for a, b in (value.args, value.args[::-1]):
        options = alternatives(stripped(b))
        if len(options) == 2:
            options.append(stripped(b))
        for clipped in options:
            parts = loss_factors(clipped)
            for plain in alternatives(stripped(a)):
                others = loss_factors(plain)
                shared = any(p in others and p.number is None for p in parts)
                for part in parts:
                    match = _matching(part, others, shared)
                    if match is not None:
                        return match
                if any(p.op in ("where", "phi") for p in (clipped, *parts)):
                    match = limit_by_sign(clipped, parts, others)
                    if match is not None:
                        return match
                if is_signed_limit(clipped, parts, others):
                    ratios = (f for f in others if is_exponential_ratio(f) or is_quotient(f))
                    return next(ratios), clipped
                # the clip of the whole product: clip(r * A, ...) beside r * A
                if clipped.op == "clip" and clipped.args[0].core is plain:
                    if any(is_exponential_ratio(f) for f in others):
                        if around_one(clipped) or are_limits_of_product(clipped):
                            return plain, clipped
    return None


def _matching(part: Value, others: list[Value], shared: bool = False) -> tuple[Value, Value] | None:
    """(ratio, clip) when one of the other factors is what `part` clips; `shared`: beside it there is
    a factor that both products have."""
    for clip in alternatives(part):
        if clip.op == "clip":
            for ratio in alternatives(clip.args[0]):
                for other in others:
                    if other is clip or not any(
                        is_repeated(ratio, option) for option in alternatives(other)
                    ):
                        continue
                    if around_one(clip):
                        return ratio, clip
                    likely = is_exponential_ratio(ratio) or is_quotient(ratio)
                    if (likely or shared) and bounds_are_symbols(clip):
                        return ratio, clip
        elif clip.op == "where":
            for other in others:
                if is_exponential_ratio(other) and is_piecewise(clip, other):
                    return other, clip
        elif clip.op == "add":
            for other in others:
                if is_exponential_ratio(other) and is_smooth_limit(clip, other):
                    return other, clip
        elif clip.op == "exp":
            for inner in terms(clip.args[0]):
                if inner.op != "clip" or not is_difference(inner.args[0]):
                    continue
                for other in others:
                    if other.op == "exp" and other is not clip and is_exponential_ratio(other):
                        return other, inner
    return None


def _inner_extrema(value: Value) -> set[Value]:
    return {v for v in walk(value) if v.op in ("min", "max", "clip")}


def _weighs_log_prob(file: FileModel, weight: Value) -> bool:
    """Whether a limited ratio is the weight of a log-probability: the gradient is that of the
    log-probability then, in CISPO and other truncated importance sampling."""
    compared = {
        t.args[0] if t.op == "neg" else t
        for power in walk(weight)
        if power.op == "exp"
        for t in terms(power.args[0])
    }
    queue, seen = [weight], {weight}
    while queue:
        for user in file.users(queue.pop()):
            if user in seen:
                continue
            seen.add(user)
            if user.op == "mul" and any(
                f not in seen and (f in compared or is_log_prob(f)) for f in user.args
            ):
                return True
            if user.op in ("mul", "neg", "phi", "after", "item", "reduce"):
                queue.append(user)
    return False


def _symmetric(clip: Value) -> bool:
    lo, hi = clip.args[1].core, clip.args[2].core
    if lo.number is not None and hi.number is not None:
        return lo.number == -hi.number and abs(hi.number) < 1
    if lo.op == "neg" and lo.args[0].core is hi:
        return True
    # log(1 - e), log(1 + e)
    return lo.op == hi.op == "log"
