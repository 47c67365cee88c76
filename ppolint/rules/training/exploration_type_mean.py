"""`ExplorationType.MEAN` with a distribution that has no exact mean.

What it does
    Reports `MEAN` as exploration type beside actors with `TanhNormal`, `Categorical`,
    `OneHotCategorical` and the like. With a Normal, a `TruncatedNormal` or a `TanhDelta` the
    mean is exact, and nothing is reported.

Why is this bad
    `DETERMINISTIC` takes the best deterministic action a distribution offers. `MEAN` asks for
    its mean: a Monte-Carlo estimate for `TanhNormal`, and no number at all for categorical
    ones.

Example
    with set_exploration_type(ExplorationType.MEAN):
        env.rollout(1000, policy)

Use instead
    with set_exploration_type(ExplorationType.DETERMINISTIC):
        env.rollout(1000, policy)

What happens at run time
    `TanhNormal`: actions differ from call to call by 0.1 and more. `Categorical`: an action far
    out of range, and `RuntimeError` in the log-probability. `OneHotCategorical`: NaN.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ppolint.findings import Applicability, Edit, Finding, Severity
from ppolint.rules.base import Rule

if TYPE_CHECKING:
    from ppolint.semantics.model import FileModel

rule = Rule(
    code="PPO714",
    name="exploration-type-mean",
    severity=Severity.WARNING,
    needs=(
        ("MEAN", "mean"),
        ("ExplorationType", "InteractionType", "set_exploration_type", "set_exploration_mode"),
    ),
    summary="ExplorationType.MEAN where the distribution has no exact mean",
    fix=Applicability.SAFE,
)


# Of the others, TruncatedNormal has a mean in closed form, and all samples of TanhDelta are equal.
_SAMPLED = frozenset({"TanhNormal"})
_BROKEN = frozenset({
    "Categorical", "OneHotCategorical", "MaskedCategorical", "MaskedOneHotCategorical",
    "LLMMaskedCategorical", "Ordinal", "OneHotOrdinal",
})  # fmt: skip


@rule.check
def check(file: FileModel) -> Iterator[Finding]:
    kinds = _distributions(file)
    if not kinds & (_SAMPLED | _BROKEN):
        return
    breaks = bool(kinds & _BROKEN) and not kinds & _SAMPLED
    for node, scope in _means(file):
        if breaks:
            message = "a categorical distribution has no mean: the action is NaN or out of range"
        else:
            message = "the mean of this distribution is estimated from samples: evaluation is noisy"
        attribute = node.attr
        yield rule.at(
            file.span(node),
            message,
            help="use `ExplorationType.DETERMINISTIC`",
            scope=scope,
            fix=rule.mend(
                "use `DETERMINISTIC`",
                Edit(*file.span(attribute), "DETERMINISTIC"),
                applicability=Applicability.SAFE if breaks else Applicability.UNSAFE,
            ),
        )


def _distributions(file: FileModel) -> set[str]:
    """The last names of the distributions of all actors seen, and of those named in the file."""
    out = set()
    for actor in file.pipeline.actors:
        if actor.distribution:
            out.add(str(actor.distribution).rpartition(".")[2])
    if not out:
        for value in file.of_op("ref"):
            name = str(value.data)
            if name.startswith(("torchrl.modules", "torch.distributions")):
                out.add(name.rpartition(".")[2])
    return out


def _means(file: FileModel) -> Iterator[tuple[Any, str]]:
    """Every `ExplorationType.MEAN` that is written in the file."""
    import libcst as cst

    names = file.names
    for use in names.chains:
        if not isinstance(use.node, cst.Attribute) or use.node.attr.value != "MEAN":
            continue
        path = names.dotted(use.node, use.scope) or ""
        if path.rpartition(".")[0].endswith(("ExplorationType", "InteractionType")):
            yield use.node, use.scope.qualname
