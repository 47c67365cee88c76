"""GAE uses a critic that the loss does not train.

What it does
    Compares the critic of an advantage estimator with that of the PPO loss it works for. Two
    parts of one model, two wrappers of one network, and copies that are kept up to date are not
    reported.

Why is this bad
    The critic in the estimator never learns: the advantages stay those of a random value
    function, while another critic is trained that nothing uses.

Example
    gae = GAE(gamma=0.99, lmbda=0.95, value_network=make_critic())
    loss_module = ClipPPOLoss(actor, make_critic())

Use instead
    critic = make_critic()
    gae = GAE(gamma=0.99, lmbda=0.95, value_network=critic)
    loss_module = ClipPPOLoss(actor, critic)

What happens at run time
    Nothing is raised. The parameters of the estimator's critic do not change at all.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ppolint.findings import Applicability, Finding, Severity
from ppolint.rules.base import Rule

if TYPE_CHECKING:
    from ppolint.semantics.model import FileModel

rule = Rule(
    code="PPO607",
    name="different-critics",
    severity=Severity.ERROR,
    needs=(("torchrl", "tensordict", "backward"),),
    summary="The advantage estimator and the loss hold different critics",
    fix=Applicability.SUGGEST,
)


@rule.check
def check(file: FileModel) -> Iterator[Finding]:
    from ppolint.semantics import training
    from ppolint.semantics.components import Module

    pipeline = file.pipeline
    for estimator, loss in training.links(pipeline):
        used, trained = estimator.critic, loss.critic
        if not isinstance(used, Module) or not isinstance(trained, Module):
            continue
        if _related(pipeline, used, trained) or _is_updated(pipeline, used):
            continue
        yield rule.at(
            estimator.span,
            "this estimator has a critic of its own: the loss trains another one, so its values "
            "stay those of an untrained network",
            help="give the estimator and the loss the same critic",
            scope=estimator.site.frame.scope,
            related=[(*loss.span, "the loss")],
        )


def _related(pipeline: Any, used: Any, trained: Any) -> bool:
    """Whether two critics share parameters."""
    from ppolint.semantics import training
    from ppolint.semantics.values import Value

    if used is trained or training.parameters(used) & training.parameters(trained):
        return True
    left, right = used.network, trained.network
    if isinstance(left, Value) and isinstance(right, Value):
        mine, other = (set(pipeline.wiring.leaves(v)) for v in (left, right))
        if mine & other:
            return True
    # a module that is put together from something unseen may hold the same network
    unseen = [c for m in (used, trained) for c in m.walk() if not c]
    return bool(unseen)


def _is_updated(pipeline: Any, critic: Any) -> bool:
    """Whether the critic is trained by another optimiser or copied from time to time."""
    from ppolint.semantics import training

    if critic.methods("load_state_dict", "parameters", "state_dict", "update_parameters"):
        return True
    for optimiser in pipeline.optimisers:
        if not optimiser.complete or critic in training.parameters(optimiser):
            return True
    return training.has_unseen_use(pipeline, critic)
