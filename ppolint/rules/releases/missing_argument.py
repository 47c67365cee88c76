"""A call without an argument that the targeted TorchRL release requires.

What it does
    Reports calls in which every argument can be seen and a required one is not given.

Why is this bad
    The call raises.

Example
    gae = GAE(gamma=0.99, value_network=critic)

Use instead
    gae = GAE(gamma=0.99, lmbda=0.95, value_network=critic)

What happens at run time
    `TypeError: GAE.__init__() missing 1 required keyword-only argument: 'lmbda'`. An
    `ObservationNorm` without `in_keys` raises `RuntimeError`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ppolint.findings import Finding, Severity
from ppolint.rules.base import Rule

if TYPE_CHECKING:
    from ppolint.semantics.model import FileModel

rule = Rule(
    code="PPO904",
    name="missing-argument",
    severity=Severity.ERROR,
    needs=(("torchrl", "tensordict"),),
    summary="A call without an argument that the targeted release requires",
)


@rule.check
def check(file: FileModel) -> Iterator[Finding]:
    from ppolint.rules.releases import _arguments

    for verdict in _arguments.verdicts(file, rule.code):
        yield rule.at(verdict.span, verdict.message, help=verdict.help, scope=verdict.scope)
