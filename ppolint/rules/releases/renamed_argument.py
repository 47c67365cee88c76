"""A keyword argument that has another name in the targeted TorchRL release.

What it does
    Reports keyword arguments that were renamed, and positional arguments that have become
    keyword-only, in calls of TorchRL and TensorDict: constructors, `functools.partial`,
    `super().__init__`, and the entries of `distribution_kwargs`.

Why is this bad
    The call raises; in some releases the old keyword is swallowed and a default applies.

Example
    loss = ClipPPOLoss(actor, critic, entropy_coef=0.01, critic_coef=0.5)
    actor = ProbabilisticActor(..., distribution_class=TanhNormal, distribution_kwargs={"min": -2})

Use instead
    loss = ClipPPOLoss(actor, critic, entropy_coeff=0.01, critic_coeff=0.5)
    actor = ProbabilisticActor(..., distribution_class=TanhNormal, distribution_kwargs={"low": -2})

What happens at run time
    `TypeError: 'entropy_coef' has been removed in torchrl v0.11`; in 0.9.0 and 0.9.1 the keyword
    is ignored and 0.01 applies. `TanhNormal(min=)` raises `TypeError` when the actor is first
    called (in 0.6.0 it is ignored: the support stays (-1, 1)).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ppolint.findings import Applicability, Finding, Severity
from ppolint.rules.base import Rule

if TYPE_CHECKING:
    from ppolint.semantics.model import FileModel

rule = Rule(
    code="PPO902",
    name="renamed-argument",
    severity=Severity.ERROR,
    needs=(("torchrl", "tensordict"),),
    summary="An argument that has another name, or no position, in the targeted release",
    fix=Applicability.SAFE,
)


@rule.check
def check(file: FileModel) -> Iterator[Finding]:
    from ppolint.rules.releases import _arguments

    for verdict in _arguments.verdicts(file, rule.code):
        fix = None
        if verdict.edits:
            fix = rule.mend(verdict.title, *verdict.edits, applicability=verdict.applicability)
        yield rule.at(
            verdict.span, verdict.message, help=verdict.help, scope=verdict.scope, fix=fix
        )
