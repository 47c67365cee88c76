"""Every place where a file names something of TorchRL or TensorDict."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ppolint.findings import Edit
from ppolint.rules.releases._context import Context, leaf, package_of, parent, scope_name
from ppolint.rules.releases._rename import rename_import
from ppolint.semantics.scopes import Binding, dotted_path
from ppolint.torchrl_api.database import PACKAGES


@dataclass(frozen=True, slots=True)
class Mention:
    """A dotted path in the text: the name of a `from` import, or a chain such as
    `torchrl.data.Composite`. `node` is the part that would be renamed; `binding` the import."""

    path: str
    node: Any
    scope: str
    binding: Binding | None = None
    statement: bool = False  # `import torchrl.data.rlhf`: the whole path is the name

    def span(self, context: Context) -> tuple[int, int]:
        """Where `node` is. (Asked late: placing nodes costs more than finding out that a file has
        nothing to report.)"""
        return context.file.span(self.node)

    def edits(self, context: Context, new_path: str) -> list[Edit]:
        """Edits that spell it `new_path`; empty where a chain would need another import."""
        if self.binding is not None:
            return rename_import(context, self.binding, new_path)
        if self.statement:
            return [Edit(*self.span(context), new_path)]
        if parent(new_path) != parent(self.path):
            return []
        return [Edit(*self.span(context), leaf(new_path))]


def mentions(context: Context) -> Iterator[Mention]:
    """Every mention outside of code that chooses between releases, in no special order."""
    if context.theirs:
        return
    for binding in context.names.imports:
        if binding.guarded or binding.dotted is None:
            continue
        node = binding.node.name
        if hasattr(binding.statement, "module"):
            if package_of(binding.dotted) in PACKAGES and not _is_private(binding.dotted):
                yield Mention(binding.dotted, node, scope_name(binding.scope), binding)
        else:
            path = dotted_path(node)
            if package_of(path) in PACKAGES and not _is_private(path):
                yield Mention(path, node, scope_name(binding.scope), statement=True)
    yield from _chains(context)


def _chains(context: Context) -> Iterator[Mention]:
    for use in context.names.chains:
        if use.guarded or not hasattr(use.node, "attr"):
            continue
        path = context.names.dotted(use.node, use.scope)
        if path is None or package_of(path) not in PACKAGES or _is_private(path):
            continue
        # Up to the first attribute that is not a module: what lies beyond is a matter of classes.
        nodes = []
        node = use.node
        while hasattr(node, "attr"):
            nodes.append(node)
            node = node.value
        total = path.count(".") + 1
        for depth, chain in enumerate(reversed(nodes)):
            prefix = ".".join(path.split(".")[: total - len(nodes) + depth + 1])
            if not _is_module(context, parent(prefix)):
                break
            if not _is_module(context, prefix):
                yield Mention(prefix, chain.attr, scope_name(use.scope))
                break


def _is_private(path: str) -> bool:
    """Private modules come and go, and some are compiled: the database does not see those."""
    return any(part.startswith("_") for part in path.split(".")[1:])


def _is_module(context: Context, path: str) -> bool:
    entities = [view.resolve(path) for _, view in context.db.views(package_of(path))[-1:]]
    known = [view.resolve(path) for _, view in context.views(path)]
    return any(e is not None and e.kind == "module" for e in (*entities, *known))
