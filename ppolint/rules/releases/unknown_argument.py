"""An argument that a TorchRL or TensorDict callable does not have in any release.

What it does
    Reports keywords that no release knows, and positional arguments beyond those that are taken;
    keywords of the call of an estimator or of a PPO loss as well.

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
    if "objectives" in file.source.text:
        yield from _of_calls(file)


_TAKEN = {
    "advantage": frozenset({"tensordict", "params", "target_params", "time_dim"}),
    "loss": frozenset({"tensordict"}),
}


def _of_calls(file: FileModel) -> Iterator[Finding]:
    """Keywords of `gae(data, ...)` and `loss_module(data, ...)`. Called without a TensorDict they
    take the entries of one."""
    from ppolint.semantics.components import Component, Estimator, Loss

    told = set()
    for step in file.pipeline.steps:
        taken = _TAKEN.get(step.kind)
        if taken is None or not step.here or step.method not in ("", "forward"):
            continue
        known = [c for c in step.components if isinstance(c, Component) and c.cls is None]
        if len(known) != len(step.components) or not known:
            continue
        if not all(isinstance(c, Estimator) or (isinstance(c, Loss) and c.is_ppo) for c in known):
            continue
        given = getattr(step.node, "args", ())
        if not any(a.keyword is None and not a.star for a in given[:1]):
            continue
        for argument in given[1:]:
            name = argument.keyword.value if argument.keyword is not None else None
            if name is None or name in taken or (span := file.span(argument)) in told:
                continue
            told.add(span)
            yield rule.at(
                span,
                f"`{known[0].title}.forward` has no argument `{name}`: it raises TypeError",
                help="the networks are given when it is built; parameters as `params=`"
                if step.kind == "advantage"
                else "a loss is called with the data and nothing else",
                scope=step.scope,
            )
