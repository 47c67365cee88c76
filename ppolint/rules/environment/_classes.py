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


def is_functional(cls: Class) -> bool:
    """Whether `_step` certainly works on its input alone: neither it nor a method that it calls
    writes to `self`, or calls something that an attribute holds (a simulator)."""
    if cls.method("_step") is None:
        return False
    queue, seen = ["_step", "_reset"], set()
    while queue:
        name = queue.pop()
        if name in seen:
            continue
        seen.add(name)
        function = cls.method(name)
        if function is None:
            return False
        owner = _first_parameter(function.node)
        for node in walk(function.node):
            if isinstance(node, (cst.AssignTarget, cst.AugAssign, cst.AnnAssign)):
                if any(dotted(t).startswith(f"{owner}.") for t in _roots(node.target)):
                    return False
            elif isinstance(node, cst.Call):
                held = dotted(node.func)
                if held.startswith(f"{owner}."):
                    parts = held.split(".")
                    if len(parts) == 2 and cls.method(parts[1]) is not None:
                        queue.append(parts[1])
                    elif len(parts) == 2 or not parts[1].endswith("_spec"):
                        return False
                elif any(dotted(a.value) == owner for a in node.args):
                    return False  # handed on as a whole
    return True


def _roots(target: Any) -> Iterator[Any]:
    """The chains of names that an assignment goes into: `self.x` of `self.x[0][i], y = z`."""
    if isinstance(target, (cst.Tuple, cst.List)):
        for element in target.elements:
            yield from _roots(element.value)
        return
    while isinstance(target, cst.Subscript):
        target = target.value
    yield target


def _first_parameter(node: Any) -> str:
    """The name of `self`; "" for a static method."""
    decorators = {dotted(d.decorator) for d in node.decorators}
    if "staticmethod" in decorators or not node.params.params:
        return ""
    return str(node.params.params[0].name.value)


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
