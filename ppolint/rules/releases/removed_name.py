"""A name that the targeted TorchRL or TensorDict no longer has.

What it does
    Reports imports and uses of names that are gone in a release the project targets, and classes
    that can still be imported but raise whenever they are called.

Why is this bad
    The program stops at the import. Most PPO scripts written for TorchRL before 0.11 do.

Example
    from torchrl.collectors import SyncDataCollector
    from torchrl.data import CompositeSpec

Use instead
    from torchrl.collectors import Collector
    from torchrl.data import Composite

What happens at run time
    `ImportError: cannot import name 'SyncDataCollector'` on TorchRL 0.13.1 and later (the spec
    names: 0.11.0 and later); `AttributeError` for `torchrl.data.CompositeSpec`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ppolint.findings import Applicability, Finding, Severity
from ppolint.rules.base import Rule

if TYPE_CHECKING:
    from ppolint.rules.releases._context import Context
    from ppolint.rules.releases._imports import Mention
    from ppolint.semantics.model import FileModel

rule = Rule(
    code="PPO901",
    name="removed-name",
    severity=Severity.ERROR,
    needs=(("torchrl", "tensordict"),),
    summary="A name that the targeted TorchRL release no longer has",
    fix=Applicability.SAFE,
)

_TOOK_A_MODE = {
    "set_exploration_mode": "set_exploration_type",
    "set_interaction_mode": "set_interaction_type",
}


@rule.check
def check(file: FileModel) -> Iterator[Finding]:
    from ppolint.rules.releases._context import context
    from ppolint.rules.releases._imports import mentions

    ctx = context(file)
    for mention in mentions(ctx):
        missing = ctx.missing(mention.path)
        if missing and ctx.was_removed(mention.path):
            yield _removed(ctx, mention, missing)
            yield from _mode_calls(ctx, mention, missing)
        elif not missing:
            broken = _broken(ctx, mention)
            if broken is not None:
                yield broken


def _removed(ctx: Context, mention: Mention, missing: list[str]) -> Finding:
    path = mention.path
    lifetime = ctx.db.lifetime(path)
    error = "ImportError" if mention.binding or mention.statement else "AttributeError"
    since = (
        f": it was removed in {ctx.title(path, lifetime.removed_in)}" if lifetime.removed_in else ""
    )
    if ctx.in_no_release(path):
        first, last = lifetime.known[0], lifetime.known[-1]
        since = f": no release from {first} to {last} has it"
    message = f"`{path}` does not exist in {ctx.in_target(path, missing)} ({error}){since}"
    replacement = ctx.replacement(path)
    return _finding(ctx, mention, message, replacement)


def _mode_calls(ctx: Context, mention: Mention, missing: list[str]) -> Iterator[Finding]:
    """The calls of a function that took the name of a mode: what they say is worth a look, beyond
    the rename. ("mode" has no equal for a TanhNormal, "mean" is an estimate for it.)"""
    successor = _TOOK_A_MODE.get(mention.path.rpartition(".")[2])
    if successor is None or mention.binding is None:
        return
    for use in ctx.names.calls:
        node = use.node.func
        bindings = ctx.names.lookup(getattr(node, "value", ""), use.scope)
        if hasattr(node, "attr") or use.guarded or mention.binding not in bindings:
            continue
        given = use.node.args[0].value if len(use.node.args) == 1 else None
        text = getattr(given, "value", "")
        mode = text[1:-1].upper() if isinstance(text, str) and text[:1] in "'\"" else ""
        instead = "DETERMINISTIC" if mode in ("MODE", "MEDIAN") else mode or "..."
        yield rule.at(
            ctx.file.span(use.node),
            f"`{mention.path}` is called, which does not exist in "
            f"{ctx.in_target(mention.path, missing)}",
            help=f"write `{successor}(ExplorationType.{instead})`",
            scope=use.scope.qualname,
        )


def _broken(ctx: Context, mention: Mention) -> Finding | None:
    from packaging.version import Version

    change = ctx.change(mention.path)
    if change is None or change.broken_since is None:
        return None
    if mention.binding is not None and not ctx.users(mention.binding):
        return None  # imported to be exported again: that works
    since = Version(change.broken_since)
    broken = [r for r, _ in ctx.views(mention.path) if Version(r) >= since]
    if not broken:
        return None
    message = (
        f"`{mention.path}` can be imported, but calling it raises {change.raises} in "
        f"{ctx.in_target(mention.path, broken)}"
    )
    return _finding(ctx, mention, message, ctx.replacement(mention.path))


def _finding(ctx: Context, mention: Mention, message: str, replacement) -> Finding:
    fix = None
    if replacement.path is not None:
        from ppolint.rules.releases._wrappers import unwrapped

        title = f"Use `{replacement.path.rpartition('.')[2]}`"
        wrapped = unwrapped(ctx, mention, replacement.path)
        edits = mention.edits(ctx, replacement.path) if replacement.exact else []
        if wrapped and replacement.everywhere:
            fix = rule.mend(title, *wrapped)
        elif edits:
            fix = rule.mend(title, *edits, applicability=replacement.applicability)
    return rule.at(
        mention.span(ctx), message, help=replacement.help(), scope=mention.scope, fix=fix
    )
