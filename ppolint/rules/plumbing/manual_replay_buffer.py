"""A replay memory is written by hand.

## What it does

Finds an off-policy memory: a deque, list or ring of arrays that transitions are put into and that is
sampled at random. Off by default: such code is short and usually right.

## Why is this bad

It is plumbing that TorchRL has, with storage in memory or on disk, prioritised and sliced sampling,
and prefetching.

## Example

```python
memory = deque(maxlen=100_000)
memory.append((obs, action, reward, next_obs, done))
batch = random.sample(memory, 64)
```

## Use instead

```python
from torchrl.data import LazyTensorStorage, ReplayBuffer

memory = ReplayBuffer(storage=LazyTensorStorage(100_000), batch_size=64)
memory.extend(batch)
```

## What happens at run time

Nothing raises. A full `ReplayBuffer` overwrites its oldest frames, and `sample()` returns one
TensorDict.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ppolint.findings import Finding, Severity
from ppolint.rules.base import Rule

if TYPE_CHECKING:
    from ppolint.semantics.model import FileModel

rule = Rule(
    code="PPO113",
    name="manual-replay-buffer",
    severity=Severity.INFO,
    program="rollout",
    default=False,
    needs=(
        ("step", "step_env", "recv", "step_wait", r"re:(?i)rew", r"re:(?:\.|['\"])r\b"),
        ("deque", "append", "zeros", "empty", "full"),
        ("sample", "choice", "randint", "choices", "integers", "maxlen", "%"),
    ),
    summary="An off-policy replay memory written by hand.",
)


@rule.check
def check(file: FileModel) -> Iterator[Finding]:
    for found in file.rollouts:
        if found.kind != "replay":
            continue
        if found.owner is not None:
            span = file.span(found.owner.node.name)
        else:
            span = (file.at(*found.start)[0], file.at(*found.end)[1])
        yield rule.at(
            span,
            "Replay memory written by hand",
            help="use torchrl.data.ReplayBuffer(storage=LazyTensorStorage(capacity), "
            "batch_size=...)",
            scope=file.scope(found.start[1]) if found.owner is None else found.owner.qualname,
        )
