"""A lazy critic that reaches the advantage estimator without ever having been called.

What it does
    Reports a critic with lazy layers (`LazyLinear`, an `MLP` or `ConvNet` without `in_features`)
    that an estimator or a loss is applied with, when neither it, nor its network, nor an
    actor-critic that holds it is called before. A lazy actor is fine: the collector calls it.

Why is this bad
    Lazy layers get their shapes from the first input. Estimators and losses need the parameters
    before they pass any input through.

Example
    critic = ValueOperator(nn.LazyLinear(1), in_keys=["observation"])
    gae = GAE(gamma=0.99, lmbda=0.95, value_network=critic)

Use instead
    critic = ValueOperator(nn.LazyLinear(1), in_keys=["observation"])
    critic(env.reset())
    gae = GAE(gamma=0.99, lmbda=0.95, value_network=critic)

What happens at run time
    Loss and optimiser are built without complaint. The first advantage raises
    `ValueError: Attempted to use an uninitialized parameter`, after the first batch was collected.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ppolint.findings import Applicability, Finding, Severity
from ppolint.rules.base import Rule
from ppolint.rules.needs import LEARNS

if TYPE_CHECKING:
    from ppolint.semantics.components import Component
    from ppolint.semantics.model import FileModel

rule = Rule(
    code="PPO408",
    name="uninitialised-lazy-modules",
    severity=Severity.ERROR,
    needs=(LEARNS,),
    summary="A lazy critic that is never called before an estimator or a loss needs it",
    fix=Applicability.SUGGEST,
    across_files=True,
)

# Calls that may run or load a module that is given to them, and those that cannot.
_HARMLESS = frozenset(
    "print list len type id isinstance repr Adam AdamW SGD RMSprop chain sum filter tuple set "
    "clip_grad_norm_ clip_grad_value_ parameters".split()
)


@rule.check
def check(file: FileModel) -> Iterator[Finding]:
    from ppolint.rules.modules._actors import once, where
    from ppolint.semantics.components import Module

    used: dict[Component, Any] = {}
    for step in file.pipeline.steps:
        if step.kind not in ("advantage", "loss"):
            continue
        for component in step.components:
            critics = _critics(component)
            if len(critics) == 1 and isinstance(critics[0], Module):
                used.setdefault(critics[0], step)
    for critic in once(used):
        layer = _lazy_layer(file, critic)
        if layer is None or _may_be_initialised(file, critic):
            continue
        yield rule.at(
            critic.span,
            f"the critic has a lazy layer (`{layer}`) and is never called before the first "
            f"{'advantage' if used[critic].kind == 'advantage' else 'loss'}{where(critic)}: that "
            "raises ValueError, uninitialized parameter",
            help=f"call it once, `{critic.label or 'critic'}(env.reset())`, or give the layer "
            f"its input size",
            scope=file.scope(critic.site),
            related=[(*used[critic].span, "needs the parameters")],
        )


def _critics(component: Any) -> tuple:
    from ppolint.semantics.components import Estimator, Loss

    if isinstance(component, Loss):
        return component.critics
    if isinstance(component, Estimator):
        return (
            component.loss.critics
            if component.loss is not None
            else component.parts_of("value_network")
        )
    return ()


def _lazy_layer(file: FileModel, critic: Any) -> str | None:
    """The name of a layer of the critic's network that is lazy, if one is."""
    for part in critic.walk():
        network = getattr(part, "network", None)
        if network is not None and hasattr(network, "core"):
            found = _lazy(file, network, 0, set())
            if found is not None:
                return found
    return None


