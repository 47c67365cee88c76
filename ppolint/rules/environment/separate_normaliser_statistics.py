"""An evaluation environment, or a checkpoint, without the statistics that inputs were normalised with.

What it does
    Reports a second environment of the same task whose `ObservationNorm` gathers its own statistics
    (`init_stats`), or whose `VecNorm` starts from nothing, beside one that is trained on. Silent
    where the state of one is loaded into the other, where `loc` and `scale` are passed on, and for
    different tasks.

    Reports `torch.save` of a policy that was trained behind such a normaliser, when nothing in the
    file takes the statistics out of the environment. Silent where the environment is handed to code
    that is not seen.

Why is this bad
    The policy was trained on inputs made with other numbers. The same observation now looks like
    another one, and the evaluation measures that. Whoever loads the checkpoint has to gather
    statistics anew, and gets others.

Example
    env.transform[0].init_stats(num_iter=1000)
    eval_env.transform[0].init_stats(num_iter=1000)

Use instead
    env.transform[0].init_stats(num_iter=1000)
    eval_env.transform[0].init_stats(num_iter=3)
    eval_env.transform[0].load_state_dict(env.transform[0].state_dict())

What happens at run time
    After 50 random steps each, one raw observation of Pendulum becomes two inputs that differ by
    more than 0.1; a fresh `VecNormV2` differs from the trained one at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ppolint.findings import Applicability, Finding, Severity
from ppolint.rules.base import Rule
from ppolint.rules.needs import COLLECTS

if TYPE_CHECKING:
    from ppolint.semantics.components import Environment, Transform
    from ppolint.semantics.model import FileModel

rule = Rule(
    code="PPO303",
    name="separate-normaliser-statistics",
    severity=Severity.WARNING,
    needs=(COLLECTS,),
    summary="An evaluation environment with normaliser statistics of its own, a checkpoint without",
    fix=Applicability.SUGGEST,
    across_files=True,
)


@rule.check
def check(file: FileModel) -> Iterator[Finding]:
    yield from _environments(file)
    yield from _checkpoints(file)


def _checkpoints(file: FileModel) -> Iterator[Finding]:
    from ppolint.rules.environment._checkpoints import incomplete

    told = set()
    for node, site, norm in incomplete(file):
        span = file.at(node, site)
        if span in told:
            continue
        told.add(span)
        yield rule.at(
            span,
            f"this checkpoint lacks the statistics of the {norm.name} that the policy was trained "
            "behind: after loading it sees other inputs",
            help="save the state of the environment's transform as well",
            scope=file.scope(site),
            related=[(*norm.span, "the normaliser")],
        )


def _environments(file: FileModel) -> Iterator[Finding]:
    from ppolint.rules.environment._normalisers import (
        RUNNING,
        is_bare,
        may_be_transform,
        statistics,
    )
    from ppolint.semantics.components import UNKNOWN

    pairs = _normalised(file)
    if len(pairs) < 2:
        return
    gathered: dict[Transform, Any] = {}
    loaded = set()
    for event, found in statistics(file):
        if event.key != "init_stats":
            if UNKNOWN in found and may_be_transform(event):
                return
            loaded.update(found)
        elif len(found) == 1 and found[0] is not UNKNOWN:
            gathered.setdefault(found[0], event)
    first: dict[tuple, Environment] = {}
    for env, norm in pairs:
        own = norm in gathered and is_bare(norm)
        if (norm.name in RUNNING and _starts_from_nothing(norm)) or own:
            if norm in loaded:
                continue
            key = (_task(env), norm.name, env.site.root)
            if key[0] is None:
                continue
            trained = first.setdefault(key, env)
            if trained is env or not _evaluates(file, env):
                continue
            yield rule.at(
                _place(file, *_gathering(norm, gathered), trained),
                f"this environment makes {norm.name} statistics of its own: a policy trained in "
                f"the "
                "other one sees other inputs here",
                help="load the state of the training environment's transform, or build this one "
                "with "
                "its `loc` and `scale`",
                scope=file.scope(env.site),
                related=[(*trained.span, "the environment that is trained in")],
            )


def _gathering(norm: Transform, gathered: dict) -> tuple[Any, Any]:
    """The place that gives a normaliser its statistics: `init_stats`, or where it is built."""
    event = gathered.get(norm)
    return (event.node, event.site) if event is not None else (norm.node, norm.site)


def _normalised(file: FileModel) -> list[tuple[Environment, Transform]]:
    """The outermost environments with a normaliser: those of collectors first."""
    from ppolint.semantics.components import Environment

    pipeline = file.pipeline
    order: dict[Any, None] = {}
    for collector in pipeline.collectors:
        order.update(dict.fromkeys(collector.envs))
    order.update(dict.fromkeys(pipeline.environments))
    inner = {w for e in order if isinstance(e, Environment) for w in e.wrapped}
    out = []
    for env in order:
        if isinstance(env, Environment) and env not in inner:
            for norm in env.transforms:
                if norm.name in ("ObservationNorm", "VecNorm", "VecNormV2") and norm.cls is None:
                    out.append((env, norm))
                    break
    return out


def _evaluates(file: FileModel, env: Environment) -> bool:
    """Whether a policy is looked at in the environment: it is rolled out, or called after that."""
    if env.methods("rollout"):
        return True
    name = env.label.lower()
    return any(word in name for word in ("eval", "test", "val_", "video", "pixel", "render"))


def _starts_from_nothing(norm: Transform) -> bool:
    shared = ("shared_td", "shared_data", "loc", "scale")
    if not norm.sealed or any(norm.argument(name) is not None for name in shared):
        return False
    # rewards that are normalised are no input of the policy
    return norm.in_keys is None or (isinstance(norm.in_keys, tuple) and norm.in_keys != ("reward",))


def _task(env: Environment) -> str | None:
    """The id of the simulated task, if it is known; `make_env(name)` counts by the name."""
    from ppolint.semantics.components import Environment

    base = env.base
    if not isinstance(base, Environment):
        return None
    name = base.env_name
    if isinstance(name, str):
        return name
    value = base.argument("env_name")
    return repr(value) if value and not isinstance(value, str) and hasattr(value, "core") else None


def _place(file: FileModel, node: Any, site: Any, other: Any) -> tuple[int, int]:
    """Where the second normaliser gets its statistics: the call of a helper, if that is where the
    way to it parts from the way to the first one."""
    mine, theirs = _way(node, site), _way(other.node, other.site)
    for at, (step, frame) in enumerate(mine):
        if at >= len(theirs) or theirs[at][0] is not step:
            if frame.module.main:
                return file.span(step)
            break
    return file.at(node, site)


def _way(node: Any, site: Any) -> list[tuple[Any, Any]]:
    """The calls that lead to a place, outermost first, and the place itself."""
    out = [(node, site.frame)]
    frame = site.frame
    while frame.caller is not None and frame.call_site is not None:
        out.append((frame.call, frame.call_site.frame))
        frame = frame.call_site.frame
    return out[::-1]
