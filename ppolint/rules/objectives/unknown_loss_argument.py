"""A keyword argument that a loss accepts and ignores.

What it does
    Reports keywords of a TorchRL loss that no release knows, in the releases whose constructor
    takes `**kwargs` and never looks at what is left of them.

Why is this bad
    Nothing raises and nothing warns: training runs with the default instead of the value in the
    code.

Example
    loss = ClipPPOLoss(actor, critic, clip_param=0.1, value_coef=0.5)

Use instead
    loss = ClipPPOLoss(actor, critic, clip_epsilon=0.1, critic_coeff=0.5)

What happens at run time
    `loss.clip_epsilon` is 0.2 and `loss.critic_coeff` is 1.0, the defaults (TorchRL 0.4.0 and
    later for the PPO losses, 0.9.0 and later for `A2CLoss`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ppolint.findings import Applicability, Finding, Severity
from ppolint.rules.base import Rule

if TYPE_CHECKING:
    from ppolint.semantics.model import FileModel

rule = Rule(
    code="PPO606",
    name="unknown-loss-argument",
    severity=Severity.ERROR,
    needs=(("torchrl",), ("objectives",)),
    summary="A keyword that a loss swallows without a word",
    fix=Applicability.UNSAFE,
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
