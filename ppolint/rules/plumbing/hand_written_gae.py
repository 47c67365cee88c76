"""Generalised advantage estimation is written by hand.

## What it does

Finds the recursion `A[t] = delta[t] + gamma * lambda * mask * A[t+1]` (Schulman et al. 2016,
eq. 16) in any of its forms: a backward loop over steps, cells of an array, a list that grows at the
front, a filter, a double loop with a running discount, a power sum.

## Why is this bad

The recursion has several details that are wrong silently: which step's `done` masks what, whether a
time limit bootstraps, what the last step bootstraps from, whether returns are built before the
advantages are normalised. TorchRL's `GAE` knows `terminated` from `done`, works on `[B, T]` batches
and writes `"advantage"` and `"value_target"` where the loss reads them.

## Example

```python
for t in reversed(range(T)):
    delta = rewards[t] + gamma * values[t + 1] * (1 - dones[t]) - values[t]
    last = delta + gamma * lmbda * (1 - dones[t]) * last
    advantages[t] = last
```

## Use instead

```python
from torchrl.objectives.value import GAE

advantage = GAE(gamma=gamma, lmbda=lmbda, value_network=critic)
advantage(batch)  # time-ordered, [B, T]: before flattening and sampling
```

## What happens at run time

Nothing raises. A loop that masks with one `done` flag takes a time limit for a terminal state: at
each truncated step the advantage is off by `gamma * V(next)`, and the error decays backwards through
the episode with `gamma * lmbda`. `GAE` bootstraps by ("next", "terminated") and cuts by
("next", "done"). For plain tensors there is
`torchrl.objectives.value.functional.vec_generalized_advantage_estimate`.
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
    code="PPO104",
    name="hand-written-gae",
    severity=Severity.WARNING,
    program="recursion",
    needs=(
        BACKWARDS,
        # the product itself may be in a helper of another file
        ("*", "mul", "multiply", "addcmul", "lfilter", "append", "insert", "zeros_like"),
    ),
    summary="Generalised advantage estimation written by hand.",
)  # fmt: skip


@rule.check
def check(file: FileModel) -> Iterator[Finding]:
    from ppolint.semantics.hyperparameters import shown

    for found in file.recursions:
        if found.kind != "gae":
            continue
        if not (found.certain or found.stored or file.trains_policy):
            continue
        names = ("gamma", "lmbda")
        values = [shown(file, f) or "..." for f in found.factors[:2]]
        arguments = ", ".join(f"{n}={v}" for n, v in zip(names, values + ["1.0"]))
        yield rule.at(
            file.at(found.node, found.site),
            "Generalised advantage estimation written by hand",
            help=f"use torchrl.objectives.value.GAE({arguments}, value_network=critic)",
            scope=file.scope(found.site),
        )
