"""An argument that the targeted TorchRL release no longer takes, or takes only to raise.

What it does
    Reports arguments that were removed without a new name, and those that are still in the
    signature and raise when they are given.

Why is this bad
    The call raises.

Example
    loss = ClipPPOLoss(actor, critic, gamma=0.99, advantage_key="adv")

Use instead
    loss = ClipPPOLoss(actor, critic)
    loss.make_value_estimator(gamma=0.99)
    loss.set_keys(advantage="adv")

What happens at run time
    `TypeError: Passing gamma / lambda parameters through the loss constructor is a deprecated
    feature`; `RuntimeError: Setting 'advantage' via the constructor is deprecated`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ppolint.findings import Applicability, Finding, Severity
from ppolint.rules.base import Rule

if TYPE_CHECKING:
    from ppolint.semantics.model import FileModel

rule = Rule(
    code="PPO909",
    name="removed-argument",
    severity=Severity.ERROR,
    needs=(("torchrl", "tensordict"),),
    summary="An argument that the targeted release no longer takes",
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
