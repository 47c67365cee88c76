"""A rollout is gathered in Python lists.

## What it does

Finds parallel lists, a dict of lists, or a list of transitions that collect what an environment
returns step by step together with what the policy did. What goes into a container decides, not its
name; lists of metrics and evaluation logs are left alone.

## Why is this bad

Every container has to be kept in step, reset, stacked, moved and masked by hand. A collector does
all of it, for one environment or for many processes, and returns one TensorDict whose entries
cannot get out of step.

## Example

```python
observations, actions, rewards = [], [], []
for _ in range(steps):
    action = policy(obs)
    observations.append(obs)
    actions.append(action)
    obs, reward, terminated, truncated, _ = env.step(action)
    rewards.append(reward)
```

## Use instead

```python
from torchrl.collectors import Collector

collector = Collector(make_env, policy, frames_per_batch=2048, total_frames=1_000_000)
for batch in collector:  # a TensorDict of shape [T], or [B, T] for a batched environment
    ...
```

## What happens at run time

Nothing raises. Lists that are appended to on different sides of the step are off by one, and what is
appended outside of `torch.no_grad()` keeps the graph of every step. No entry of a collector's batch
requires grad, and the observation that ended an episode is kept under ("next", "observation").
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ppolint.findings import Finding, Severity
from ppolint.rules.base import Rule
from ppolint.rules.needs import GROWS

if TYPE_CHECKING:
    from ppolint.semantics.model import FileModel

rule = Rule(
    code="PPO111",
    name="manual-rollout-lists",
    severity=Severity.WARNING,
    program="rollout",
    needs=(
        (
            "step",
            "step_env",
            "recv",
            "step_wait",
            r"re:(?i)rew",
            r"re:(?:\.|['\"])rs?(?![a-zA-Z0-9])",
        ),
        GROWS,
    ),
    summary="A rollout gathered in parallel lists.",
)


@rule.check
def check(file: FileModel) -> Iterator[Finding]:
    for found in file.rollouts:
        if found.kind != "lists":
            continue
        start, _ = file.at(*found.start)
        _, end = file.at(*found.end)
        yield rule.at(
            (start, end),
            "Rollout gathered in Python lists",
            help="iterate over a torchrl.collectors.Collector and keep its batches in a "
            "ReplayBuffer(storage=LazyTensorStorage(frames_per_batch), "
            "sampler=SamplerWithoutReplacement())",
            scope=file.scope(found.start[1]),
        )
