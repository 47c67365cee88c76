"""An attribute that objects of the targeted TorchRL release no longer have.

What it does
    Reports reads of attributes that were renamed: the bounds of a spec (`spec.space.minimum`), the
    specs of an environment without its batch (`unbatched_action_spec`), the networks and
    coefficients of a loss (`loss.critic_params`), and members of an enumeration.

Why is this bad
    The read raises `AttributeError`.

Example
    low = env.action_spec.space.minimum
    parameters = loss.critic_params

Use instead
    low = env.action_spec.space.low
    parameters = loss.critic_network_params

What happens at run time
    `AttributeError: 'ContinuousBox' object has no attribute 'minimum'` (since TorchRL 0.4.0).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ppolint.findings import Applicability, Edit, Finding, Severity
from ppolint.rules.base import Rule

if TYPE_CHECKING:
    from ppolint.rules.releases._context import Context
    from ppolint.semantics.model import FileModel
    from ppolint.semantics.scopes import Use
    from ppolint.torchrl_api.renames import AttributeChange

rule = Rule(
    code="PPO908",
    name="removed-attribute",
    severity=Severity.ERROR,
    needs=(("torchrl", "tensordict"),),
    summary="An attribute that the targeted TorchRL release no longer has",
    fix=Applicability.SAFE,
)
_BOX = "torchrl.data.tensor_specs.ContinuousBox"
_ENV = "torchrl.envs.EnvBase"


@rule.check
def check(file: FileModel) -> Iterator[Finding]:
    from ppolint.rules.releases._context import context

    ctx = context(file)
    if not ctx.uses_api:
        return
    for use in ctx.names.chains:
        if not use.guarded and hasattr(use.node, "attr"):
            yield from _chain(ctx, use)


def _chain(ctx: Context, use: Use) -> Iterator[Finding]:
    from ppolint.torchrl_api.renames import attribute_changes

    node = use.node
    written = _parts(node)
    while hasattr(node, "attr"):
        for change in attribute_changes(node.attr.value):
            if _is_about(ctx, change, node, use):
                finding = _finding(ctx, change, node, use)
                if finding is not None and not _is_assigned(ctx, node):
                    yield finding
                    break
        node = node.value
    yield from _enum_member(ctx, use, written)


def _is_assigned(ctx: Context, node: Any) -> bool:
    """Whether the attribute is the target of an assignment: that makes a new one, and raises
    nothing."""
    import libcst as cst

    found = ctx.__dict__.get("_assigned")
    if found is None:
        found = ctx.__dict__["_assigned"] = set()
        queue: list[Any] = [ctx.file.tree]
        while queue:
            current = queue.pop()
            if isinstance(current, (cst.AssignTarget, cst.AnnAssign)):
                found.add(id(current.target))
            queue.extend(current.children)
    return id(node) in found


def _parts(node: Any) -> list[str]:
    """The names of a chain from its end, subscripts and calls looked through."""
    parts = []
    while node is not None:
        kind = type(node).__name__
        if kind == "Attribute":
            parts.append(node.attr.value)
            node = node.value
        elif kind == "Subscript":
            for element in node.slice:
                value = getattr(element.slice, "value", None)
                text = getattr(value, "value", None)
                if isinstance(text, str):
                    parts.append(text)
            node = node.value
        elif kind == "Call":
            node = node.func
        else:
            parts.append(node.value if kind == "Name" else "")
            node = None
    return parts


def _is_about(ctx: Context, change: AttributeChange, node: Any, use: Use) -> bool:
    """Whether the object before the attribute is one of those the entry is about."""
    if change.owner == _BOX:
        parts = _parts(node.value)
        return parts[:1] == ["space"] and any("spec" in part.lower() for part in parts[1:])
    if change.owner == _ENV:
        # The name says it all, unless the file has an attribute of that name itself.
        return not _defined_here(ctx, change.old)
    paths = ctx.names.called(node.value, use.scope)
    view = ctx.db.at(ctx.db.newest)
    identities = [ctx.db.identify(path) for path in paths]
    return bool(paths) and all(
        i is not None and view.is_subclass(i, change.owner) for i in identities
    )


def _defined_here(ctx: Context, name: str) -> bool:
    text = ctx.file.source.text
    return re.search(rf"\bdef {name}\b|\.{name}\s*=[^=]|\b{name}\s*[:=][^=]", text) is not None


def _finding(ctx: Context, change: AttributeChange, node: Any, use: Use) -> Finding | None:
    from packaging.version import Version

    gone = [r for r in ctx.target.torchrl if Version(r) >= Version(change.removed)]
    if not gone:
        return None
    safe = Version(ctx.target.floor) >= Version(change.since) or change.since == "0.2.0"
    span = ctx.file.span(node.attr)
    where = ctx.in_target("torchrl", gone)
    help = f"use `.{change.new}`"
    if not safe:
        help += f", which exists since TorchRL {change.since}: raise the floor to that"
    return rule.at(
        span,
        f"`.{change.old}` is gone: AttributeError in {where}",
        help=help,
        scope=use.scope.qualname,
        fix=rule.mend(
            f"Use `.{change.new}`",
            Edit(*span, change.new),
            applicability=Applicability.SAFE if safe else Applicability.SUGGEST,
        ),
    )


def _enum_member(ctx: Context, use: Use, written: list[str]) -> Iterator[Finding]:
    """A member that an enumeration of TorchRL does not have in the target, as written."""
    from ppolint.rules.releases._context import package_of
    from ppolint.torchrl_api.database import PACKAGES

    path = ctx.names.dotted(use.node, use.scope)
    if path is None or package_of(path) not in PACKAGES:
        return
    owner, _, member = path.rpartition(".")
    missing = []
    members: tuple[str, ...] = ()
    for release, view in ctx.views(path):
        members = view.enum_members(owner)
        if not members:
            return
        if view.resolve(path) is None:
            missing.append(release)
    if not missing or member.startswith("_"):
        return
    lifetime = ctx.db.lifetime(path)
    since = f": it exists since {ctx.title(path, lifetime.since)}" if lifetime.since else ""
    yield rule.at(
        ctx.file.span(use.node.attr),
        f"`{written[1]}` has no member `{member}` in {ctx.in_target(path, missing)}{since}",
        help=f"its members are {', '.join(members)}",
        scope=use.scope.qualname,
    )
