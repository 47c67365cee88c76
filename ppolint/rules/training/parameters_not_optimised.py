"""A network of the loss whose parameters no optimiser has.

What it does
    Compares the parameters that the stepping optimisers were given with the actor and the
    critic of the PPO loss. Silent when the parameters of an optimiser cannot be seen in full,
    or when a network is frozen on purpose.

Why is this bad
    The network gets gradients and never changes. A critic that stays as it was initialised
    makes every advantage a random number plus the return.

Example
    loss_module = ClipPPOLoss(actor, critic)
    optim = torch.optim.Adam(actor.parameters(), lr=3e-4)

Use instead
    optim = torch.optim.Adam(loss_module.parameters(), lr=3e-4)

What happens at run time
    Nothing is raised. The critic's parameters are the same before and after the step.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ppolint.findings import Applicability, Finding, Severity
from ppolint.rules.base import Rule

if TYPE_CHECKING:
    from ppolint.semantics.model import FileModel

rule = Rule(
    code="PPO705",
    name="parameters-not-optimised",
    severity=Severity.ERROR,
    needs=(("torchrl", "tensordict", "backward"),),
    summary="The actor or the critic is in no optimiser",
    fix=Applicability.SUGGEST,
)


@rule.check
def check(file: FileModel) -> Iterator[Finding]:
    from ppolint.semantics import training
    from ppolint.semantics.components import Module, Optimiser

    pipeline = file.pipeline
    if any(e.kind == "setattr" and e.key == "requires_grad" for e in file.events):
        return
    told = set()
    for story, steps in training.trained_stories(pipeline):
        optimisers = [c for s in story.of("step") for c in s.components]
        if not optimisers or not all(
            isinstance(o, Optimiser) and o.complete and o.optimises for o in optimisers
        ):
            continue
        if any(o.methods("add_param_group") for o in optimisers):
            continue
        owned = set().union(*(training.parameters(o) for o in optimisers))
        for loss in dict.fromkeys(c for s in steps for c in s.components if c):
            if loss in owned or id(loss) in told or not loss.sealed or loss.cls is not None:
                continue
            for what, network in (("critic", loss.critic), ("actor", loss.actor)):
                if not isinstance(network, Module) or network.cls is not None:
                    continue
                if network.methods("requires_grad_"):
                    continue
                if training.parameters(network) & owned:
                    if not _lacks_its_head(pipeline, network, optimisers):
                        continue
                    what = f"head of the {what}"
                if _hides_parts(network) or (
                    not training.parameters(network) & owned
                    and _shares_network(pipeline, network, owned)
                ):
                    continue
                told.add(id(loss))
                optimiser = optimisers[-1]
                yield rule.at(
                    optimiser.span,
                    f"the parameters of the {what} are in no optimiser: it stays as it was "
                    "initialised",
                    help="optimise `loss_module.parameters()`, which are those of both",
                    scope=optimiser.site.frame.scope,
                    related=[(*loss.span, "the loss")],
                )


def _lacks_its_head(pipeline: Any, network: Any, optimisers: list[Any]) -> bool:
    """Whether the optimisers have a trunk that the network shares, and not its last part."""
    from ppolint.semantics.components import Module
    from ppolint.semantics.values import Value

    held = [c for o in optimisers for c in o.optimises]
    if not held or not all(isinstance(c, Module) and c.cls is None for c in held):
        return False
    owned = {part for c in held for part in (c, *c.walk())}
    leaves = [m for m in network.walk() if isinstance(m, Module) and not m.parts]
    if len(leaves) < 2 or network in owned or network.parent in owned:
        return False
    head = leaves[-1]
    if head in owned or not isinstance(head.network, Value) or head.cls is not None:
        return False
    return not _shares_network(pipeline, head, owned)


def _hides_parts(network: Any) -> bool:
    """Whether it is put together from something that cannot be seen."""
    return any(not part for part in network.parts)


def _shares_network(pipeline: Any, network: Any, owned: set[Any]) -> bool:
    """Whether an optimised module wraps the same network."""
    from ppolint.semantics.components import Module
    from ppolint.semantics.values import Value

    mine: set[Any] = set()
    for part in network.walk():
        held = part.network if isinstance(part, Module) else None
        if isinstance(held, Value):
            mine |= set(pipeline.wiring.leaves(held))
    for module in owned:
        held = module.network if isinstance(module, Module) else None
        if isinstance(held, Value) and mine & set(pipeline.wiring.leaves(held)):
            return True
    return False
