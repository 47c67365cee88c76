"""An actor that is not told the action spec of its environment.

What it does
    Reports a `ProbabilisticActor` without `spec`, or with `spec=None`: a warning for a
    distribution without bounds, a note for the others, whose samples are in some domain at least.

Why is this bad
    The spec is what ties the actor to the environment: with it a wrong action key is found when the
    actor is built, samples can be kept inside the domain (`safe=True`), and exploration modules
    know what to draw.

Example
    actor = ProbabilisticActor(
        module, in_keys=["loc", "scale"], distribution_class=IndependentNormal
    )

Use instead
    actor = ProbabilisticActor(
        module,
        in_keys=["loc", "scale"],
        spec=env.action_spec,
        distribution_class=IndependentNormal,
    )

What happens at run time
    Actions outside of the domain are collected and trained on without a word; `safe=True` raises
    RuntimeError.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ppolint.findings import Applicability, Finding, Fix, Severity
from ppolint.rules.base import Rule

if TYPE_CHECKING:
    from ppolint.semantics.components import Probabilistic
    from ppolint.semantics.model import FileModel

rule = Rule(
    code="PPO404",
    name="missing-action-spec",
    severity=Severity.WARNING,
    needs=(("ProbabilisticActor",),),
    summary="A `ProbabilisticActor` without `spec`",
    fix=Applicability.UNSAFE,
)


# Distributions whose samples leave the domain of a bounded action.
_UNBOUNDED = frozenset({"IndependentNormal", "Normal", "MultivariateNormal", "Delta"})


@rule.check
def check(file: FileModel) -> Iterator[Finding]:
    from ppolint.rules.modules._actors import built_here

    for actor in built_here(file, "ProbabilisticActor"):
        if actor.cls is not None or not actor.sealed or actor.spec is not None:
            continue
        if _is_rescaled_later(actor) or (actor.site.frame.function is None and _acts_nowhere(file)):
            continue
        unbounded = str(actor.distribution).rpartition(".")[2] in _UNBOUNDED
        yield rule.at(
            actor.span,
            "the actor has no `spec`: "
            + (
                "actions outside of the environment's domain go unnoticed"
                if unbounded
                else "nothing ties its action to that of the environment"
            ),
            help="pass the environment's spec, `spec=env.action_spec`",
            scope=file.scope(actor.site),
            fix=_fix(file, actor),
            severity=None if unbounded else Severity.INFO,
        )


def _acts_nowhere(file: FileModel) -> bool:
    """Whether a script shows what an actor does to some data, and there is nothing to act in."""
    pipeline = file.pipeline
    if pipeline.environments or pipeline.collectors or pipeline.losses:
        return False
    if any(s.kind in ("rollout", "foreign_rollout", "reset") for s in pipeline.steps):
        return False
    if file.project is None:
        return True
    file.searched_project = True
    return not file.project.importers.get(file.source.path)


def _is_rescaled_later(actor: Probabilistic) -> bool:
    """Whether what it samples is certainly no `action`: something else makes the action of it, in
    other units, and the environment's spec does not describe it."""
    keys = actor.out_keys
    if not isinstance(keys, tuple) or not keys:
        return False
    names = [k[-1] if isinstance(k, tuple) and k else k for k in keys]
    return all(isinstance(n, str) and n != "action" for n in names)


def _fix(file: FileModel, actor: Probabilistic) -> Fix | None:
    """The spec of the environment that stands beside the actor, if there is just one."""
    from ppolint.semantics.edits import add_argument

    if actor.argument("spec") is not None:
        return None  # `spec=None` stands there
    names = {
        env.label
        for env in file.pipeline.environments
        if env.site.frame is actor.site.frame
        and env.label.isidentifier()
        and env.site.order < actor.site.order
    }
    if len(names) != 1:
        return None
    edit = add_argument(file, actor.node, f"spec={names.pop()}.action_spec")
    return rule.mend("Give the actor its action spec", edit) if edit is not None else None
