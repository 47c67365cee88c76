"""Likelihood ratios, clips around 1, and where a pattern over values is reported."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ppolint.semantics.program import Site
from ppolint.semantics.values import COMMUTATIVE, Value, alternatives, factors, terms, walk

if TYPE_CHECKING:
    from ppolint.semantics.model import FileModel

_LOG_PROB_FN = frozenset({"log_softmax", "logsigmoid", "cross_entropy", "nll_loss"})
_SURPRISES = frozenset({"cross_entropy", "nll_loss"})
_MEANS = frozenset({"mean", "sum", "nanmean", "nansum"})
_KEPT = frozenset({"param", "item", "attr", "call", "elem", "alloc"})
_NO_GRADIENTS = frozenset({"no_grad", "inference_mode"})
# Products that are summed up at once.
_INNER_PRODUCTS = frozenset({"dot", "matmul", "mm", "bmm", "einsum", "MatrixMultiply"})


def is_difference(value: Value) -> bool:
    """Whether a value is a difference of two quantities that are not constants."""
    parts = [t for t in terms(value) if t.number is None]
    negative = sum(t.op == "neg" for t in parts)
    return 0 < negative < len(parts)


def is_log_ratio(value: Value) -> bool:
    """Whether a value may be log p - log p_old: a difference, or a log-probability whose own terms are
    negative (of a normal density, or as a cross entropy), minus something that was kept."""
    if is_difference(value):
        return True
    negative = [t.args[0] for t in terms(value) if t.op == "neg"]
    return any(map(_is_negative_log_prob, negative)) and any(t.op in _KEPT for t in negative)


def _is_negative_log_prob(term: Value) -> bool:
    if term.op == "fn" and term.data in _SURPRISES:
        return True
    return term.op == "div" and _is_scaled_square(*term.args)


def is_repeated(value: Value, other: Value, depth: int = 8) -> bool:
    """Whether two values are one formula that was written out twice: what they call, they call with
    the same arguments."""
    if value is other:
        return True
    if value.op != other.op or len(value.args) != len(other.args) or not (value.args and depth):
        return False
    if value.op == "call":
        if value.data.keywords != other.data.keywords:  # type: ignore[attr-defined]
            return False
    elif value.data != other.data:
        return False
    mine, theirs = [a.core for a in value.args], [a.core for a in other.args]
    if value.op in COMMUTATIVE:
        for part in mine:
            same = next((p for p in theirs if is_repeated(part, p, depth - 1)), None)
            if same is None:
                return False
            theirs.remove(same)
        return True
    return all(is_repeated(a, b, depth - 1) for a, b in zip(mine, theirs))


def is_exponential_ratio(value: Value) -> bool:
    """exp(new - old), also where a clip limits the difference."""
    for core in alternatives(value):
        if core.op != "exp":
            continue
        inner = core.args[0].core
        if inner.op == "clip":
            inner = inner.args[0].core
        if inner.number == 0 or any(is_log_ratio(a) for a in alternatives(inner)):
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


def is_likelihood_quotient(value: Value) -> bool:
    """p / p_old, where one of them is what a network says about an action that was taken."""
    return any(
        core.op == "div" and any(_is_likelihood(a) for a in core.args)
        for core in alternatives(value)
    )


def _is_likelihood(value: Value) -> bool:
    core = value.core
    while core.op in ("reduce", "item"):
        core = core.args[0].core
    if core.op == "exp":
        return is_log_prob(core.args[0])
    return core.op == "fn" and core.data in ("gather", "take_along_dim", "softmax")


def around_one(clip: Value) -> bool:
    """Whether the bounds of a clip are 1 - a and 1 + b."""
    lo, hi = clip.args[1].core, clip.args[2].core
    if lo.number is not None and hi.number is not None:
        return 0 < lo.number < 1 < hi.number
    return is_one_side(lo, below=True) and is_one_side(hi, below=False)


def is_one_side(bound: Value, below: bool) -> bool:
    if bound.number is not None:
        return 0 < bound.number < 1 if below else bound.number > 1
    if bound.op == "div" and bound.args[0].number == 1:
        return is_one_side(bound.args[1].core, not below)
    if bound.op in ("phi", "after"):
        return all(is_one_side(a, below) for a in alternatives(bound))
    one = [t for t in terms(bound) if t.number == 1]
    rest = [t for t in terms(bound) if t.number is None]
    return bool(one) and bool(rest) and all((t.op == "neg") == below for t in rest)


def bounds_are_symbols(clip: Value) -> bool:
    return clip.args[1].core.number is None and clip.args[2].core.number is None


def epsilon_of(clip: Value) -> Value | None:
    """The half width of a clip around 1: a number, or the expression added to 1."""
    hi = clip.args[2].core
    rest = [t for t in terms(hi) if t.number is None]
    return rest[0] if len(rest) == 1 and len(terms(hi)) == 2 else None


def stripped(value: Value) -> Value:
    """Without sign and without the mean or sum over the batch."""
    core = value.core
    while True:
        if core.op == "neg":
            core = core.args[0].core
        elif core.op == "reduce" and core.data in _MEANS:
            core = core.args[0].core
        else:
            return core


def loss_factors(value: Value) -> list[Value]:
    """The factors of a product, sign and means dropped; a quotient is one, and so is its top."""
    out: list[Value] = []
    core = stripped(value)
    for factor in core.args if _is_product(core) else (core,):
        bare = stripped(factor)
        if bare is not factor and _is_product(bare):
            out.append(factor)
            out.extend(loss_factors(bare))
        else:
            out.append(bare)
            if bare.op == "div":
                out.extend(loss_factors(bare.args[0]))
    return out


def _is_product(value: Value) -> bool:
    return value.op == "mul" or (value.op == "fn" and value.data in _INNER_PRODUCTS)


def in_product(file: FileModel, value: Value) -> bool:
    """Whether `value` is multiplied with something that is no constant."""
    queue, seen = [value], {value}
    while queue:
        for user in file.users(queue.pop()):
            if user in seen:
                continue
            seen.add(user)
            if _is_product(user) and sum(a.op != "const" for a in user.args) > 1:
                return True
            if user.op in ("neg", "phi", "after", "item") or (
                user.op == "reduce" and user.data in ("prod", "sum", "mean", "chosen")
            ):
                queue.append(user)
    return False


def has_gradient(file: FileModel, weight: Value) -> bool:
    """Whether the gradient of a limited ratio is taken: it is neither detached nor computed without
    gradients. One that is not weighs something else."""
    chain = {weight}
    for part in walk(weight):
        if part.op in ("exp", "clip"):
            chain.update((part, part.args[0].core))
    if not chain.isdisjoint(file.detached):
        return False
    places = file.places(weight)
    return not places or any(not _without_gradients(site) for _, site in places)


def _without_gradients(site: Site) -> bool:
    return any(
        (name or "").rpartition(".")[2] in _NO_GRADIENTS
        for context in site.contexts
        for name in (context.dotted, context.args[0].dotted if context.args else None)
    )


def is_averaged(file: FileModel, value: Value) -> bool:
    """Whether a mean or a sum is taken of products with `value`, as of a loss; else it may be any
    other formula with an exponential."""
    queue, seen = [value], {value}
    while queue:
        for user in file.users(queue.pop()):
            if user in seen:
                continue
            seen.add(user)
            if user.op == "reduce" and user.data in _MEANS:
                return True
            if user.op == "fn" and user.data in _INNER_PRODUCTS:
                return True
            if user.op in ("mul", "neg", "add", "phi", "after", "item", "where", "fn", "reduce"):
                queue.append(user)
    return False


def is_third_estimator(value: Value) -> bool:
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


def is_log_prob(value: Value) -> bool:
    """Whether a value is a log-probability, by how it is computed."""
    core = value.core
    while core.op in ("reduce", "item", "neg") or (core.op == "fn" and core.data == "gather"):
        core = core.args[0].core
    if core.op == "call":
        return core.args[0].op == "attr" and core.args[0].data == "log_prob"
    return core.op == "fn" and core.data in _LOG_PROB_FN


def log_prob_evidence(value: Value) -> bool:
    """Whether something in the value is the logarithm of a probability, by structure."""
    for part in walk(value):
        if part.op == "call" and part.args[0].op == "attr" and part.args[0].data == "log_prob":
            return True
        if part.op == "fn" and part.data in _LOG_PROB_FN:
            return True
        if part.op == "div" and _is_scaled_square(*part.args):
            return True
        if part.op == "pow" and part.args[1].number == 2 and _is_scaled(part.args[0].core):
            return True
        if part.op == "log" and any(
            p.op == "fn" and p.data in ("gather", "softmax", "take_along_dim") for p in walk(part)
        ):
            return True
    return False


def _is_scaled(value: Value) -> bool:
    """(x - mean) / standard deviation."""
    return value.op == "div" and value.args[1].core.number is None and is_difference(value.args[0])


def _is_scaled_square(above: Value, below: Value) -> bool:
    """(x - mean)^2 / (2 variance), of the density of a normal distribution."""
    return below.core.number is None and any(
        part.op == "pow" and part.args[1].number == 2 and is_difference(part.args[0])
        for part in factors(above)
    )
