"""Checkpoints of a policy that leave out the statistics its inputs were normalised with."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ppolint.rules.environment._normalisers import (
    RUNNING,
    elsewhere,
    is_bare,
    may_be_transform,
    statistics,
)
from ppolint.semantics.components import UNKNOWN, Component, Environment, Transform

if TYPE_CHECKING:
    from ppolint.semantics.model import FileModel
    from ppolint.semantics.values import Value

# Code that takes the numbers of a normaliser out, or the state of an environment, in any way.
_TAKEN = re.compile(
    r"(?:transform|norm|env)\w*(?:\[[^\]\n]*\]|\.\w+)*"
    r"\.(?:loc|scale|state_dict|get_extra_state|frozen_copy|to_observation_norm|_td)\b"
)
_DUMPED = re.compile(r"\b(?:pickle|cloudpickle|dill|joblib)\b")


def incomplete(file: FileModel) -> Iterator[tuple[Any, Any, Transform]]:
    """(node, site, normaliser) of calls of `torch.save` that keep a policy and not the normaliser
    of the environment it was trained in."""
    saves = [
        e for e in file.events_of("call")
        if e.base is not None and e.base.dotted == "torch.save" and e.args
    ]  # fmt: skip
    if not saves or _keeps_more(file, {e.site.frame.module for e in saves}):
        return
    found = _trained_with(file)
    if found is None:
        return
    policies, norm = found
    for event in saves:
        if _holds_policy(file, event.args[0], policies):
            yield event.node, event.site, norm


def _keeps_more(file: FileModel, modules: set[Any]) -> bool:
    """Whether some of the code, here or where it is saved, may keep the numbers: reading them
    counts, wherever they go."""
    texts = [file.source.text]
    for module in modules:
        if not module.main and file.project is not None:
            texts.append(file.project.text(module.path))
    if any(_TAKEN.search(text) or _DUMPED.search(text) for text in texts):
        return True
    return any(
        event.key != "init_stats" and UNKNOWN in owners and may_be_transform(event)
        for event, owners in statistics(file)
    )


def _trained_with(file: FileModel) -> tuple[set[Component], Transform] | None:
    """The policies of the collectors, and what normalises their inputs; None when that is nothing,
    or when it cannot be told who else holds the environments."""
    gathered = {
        owners[0] for event, owners in statistics(file)
        if event.key == "init_stats" and len(owners) == 1
    }  # fmt: skip
    policies: dict[Component, None] = {}
    norm: Transform | None = None
    for collector in file.pipeline.collectors:
        for env in collector.envs:
            if not isinstance(env, Environment) or elsewhere(file, env):
                return None
            for transform in env.transforms:
                if transform.cls is None and _is_of_inputs(transform, gathered):
                    norm = norm or transform
        policies.update(dict.fromkeys(p for p in collector.policies if isinstance(p, Component)))
    return (set(policies), norm) if norm is not None and policies else None


def _is_of_inputs(transform: Transform, gathered: set[Any]) -> bool:
    if transform.conditional or transform.in_keys in (UNKNOWN, ("reward",)):
        return False
    if transform.name == "ObservationNorm":
        return transform in gathered and is_bare(transform)
    # given what others share, the numbers may be kept by those
    shared = ("shared_td", "shared_data", "loc", "scale")
    return (
        transform.name in RUNNING
        and transform.sealed
        and all(transform.argument(name) is None for name in shared)
    )


def _holds_policy(file: FileModel, value: Value, policies: set[Component]) -> bool:
    """Whether what is saved is a policy, its state, or a dictionary with one of these."""
    from ppolint.semantics.components import Loss

    for leaf in file.pipeline.wiring.leaves_of_container(value):
        if leaf.op == "alloc":
            items = getattr(leaf.data, "items", None) or ()
            entries = (getattr(leaf.data, "entries", None) or {}).values()
            if any(_holds_policy(file, part, policies) for part in (*items, *entries)):
                return True
            continue
        owner = leaf
        if leaf.op == "call" and leaf.args[0].op == "attr" and leaf.args[0].data == "state_dict":
            owner = leaf.args[0].args[0].core
        for component in file.pipeline.candidates(owner):
            if component in policies:
                return True
            if isinstance(component, Loss) and set(component.actors) & policies:
                return True
    return False
