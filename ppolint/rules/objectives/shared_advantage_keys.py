"""Losses of several groups of agents read and write one advantage.

What it does
    Reports PPO losses of several groups (in a loop over groups, or one by one) with keys of
    their own for values or actions, but not for `advantage` and `value_target`, when their
    estimators work on one batch.

Why is this bad
    Each estimator overwrites the advantage of the one before: every group is trained on the
    last group's advantage.

Example
    for group in env.group_map:
        loss = ClipPPOLoss(policies[group], critics[group])
        loss.set_keys(action=(group, "action"), value=(group, "state_value"))

Use instead
    loss.set_keys(
        action=(group, "action"),
        value=(group, "state_value"),
        advantage=(group, "advantage"),
        value_target=(group, "value_target"),
    )

What happens at run time
    Nothing is raised. A group whose rewards are all 0 is trained with an advantage of several
    hundred, that of the other group.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ppolint.findings import Applicability, Finding, Severity
from ppolint.rules.base import Rule

if TYPE_CHECKING:
    from ppolint.semantics.model import FileModel

rule = Rule(
    code="PPO611",
    name="shared-advantage-keys",
    severity=Severity.ERROR,
    needs=(("torchrl", "tensordict", "backward"),),
    summary="Several losses share one advantage key",
    fix=Applicability.SUGGEST,
)


_OWN = ("value", "action", "reward", "sample_log_prob")


@rule.check
def check(file: FileModel) -> Iterator[Finding]:
    from ppolint.semantics.components import Loss

    pipeline = file.pipeline
    told = set()
    ppo = [c for c in pipeline.losses if isinstance(c, Loss) and c.is_ppo]
    for number, loss in enumerate(ppo):
        settings = [s for s in loss.methods("set_keys") if s.span not in told]
        if not settings or not _has_own_keys(file, settings):
            continue
        several = _one_per_group(loss, settings)
        if not several:
            others = [o for o in ppo[:number] if o.methods("set_keys")]
            several = any(_has_own_keys(file, o.methods("set_keys")) for o in others)
        if not several or _sets(file, settings, "advantage"):
            continue
        if not _estimated_together(pipeline, loss):
            continue
        step = settings[-1]
        told.add(step.span)
        yield rule.at(
            step.span,
            'the losses of all groups use the key "advantage": each estimator overwrites the one '
            "before, and every group trains on the last one's advantage",
            help='set `advantage=(group, "advantage")` and `value_target=(group, "value_target")`',
            scope=step.scope,
        )


def _names(file: FileModel, step: Any) -> set[str] | None:
    """The keyword arguments of a `set_keys`; None when some cannot be seen."""
    if step.result.core.op != "call":
        return None
    site = file.call_site(step.result)
    return None if site.double_star else set(file.keywords(step.result))


def _sets(file: FileModel, steps: list[Any], name: str) -> bool:
    return any((names := _names(file, s)) is None or name in names for s in steps)


def _has_own_keys(file: FileModel, steps: list[Any]) -> bool:
    """Whether values, actions or rewards are under a group's own key."""
    for step in steps:
        if _names(file, step) is None:
            return True
        for name, value in file.keywords(step.result).items():
            if name in _OWN and value.core.op in ("tuple", "call", "attr", "elem", "item"):
                return True
    return False


def _one_per_group(loss: Any, settings: list[Any]) -> bool:
    """Whether the loss is made, or its keys set, in a loop."""
    return bool(loss.site.loops()) and bool(settings[-1].site.loops())


def _estimated_together(pipeline: Any, loss: Any) -> bool:
    """Whether estimators work on one batch: not on a copy of it for each group."""
    applied = [s for s in pipeline.steps if s.kind == "advantage"]
    if not applied:
        return False
    for step in applied:
        for path in step.data.paths:
            inside = path.did("copy", "key", "opaque", "method")
            if any(o.value is not None for o in inside) or path.origin == "new":
                return False
    return True
