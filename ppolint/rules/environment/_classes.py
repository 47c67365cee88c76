"""The environments that a file writes itself: subclasses of `EnvBase`, as syntax."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import libcst as cst

from ppolint.semantics.scopes import children

if TYPE_CHECKING:
    from ppolint.semantics.model import FileModel
    from ppolint.semantics.program import Class


def environment_classes(file: FileModel) -> Iterator[Class]:
    """The classes of this file that derive from TorchRL's `EnvBase`."""
    for cls in file.classes:
        if cls.module.main and "torchrl" in " ".join(cls.external_bases()):
            kind = file.pipeline.wiring.kind_of_class(cls)
            if kind == ("environment", "EnvBase"):
                yield cls


def method(cls: Class, name: str) -> cst.FunctionDef | None:
    """The definition of a method in the class itself."""
    function = cls.methods.get(name)
    node = function.node if function is not None else None
    return node if isinstance(node, cst.FunctionDef) else None


def walk(node: Any) -> Iterator[Any]:
    """A node and everything below it, in order of the text."""
    stack = [node]
    while stack:
        current = stack.pop()
        yield current
        stack.extend(reversed(list(children(current))))


def string(node: Any) -> str | None:
    """The text of a plain string literal."""
    if isinstance(node, cst.SimpleString):
        value = node.evaluated_value
        return value if isinstance(value, str) else None
    return None


def key_of(subscript: cst.Subscript) -> tuple[str, ...]:
    """The key of `td["a"]` or `td["a", "b"]`; empty for anything else."""
    out = []
    for element in subscript.slice:
        index = element.slice
        if not isinstance(index, cst.Index):
            return ()
        value = index.value
        parts = [e.value for e in value.elements] if isinstance(value, cst.Tuple) else [value]
        for part in parts:
            text = string(part)
            if text is None:
                return ()
            out.append(text)
    return tuple(out)


def dotted(node: Any) -> str:
    """A chain of names as text: `self.max_steps`; "" for anything else."""
    if isinstance(node, cst.Name):
        return node.value
    if isinstance(node, cst.Attribute):
        base = dotted(node.value)
        return f"{base}.{node.attr.value}" if base else ""
    return ""
