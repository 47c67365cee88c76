"""Hyperparameters of a PPO loss that are left unsaid.

What it does
    Reports a PPO loss that does not say how it treats the advantage, the entropy, the critic's
    share and the critic's distance. Off by default.

Why is this bad
    TorchRL's defaults differ from those of the reference implementations. Who reads the script,
    or ports it, should not have to know them.

Example
    loss_module = ClipPPOLoss(actor, critic)

Use instead
    loss_module = ClipPPOLoss(
        actor, critic, clip_epsilon=0.2, normalize_advantage=True, entropy_coeff=0.0,
        critic_coeff=0.25, loss_critic_type="l2",
    )

What happens at run time
    Left unsaid: the advantage is not normalised, the entropy has a coefficient of 0.01, the
    critic one of 1.0, and the critic's distance is `smooth_l1`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ppolint.findings import Finding, Severity
from ppolint.rules.base import Rule

if TYPE_CHECKING:
    from ppolint.semantics.model import FileModel

rule = Rule(
    code="PPO614",
    name="implicit-loss-hyperparameters",
    severity=Severity.INFO,
    needs=(("PPOLoss", "ClipPPOLoss", "KLPENPPOLoss"),),
    summary="Hyperparameters of the loss are left to defaults that differ from the reference",
    default=False,
)


_DEFAULTS = {
    "normalize_advantage": "False",
    "entropy_coeff": "0.01",
    "critic_coeff": "1.0",
    "loss_critic_type": '"smooth_l1"',
}
_STANDARD = frozenset({"PPOLoss", "ClipPPOLoss", "KLPENPPOLoss"})


@rule.check
def check(file: FileModel) -> Iterator[Finding]:
    from ppolint.semantics import training

    normalised = {
        id(loss)
        for estimator, loss in training.links(file.pipeline)
        if estimator.flag("average_gae", False) is not False
    }
    # an estimator that cannot be linked to a loss may well be the one that feeds it
    estimators_normalise = any(
        estimator.flag("average_gae", False) is not False for estimator in file.pipeline.estimators
    )
    for loss in file.pipeline.losses:
        if loss.name not in _STANDARD or not loss.here or not loss.sealed:
            continue
        unsaid = [n for n in _DEFAULTS if loss.argument(n) is None]
        if (id(loss) in normalised or estimators_normalise) and "normalize_advantage" in unsaid:
            unsaid.remove("normalize_advantage")
        critic = loss.argument("critic_network")
        if critic is not None and critic.core is file.values.none:
            # without a critic there is no critic loss, and the advantage comes from elsewhere: what
            # compares the returns of a group normalises it there
            unsaid = [n for n in unsaid if n == "entropy_coeff"]
        if loss.flag("entropy_bonus", True) is False and "entropy_coeff" in unsaid:
            unsaid.remove("entropy_coeff")
        if not unsaid:
            continue
        yield rule.at(
            loss.span,
            "left to the defaults: " + ", ".join(f"{n}={_DEFAULTS[n]}" for n in unsaid),
            help="say them, so that a reader need not know TorchRL's defaults",
            scope=loss.site.frame.scope,
        )
