"""An importance ratio of two policies is computed by hand.

## What it does

Finds `exp(new_log_prob - old_log_prob)`, or the quotient of what two networks say about the same
actions, used as a weight that belongs to no PPO loss: the surrogate of TRPO, an unclipped policy
gradient on old data, a KL diagnostic that computes the ratio of the loss again. A ratio that is truncated from one side (V-trace, ACER, Retrace) is left alone.

## Why is this bad

It is the part of a policy-gradient loss that is easiest to get wrong (inverted, or with a gradient
through the old log-probability), and the loss modules of TorchRL compute it already.

## Example

```python
ratio = torch.exp(policy.log_prob(action) - old_log_prob)
surrogate = (ratio * advantage).mean()
```

## Use instead

```python
from torchrl.objectives import PPOLoss

losses = PPOLoss(actor, critic)(batch)  # the unclipped surrogate; "kl_approx" is logged
```

## What happens at run time

Nothing raises. Without a clip, one large ratio dominates the batch; `PPOLoss` computes
`-(ratio * advantage).mean()`, and has `max_importance_ratio=` against that.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ppolint.findings import Finding, Severity
from ppolint.rules.base import Rule
from ppolint.rules.needs import E_POWER

if TYPE_CHECKING:
    from ppolint.semantics.model import FileModel

rule = Rule(
    code="PPO102",
    name="hand-written-importance-ratio",
    severity=Severity.INFO,
    program="rl",
    needs=(
        (
            "exp",
            "exp_",
            E_POWER,
            r"re:,(?<=\be,)",
            "gather",
            "take_along_dim",
            "log_prob",
            "where",
            r"re:/\s*\w+\.(?:data|detach)\b",
            r"re:/\s*\w+\)\s*\*",
        ),
        ("log_prob", "log_softmax", "log", "cross_entropy", "nll_loss", "exp", "/", "div"),
    ),
    summary="An importance ratio of two policies computed outside a loss module.",
)


@rule.check
def check(file: FileModel) -> Iterator[Finding]:
    from ppolint.semantics.importance import free_ratios

    seen: set[int] = set()
    for _, node, site in free_ratios(file, file.surrogates):
        if id(node) in seen:
            continue
        seen.add(id(node))
        yield rule.at(
            file.at(node, site),
            "Importance ratio of two policies computed by hand",
            help="let a loss module of torchrl.objectives (PPOLoss, ClipPPOLoss) compute it",
            scope=file.scope(site),
        )
