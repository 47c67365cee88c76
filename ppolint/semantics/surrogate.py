"""Hand-written PPO losses and value clipping, as patterns over values.

The clipped surrogate (Schulman et al. 2017, eq. 7) is the minimum of r*A and clip(r, 1-e, 1+e)*A
with r = exp(log pi - log pi_old). What identifies it is the clip: everything else may be spelled in
many ways, be split over helpers, or be wrong. `surrogates(file)` finds clipped and KL-penalised
surrogates (eq. 8), `value_clips(file)` the clipped value loss, `free_ratios(file)` importance ratios
that belong to neither.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ppolint.semantics.program import Site
from ppolint.semantics.values import Value, alternatives, factors, terms, walk

if TYPE_CHECKING:
    from ppolint.semantics.model import FileModel

_LOG_PROB_FN = frozenset({"log_softmax", "logsigmoid", "cross_entropy", "nll_loss"})
_REGRESSION = frozenset({"mse_loss", "smooth_l1_loss", "huber_loss", "l1_loss"})
_REGRESSION_MODULES = frozenset({"MSELoss", "SmoothL1Loss", "HuberLoss", "L1Loss"})
# Lines between the clip and the minimum that still read as one statement of the loss.
_NEAR = 12
_MEANS = frozenset({"mean", "sum", "nanmean", "nansum"})


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


@dataclass(frozen=True, slots=True)
class ValueClip:
    """One clipped value loss: old + clip(new - old, -c, c) against a return."""

    clip: Value
    epsilon: Value
    node: Any
    site: Site


# -- ratios -----------------------------------------------------------------------------------
def is_difference(value: Value) -> bool:
    """Whether a value is a difference of two quantities that are not constants."""
    parts = [t for t in terms(value) if t.number is None]
    negative = sum(t.op == "neg" for t in parts)
    return 0 < negative < len(parts)


def is_exponential_ratio(value: Value) -> bool:
    """exp(new - old), also where a clip limits the difference."""
    for core in alternatives(value):
        if core.op != "exp":
            continue
        inner = core.args[0].core
        if inner.op == "clip":
            inner = inner.args[0].core
        if inner.number == 0 or any(is_difference(a) for a in alternatives(inner)):
            # exp(x - x.detach()) is 1, and its gradient is what counts
            return True
        if inner.op == "reduce" and inner.data in _MEANS and is_difference(inner.args[0]):
            return True
    return False


def is_quotient(value: Value) -> bool:
    """p / p_old, of two quantities that are no constants."""
    return any(
        core.op == "div" and core.args[0].number is None and core.args[1].number is None
        for core in alternatives(value)
    )


def around_one(clip: Value) -> bool:
    """Whether the bounds of a clip are 1 - a and 1 + b."""
    lo, hi = clip.args[1].core, clip.args[2].core
    if lo.number is not None and hi.number is not None:
        return 0 < lo.number < 1 < hi.number
    return _one_side(lo, below=True) and _one_side(hi, below=False)


def _one_side(bound: Value, below: bool) -> bool:
    if bound.number is not None:
        return 0 < bound.number < 1 if below else bound.number > 1
    if bound.op == "div" and bound.args[0].number == 1:
        return _one_side(bound.args[1].core, not below)
    if bound.op in ("phi", "after"):
        return all(_one_side(a, below) for a in alternatives(bound))
    one = [t for t in terms(bound) if t.number == 1]
    rest = [t for t in terms(bound) if t.number is None]
    return bool(one) and bool(rest) and all((t.op == "neg") == below for t in rest)


def _bounds_are_symbols(clip: Value) -> bool:
    return clip.args[1].core.number is None and clip.args[2].core.number is None


def epsilon_of(clip: Value) -> Value | None:
    """The half width of a clip around 1: a number, or the expression added to 1."""
    hi = clip.args[2].core
    rest = [t for t in terms(hi) if t.number is None]
    return rest[0] if len(rest) == 1 and len(terms(hi)) == 2 else None


def _strip(value: Value) -> Value:
    """Without sign and without the mean or sum over the batch."""
    core = value.core
    while True:
        if core.op == "neg":
            core = core.args[0].core
        elif core.op == "reduce" and core.data in _MEANS:
            core = core.args[0].core
        else:
            return core


def _factors(value: Value) -> list[Value]:
    """The factors of a product, sign and means dropped; a quotient is one, and so is its top."""
    out: list[Value] = []
    core = _strip(value)
    for factor in core.args if core.op == "mul" else (core,):
        stripped = _strip(factor)
        if stripped is not factor and stripped.op == "mul":
            out.extend(_factors(stripped))
        else:
            out.append(stripped)
            if stripped.op == "div":
                out.extend(_factors(stripped.args[0]))
    return out


# -- the clipped surrogate --------------------------------------------------------------------
def surrogates(file: FileModel) -> list[Surrogate]:
    """Every PPO loss of a file, once a place; clipped ones first."""
    found: list[Surrogate] = []
    seen: set[int] = set()
    candidates = [((k, v, r, c), file.places(v)) for k, v, r, c in _candidates(file)]
    for (kind, value, ratio, clip), node, site in settled(file, candidates):
        if id(node) in seen:
            continue
        seen.add(id(node))
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
    limits = [u for u in file.users(clip.args[0]) if u.op in ("min", "max", "where")]
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
    for op in ("min", "max"):
        for value in file.of_op(op):
            match = _pessimistic(value)
            if match is not None:
                ratio, clip = match
                covered.add(clip)
                yield "clip", value, ratio, clip
    for value in file.of_op("where"):
        match = _selected(value)
        if match is not None:
            covered.update(_inner_extrema(value))
            yield "clip", value, *match
    for clip in file.of_op("clip"):
        if clip in covered or not around_one(clip):
            continue
        argument = clip.args[0].core
        if is_exponential_ratio(argument) and _in_product(file, clip):
            yield "clip", clip, argument, clip
        elif any(is_exponential_ratio(f) for f in factors(argument)) and len(factors(argument)) > 1:
            yield "clip", clip, argument, clip
    for value in file.of_op("exp"):
        inner = value.args[0].core
        if inner.op == "clip" and is_difference(inner.args[0]) and _symmetric(inner):
            if inner not in covered and value not in covered and _in_product(file, value):
                if _log_prob_evidence(inner.args[0]):
                    yield "clip", value, value, None
    for value, ratio in _penalised_sums(file):
        yield "kl", value, ratio, None


def _pessimistic(value: Value) -> tuple[Value, Value] | None:
    """(ratio, clip) when `value` is the min or max of r*A and clip(r)*A."""
    for a, b in (value.args, value.args[::-1]):
        for clipped in alternatives(_strip(b)):
            parts = _factors(clipped)
            for plain in alternatives(_strip(a)):
                others = _factors(plain)
                for part in parts:
                    match = _matching(part, others)
                    if match is not None:
                        return match
                if clipped.op == "where" or any(p.op == "where" for p in parts):
                    match = _limit_by_sign(clipped, parts, others)
                    if match is not None:
                        return match
                # the clip of the whole product: clip(r * A, ...) beside r * A
                if clipped.op == "clip" and clipped.args[0].core is plain and around_one(clipped):
                    if any(is_exponential_ratio(f) for f in others):
                        return plain, clipped
    return None


def _matching(part: Value, others: list[Value]) -> tuple[Value, Value] | None:
    for clip in alternatives(part):
        if clip.op == "clip":
            for ratio in alternatives(clip.args[0]):
                for other in others:
                    if other is clip or ratio not in alternatives(other):
                        continue
                    if around_one(clip):
                        return ratio, clip
                    likely = is_exponential_ratio(ratio) or is_quotient(ratio)
                    if likely and _bounds_are_symbols(clip):
                        return ratio, clip
        elif clip.op == "exp":
            for inner in terms(clip.args[0]):
                if inner.op != "clip" or not is_difference(inner.args[0]):
                    continue
                for other in others:
                    if other.op == "exp" and other is not clip and is_exponential_ratio(other):
                        return other, inner
    return None


def _limit_by_sign(
    clipped: Value, parts: list[Value], others: list[Value]
) -> tuple[Value, Value] | None:
    """min(r*A, where(A > 0, (1+e)*A, (1-e)*A)), the form without a clip."""
    ratios = [f for f in others if is_exponential_ratio(f) or is_quotient(f)]
    for part in [clipped, *parts]:
        if part.op != "where":
            continue
        one, two = part.args[1].core, part.args[2].core
        for high, low in ((one, two), (two, one)):
            for h in factors(high):
                for lw in factors(low):
                    if _one_side(h, below=False) and _one_side(lw, below=True):
                        if ratios or len(others) > 1:
                            ratio = ratios[0] if ratios else others[0]
                            return ratio, part
    return None


def _inner_extrema(value: Value) -> set[Value]:
    return {v for v in walk(value) if v.op in ("min", "max", "clip")}


def _selected(value: Value) -> tuple[Value, Value] | None:
    """where(A > 0, min(r, 1+e), max(r, 1-e)), with or without the advantage inside."""
    found: dict[str, list[tuple[Value, Value]]] = {"min": [], "max": []}
    for branch in value.args[1:]:
        for factor in _factors(branch):
            if factor.op in ("min", "max"):
                for x, bound in (factor.args, factor.args[::-1]):
                    if _one_side(bound.core, below=factor.op == "max"):
                        found[factor.op].append((x.core, bound.core))
    for x, hi in found["min"]:
        for y, _lo in found["max"]:
            if x is y and not (x.number is not None):
                return x, hi
    return None


def _in_product(file: FileModel, value: Value) -> bool:
    """Whether `value` is multiplied with something that is no constant."""
    queue, seen = [value], {value}
    while queue:
        for user in file.users(queue.pop()):
            if user in seen:
                continue
            seen.add(user)
            if user.op == "mul" and sum(a.number is None for a in user.args) > 1:
                return True
            if user.op in ("neg", "phi", "after", "item") or (
                user.op == "reduce" and user.data in ("prod", "sum")
            ):
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


# -- the KL-penalised surrogate ---------------------------------------------------------------
def _penalised_sums(file: FileModel) -> Iterator[tuple[Value, Value]]:
    """The sums r*A - beta*KL with their ratios; not those that add more terms to one of them."""
    found: list[tuple[frozenset[Value], Value, Value]] = []
    for value in file.of_op("add"):
        ratio = _penalised(value)
        if ratio is not None:
            found.append((frozenset(_strip(t) for t in _expanded(value)), value, ratio))
    for at, (parts, value, ratio) in enumerate(found):
        if not any(o < parts or (o == parts and i < at) for i, (o, _, _) in enumerate(found)):
            yield value, ratio


def _penalised(value: Value) -> Value | None:
    """The ratio when a sum holds r*A and a multiple of a KL divergence."""
    ratio: Value | None = None
    penalty = False
    for term in _expanded(value):
        parts = _factors(term)
        exponentials = [p for p in parts if is_exponential_ratio(p)]
        if exponentials and len(parts) > 1 and not any(_is_divergence(p) for p in parts):
            if any(p.number is None and p not in exponentials for p in parts):
                ratio = exponentials[0]
        elif (any(_is_divergence(p) for p in parts) and len(parts) > 1) or _expected_gap(parts):
            penalty = True
    return ratio if penalty else None


def _expanded(value: Value) -> list[Value]:
    """The terms of a sum, also inside a mean."""
    out: list[Value] = []
    for term in terms(value):
        core = _strip(term)
        out.extend(terms(core) if core.op == "add" else [term])
    return out


def _is_divergence(value: Value) -> bool:
    core = _strip(value)
    if core.op == "call":
        callee = core.args[0]
        name = callee.dotted or str(callee.data if callee.op == "attr" else "")
        if name.rpartition(".")[2] in ("kl_divergence", "kl"):
            return True
    if core.op == "fn" and core.data == "kl_div":
        return True
    return _is_third_estimator(core) or (
        core.op == "add" and is_difference(core) and _log_prob_evidence(core)
    )


def _expected_gap(parts: list[Value]) -> bool:
    """Factors p * (log p - log q), whose sum is a KL divergence."""
    for part in parts:
        if part.op == "exp":
            for other in parts:
                if is_difference(other) and part.args[0].core in terms(other):
                    return True
    return False


def _is_third_estimator(value: Value) -> bool:
    """(r - 1) - log r, the low-variance estimate of a KL divergence (Schulman, 2020)."""
    parts = terms(value)
    for part in parts:
        if part.op == "exp" and is_difference(part.args[0]):
            inner = terms(part.args[0])
            rest = [p for p in parts if p is not part and p.number is None]
            numbers = [p.number for p in parts if p.number is not None]
            negated = {(t.args[0] if t.op == "neg" else None) for t in rest}
            plain = {t for t in inner if t.op != "neg"}
            if numbers == [-1] and len(rest) == len(inner) and plain <= negated:
                return True
    return False


# -- value clipping ---------------------------------------------------------------------------
def value_clips(file: FileModel) -> list[ValueClip]:
    """Every clipped value loss of a file, once a place."""
    found: list[ValueClip] = []
    candidates: list[tuple[Any, list[tuple[Any, Site]]]] = []
    seen: set[int] = set()
    for clip in file.of_op("clip"):
        if not is_difference(clip.args[0]) or not _opposite(file, clip):
            continue
        sums = _predictions(file, clip)
        errors = [u for form in (clip, file.values.neg(clip)) for u in file.users(form)]
        if not sums or not any(
            _is_regressed(file, e, clip)
            for e in errors
            if e.op == "add" and not _is_own_target(file, e, clip)
        ):
            continue
        for value in [clip, *sums]:
            places = [p for p in file.places(value) if p[1].frame.module.main]
            if places:
                candidates.append((clip, places))
                break
    for clip, node, site in settled(file, candidates):
        if id(node) not in seen:
            seen.add(id(node))
            found.append(ValueClip(clip, clip.args[2].core, node, site))
    return found


def settled(
    file: FileModel, candidates: list[tuple[Any, list[tuple[Any, Site]]]]
) -> list[tuple[Any, Any, Site]]:
    """One place in this file for every pattern: where a reader would put it right.

    A pattern that appears only through the arguments of a helper (`clip(x, lo, hi)`) belongs to the
    call of the helper; one that the helper holds by itself belongs into the helper.
    """
    nearest: dict[int, int] = {}
    flat = [(what, node, site) for what, places in candidates for node, site in places]
    for _, node, site in flat:
        nearest[id(node)] = min(site.frame.depth, nearest.get(id(node), 99))
    out = []
    for what, node, site in flat:
        if site.frame.depth > nearest[id(node)]:
            continue
        frame = site.frame
        while frame.module.main and frame.call_site is not None:
            node, site = frame.call, frame.call_site
            frame = site.frame
        if frame.module.main:
            out.append((what, node, site))
    return out


def _is_own_target(file: FileModel, error: Value, clip: Value) -> bool:
    """Whether the change is compared with what it was taken to: a limited residual of a signal."""
    negated = file.values.neg
    parts = {t if clip in terms(error) else negated(t) for t in terms(error)}
    plus = [t for t in terms(clip.args[0]) if t.op != "neg" and t.number is None]
    minus = [t.args[0] for t in terms(clip.args[0]) if t.op == "neg"]
    if all(old in parts for old in minus):
        return any(negated(new) in parts for new in plus)
    return all(negated(old) in parts for old in plus) and any(new in parts for new in minus)


def _opposite(file: FileModel, clip: Value) -> bool:
    lo, hi = clip.args[1].core, clip.args[2].core
    return file.values.neg(hi) is lo and lo is not hi


def _predictions(file: FileModel, clip: Value) -> list[Value]:
    """The sums that hold old + clip(new - old), whatever else they hold."""
    negative = {t.args[0] for t in terms(clip.args[0]) if t.op == "neg"}
    positive = {t for t in terms(clip.args[0]) if t.op != "neg" and t.number is None}
    flipped = {file.values.neg(clip)} | {clip}
    out = []
    for form in flipped:
        for user in file.users(form):
            if user.op != "add":
                continue
            sign = form is clip
            held = set(user.args)
            old = {n if sign else file.values.neg(n).core for n in negative}
            other = {p if not sign else file.values.neg(p).core for p in positive}
            if old <= held or (other and other <= held):
                out.append(user)
    return out


def _is_regressed(file: FileModel, total: Value, clip: Value) -> bool:
    """Whether a sum is an error that is squared, or the prediction of a regression loss."""
    queue, seen = [total], {total}
    depth = 0
    while queue and depth < 12:
        depth += 1
        for user in file.users(queue.pop()):
            if user in seen:
                continue
            seen.add(user)
            if user.op == "pow" and user.args[1].number == 2:
                return True
            if user.op == "mul" and user.args.count(total) > 1:
                return True
            if user.op == "fn" and user.data in _REGRESSION:
                return True
            if user.op == "call" and _is_regression_call(file, user):
                return True
            if user.op in ("neg", "phi", "after", "add", "abs", "where", "mul"):
                queue.append(user)
    return False


def _is_regression_call(file: FileModel, call: Value) -> bool:
    for callee in file.resolve(call.args[0]):
        if callee.op == "call":
            name = file.callee(callee) or ""
            if name.rpartition(".")[2] in _REGRESSION_MODULES:
                return True
        if callee.op == "ref" and str(callee.data).rpartition(".")[2] in _REGRESSION:
            return True
    return False


# -- ratios that belong to no PPO loss --------------------------------------------------------
def _log_prob_evidence(value: Value) -> bool:
    """Whether something in the value is the logarithm of a probability, by structure."""
    for part in walk(value):
        if part.op == "call" and part.args[0].op == "attr" and part.args[0].data == "log_prob":
            return True
        if part.op == "fn" and part.data in _LOG_PROB_FN:
            return True
        if part.op == "log" and any(
            p.op == "fn" and p.data in ("gather", "softmax", "take_along_dim") for p in walk(part)
        ):
            return True
    return False


def free_ratios(file: FileModel, taken: list[Surrogate]) -> Iterator[tuple[Value, Any, Site]]:
    """Importance ratios exp(new - old) used as a weight, that are no part of a PPO loss.

    A ratio that is truncated from one side (V-trace, ACER, Retrace, a Metropolis step) is none.
    """
    used: set[Value] = set()
    for surrogate in taken:
        used.update(v for v in walk(surrogate.value) if v.op in ("exp", "div"))
    used_nodes = {id(node) for value in used for node, _ in file.places(value)}
    ratios = [v for v in file.of_op("exp") if is_difference(v.args[0])]
    for value in [*_self_ratios(file), *_likelihood_quotients(file)]:
        if value not in used and not _truncated(file, value) and _in_product(file, value):
            for node, site in file.places(value):
                if site.frame.module.main and id(node) not in used_nodes:
                    yield value, node, site
    for value in ratios:
        if _truncated(file, value):
            used_nodes.update(id(node) for node, _ in file.places(value))
    for value in ratios:
        third = [u for u in file.users(value) if u.op == "add" and _is_third_estimator(u)]
        if value in used:
            for estimate in third:
                yield from _recomputed(file, estimate, value)
        if value in used or third:
            continue
        signs = [t for t in terms(value.args[0]) if t.number is None]
        if any(_is_peak(t) for t in signs):
            continue
        likely = any(_log_prob_evidence(t) for t in signs) or (
            len(signs) == 2 and file.program.is_near_environment
        )
        if likely and _in_product(file, value):
            for node, site in file.places(value)[:1]:
                if site.frame.module.main and id(node) not in used_nodes:
                    yield value, node, site


def _self_ratios(file: FileModel) -> list[Value]:
    """exp(x - x.detach()): one, and the gradient of a ratio."""
    return [v for v in file.of_op("exp") if v.args[0].number == 0]


def _likelihood_quotients(file: FileModel) -> Iterator[Value]:
    """p.gather(1, a) / p_old.gather(1, a): what two networks say about the same actions."""
    for value in file.of_op("div"):
        above, below = (_looked_up(a) for a in value.args)
        if above is not None and below is not None:
            if above.args[1:] == below.args[1:] and above.args[0] is not below.args[0]:
                yield value


def _looked_up(value: Value) -> Value | None:
    """The `gather` that a probability comes from, an epsilon against zeros left out."""
    parts = [t for t in terms(value) if t.number is None]
    if len(parts) == 1 and parts[0].op == "fn" and parts[0].data in ("gather", "take_along_dim"):
        return parts[0]
    return None


def _is_peak(term: Value) -> bool:
    """The maximum that a softmax subtracts, or a normaliser."""
    core = term.args[0] if term.op == "neg" else term
    return core.number is not None or any(
        v.op == "max" or (v.op == "reduce" and v.data in ("max", "amax", "logsumexp", "mean"))
        for v in walk(core)
    )


def _recomputed(file: FileModel, estimate: Value, ratio: Value) -> Iterator[tuple[Value, Any, Site]]:
    """A KL diagnostic that computes its own ratio instead of the loss's one."""
    outer = [p for p in file.places(estimate) if p[1].frame.module.main]
    for node, site in outer[:1]:
        start, end = file.span(node)
        for inner, inner_site in file.places(ratio):
            if inner_site.frame.module.main:
                s, e = file.span(inner)
                if start <= s and e <= end:
                    yield ratio, node, site
                    return


def _truncated(file: FileModel, value: Value) -> bool:
    queue, seen = [value], {value}
    while queue:
        for user in file.users(queue.pop()):
            if user in seen:
                continue
            seen.add(user)
            if user.op in ("min", "max", "clip") or (user.op == "cmp"):
                return True
            if user.op in ("phi", "after", "item", "reduce", "fn"):
                queue.append(user)
    return False
