"""A clipped value loss is written by hand.

## What it does

Finds `old + clip(new - old, -c, c)` compared with a return: the value clipping of the original PPO
code.

## Why is this bad

The loss modules do it with one argument, with the old value taken from the batch and detached.

## Example

```python
clipped = old_value + torch.clamp(value - old_value, -eps, eps)
value_loss = torch.max((value - returns) ** 2, (clipped - returns) ** 2).mean()
```

## Use instead

```python
from torchrl.objectives import ClipPPOLoss

loss_module = ClipPPOLoss(
    actor, critic, clip_epsilon=0.2, clip_value=eps, loss_critic_type="l2", critic_coeff=0.5
)
```

`clip_value=True` uses `clip_epsilon` for the value too. Without `loss_critic_type="l2"` the distance
is smooth L1. The old value is read from "state_value", where `GAE` writes it.

## What happens at run time

Nothing raises when the old value carries a gradient or the shapes `(N,)` and `(N, 1)` meet; the
critic then learns from the wrong error. Ablations find no benefit in value clipping itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ppolint.findings import Finding, Severity
from ppolint.rules.base import Rule
from ppolint.rules.needs import ONE_IN_ANOTHER

if TYPE_CHECKING:
    from ppolint.semantics.model import FileModel

rule = Rule(
    code="PPO103",
    name="hand-written-value-clipping",
    severity=Severity.WARNING,
    program="value",
    needs=(
        ("clamp", "clip", "clamp_", "clip_", "hardtanh", "Hardtanh", "clamp_max", "relu", "where", "sign",
         r"re:\[[^\[\]\n]*[<>][^\[\]\n]*\]\s*=", r"re:\bmax\w*\([^\n]+,",
         *ONE_IN_ANOTHER),
        ("**", "pow", "square", "mse_loss", "smooth_l1_loss", "huber_loss", "l1_loss", "MSELoss",
         "SmoothL1Loss", "HuberLoss", "L1Loss", "norm", "abs",
         r"re:\bmax\w*\([^\n]+,",
         r"re:(\([^()\n]*\)|\b\w+\b)\s*\*\s*\1"),
    ),
    summary="A clipped value loss written by hand.",
)  # fmt: skip


@rule.check
def check(file: FileModel) -> Iterator[Finding]:
    from ppolint.semantics.hyperparameters import shown
    from ppolint.semantics.value_clipping import value_clips

    for found in value_clips(file):
        epsilon = shown(file, found.epsilon) or "..."
        yield rule.at(
            file.at(found.node, found.site),
            "Clipped value loss written by hand",
            help=f"use torchrl.objectives.ClipPPOLoss(actor, critic, clip_value={epsilon})",
            scope=file.scope(found.site),
        )
