"""`entropy_coeff` or `critic_coeff` applied to terms that carry it already.

What it does
    Reports a factor in front of `loss["loss_critic"]` or `loss["loss_entropy"]` when the loss
    module has a coefficient of its own for that term. A loss with coefficients of 1 may be
    weighted by hand.

Why is this bad
    The loss multiplies its terms by `critic_coeff` and `entropy_coeff` before it returns them.
    Applied again, the effective coefficients are the squares: 0.25 for 0.5, 0.0001 for 0.01.

Example
    loss_module = ClipPPOLoss(actor, critic, entropy_coeff=0.01)
    loss = loss_vals["loss_objective"] + 0.01 * loss_vals["loss_entropy"]

Use instead
    loss = loss_vals["loss_objective"] + loss_vals["loss_entropy"]

What happens at run time
    Nothing is raised. `loss_critic` with a coefficient of 0.5 is half of that with 1.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ppolint.findings import Applicability, Edit, Finding, Severity
from ppolint.rules.base import Rule

if TYPE_CHECKING:
    from ppolint.semantics.model import FileModel

rule = Rule(
    code="PPO609",
    name="coefficient-applied-twice",
    severity=Severity.WARNING,
    needs=(("torchrl", "tensordict", "backward"),),
    summary="A coefficient of the loss is multiplied in once more",
    fix=Applicability.UNSAFE,
)


_DEFAULTS = {"loss_critic": ("critic_coeff", 1.0), "loss_entropy": ("entropy_coeff", 0.01)}


@rule.check
def check(file: FileModel) -> Iterator[Finding]:
    from ppolint.semantics.components import Loss

    pipeline = file.pipeline
    told = set()
    results = {}
    for step in pipeline.steps:
        if step.kind == "loss" and isinstance(step.component, Loss) and step.component.is_on_policy:
            results[step.result.core] = step.component
    if not results:
        return
    found: dict[int, list[Any]] = {}
    for product in file.of_op("mul"):
        term = next((t for t in (_term(f, results) for f in product.args) if t), None)
        if term is None:
            continue
        loss, key = term
        others = [f for f in product.args if _term(f, results) is None]
        if not others or not _counts(file, loss, key, others):
            continue
        for node, site in file.places(product):
            span = file.at(node, site)
            if not site.frame.module.main and loss.site.frame.module is site.frame.module:
                continue
            if span not in told:
                told.add(span)
                found.setdefault(span[0], []).append((span, node, site, loss, key))
    for start in sorted(found):
        for span, node, site, loss, key in found[start]:
            name = _DEFAULTS[key][0]
            yield rule.at(
                span,
                f"`{key}` is multiplied by `{name}` inside the loss already: this applies a "
                "coefficient twice",
                help=f"drop the factor, or set `{name}=1.0` in the loss",
                scope=site.frame.scope,
                fix=_fix(file, node, site, key),
                related=[(*loss.span, "the loss")],
            )


def _term(value: Any, results: dict) -> Any:
    """(loss, entry) that a value is."""
    core = value.core
    if core.op == "item":
        base, key = core.args[0], core.args[1].string
    elif core.op == "call" and core.args[0].op == "attr" and core.args[0].data == "get":
        base, key = core.args[0].args[0], core.args[1].string if len(core.args) > 1 else None
    else:
        return None
    if key not in _DEFAULTS:
        return None
    for candidate in (base.core, *(a.core for a in base.core.args if base.core.op == "phi")):
        if candidate in results:
            return results[candidate], key
    return None


def _counts(file: FileModel, loss: Any, key: str, factors: list[Any]) -> bool:
    """Whether the loss has a coefficient of its own that is not 1."""
    from ppolint.semantics import training
    from ppolint.semantics.values import Value

    name, default = _DEFAULTS[key]
    own = loss.argument(name)
    if own is None:
        return loss.sealed and default != 1.0
    if not isinstance(own, Value):
        return False
    known = training.number(file, own)
    if known is not None:
        return known not in (0.0, 1.0)
    leaves = set(file.pipeline.wiring.leaves(own))
    mine = {_path(leaf) for leaf in leaves}
    theirs = {x for f in factors for leaf in file.pipeline.wiring.leaves(f) for x in (_path(leaf),)}
    return bool(mine & theirs)


def _path(value: Any) -> Any:
    """A value, or for a setting (`self.config.value_coef`) its name."""
    return value.data if value.op == "attr" else value


def _fix(file: FileModel, node: Any, site: Any, key: str) -> Any:
    """Leave only the entry of the loss."""
    import libcst as cst

    if not site.frame.module.main or not isinstance(node, cst.BinaryOperation):
        return None
    for side in (node.left, node.right):
        text = file.source.text[slice(*file.span(side))]
        if f'"{key}"' in text or f"'{key}'" in text:
            if isinstance(side, (cst.Subscript, cst.Call)):
                return rule.mend("drop the factor", Edit(*file.span(node), text))
    return None
