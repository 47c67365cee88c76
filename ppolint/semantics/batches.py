"""The batch size that an environment of the project gives itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import libcst as cst

from ppolint.semantics.program import Class
from ppolint.semantics.scopes import children


def is_batched(cls: Class) -> bool | None:
    """Whether `super().__init__(batch_size=...)` of an `EnvBase` names a dimension: True for
    `[8]`, `torch.Size([n])`; False for `[]` where it is locked; None where it cannot be seen."""
    for known in cls.lineage():
        init = known.methods.get("__init__")
        sizes = [_elements(size) for size in _sizes(init.node)] if init is not None else []
        if not sizes:
            continue
        if any(size is None for size in sizes):
            return None
        if all(sizes):
            return True
        return False if not any(sizes) and not _is_unlocked(cls) else None
    return None


def _sizes(init: Any) -> Iterator[Any]:
    """What is given as `batch_size` to the `__init__` of the base."""
    stack = [init.body]
    while stack:
        node = stack.pop()
        stack.extend(children(node))
        if type(node) is not cst.Call or type(node.func) is not cst.Attribute:
            continue
        if node.func.attr.value != "__init__":
            continue
        for argument in node.args:
            if argument.keyword is not None and argument.keyword.value == "batch_size":
                yield argument.value


def _elements(size: Any) -> int | None:
    """How many dimensions a literal size has."""
    if type(size) is cst.Call and len(size.args) <= 1:
        name = size.func.attr if type(size.func) is cst.Attribute else size.func
        if type(name) is not cst.Name or name.value != "Size":
            return None
        if not size.args:
            return 0
        size = size.args[0].value
    if type(size) not in (cst.List, cst.Tuple):
        return None
    if any(type(e) is cst.StarredElement for e in size.elements):
        return None
    return len(size.elements)


def _is_unlocked(cls: Class) -> bool:
    """Whether the class takes data of any batch size: `batch_locked = False`."""
    for known in cls.lineage():
        for node in known.node.body.body:
            text = getattr(node, "body", ())
            for small in text if isinstance(text, (list, tuple)) else ():
                if type(small) is cst.Assign and any(
                    type(t.target) is cst.Name
                    and t.target.value in ("batch_locked", "_batch_locked")
                    for t in small.targets
                ):
                    return True
    return False
