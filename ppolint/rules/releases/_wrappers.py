"""`NormalParamWrapper(net)` as a sequence: the network, then a `NormalParamExtractor`."""

from __future__ import annotations

from typing import Any

from ppolint.findings import Edit
from ppolint.rules.releases._context import Context, leaf
from ppolint.rules.releases._imports import Mention
from ppolint.rules.releases._rename import rename_import

WRAPPER = "NormalParamWrapper"


def unwrapped(context: Context, mention: Mention, new_path: str) -> list[Edit]:
    """Edits for an import of the wrapper and all its calls; empty unless every use is a call with
    the network first and the rest by keyword, in a file that names `torch.nn`."""
    binding = mention.binding
    if binding is None or leaf(mention.path) != WRAPPER or binding.name != WRAPPER:
        return []
    calls = {
        id(use.node.func): use
        for use in context.names.calls
        if binding in context.names.lookup(getattr(use.node.func, "value", None) or "", use.scope)
    }
    users = context.users(binding)
    if not users or any(id(node) not in calls or shared for node, shared in users):
        return []
    edits: list[Edit] = []
    for node, _ in users:
        use = calls[id(node)]
        sequential = _sequential(context, use.scope)
        args = use.node.args
        if sequential is None or not args or any(a.star for a in args):
            return []
        if args[0].keyword is not None or any(a.keyword is None for a in args[1:]):
            return []
        edits += [Edit(*context.file.span(node), sequential), *_arguments(context, args, new_path)]
    renamed = rename_import(context, binding, new_path)
    uses = {context.file.span(node) for node, _ in users}
    return [*(e for e in renamed if (e.start, e.end) not in uses), *edits]


def _sequential(context: Context, scope: Any) -> str | None:
    """How `torch.nn.Sequential` is spelled in a scope."""
    for name, suffix in (("nn", ""), ("torch", ".nn")):
        bindings = context.names.lookup(name, scope)
        if bindings and all(b.dotted == f"torch{'.nn' if name == 'nn' else ''}" for b in bindings):
            return f"{name}{suffix}.Sequential"
    return None


def _arguments(context: Context, args: Any, new_path: str) -> list[Edit]:
    first_end = context.file.span(args[0].value)[1]
    extractor = leaf(new_path)
    if len(args) == 1:
        return [Edit(first_end, first_end, f", {extractor}()")]
    start = context.file.span(args[1].keyword)[0]
    end = context.file.span(args[-1].value)[1]
    between = context.file.source.text[first_end:start]
    return [Edit(first_end, start, f"{between}{extractor}("), Edit(end, end, ")")]
