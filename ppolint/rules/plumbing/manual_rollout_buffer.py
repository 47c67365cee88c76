"""A rollout is kept in a hand-made buffer.

## What it does

Finds preallocated tensors or arrays that are filled step by step during a rollout, and classes that
hold one. A replay memory (sampled at random, overwritten in a ring) is PPO113.

## Why is this bad

A buffer of sibling arrays has one index for all of them, shapes and dtypes written down by hand, and
usually its own shuffling into minibatches. TorchRL's `ReplayBuffer` takes its layout from the first
batch, samples each element once an epoch, and is tested.

## Example

```python
obs = torch.zeros((steps, envs) + obs_shape)
logprobs = torch.zeros((steps, envs))
rewards = torch.zeros((steps, envs))
for step in range(steps):
    obs[step] = next_obs
    action, logprobs[step], _, value = agent(next_obs)
    next_obs, rewards[step], *_ = env.step(action)
```

## Use instead

```python
from torchrl.data import LazyTensorStorage, ReplayBuffer, SamplerWithoutReplacement

buffer = ReplayBuffer(
    storage=LazyTensorStorage(frames_per_batch),
    sampler=SamplerWithoutReplacement(),
    batch_size=minibatch_size,
)
buffer.extend(batch.reshape(-1))
```

## What happens at run time

Nothing raises. Iterating over a `ReplayBuffer` with `SamplerWithoutReplacement` gives each frame
exactly once an epoch, with every key of the batch.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ppolint.findings import Finding, Severity
from ppolint.rules.base import Rule
from ppolint.rules.needs import STORES

if TYPE_CHECKING:
    from ppolint.semantics.model import FileModel

rule = Rule(
    code="PPO112",
    name="manual-rollout-buffer",
    severity=Severity.WARNING,
    program="rollout",
    needs=(
        ("step", "step_env", "recv", "step_wait", "reversed", "lfilter", r"re:(?i)rew", "advantages", "getattr", "kwargs",
         r"re:(?:\.|['\"])rs?(?![a-zA-Z0-9])"),
        ("zeros", "empty", "ones", "full", "zeros_like", "empty_like", "ones_like", "full_like",
         "new_zeros", "new_empty", "new_ones", "new_full", "class", "None", "randn", "cat"),
        STORES,
    ),
    summary="A rollout kept in preallocated tensors or in a class of its own.",
)  # fmt: skip


@rule.check
def check(file: FileModel) -> Iterator[Finding]:
    for found in file.rollouts:
        if found.kind != "buffer":
            continue
        if found.owner is not None:
            span = file.span(found.owner.node.name)
            message = f"Rollout kept in the hand-written buffer {found.owner.name}"
        else:
            span = (file.at(*found.start)[0], file.at(*found.end)[1])
            message = "Rollout kept in preallocated tensors"
        yield rule.at(
            span,
            message,
            help="use torchrl.data.ReplayBuffer(storage=LazyTensorStorage(frames_per_batch), "
            "sampler=SamplerWithoutReplacement(), batch_size=...)",
            scope=file.scope(found.start[1]) if found.owner is None else found.owner.qualname,
        )
