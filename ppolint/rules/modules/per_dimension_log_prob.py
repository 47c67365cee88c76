"""A distribution that gives each dimension of the action a log-probability of its own.

What it does
    Reports `torch.distributions.Normal` as the distribution class of a `ProbabilisticActor`. Silent
    where the action is known to have one dimension, and where nobody asks for a log-probability:
    the actor does not return one, and no loss gets it.

Why is this bad
    The probability of an action is that of all its dimensions together. Without the sum the loss
    clips and weighs a ratio for each dimension, which is not the objective of PPO.

Example
    actor = ProbabilisticActor(
        module, in_keys=["loc", "scale"], distribution_class=Normal, return_log_prob=True
    )

Use instead
    actor = ProbabilisticActor(
        module, in_keys=["loc", "scale"], distribution_class=IndependentNormal, return_log_prob=True
    )

What happens at run time
    On a two-dimensional action the stored log-probability has the shape [32, 2] instead of [32],
    and the loss returns a scalar without an error.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ppolint.findings import Applicability, Edit, Finding, Fix, Severity
from ppolint.rules.base import Rule

if TYPE_CHECKING:
    from ppolint.semantics.model import FileModel

rule = Rule(
    code="PPO407",
    name="per-dimension-log-prob",
    severity=Severity.ERROR,
    needs=(("ProbabilisticActor",), ("Normal",)),
    summary="`torch.distributions.Normal` as the distribution of an action vector",
    fix=Applicability.UNSAFE,
)

_NORMAL = ("torch.distributions.Normal", "torch.distributions.normal.Normal")


@rule.check
def check(file: FileModel) -> Iterator[Finding]:
    from ppolint.rules.modules._actors import built_here, environments, runs_of
    from ppolint.semantics.gym_tasks import Task, task

    for actor in built_here(file, "ProbabilisticActor"):
        if actor.distribution not in _NORMAL:
            continue
        tasks = [task(env) for run in runs_of(file, actor) for env in environments(run)]
        known = [t for t in tasks if isinstance(t, Task)]
        if known and all(t.dimensions <= 1 for t in known):
            continue
        if all(_outputs(file, run) == 2 for run in runs_of(file, actor)):
            continue  # one mean and one scale
        if not any(_is_asked(file, run) for run in runs_of(file, actor)):
            continue
        argument = file.keyword_node(actor.call, "distribution_class")
        yield rule.at(
            file.span(argument) if argument is not None else actor.span,
            "`torch.distributions.Normal` keeps one log-probability for each action dimension: the "
            "loss clips a ratio for each of them",
            help="use `IndependentNormal`, or `TanhNormal` with the bounds of the action",
            scope=file.scope(actor.site),
            fix=_fix(file, argument),
        )


def _is_asked(file: FileModel, actor: Any) -> bool:
    """Whether the log-probability of its actions is kept, or computed by a loss."""
    from ppolint.rules.modules._actors import samplers

    if actor.return_log_prob is not False or actor.log_prob_key is not None:
        return True
    return any(actor in samplers(a) for loss in file.pipeline.losses for a in loss.actors)


# Where a layer has the number of its outputs, when it is not given by name.
_LAYERS = {"Linear": 1, "LazyLinear": 0, "MLP": 1}


def _outputs(file: FileModel, actor: Any) -> float | None:
    """The number of outputs before the `NormalParamExtractor` at the end of the network."""
    from ppolint.semantics.components import Module
    from ppolint.semantics.training import number
    from ppolint.semantics.values import Value

    pipeline = file.pipeline
    for part in actor.walk():
        network = part.network if isinstance(part, Module) else None
        if not isinstance(network, Value):
            continue
        leaves = pipeline.resolved(network)
        layers = leaves[0].args[1:] if len(leaves) == 1 and leaves[0].op == "call" else ()
        if len(layers) < 2 or (file.callee(leaves[0]) or "").rpartition(".")[2] != "Sequential":
            continue
        found = [pipeline.resolved(layer) for layer in layers[-2:]]
        if any(len(each) != 1 for each in found):
            continue
        names = [(file.callee(each[0]) or "").rpartition(".")[2] for each in found]
        if names[1] == "NormalParamExtractor" and names[0] in _LAYERS:
            size = file.argument(found[0][0], _LAYERS[names[0]], "out_features")
            return number(file, size)
    return None


def _fix(file: FileModel, argument: Any) -> Fix | None:
    from ppolint.semantics.edits import imported_beside

    known = imported_beside(file, "ProbabilisticActor", "IndependentNormal", ("torchrl.modules",))
    if argument is None or known is None:
        return None
    name, imports = known
    edit = Edit(*file.span(argument.value), name)
    return rule.mend("Use the independent Normal", edit, *imports)
