"""The KL-penalised surrogate of PPO (eq. 8): r*A and a multiple of a divergence in one sum."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ppolint.semantics.ratios import (
    is_difference,
    is_exponential_ratio,
    is_likelihood_quotient,
    is_third_estimator,
    log_prob_evidence,
    loss_factors,
    stripped,
)
from ppolint.semantics.values import Value, factors, terms, walk

if TYPE_CHECKING:
    from ppolint.semantics.model import FileModel


def penalised_sums(file: FileModel) -> Iterator[tuple[Value, Value]]:
    """The sums r*A - beta*KL with their ratios; not those that add more terms to one of them."""
    found: list[tuple[frozenset[Value], Value, Value]] = []
    for value in file.of_op("add"):
        ratio = _penalised(value)
        if ratio is not None:
            found.append((frozenset(stripped(t) for t in _expanded(value)), value, ratio))
    for at, (parts, value, ratio) in enumerate(found):
        if not any(o < parts or (o == parts and i < at) for i, (o, _, _) in enumerate(found)):
            yield value, ratio


def _penalised(value: Value) -> Value | None:
    """The ratio when a sum holds r*A and a multiple of a KL divergence."""
    ratio: Value | None = None
    penalty = False
    gaps: list[set[tuple[bool, Value]]] = []
    for term in _expanded(value):
        parts = loss_factors(term)
        if len(parts) > 1:
            gaps.extend(_signed(part) for part in parts if is_difference(part))
        if _expected_gap(parts):
            penalty = True
            continue
        exponentials = [p for p in parts if is_exponential_ratio(p) or is_likelihood_quotient(p)]
        exponentials += [p for p in parts if _is_of_same_question(p)]
        if exponentials and len(parts) > 1 and not any(_is_divergence(p) for p in parts):
            if any(p.number is None and p not in exponentials for p in parts):
                ratio = exponentials[0]
        elif any(_is_divergence(p) for p in parts):
            penalty = penalty or len(parts) > 1 or stripped(parts[0]).op == "call"
    if ratio is not None and ratio.op == "exp" and not penalty:
        # the mean of log p_old - log p estimates the divergence as well
        logarithm = _signed(ratio.args[0])
        opposite = {(not negative, term) for negative, term in logarithm}
        penalty = any(gap in (logarithm, opposite) for gap in gaps)
        penalty = penalty or any(
            _sums_gaps(part, logarithm) for t in _expanded(value) for part in loss_factors(t)
        )
    if ratio is not None and not penalty:
        scaled = [parts for parts in map(loss_factors, _expanded(value)) if len(parts) > 1]
        penalty = any(_is_of_both(part, ratio) for parts in scaled for part in parts)
    return ratio if penalty else None


def _sums_gaps(total: Value, logarithm: set[tuple[bool, Value]]) -> bool:
    """Whether a loop sums up products with the differences of the two log-probabilities, one by one."""
    if total.op != "after":
        return False
    compared = {term for _, term in logarithm}
    for part in walk(total):
        if is_difference(part):
            one_by_one = [t for _, t in _signed(part) if t.op == "elem"]
            if len(one_by_one) == 2 and {t.args[0].core for t in one_by_one} == compared:
                return True
    return False


def _is_of_both(value: Value, ratio: Value) -> bool:
    """Whether the one who says what two policies think of an action is asked for something about
    both: density.log_prob(a, new) - density.log_prob(a, old), and density.between(old, new)."""
    if value.op != "call" or value.args[0].op != "attr" or len(value.args) < 3:
        return False
    asked = value.args[0].args[0].core
    answers = [
        part
        for part in walk(ratio)
        if part.op == "call" and part.args[0].op == "attr" and part.args[0].args[0].core is asked
    ]
    for one in answers:
        for other in answers:
            if one is not other and one.args[0] is other.args[0]:
                own = {a.core for a in one.args[1:]} - {a.core for a in other.args[1:]}
                if own and any(a.core in own for a in value.args[1:]):
                    return True
    return False


def _is_of_same_question(value: Value) -> bool:
    """Whether a quotient compares what one function says about the same thing in two cases:
    pd.likelihood(actions, new) / pd.likelihood(actions, old), also where the divisor has a floor."""
    if value.op != "div":
        return False
    below = _unfloored(value.args[1].core)
    for above in map(_unfloored, factors(value.args[0])):
        if above is below or above.op != below.op:
            continue
        if above.op == "call" and above.args[0] is below.args[0]:
            pairs = zip(above.args[1:], below.args[1:])
            if any(a.core is b.core and a.core.op not in ("const", "bool") for a, b in pairs):
                return True
        if above.op == "exp" and log_prob_evidence(above.args[0]):
            return True
    return False


def _unfloored(core: Value) -> Value:
    """`x` of max(x, 1e-5)."""
    while core.op == "max":
        kept = [a.core for a in core.args if a.number is None]
        if len(kept) != 1:
            break
        core = kept[0]
    return core


def _signed(value: Value) -> set[tuple[bool, Value]]:
    """The terms of a sum, each with whether it is subtracted."""
    return {(t.op == "neg", t.args[0].core if t.op == "neg" else t) for t in terms(value)}


def _expanded(value: Value) -> list[Value]:
    """The terms of a sum, also inside a mean."""
    out: list[Value] = []
    for term in terms(value):
        core = stripped(term)
        out.extend(terms(core) if core.op == "add" else [term])
    return out


def _is_divergence(value: Value) -> bool:
    core = stripped(value)
    if core.op == "call":
        callee = core.args[0]
        name = callee.dotted or str(callee.data if callee.op == "attr" else "")
        if name.rpartition(".")[2] in ("kl_divergence", "kl"):
            return True
    if core.op == "fn" and core.data == "kl_div":
        return True
    if core.op != "add":
        return False
    return (
        is_third_estimator(core)
        or _is_between_normals(core)
        or (is_difference(core) and log_prob_evidence(core))
    )


def _is_between_normals(total: Value) -> bool:
    """log(s / s0) + (s0^2 + (m0 - m)^2) / (2 s^2) - 1/2, whatever the scale."""
    parts = [stripped(t) for t in total.args]
    squares = [
        part
        for term in parts
        if term.op == "div"
        for part in walk(term.args[0])
        if part.op == "pow" and part.args[1].number == 2 and is_difference(part.args[0])
    ]
    constant = any(
        (t.number or 0) < 0 or (t.op == "neg" and any(f.number for f in factors(t)))
        for t in total.args
    )
    return len(parts) > 2 and bool(squares) and constant


def _logarithms_of(value: Value) -> list[Value]:
    """a and b of log a - log b, or of log(a / b)."""
    core = stripped(value)
    if core.op == "log" and core.args[0].core.op == "div":
        return [a.core for a in core.args[0].core.args]
    if not is_difference(core):
        return []
    logs = [t.args[0].core if t.op == "neg" else t for t in terms(core)]
    return [t.args[0].core for t in logs if t.op == "log"]


def _expected_gap(parts: list[Value]) -> bool:
    """Factors p * (log p - log q) or p * log(p / q), whose sum is a KL divergence."""
    for part in parts:
        logarithms = [a for other in parts if other is not part for a in _logarithms_of(other)]
        if len(logarithms) == 2 and part.core in logarithms:
            return True
        if part.op == "exp":
            for other in parts:
                # p = exp(x) / sum: x may be a difference itself, from the largest logit
                if is_difference(other) and set(terms(part.args[0])) <= set(terms(other)):
                    return True
    return False
