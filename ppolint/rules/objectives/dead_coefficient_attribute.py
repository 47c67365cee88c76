"""`loss.entropy_coef = x`: an attribute that the loss does not read.

What it does
    Reports assignments to attributes of a TorchRL loss that are close to, but are not, the ones
    it reads: `entropy_coeff`, `critic_coeff`, `clip_epsilon`. The author's own subclasses and
    objects are not reported.

Why is this bad
    Python makes a new attribute. The coefficient that was to be annealed stays as it was.

Example
    loss_module.entropy_coef = 0.01 * fraction

Use instead
    loss_module.entropy_coeff = 0.01 * fraction

What happens at run time
    Nothing is raised: `loss_module.entropy_coeff` keeps its value.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ppolint.findings import Applicability, Edit, Finding, Severity
from ppolint.rules.base import Rule

if TYPE_CHECKING:
    from ppolint.semantics.model import FileModel

rule = Rule(
    code="PPO610",
    name="dead-coefficient-attribute",
    severity=Severity.WARNING,
    needs=(
        (
            "entropy_coef",
            "ent_coef",
            "critic_coef",
            "vf_coef",
            "value_coef",
            "value_loss_coef",
            "value_coeff",
            "vf_coeff",
            "ent_coeff",
            "clip_eps",
            "clip_param",
            "clip_range",
            "eps_clip",
            "epsilon_clip",
            "clip_coef",
        ),
    ),
    summary="A coefficient is assigned to an attribute that the loss never reads",
    fix=Applicability.UNSAFE,
)


_NAMES = {
    **dict.fromkeys(("entropy_coef", "ent_coef", "ent_coeff"), "entropy_coeff"),
    **dict.fromkeys(
        ("critic_coef", "vf_coef", "value_coef", "value_loss_coef", "value_coeff", "vf_coeff"),
        "critic_coeff",
    ),
    **dict.fromkeys(
        ("clip_eps", "clip_param", "clip_range", "eps_clip", "epsilon_clip", "clip_coef"),
        "clip_epsilon",
    ),
}


@rule.check
def check(file: FileModel) -> Iterator[Finding]:
    from ppolint.semantics.components import Loss

    told = set()
    for event in file.events_of("setattr"):
        if event.key not in _NAMES or event.base is None:
            continue
        found = file.pipeline.candidates(event.base)
        if not found or not all(
            isinstance(c, Loss) and c.is_on_policy and c.cls is None for c in found
        ):
            continue
        span = file.at(event.node, event.site)
        if span in told or not event.site.frame.module.main:
            continue
        told.add(span)
        right = _NAMES[event.key]
        yield rule.at(
            span,
            f"the loss reads `{right}`: `{event.key}` is a new attribute that nothing looks at",
            help=f"assign to `{right}`",
            scope=event.site.frame.scope,
            fix=_fix(file, event, right),
        )


def _fix(file: FileModel, event: Any, right: str) -> Any:
    import libcst as cst

    if not event.site.frame.module.main or not isinstance(event.node, cst.Assign):
        return None
    if any(c.name == "PPOLoss" for c in file.pipeline.candidates(event.base)) and "clip" in right:
        return None
    for target in event.node.targets:
        if isinstance(target.target, cst.Attribute) and target.target.attr.value == event.key:
            return rule.mend(f"assign to `{right}`", Edit(*file.span(target.target.attr), right))
    return None
