"""The sum that is minimised lacks a term of the loss, or adds the diagnostics.

What it does
    Looks at what reaches `backward()`: of a PPO loss, `loss_objective`, `loss_critic` and
    `loss_entropy` should. Reports a sum that lacks one, and a sum over all values. A term that
    is switched off (`entropy_bonus=False`, a coefficient of 0 or None) may be left out.

Why is this bad
    Without `loss_critic` the critic never learns; without `loss_entropy` the coefficient that
    was chosen has no effect. The other entries (`ESS`, `entropy`, `kl_approx`, ...) are
    diagnostics: they carry no gradient, and a sum with them means nothing.

Example
    loss = loss_vals["loss_objective"] + loss_vals["loss_critic"]

Use instead
    loss = loss_vals["loss_objective"] + loss_vals["loss_critic"] + loss_vals["loss_entropy"]

What happens at run time
    Nothing is raised. Without `loss_critic` the gradients of the critic are None or zero.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ppolint.findings import Applicability, Edit, Finding, Severity
from ppolint.rules.base import Rule

if TYPE_CHECKING:
    from ppolint.semantics.model import FileModel

rule = Rule(
    code="PPO608",
    name="loss-term-left-out",
    severity=Severity.WARNING,
    needs=(("torchrl", "tensordict", "backward"),),
    summary="A term of the PPO loss is not part of what is minimised",
    fix=Applicability.UNSAFE,
)


_TERMS = ("loss_objective", "loss_critic", "loss_entropy")


@rule.check
def check(file: FileModel) -> Iterator[Finding]:
    from ppolint.semantics import training

    pipeline = file.pipeline
    told = set()
    for story, steps in training.trained_stories(pipeline):
        for step in steps:
            loss = step.component
            if not loss or step.span in told or loss.cls is not None:
                continue
            if training.told_there([step, *story.of("backward")[:1]], [loss]):
                continue
            reached, sums, everything = _minimised(file, story, step)
            if everything is not None:
                span = file.at(*everything)
                if span not in told:
                    told.add(span)
                    yield rule.at(
                        span,
                        "this adds up the diagnostics of the loss as well (ESS, entropy, "
                        "kl_approx, ...): only the entries `loss_*` are to be minimised",
                        help="add `loss_objective`, `loss_critic` and `loss_entropy`",
                        scope=step.scope,
                    )
                continue
            if reached is None or reached.isdisjoint(_TERMS):
                continue  # an entry that no loss has is told by PPO403
            missing = [t for t in _TERMS if t not in reached and _is_wanted(file, loss, t)]
            if not missing or not sums:
                continue
            node, site = sums[-1]
            span = file.at(node, site)
            if span in told:
                continue
            told.add(span)
            what = " and ".join(f"`{t}`" for t in missing)
            yield rule.at(
                span,
                f"{what} of this loss never reaches `backward()`",
                help="add all three terms: " + " + ".join(f'loss["{t}"]' for t in _TERMS),
                scope=site.frame.scope,
                fix=_fix(file, node, site, step, missing),
            )


def _is_wanted(file: FileModel, loss: Any, term: str) -> bool:
    """Whether the loss has that term and it counts."""
    from ppolint.semantics import training

    if term == "loss_objective":
        return True
    if not loss.sealed:
        return False
    if term == "loss_entropy":
        if loss.flag("entropy_bonus", True) is not True:
            return False
        value = loss.argument("entropy_coeff")
    else:
        critic = loss.argument("critic_network")
        if critic is None or file.pipeline.constant(critic) is None:
            return False
        value = loss.argument("critic_coeff")
    if value is None:
        return True
    if file.pipeline.constant(value) is None:
        return False
    known = training.number(file, value)
    return known is None or known != 0


def _minimised(file: FileModel, story: Any, step: Any) -> tuple[Any, list[Any], Any]:
    """(terms of the loss that reach a backward, places of their sums, place of a sum over all).

    The terms are None when the loss goes somewhere that cannot be seen.
    """
    result = step.result.core
    reached: set[str] = set()
    sums: list[Any] = []
    for backward in story.of("backward"):
        if backward.operand is None:
            continue
        inside = list(_within(file, backward.operand))
        if result not in inside:
            continue
        for value in inside:
            term = _term(value, result)
            if term is not None:
                reached.add(term)
        total = _sum_over_all(file, inside, result)
        if total is not None:
            return set(), [], total
        if any(_is_whole(v, result) for v in inside):
            return None, [], None
        place = _place_of_sum(file, inside, result, backward)
        if place is not None:
            sums.append(place)
    if any(not b.operand or _is_opaque(b.operand) for b in story.of("backward")):
        return None, [], None
    return reached, sums, None


def _is_opaque(value: Any) -> bool:
    """Whether what is minimised comes out of something that cannot be seen."""
    return value.core.op in ("param", "unknown")


def _within(file: FileModel, value: Any) -> Iterator[Any]:
    """Everything a value is computed from: arithmetic, branches, names and read entries."""
    seen = set()
    queue = [value.core]
    while queue:
        core = queue.pop()
        if core in seen:
            continue
        seen.add(core)
        yield core
        if core.op == "carry":
            queue.extend(v.core for v in file.pipeline.wiring.carried(core) or ())
        elif core.op == "call":
            callee = core.args[0]
            if callee.op == "attr":
                queue.append(callee.args[0].core)
            queue.extend(a.core for a in core.args[1:])
        elif core.op == "attr":
            queue.extend(d.core for d in file.evaluator.definitions(core) or ())
            queue.append(core.args[0].core)
        elif core.op == "alloc":
            queue.extend(v.core for v in file.pipeline.wiring.contents(core) or ())
        else:
            queue.extend(a.core for a in core.args)


def _term(value: Any, result: Any) -> str | None:
    """The entry of the loss that a value is."""
    key = None
    if value.op == "item" and _is_result(value.args[0], result):
        key = value.args[1].string
    elif value.op == "call" and len(value.args) > 1 and value.args[0].op == "attr":
        callee = value.args[0]
        if callee.data in ("get", "pop") and _is_result(callee.args[0], result):
            key = value.args[1].string
    return key


def _is_result(value: Any, result: Any) -> bool:
    core = value.core
    if core is result:
        return True
    return core.op in ("phi", "after") and any(_is_result(a, result) for a in core.args)


def _is_whole(value: Any, result: Any) -> bool:
    """Whether the loss as a whole goes into something: not one of its entries."""
    if value.op == "item" and _is_result(value.args[0], result):
        return value.args[1].string is None
    if value.op == "call":
        callee = value.args[0]
        if callee.op == "attr" and _is_result(callee.args[0], result):
            return callee.data not in ("get", "pop")
        return any(_is_result(a, result) for a in value.args[1:])
    if value is result or value.op in ("phi", "after", "attr"):
        return False
    return any(_is_result(a, result) for a in value.args if a.op != "attr")


def _sum_over_all(file: FileModel, inside: list[Any], result: Any) -> Any:
    """The place of `sum(loss.values())`, with no filter on the keys."""
    for value in inside:
        name = value.dotted if value.op == "ref" else None
        if value.op == "call":
            name = value.args[0].dotted
        if not (value.op in ("call", "fn", "reduce") and (
            (name or str(value.data)).rpartition(".")[2] == "sum"
        )):  # fmt: skip
            continue
        arguments = value.args[1:] if value.op == "call" else value.args
        for argument in arguments[:1]:
            if _all_values(argument.core, result):
                places = file.places(value)
                if places:
                    return places[-1]
    return None


def _all_values(core: Any, result: Any) -> bool:
    if core.op == "comp" and not _is_filtered(core):
        return _all_values(core.args[1].core, result)
    if core.op == "call" and core.args[0].op == "attr":
        callee = core.args[0]
        return callee.data == "values" and _is_result(callee.args[0], result)
    return False


def _is_filtered(core: Any) -> bool:
    return len(core.args) > 2


def _place_of_sum(file: FileModel, inside: list[Any], result: Any, backward: Any) -> Any:
    """Where the terms are added, or the one term is bound or minimised."""
    best = None
    for value in inside:
        if value.op != "add" or not any(_has_term(t, result) for t in value.args):
            continue
        for node, site in file.places(value):
            if best is None or site.order > best[1].order:
                best = (node, site)
    if best is not None:
        return best
    for value in inside:
        if _term(value, result) in _TERMS:
            places = file.places(value)
            if places:
                return places[-1]
    return (backward.node, backward.site)


def _has_term(value: Any, result: Any) -> bool:
    from ppolint.semantics.values import walk

    return any(_term(v, result) is not None for v in walk(value.core, through_calls=True))


def _fix(file: FileModel, node: Any, site: Any, step: Any, missing: list[str]) -> Any:
    """Append the missing terms to the sum, written like the ones it has."""
    import re

    import libcst as cst

    if not site.frame.module.main:
        return None
    start, end = file.span(node)
    text = file.source.text[start:end]
    found = re.search(r"([\w.]+)(\[|\.get\()([\"'])(loss_\w+)\3(\]|\))", text)
    if found is None or "(" in text.replace(found[0], "")[:1]:
        return None
    name, opening, quote, _, closing = found.groups()
    terms = "".join(f" + {name}{opening}{quote}{term}{quote}{closing}" for term in missing)
    if not isinstance(node, (cst.BinaryOperation, cst.Subscript)):
        return None
    return rule.mend("add the missing terms", Edit(end, end, terms))
