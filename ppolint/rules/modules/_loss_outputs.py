"""Keys that are read of the output of a loss and that no loss writes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ppolint.rules.modules._wiring import Problem, shown
from ppolint.semantics.components import Loss
from ppolint.semantics.values import Value

if TYPE_CHECKING:
    from ppolint.semantics.model import FileModel

# What PPO, A2C and their variants put out, in any release.
_OUTPUTS = frozenset(
    "loss_objective loss_critic loss_entropy entropy composite_entropy ESS clip_fraction "
    "value_clip_fraction explained_variance kl kl_approx kl_coef max_ratio mean_ratio".split()
)
_FAMILY = frozenset({"PPOLoss", "ClipPPOLoss", "KLPENPPOLoss", "A2CLoss", "MAPPOLoss", "IPPOLoss"})
_MEANT = {
    "loss": "add up the terms: `loss_objective`, `loss_critic` and `loss_entropy`",
    "loss_actor": "it is `loss_objective`",
    "loss_policy": "it is `loss_objective`",
    "loss_value": "it is `loss_critic`",
    "entropy_bonus": "it is `loss_entropy`, or `entropy` without the coefficient",
}


def problems(file: FileModel) -> Iterator[Problem]:
    """Every `losses["loss"]` of a loss that has no such entry."""
    if not any(loss.name in _FAMILY for loss in file.pipeline.losses):
        return
    told = set()
    for value in file.of_op("item"):
        base, key = value.args[0].core, value.args[1].string
        if key is None or key in _OUTPUTS or not _is_output(file, base):
            continue
        if key in _written(file, base):
            continue
        for node, site in file.places(value):
            span = file.at(node, site)
            if not site.frame.module.main or span in told:
                continue
            told.add(span)
            yield Problem(
                span,
                f"the loss puts out no {shown(key)}: KeyError",
                _MEANT.get(key, "PPO puts out `loss_objective`, `loss_critic` and `loss_entropy`"),
                site.frame.scope,
            )


def _is_output(file: FileModel, base: Value) -> bool:
    """Whether a value is what a loss of TorchRL returned, and nothing else."""
    if base.op != "call" or base.args[0].op in ("func", "ref"):
        return False
    found = file.pipeline.candidates(base.args[0])
    return bool(found) and all(
        isinstance(c, Loss) and c.name in _FAMILY and c.cls is None for c in found
    )


def _written(file: FileModel, base: Value) -> set[Any]:
    """The keys that the program itself puts into such an output."""
    out: set[Any] = set()
    for event in file.events:
        if event.base is None or event.base.core is not base:
            continue
        if event.kind == "store" and isinstance(event.key, Value):
            out.add(event.key.string)
        elif event.kind == "store":
            out.add(event.key)
        elif event.kind == "method" and event.key in ("set", "set_", "update", "rename_key_"):
            out.update(a.string for v in event.args for a in (v, *v.core.args))
            entries = [getattr(v.core.data, "entries", None) for v in event.args]
            out.update(k for each in entries if each for k in each)
    return out
