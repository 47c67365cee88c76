"""A step count that is read and that nothing counts.

What it does
    Follows reads of "step_count" to the environment the data comes from, and reports one without
    `StepCounter`. Silent where the read allows for a missing key, and where the environment may
    write it itself.

Why is this bad
    The loop runs a whole batch before it gets to the line that reads the key.

Example
    env = TransformedEnv(GymEnv("Pendulum-v1"), RewardSum())
    for batch in Collector(env, policy, frames_per_batch=1000):
        print(batch["step_count"].max())

Use instead
    env = TransformedEnv(GymEnv("Pendulum-v1"), Compose(RewardSum(), StepCounter()))
    for batch in Collector(env, policy, frames_per_batch=1000):
        print(batch["step_count"].max())

What happens at run time
    `KeyError: 'key "step_count" not found in TensorDict'` after the first batch.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ppolint.findings import Applicability, Finding, Severity
from ppolint.rules.base import Rule

if TYPE_CHECKING:
    from ppolint.semantics.model import FileModel

rule = Rule(
    code="PPO305",
    name="missing-step-counter",
    severity=Severity.WARNING,
    needs=(("step_count",),),
    summary="`step_count` is read and no `StepCounter` writes it",
    fix=Applicability.SAFE,
    across_files=True,
)


@rule.check
def check(file: FileModel) -> Iterator[Finding]:
    from ppolint.rules.environment._missing_key import reads
    from ppolint.rules.environment._transforms import append_transform

    for read in reads(file, "step_count"):
        edits = append_transform(file, read.env, "StepCounter")
        yield rule.at(
            read.span,
            '"step_count" is read, and the environment has no `StepCounter`: KeyError',
            help="add `StepCounter()` to the transforms of the environment",
            scope=read.scope,
            fix=rule.mend("Add `StepCounter()`", *edits) if edits else None,
            related=[(*read.env.span, "the environment")],
        )
