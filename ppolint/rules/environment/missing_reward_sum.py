"""The return of an episode that is read and that nothing sums up.

What it does
    Follows reads of "episode_reward" to the environment the data comes from, and reports one
    without `RewardSum`. Silent where the read allows for a missing key, and where the environment
    may write it itself.

Why is this bad
    The loop runs a whole batch before it gets to the line that reads the key.

Example
    env = TransformedEnv(GymEnv("CartPole-v1"), StepCounter())
    for batch in Collector(env, policy, frames_per_batch=1000):
        print(batch["next", "episode_reward"][batch["next", "done"]].mean())

Use instead
    env = TransformedEnv(GymEnv("CartPole-v1"), Compose(StepCounter(), RewardSum()))
    for batch in Collector(env, policy, frames_per_batch=1000):
        print(batch["next", "episode_reward"][batch["next", "done"]].mean())

What happens at run time
    `KeyError: 'key "episode_reward" not found in TensorDict'` after the first batch.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ppolint.findings import Applicability, Finding, Severity
from ppolint.rules.base import Rule

if TYPE_CHECKING:
    from ppolint.semantics.model import FileModel

rule = Rule(
    code="PPO310",
    name="missing-reward-sum",
    severity=Severity.WARNING,
    needs=(("episode_reward",),),
    summary="`episode_reward` is read and no `RewardSum` writes it",
    fix=Applicability.SAFE,
    across_files=True,
)


@rule.check
def check(file: FileModel) -> Iterator[Finding]:
    from ppolint.rules.environment._missing_key import reads
    from ppolint.rules.environment._transforms import append_transform

    for read in reads(file, "episode_reward"):
        edits = append_transform(file, read.env, "RewardSum")
        yield rule.at(
            read.span,
            '"episode_reward" is read, and the environment has no `RewardSum`: KeyError',
            help="add `RewardSum()` to the transforms of the environment",
            scope=read.scope,
            fix=rule.mend("Add `RewardSum()`", *edits) if edits else None,
            related=[(*read.env.span, "the environment")],
        )
