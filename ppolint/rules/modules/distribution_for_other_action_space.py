"""A distribution whose samples are no actions of the environment.

What it does
    Compares the distribution of an actor with the action encoding of the Gymnasium environment it
    acts in: `Categorical` draws an index, `OneHotCategorical` a one-hot vector, the Normals real
    numbers. `GymEnv` writes discrete actions one-hot unless it is given
    `categorical_action_encoding=True`. Silent for environments whose encoding is not known, and
    where the actor is built on a branch.

Why is this bad
    TorchRL turns a one-hot action into an index by its largest entry. An index of a `Categorical`
    has one entry, so the simulator always receives action 0: training runs, nothing is learnt.

Example
    env = GymEnv("CartPole-v1")
    actor = ProbabilisticActor(module, in_keys=["logits"], distribution_class=Categorical)

Use instead
    env = GymEnv("CartPole-v1")
    actor = ProbabilisticActor(module, in_keys=["logits"], distribution_class=OneHotCategorical)

What happens at run time
    `Categorical` on a one-hot action: the policy chooses 0 and 1, the simulator receives 0 in each
    of 40 steps, `check_env_specs` passes, nothing warns. `OneHotCategorical` on an index raises
    inside the simulator. A Normal on a one-hot action is silent as well.
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
    code="PPO406",
    name="distribution-for-other-action-space",
    severity=Severity.ERROR,
    needs=(("distribution_class",), ("GymEnv", "GymWrapper", "torchrl")),
    summary="A distribution whose samples the environment takes for something else",
    fix=Applicability.UNSAFE,
    across_files=True,
)

_DRAWS = {
    "torch.distributions.Categorical": "index",
    "torch.distributions.categorical.Categorical": "index",
    "MaskedCategorical": "index",
    "OneHotCategorical": "one-hot",
    "MaskedOneHotCategorical": "one-hot",
    "torch.distributions.OneHotCategorical": "one-hot",
    "TanhNormal": "box",
    "IndependentNormal": "box",
    "TruncatedNormal": "box",
    "torch.distributions.Normal": "box",
    "torch.distributions.normal.Normal": "box",
}
_ONE_HOT = {"Categorical": "OneHotCategorical", "MaskedCategorical": "MaskedOneHotCategorical"}
# Transforms after which the policy's action is not the simulator's.
_TRANSLATING = frozenset(
    {"ActionDiscretizer", "DiscreteActionProjection", "MultiAction", "ActionScaling"}
)
_EXPECTED = {
    "index": "an index",
    "one-hot": "a one-hot vector",
    "box": "real numbers",
    "one-hot or box": "a one-hot vector or real numbers",
}


@rule.check
def check(file: FileModel) -> Iterator[Finding]:
    from ppolint.rules.modules._actors import once

    for actor in once(a for a in file.pipeline.actors if a.here):
        name = actor.distribution
        if not isinstance(name, str):
            continue
        last = name.rpartition(".")[2]
        drawn = _DRAWS.get(name) or (_DRAWS.get(last) if name.startswith("torchrl.") else None)
        if drawn is None:
            continue
        wanted = _encoding(actor)
        if wanted is None or drawn in wanted:
            continue
        argument = file.keyword_node(actor.call, "distribution_class")
        yield rule.at(
            file.span(argument) if argument is not None else actor.span,
            f"`{last}` draws {_EXPECTED[drawn]}, and the environment takes {_EXPECTED[wanted]}"
            + _consequence(drawn, wanted),
            help=_help(last, drawn, wanted),
            scope=file.scope(actor.site),
            fix=_fix(file, argument, last) if drawn == "index" and wanted == "one-hot" else None,
        )


def _encoding(actor: Probabilistic) -> str | None:
    """How the actor's environments write an action, if all are known and agree."""
    from ppolint.rules.modules._actors import depends_on_branch, environments
    from ppolint.semantics.components import Environment
    from ppolint.semantics.gym_tasks import action_encoding

    found = set()
    for env in environments(actor):
        if not isinstance(env, Environment) or not env.complete or depends_on_branch(actor, env):
            return None
        if env.transform(*_TRANSLATING) is not None or any(
            t.cls is not None for t in env.transforms
        ):
            return None
        encoding = action_encoding(env)
        if not isinstance(encoding, str):
            return None
        found.add(encoding)
    return found.pop() if len(found) == 1 else None


def _consequence(drawn: str, wanted: str) -> str:
    if drawn == "index" and wanted.startswith("one-hot"):
        return ": the simulator always receives action 0"
    return ""


def _help(last: str, drawn: str, wanted: str) -> str:
    if drawn == "index" and wanted.startswith("one-hot"):
        return (
            f"use `{_ONE_HOT.get(last, 'OneHotCategorical')}`, or build the environment with "
            "`categorical_action_encoding=True`"
        )
    if wanted == "index":
        return "use `torch.distributions.Categorical`, or leave `categorical_action_encoding` out"
    if wanted == "one-hot":
        return "use `OneHotCategorical`"
    return "use `TanhNormal` with the bounds of the action spec"


def _fix(file: FileModel, argument: object, last: str) -> Fix | None:
    from ppolint.findings import Edit
    from ppolint.semantics.edits import imported_beside

    wanted = _ONE_HOT.get(last)
    if argument is None or wanted is None:
        return None
    known = imported_beside(
        file, "ProbabilisticActor", wanted, ("torchrl.modules", "torchrl.modules.tensordict_module")
    )
    if known is None:
        return None
    name, imports = known
    edit = Edit(*file.span(argument.value), name)  # type: ignore[attr-defined]
    return rule.mend(f"Draw one-hot actions with `{name}`", edit, *imports)
