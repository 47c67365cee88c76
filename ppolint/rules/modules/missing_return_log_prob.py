"""An actor that does not store the log-probability that a PPO loss reads.

What it does
    Follows the actor of `ClipPPOLoss`, `PPOLoss`, `KLPENPPOLoss`, `MAPPOLoss` and `IPPOLoss` to the
    module that draws its actions, and reports one without `return_log_prob=True`, and an actor that
    is a plain `TensorDictModule` with nothing that draws. Silent for A2C and Reinforce, which run
    without it, and where the argument cannot be seen.

Why is this bad
    The importance ratio needs the log-probability of the action at the time it was taken. It cannot
    be made up for later: the policy has changed by then.

Example
    actor = ProbabilisticActor(module, in_keys=["loc", "scale"], distribution_class=TanhNormal)
    loss = ClipPPOLoss(actor, critic)

Use instead
    actor = ProbabilisticActor(
        module, in_keys=["loc", "scale"], distribution_class=TanhNormal, return_log_prob=True
    )
    loss = ClipPPOLoss(actor, critic)

What happens at run time
    Everything is built, the first batch is collected, and the first call of the loss raises
    `KeyError: "Couldn't find the log-prob action_log_prob in the input data."` A `log_prob_key`
    alone does not help: it names an entry that is still not written.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ppolint.findings import Applicability, Edit, Finding, Fix, Severity
from ppolint.rules.base import Rule
from ppolint.rules.needs import LEARNS

if TYPE_CHECKING:
    from ppolint.semantics.components import Module, Probabilistic
    from ppolint.semantics.model import FileModel

rule = Rule(
    code="PPO401",
    name="missing-return-log-prob",
    severity=Severity.ERROR,
    needs=(LEARNS,),
    summary="The actor of a PPO loss without `return_log_prob=True`",
    fix=Applicability.SAFE,
    across_files=True,
)


@rule.check
def check(file: FileModel) -> Iterator[Finding]:
    from ppolint.rules.modules._actors import once, samplers, where

    missing: dict[Probabilistic, str] = {}
    plain: dict[Module, str] = {}
    for loss in file.pipeline.losses:
        if not loss.is_ppo:
            continue
        if loss.actors and all(_draws_nothing(actor) for actor in loss.actors):
            if not loss.here and loss.site.frame.module is loss.actors[0].site.frame.module:
                continue  # the other file is told so itself
            plain.update(dict.fromkeys(loss.actors, loss.name))
        actors = [samplers(actor) for actor in loss.actors]
        if not actors or not all(actors):
            continue
        # an alternative that has it may be the one that this loss is given
        if all(a.return_log_prob is False for found in actors for a in found):
            missing.update({a: loss.name for found in actors for a in found})
    for actor in once(missing):
        yield rule.at(
            actor.span,
            f"the actor of `{missing[actor]}` does not store the log-probability of its actions"
            f"{where(actor)}: the first call of the loss raises KeyError",
            help="pass `return_log_prob=True` to the actor",
            scope=file.scope(actor.site),
            fix=_fix(file, actor),
        )

    for module in once(plain):
        yield rule.at(
            module.span,
            f"the actor of `{plain[module]}` has no distribution{where(module)}: without a "
            "log-probability the first call of the loss raises KeyError",
            help="make it a `ProbabilisticActor` with `return_log_prob=True`",
            scope=file.scope(module.site),
        )


def _draws_nothing(actor: Any) -> bool:
    """Whether an actor is a plain `TensorDictModule` that writes the action and nothing more."""
    from ppolint.semantics.components import Module

    if not isinstance(actor, Module) or actor.name != "TensorDictModule" or actor.cls is not None:
        return False
    keys = actor.out_keys
    if not actor.sealed or not isinstance(keys, tuple) or len(keys) != 1:
        return False
    key = keys[0][-1] if isinstance(keys[0], tuple) else keys[0]
    return key == "action" and actor.sampler is None


def _fix(file: FileModel, actor: Probabilistic) -> Fix | None:
    from ppolint.semantics.edits import add_argument

    if not actor.here:
        return None
    given = file.keyword_node(actor.call, "return_log_prob")
    if given is not None:
        if not hasattr(given.value, "value") or given.value.value != "False":
            return None
        edit: Edit | None = Edit(*file.span(given.value), "True")
    elif actor.argument("return_log_prob") is not None:
        return None
    else:
        edit = add_argument(file, actor.node, "return_log_prob=True")
    return rule.mend("Store the log-probability", edit) if edit is not None else None
