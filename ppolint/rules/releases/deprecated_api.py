"""A name or an argument that the targeted TorchRL release still takes, with a warning.

What it does
    Reports names, arguments and exploration modes that are deprecated in the newest release the
    project targets, where what replaces them is known: old collector names on 0.11 and 0.12, old
    spec names on 0.6 to 0.10, `ExplorationType.MODE` with a `TanhNormal`. A project whose own
    dependency files keep it on an older release is told only about the last: the others are right
    there, until somebody asks with `--torchrl-version`.

Why is this bad
    The next release may not have it. `ExplorationType.MODE` fails now: a `TanhNormal` has had no
    mode since TorchRL 0.6.0, and `MEDIAN` is not implemented for any of TorchRL's distributions.

Example
    with set_exploration_type(ExplorationType.MODE):
        env.rollout(100, actor)  # an actor with a TanhNormal

Use instead
    with set_exploration_type(ExplorationType.DETERMINISTIC):
        env.rollout(100, actor)

What happens at run time
    `DeprecationWarning` or `FutureWarning`; for the mode of a TanhNormal `RuntimeError: The
    distribution TanhNormal has not analytical mode`, for the median `NotImplementedError`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ppolint.findings import Applicability, Edit, Finding, Severity
from ppolint.rules.base import Rule

if TYPE_CHECKING:
    from ppolint.rules.releases._context import Context
    from ppolint.rules.releases._imports import Mention
    from ppolint.semantics.model import FileModel
    from ppolint.semantics.scopes import Scope

rule = Rule(
    code="PPO905",
    name="deprecated-api",
    severity=Severity.WARNING,
    needs=(("torchrl", "tensordict"),),
    summary="An API that the targeted TorchRL release deprecates",
    fix=Applicability.SAFE,
)
_TANH_NORMAL = "torchrl.modules.TanhNormal"
_INTERACTION = "tensordict.nn.InteractionType"
_SET_INTERACTION = "tensordict.nn.set_interaction_type"
_PARAMETERS = ("exploration_type", "default_interaction_type")


@rule.check
def check(file: FileModel) -> Iterator[Finding]:
    from ppolint.rules.releases import _arguments
    from ppolint.rules.releases._context import context
    from ppolint.rules.releases._imports import mentions

    ctx = context(file)
    yield from _exploration_modes(ctx)
    if ctx.target.frozen:
        return
    for mention in mentions(ctx):
        finding = _deprecated(ctx, mention)
        if finding is not None:
            yield finding
    for verdict in _arguments.verdicts(file, rule.code):
        fix = None
        if verdict.edits:
            fix = rule.mend(verdict.title, *verdict.edits, applicability=verdict.applicability)
        yield rule.at(
            verdict.span, verdict.message, help=verdict.help, scope=verdict.scope, fix=fix
        )


def _deprecated(ctx: Context, mention: Mention) -> Finding | None:
    from packaging.version import Version

    if ctx.missing(mention.path):
        return None
    change = ctx.change(mention.path) or ctx.old_module(mention.path)
    if change is None or change.deprecated is None:
        return None
    newest = Version(ctx.views(mention.path)[-1][0])
    broken = change.broken_since is not None and newest >= Version(change.broken_since)
    if newest < Version(change.deprecated) or broken:
        return None
    replacement = ctx.replacement(mention.path)
    if replacement.path is None or not replacement.everywhere:
        return None  # the old name is the only one that works in the whole range
    fix = None
    if replacement.exact:
        edits = mention.edits(ctx, replacement.path)
        if edits:
            title = f"Use `{replacement.path.rpartition('.')[2]}`"
            fix = rule.mend(title, *edits, applicability=replacement.applicability)
    message = f"`{mention.path}` is deprecated since {ctx.title(mention.path, change.deprecated)}"
    return rule.at(
        mention.span(ctx), message, help=replacement.help(), scope=mention.scope, fix=fix
    )


def _exploration_modes(ctx: Context) -> Iterator[Finding]:
    """Uses of `ExplorationType.MODE` beside a TanhNormal, and of `MEDIAN`."""
    from packaging.version import Version

    newest = ctx.target.newest
    fails = Version(newest) >= Version("0.6.0")
    if not fails or ctx.missing("torchrl.envs.utils.ExplorationType.DETERMINISTIC"):
        return
    named = _distributions(ctx)
    for node, scope in _chosen_modes(ctx):
        member = node.attr.value
        owner = ctx.names.dotted(node.value, scope)
        if owner is None or ctx.db.identify(owner) != _INTERACTION:
            continue
        if member == "MODE" and (named or _of_actors(ctx)) != {_TANH_NORMAL}:
            continue
        error = (
            "a TanhNormal has no mode: RuntimeError"
            if member == "MODE"
            else "no distribution of TorchRL has a median: NotImplementedError"
        )
        span = ctx.file.span(node.attr)
        yield rule.at(
            span,
            f"`ExplorationType.{member}`: {error} in TorchRL {newest}",
            help="use `ExplorationType.DETERMINISTIC`",
            scope=scope.qualname,
            fix=rule.mend("Use `DETERMINISTIC`", Edit(*span, "DETERMINISTIC")),
        )


def _of_actors(ctx: Context) -> set[str | None]:
    """The distributions of the actors that are built for this file in others."""
    found = {actor.distribution for actor in ctx.file.pipeline.actors}
    return {ctx.db.identify(d) if isinstance(d, str) else None for d in found}


def _chosen_modes(ctx: Context) -> Iterator[tuple[Any, Scope]]:
    """`X.MODE` and `X.MEDIAN` where an interaction is chosen: the argument of
    `set_exploration_type`, or of a parameter that takes one."""
    for use in ctx.names.calls:
        if use.guarded:
            continue
        dotted = ctx.names.dotted(use.node.func, use.scope)
        chooser = dotted is not None and ctx.db.identify(dotted) == _SET_INTERACTION
        for arg in use.node.args:
            node = arg.value
            named = arg.keyword is not None and arg.keyword.value in _PARAMETERS
            if not (named or chooser) or not hasattr(node, "attr"):
                continue
            if node.attr.value in ("MODE", "MEDIAN"):
                yield node, use.scope


def _distributions(ctx: Context) -> set[str | None]:
    """What the file gives as `distribution_class`, by identity; None for what cannot be told."""
    found = set()
    for use in ctx.names.calls:
        for arg in use.node.args:
            if arg.keyword is not None and arg.keyword.value == "distribution_class":
                dotted = ctx.names.dotted(arg.value, use.scope)
                found.add(None if dotted is None else ctx.db.identify(dotted) or dotted)
    return found
