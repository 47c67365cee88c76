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


# Keywords are taken for the entries of a TensorDict: it is itself given by position only.
_TAKEN: dict[str, frozenset[str]] = {
    "advantage": frozenset({"params", "target_params", "time_dim"}),
    "loss": frozenset(),
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
        if any(a.star for a in given) or not any(
            a.keyword is None or a.keyword.value == "tensordict" for a in given
        ):
            continue
        for argument in given:
            name = argument.keyword.value if argument.keyword is not None else None
            if name is None or name in taken or (span := file.span(argument)) in told:
                continue
            told.add(span)
            if name == "tensordict":
                what, how = "takes the data by position", "leave `tensordict=` out"
            elif step.kind == "advantage":
                what = f"has no argument `{name}`"
                how = "the networks are given when it is built; parameters as `params=`"
            else:
                what = f"has no argument `{name}`"
                how = "a loss is called with the data and nothing else"
            yield rule.at(
                span,
                f"`{known[0].title}.forward` {what}: it raises TypeError",
                help=how,
                scope=step.scope,
            )
