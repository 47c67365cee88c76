"""Importance ratios that belong to no PPO loss."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ppolint.semantics.program import Function, Site
from ppolint.semantics.ratios import (
    in_product,
    is_averaged,
    is_exponential_ratio,
    is_log_ratio,
    is_quotient,
    is_third_estimator,
    log_prob_evidence,
)
from ppolint.semantics.surrogate import Surrogate
from ppolint.semantics.values import Value, alternatives, terms, walk

if TYPE_CHECKING:
    from ppolint.semantics.model import FileModel


def free_ratios(file: FileModel, taken: list[Surrogate]) -> Iterator[tuple[Value, Any, Site]]:
    """Importance ratios exp(new - old) used as a weight, that are no part of a PPO loss.

    A ratio that is truncated from one side (V-trace, ACER, Retrace, a Metropolis step) is none.
    """
    parts = {part for surrogate in taken for part in walk(surrogate.value)}
    used = {part for part in parts if part.op in ("exp", "div")}
    used_nodes = {id(node) for value in used for node, _ in file.places(value)}
    ratios = [
        v
        for v in file.of_op("exp")
        if all(is_log_ratio(_summed(a)) for a in alternatives(v.args[0]))
    ]
    corrected = set(_truncating_functions(file))
    for value in [*_self_ratios(file), *_likelihood_quotients(file)]:
        if value not in used and not _truncated(file, value) and in_product(file, value):
            for node, site in file.places(value):
                here = site.frame.module.main and site.frame.function not in corrected
                if here and id(node) not in used_nodes:
                    yield value, node, site
    for value in ratios:
        if _truncated(file, value):
            used_nodes.update(id(node) for node, _ in file.places(value))
    losses = {surrogate.value for surrogate in taken}
    for value in ratios:
        third = [u for u in file.users(value) if u.op == "add" and is_third_estimator(u)]
        if value in used:
            for estimate in third:
                if estimate not in parts:
                    yield from _recomputed(file, estimate, value)
        weighs = any(u.op == "mul" and is_averaged(file, u) for u in file.users(value))
        if value in used or (third and not weighs) or _weighs_a_loss(file, value, losses):
            continue
        power = _summed(alternatives(value.args[0])[0])
        signs = [t for t in terms(power) if t.number is None]
        if any(_is_peak(t) for t in signs):
            continue
        likely = (
            bool(third)
            or any(log_prob_evidence(t) for t in signs)
            or (len(signs) == 2 and file.program.is_near_environment and is_averaged(file, value))
        )
        if likely and in_product(file, value):
            for node, site in file.places(value)[:1]:
                if not site.frame.module.main and _is_weight_here(file, value):
                    node, site = file.here(node, site)
                if site.frame.module.main and id(node) not in used_nodes:
                    yield value, node, site


def _summed(power: Value) -> Value:
    """The log ratio of each dimension or agent, where their joint one is taken."""
    core = power.core
    return core.args[0].core if core.op == "reduce" and core.data == "sum" else core


def _is_weight_here(file: FileModel, ratio: Value) -> bool:
    """Whether this file multiplies with a ratio that a helper of another one computes."""
    return any(
        site.frame.module.main
        for user in file.users(ratio)
        if user.op == "mul"
        for form in (user, file.values.neg(user))
        for _, site in file.places(form)
    )


def _weighs_a_loss(file: FileModel, ratio: Value, losses: set[Value]) -> bool:
    """Whether a ratio corrects a PPO loss for data of a third policy: it is part of that loss."""
    return any(
        part in losses for user in file.users(ratio) if user.op == "mul" for part in walk(user)
    )


def _self_ratios(file: FileModel) -> list[Value]:
    """exp(x - x.detach()): one, and the gradient of a ratio."""
    return [v for v in file.of_op("exp") if v.args[0].number == 0]


def _likelihood_quotients(file: FileModel) -> Iterator[Value]:
    """p.gather(1, a) / p_old.gather(1, a): what two networks say about the same actions, or one
    network, where the divisor has no gradient and an epsilon keeps it from zero."""
    for value in file.of_op("div"):
        above, below = (_looked_up(a) for a in value.args)
        if above is not None and below is not None:
            if above.args[1:] == below.args[1:]:
                yield value
        elif value.args[1].number is not None:
            continue
        elif _is_of_two_actions(value.args[0]) or _is_of_chosen(*value.args):
            if file.program.is_near_environment and is_averaged(file, value):
                yield value


def _is_of_chosen(above: Value, below: Value) -> bool:
    """sum(p * chosen) / sum(q * chosen), with the same actions as ones and zeros."""
    parts = [a.core for a in (above, below)]
    if any(p.op != "reduce" or p.data != "sum" or p.args[0].core.op != "mul" for p in parts):
        return False
    one, two = (set(p.args[0].core.args) for p in parts)
    return len(one & two) == 1 and one != two


def _is_of_two_actions(value: Value) -> bool:
    """where(a == 1, p, 1 - p), the probability of one of two actions."""
    core = value.core
    if core.op != "where":
        return False
    one, two = core.args[1].core, core.args[2].core
    return any(
        len(terms(q)) == 2
        and any(t.number == 1 for t in terms(q))
        and any(t.op == "neg" and t.args[0] is p for t in terms(q))
        for p, q in ((one, two), (two, one))
    )


def _truncating_functions(file: FileModel) -> Iterator[Function | None]:
    """The functions that limit an importance ratio on one side: those of ACER and Retrace, in which
    other quotients of policies are corrections too."""
    for value in file.of_op("min"):
        if any(is_exponential_ratio(a) or _of_quotient(a.core) for a in value.args):
            for _, site in file.places(value):
                yield site.frame.function


def _of_quotient(value: Value) -> bool:
    if value.op == "fn" and value.data in ("gather", "take_along_dim"):
        value = value.args[0].core
    return is_quotient(value)


def _looked_up(value: Value) -> Value | None:
    """The `gather` that a probability comes from, an epsilon against zeros left out."""
    parts = [t for t in terms(value) if t.number is None]
    if len(parts) == 1 and parts[0].op == "fn" and parts[0].data in ("gather", "take_along_dim"):
        return parts[0]
    return None


def _is_peak(term: Value) -> bool:
    """The maximum that a softmax subtracts, or a normaliser."""
    core = term.args[0] if term.op == "neg" else term
    if core.number is not None or any(a.op == "max" for a in alternatives(core)):
        return True
    peaks = ("max", "amax", "logsumexp", "mean")
    return any(v.op == "reduce" and v.data in peaks for v in walk(core))


def _recomputed(
    file: FileModel, estimate: Value, ratio: Value
) -> Iterator[tuple[Value, Any, Site]]:
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
