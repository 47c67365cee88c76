"""Code that is written for more than one release, or to fail, by its syntax."""

from __future__ import annotations

from typing import Any

import libcst as cst

_FALLBACKS = ("ImportError", "ModuleNotFoundError", "AttributeError", "TypeError")


def falls_back(node: Any) -> bool:
    """Whether a `try` chooses between two spellings: it catches what a missing name or argument
    raises, or everything, and then is about imports."""
    broad = False
    for handler in node.handlers:
        caught = handler.type
        elements = [e.value for e in caught.elements] if type(caught) is cst.Tuple else [caught]
        names = [getattr(e, "value", None) for e in elements]
        if any(name in _FALLBACKS for name in names):
            return True
        if caught is None or "Exception" in names:
            broad = broad or _has_import(handler.body.body)
    return broad or (
        any(h.type is None or getattr(h.type, "value", "") == "Exception" for h in node.handlers)
        and all(map(_is_import, node.body.body))
    )


def _is_import(statement: Any) -> bool:
    return type(statement) is cst.SimpleStatementLine and all(
        type(small) in (cst.Import, cst.ImportFrom) for small in statement.body
    )


def _has_import(statements: Any) -> bool:
    return any(
        type(small) in (cst.Import, cst.ImportFrom)
        for statement in statements
        if type(statement) is cst.SimpleStatementLine
        for small in statement.body
    )


def expects_failure(context: Any) -> bool:
    """`with pytest.raises(...)` and the like: what is inside is meant to fail, or to warn."""
    if type(context) is not cst.Call:
        return False
    func = context.func
    name = func.attr.value if type(func) is cst.Attribute else getattr(func, "value", "")
    return name in ("raises", "warns", "deprecated_call", "assertRaises", "assertWarns", "suppress")
