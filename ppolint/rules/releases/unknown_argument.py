"""An argument that a TorchRL or TensorDict callable does not have in any release.

What it does
    Reports keywords that no release knows, and positional arguments beyond those that are taken.

Why is this bad
    The call raises `TypeError`.

Example
    gae = GAE(gamma=0.99, lambda_=0.95, value_network=critic)
    collector = Collector(env, policy, 1000)

Use instead
    gae = GAE(gamma=0.99, lmbda=0.95, value_network=critic)
    collector = Collector(env, policy, frames_per_batch=1000)

What happens at run time
    `TypeError: GAE.__init__() got an unexpected keyword argument 'lambda_'`; a collector names
    the keyword: `Keys ['frame_per_batch'] are unknown to Collector.`
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ppolint.findings import Applicability, Finding, Severity
from ppolint.rules.base import Rule

if TYPE_CHECKING:
    from ppolint.semantics.model import FileModel

rule = Rule(
    code="PPO903",
    name="unknown-argument",
    severity=Severity.ERROR,
    needs=(("torchrl", "tensordict"),),
    summary="An argument that no release of the callable ever had",
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
