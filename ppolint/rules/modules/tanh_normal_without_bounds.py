"""A `TanhNormal` policy that is not told the range of the action.

What it does
    Reports an actor whose distribution is `TanhNormal` and whose `distribution_kwargs` have no
    `low` and `high`. Silent where the action range is known to be [-1, 1]; a note only where it is
    not known at all.

Why is this bad
    The distribution does not look at the spec. Its samples stay in (-1, 1), so a torque of +-2 is
    never more than half used, and an action that has to be above 1 is never found.

Example
    actor = ProbabilisticActor(
        module, in_keys=["loc", "scale"], spec=env.action_spec, distribution_class=TanhNormal
    )

Use instead
    actor = ProbabilisticActor(
        module,
        in_keys=["loc", "scale"],
        spec=env.action_spec,
        distribution_class=TanhNormal,
        distribution_kwargs={
            "low": env.action_spec.space.low,
            "high": env.action_spec.space.high,
        },
    )

What happens at run time
    On Pendulum, whose actions go to +-2, the largest of 200 collected actions is below 1.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ppolint.findings import Applicability, Edit, Finding, Fix, Severity
from ppolint.rules.base import Rule

if TYPE_CHECKING:
    from ppolint.semantics.components import Probabilistic
    from ppolint.semantics.model import FileModel

rule = Rule(
    code="PPO405",
    name="tanh-normal-without-bounds",
    severity=Severity.WARNING,
    needs=(("TanhNormal",),),
    summary="`TanhNormal` without the `low` and `high` of the action",
    fix=Applicability.UNSAFE,
)

# `min` and `max` are the names of releases before 0.6; renamed arguments have a rule of their own.
_BOUNDS = frozenset({"low", "high", "min", "max", "upscale"})


@rule.check
def check(file: FileModel) -> Iterator[Finding]:
    from ppolint.rules.modules._actors import built_here, runs_of

    for actor in built_here(file, "ProbabilisticActor"):
        if actor.cls is not None:
            continue
        name = actor.distribution
        if not isinstance(name, str) or not name.startswith("torchrl.") or not actor.sealed:
            continue
        if not name.endswith(".TanhNormal"):
            continue
        options = actor.distribution_kwargs
        if options is not None and (not isinstance(options, dict) or _BOUNDS & options.keys()):
            continue
        verdicts = {_is_unit(run) for run in runs_of(file, actor)}
        if True in verdicts:
            continue
        unit = False if False in verdicts else None
        yield rule.at(
            actor.span,
            "`TanhNormal` without `low` and `high` draws actions in (-1, 1)"
            + (
                " only: this environment's range is another one"
                if unit is False
                else ", whatever the range of the action is"
            ),
            help='pass `distribution_kwargs={"low": spec.space.low, "high": spec.space.high}`',
            scope=file.scope(actor.site),
            fix=_fix(file, actor),
            severity=None if unit is False else Severity.INFO,
        )


def _is_unit(actor: Probabilistic) -> bool | None:
    """Whether the action range is [-1, 1]; None when it is not known."""
    from ppolint.rules.modules._actors import environments, spec_call
    from ppolint.semantics.gym_tasks import Task, task

    call = spec_call(actor.pipeline, actor.spec)
    if call is not None:
        bounds = _bounds(actor, call)
        if bounds is not None:
            return bounds == (-1, 1)
    own = [_own_bounds(actor, env) for env in environments(actor)]
    if own and None not in own:
        return all(b == (-1, 1) for b in own)
    found = [task(env) for env in environments(actor)]
    if not found or not all(isinstance(t, Task) and t.actions == "box" for t in found):
        return None
    return all(t.unit for t in found)  # type: ignore[union-attr]


def _own_bounds(actor: Probabilistic, env: Any) -> tuple | None:
    """(low, high) of the `action_spec` that an environment of the project gives itself."""
    cls = getattr(getattr(env, "base", None), "cls", None)
    given = [v for c in cls.lineage() for v in c.attributes.get("action_spec", ())] if cls else []
    if len(given) != 1 or given[0].core.op != "call":
        return None
    return _bounds(actor, given[0].core)


def _bounds(actor: Probabilistic, call: Any) -> tuple | None:
    """(low, high) of a `Bounded(...)` made in the code."""
    name = (call.args[0].dotted or "").rpartition(".")[2]
    if name not in ("Bounded", "BoundedTensorSpec", "BoundedContinuous"):
        return None
    out = []
    for position, names in enumerate((("low", "minimum"), ("high", "maximum"))):
        value = None
        for keyword in names:
            value = value or actor.pipeline.file.argument(call, position, keyword)
        number = actor.pipeline.number(value)
        if not isinstance(number, (int, float)):
            return None
        out.append(number)
    return tuple(out)


def _fix(file: FileModel, actor: Probabilistic) -> Fix | None:
    """Bounds of the spec as it is written in the call."""
    from ppolint.semantics.edits import add_argument, text_of

    spec = file.keyword_node(actor.call, "spec")
    if spec is None:
        return None
    text = text_of(file, spec.value)
    if text == "None":
        return None
    if not text.replace(".", "").replace("_", "").isalnum() or "full_" in text:
        return None
    bounds = f'"low": {text}.space.low, "high": {text}.space.high'
    given = file.keyword_node(actor.call, "distribution_kwargs")
    if given is None:
        edit = add_argument(file, actor.node, f"distribution_kwargs={{{bounds}}}")
    elif type(given.value).__name__ == "Dict" and given.value.elements:
        start = file.span(given.value)[0] + 1
        edit = Edit(start, start, f"{bounds}, ")
    else:
        return None
    return rule.mend("Give the distribution its bounds", edit) if edit is not None else None
