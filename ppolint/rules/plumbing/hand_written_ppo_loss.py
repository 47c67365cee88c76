"""A PPO loss is written by hand.

## What it does

Finds the clipped surrogate of PPO (Schulman et al. 2017, eq. 7) and its KL-penalised variant
(eq. 8), whatever the names and the spelling: a ratio of two likelihoods, its clip around 1 (or the
clip of the log-ratio), and the minimum of the two products with the advantage; or what either sign
of the advantage leaves of them. A clipped ratio without gradient, or one that weighs a
log-probability (CISPO), is another method and left alone.

## Why is this bad

The loss has many ways to be wrong that still train: a flipped sign, a minimum that became a
maximum, a ratio of detached values, a broadcast from `(N,)` to `(N, N)`. TorchRL's `ClipPPOLoss` is
tested against them, logs the clip fraction, the approximate KL divergence and the effective sample
size, and takes its keys from the modules.

## Example

```python
ratio = torch.exp(new_log_prob - old_log_prob)
clipped = torch.clamp(ratio, 1 - eps, 1 + eps) * advantage
policy_loss = -torch.min(ratio * advantage, clipped).mean()
```

## Use instead

```python
from torchrl.objectives import ClipPPOLoss

loss_module = ClipPPOLoss(actor, critic, clip_epsilon=eps, entropy_coeff=0.01, critic_coeff=0.5)
losses = loss_module(minibatch)
loss = losses["loss_objective"] + losses["loss_critic"] + losses["loss_entropy"]
```

Bounds that differ are a pair: `clip_epsilon=(0.2, 0.28)`. For a KL penalty use
`KLPENPPOLoss(actor, critic, dtarg=0.01, beta=1.0)`, which adapts `beta` itself; for agents in groups
`MAPPOLoss` or `IPPOLoss`; for tokens of a language model `GRPOLoss`, `DAPO` or `CISPOLoss` of
`torchrl.objectives.llm`.

## What happens at run time

Nothing raises. An advantage of shape `(N, 1)` times a ratio of shape `(N,)` is an `(N, N)` product
whose mean is finite and meaningless; `ClipPPOLoss` raises a `ValueError` on the same tensors, and on
equal shapes computes the same number as the loop. Of 33 hand-written PPO programs with one mistake
each, 18 still reached a return on CartPole that looks like learning. Code that is written from scratch on purpose says so with
`# ppolint: from-scratch`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ppolint.findings import Finding, Severity
from ppolint.rules.base import Rule
from ppolint.rules.needs import E_POWER, ONE_IN_ANOTHER

if TYPE_CHECKING:
    from ppolint.semantics.model import FileModel

rule = Rule(
    code="PPO101",
    name="hand-written-ppo-loss",
    severity=Severity.WARNING,
    program="loss",
    needs=(
        ("clamp", "clip", "clamp_", "clip_", "where", "kl_divergence", "kl_div", "clamp_max",
         "minimum", "hardtanh", "Hardtanh", "log_prob", "gather", "take_along_dim", r"re:\bmin\(", r"re:\bexp\b(?s:.*)\bexp\b",
         *ONE_IN_ANOTHER),
        ("exp", "exp_", "expm1", "div", "true_divide", "divide", "gather", "take_along_dim",
         "kl_divergence", "kl_div", E_POWER, r"re:1(?<!\w1)(?:\.0*)?\s*-", r"re:\.(?<=\w\.)\d+\s*,",
         r"re:\bmin(?:imum)?\([^\n]+,", r"re:\bmax(?:imum)?\([^\n]+,"),
        ("*", "mul", "multiply", "mul_", "addcmul", "einsum", "bmm", "matmul", "dot", "@"),
    ),
    summary="A clipped or KL-penalised PPO surrogate written by hand.",
)  # fmt: skip


@rule.check
def check(file: FileModel) -> Iterator[Finding]:
    from ppolint.semantics.hyperparameters import shown

    for found in file.surrogates:
        if found.kind == "kl":
            yield rule.at(
                file.at(found.node, found.site),
                "KL-penalised PPO surrogate written by hand",
                help="use torchrl.objectives.KLPENPPOLoss(actor, critic, dtarg=..., beta=...)",
                scope=file.scope(found.site),
            )
            continue
        span = (file.span(found.first)[0], file.span(found.node)[1])
        epsilon = shown(file, found.epsilon)
        argument = f"clip_epsilon={epsilon}" if epsilon is not None else "clip_epsilon=..."
        yield rule.at(
            span,
            "Clipped PPO surrogate written by hand",
            help=f"use torchrl.objectives.ClipPPOLoss(actor, critic, {argument})",
            scope=file.scope(found.site),
        )
