"""Discounted returns are computed by hand.

## What it does

Finds the recursion `R[t] = r[t] + gamma * mask * R[t+1]` backwards in time, lambda-returns, n-step
sums and Monte-Carlo rewards-to-go. Running totals that go forward (reward scaling, metrics) are
left alone.

## Why is this bad

As with advantages, the details at episode ends and at the end of a rollout are wrong silently: a
sum that is not reset leaks one episode into another, one that is not bootstrapped treats the end of
the rollout as the end of the world.

## Example

```python
R = 0
for r, done in zip(reversed(rewards), reversed(dones)):
    R = r + gamma * R * (1 - done)
    returns.insert(0, R)
```

## Use instead

```python
from torchrl.objectives.value import TD1Estimator, TDLambdaEstimator

estimator = TDLambdaEstimator(gamma=gamma, lmbda=0.95, value_network=critic)
estimator(batch)  # writes "advantage" and "value_target"
```

`TD1Estimator` is the loop with bootstrapped ends. Without a critic: append
`torchrl.envs.Reward2GoTransform(gamma=gamma, out_keys=["reward_to_go"])` to the replay buffer; without
`out_keys` it replaces ("next", "reward").

## What happens at run time

Nothing raises. `Reward2GoTransform` does, on a batch that holds no episode end.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ppolint.findings import Finding, Severity
from ppolint.rules.base import Rule
from ppolint.rules.needs import BACKWARDS

if TYPE_CHECKING:
    from ppolint.semantics.model import FileModel

rule = Rule(
    code="PPO105",
    name="hand-written-returns",
    severity=Severity.INFO,
    program="recursion",
    needs=(
        BACKWARDS,
    ),
    summary="Discounted returns computed by hand.",
)  # fmt: skip


@rule.check
def check(file: FileModel) -> Iterator[Finding]:
    from ppolint.semantics.hyperparameters import shown

    estimates = any(found.kind == "gae" and found.certain for found in file.recursions)
    for found in file.recursions:
        if found.kind != "returns":
            continue
        if not (found.stored or estimates or file.trains_policy):
            continue
        gamma = (shown(file, found.factors[0]) or "...") if found.factors else "1.0"
        yield rule.at(
            file.at(found.node, found.site),
            "Discounted returns computed by hand",
            help=f"use torchrl.objectives.value.TDLambdaEstimator(gamma={gamma}, lmbda=..., "
            "value_network=critic), or torchrl.envs.Reward2GoTransform without a critic",
            scope=file.scope(found.site),
        )