def _lazy(file: FileModel, value: Any, depth: int, seen: set) -> str | None:
    if depth > 6:
        return None
    for leaf in file.pipeline.resolved(value):
        if leaf in seen:
            continue
        seen.add(leaf)
        if leaf.op != "call":
            continue
        cls = file.class_of(leaf)
        if cls is not None:
            for values in cls.attributes.values():
                for held in values:
                    found = _lazy(file, held, depth + 1, seen)
                    if found is not None:
                        return found
            continue
        name = (leaf.args[0].dotted or "").rpartition(".")[2]
        dotted = leaf.args[0].dotted or ""
        if name.startswith("Lazy") and dotted.startswith("torch.nn."):
            return name
        if name in ("MLP", "ConvNet") and dotted.startswith("torchrl."):
            site = file.call_site(leaf)
            given = file.argument(leaf, 0, "in_features")
            if (
                not site.star
                and not site.double_star
                and (given is None or (given.core.op == "const" and given.core.data is None))
            ):
                return f"{name} without in_features"
            continue
        if name in ("Sequential", "ModuleList"):
            for argument in leaf.args[1:]:
                found = _lazy(file, argument, depth + 1, seen)
                if found is not None:
                    return found
    return None


def _may_be_initialised(file: FileModel, critic: Any) -> bool:
    """Whether anything in the file may call the critic, or a network or module it shares."""
    pipeline = file.pipeline
    around = _holders(pipeline, critic)
    for step in (*pipeline.steps, *(s for c in around for s in pipeline.method_steps(c))):
        if step.kind == "forward" and any(c in around for c in step.components):
            return True
        if step.kind == "method" and any(c in around for c in step.components):
            if step.method in ("load_state_dict", "__call__", "initialize_parameters"):
                return True
    for collector in pipeline.collectors:
        if any(p in around for p in collector.policies):
            return True
    return _given_away(file, critic, around) or _called_elsewhere(file, critic)


def _holders(pipeline: Any, critic: Any) -> set:
    """The critic, its parts, and the modules that it is a part of."""
    from ppolint.semantics.components import Module

    parts = {p for p in critic.walk() if isinstance(p, Module)}
    if critic.parent is not None:
        parts.add(critic.parent)
    out = set(parts)
    for module in pipeline.modules:
        if parts & {p for p in module.walk() if isinstance(p, Module)}:
            out.add(module)
    return out


def _given_away(file: FileModel, critic: Any, around: set) -> bool:
    """Whether the critic or its network is called, or given to something that is not seen."""
    pipeline = file.pipeline
    networks = set()
    for part in critic.walk():
        network = getattr(part, "network", None)
        if network is not None and hasattr(network, "core"):
            networks.update(pipeline.resolved(network))
    for event in (*file.events, *pipeline.wiring.events):
        if event.kind == "call" and event.base is not None:
            callee = event.base
            if callee.op not in ("ref", "func", "class") and networks & set(
                pipeline.resolved(callee)
            ):
                return True
            if callee.op == "ref":
                name = str(callee.data).rpartition(".")[2]
                built = event.value.core.op == "call" and pipeline.wiring.component(
                    event.value.core
                )
                if name in _HARMLESS or built:
                    continue
                if str(callee.data).startswith(("torch.nn.", "torchrl.", "tensordict.")):
                    continue
            elif callee.op in ("func", "class"):
                continue
            if any(c in around for a in event.args for c in pipeline.candidates(a)):
                return True
        elif event.kind == "method" and event.key == "apply" and event.base is not None:
            continue
    for step in pipeline.steps:
        if step.kind == "rollout":
            policy = step.argument(1, "policy")
            if hasattr(policy, "core") and any(c in around for c in pipeline.candidates(policy)):
                return True
    return False


def _called_elsewhere(file: FileModel, critic: Any) -> bool:
    """Whether another file calls the attribute that holds the critic (`agent.critic(td)`)."""
    import re

    label = critic.label
    if not label.startswith("self.") or file.project is None:
        return False
    name = label.removeprefix("self.")
    called = re.compile(rf"\.{re.escape(name)}\s*\(")
    file.searched_project = True
    for path in file.project.mentioning(name):
        if path != file.source.path and called.search(file.project.text(path)):
            return True
    return False
