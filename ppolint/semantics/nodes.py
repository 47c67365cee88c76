"""libcst's nodes, made leaner once for a process.

libcst's parser is native, but for each node it calls a constructor in Python, and a module of a
thousand lines has fifteen thousand nodes. Their classes are frozen data classes that check what they
are given: right for nodes that people put together by hand, and a quarter of the parser's time for
those that it makes itself, from a text that it has understood. To make two hundred frozen data
classes is also half of the time of `import libcst`, a sixth of a run over one file.

The classes stay what they are; only how they are filled and written out changes, for good: to put
it back after each parse would throw away what the interpreter has learned about their attributes.
"""

from __future__ import annotations

import dataclasses
import sys
from typing import Any

# What nineteen of twenty nodes are. The other constructors are not worth compiling anew.
_FREQUENT = (
    "SimpleWhitespace", "Name", "Newline", "TrailingWhitespace", "Dot", "Attribute", "Arg", "Comma",
    "SimpleStatementLine", "Call", "EmptyLine", "Element", "ParenthesizedWhitespace",
    "AssignTarget", "Assign", "AssignEqual", "SimpleString", "IndentedBlock", "Integer", "Param",
    "LeftSquareBracket", "RightSquareBracket", "Annotation", "SubscriptElement", "Comment", "Expr",
    "Index", "Subscript", "Parameters", "ComparisonTarget", "Comparison", "FunctionDef",
    "BinaryOperation", "If", "Tuple", "LeftParen", "RightParen", "List",
)  # fmt: skip
_slim = False


def slim() -> None:
    """Make the nodes of this process cheap to construct. They are no longer frozen or checked.

    Best called before libcst is imported for the first time.
    """
    global _slim
    if _slim:
        return
    _slim = True
    imported = "libcst" in sys.modules
    if not imported:
        _import_lean()
    import libcst as cst

    node: Any = cst.CSTNode
    node.__post_init__ = _unchecked
    _check(cst.ConcatenatedString)
    for name in _FREQUENT if imported else ():
        cls = getattr(cst, name, None)
        if dataclasses.is_dataclass(cls):
            _lighten(cls)


def _import_lean() -> None:
    """Import libcst with data classes of its nodes that are lean from the start."""
    original: Any = dataclasses.dataclass
    made = []

    def lean(cls: Any = None, /, **options: Any) -> Any:
        if cls is None:
            return lambda decorated: lean(decorated, **options)
        if not cls.__module__.startswith("libcst._nodes."):
            return original(cls, **options)
        # nodes bring their own `__eq__`, `__hash__` and `__repr__`
        options |= {"frozen": False, "init": False, "repr": False, "eq": False}
        cls = original(cls, **options)
        cls.__init__ = _constructor(cls)
        made.append(cls.__dataclass_params__)
        return cls

    dataclasses.dataclass = lean
    try:
        import libcst

        assert libcst.CSTNode
    finally:
        dataclasses.dataclass = original
    for parameters in made:
        # other people's frozen data classes may derive from them
        parameters.frozen = True


def _check(cls: Any) -> None:
    """Have the nodes of a class checked all the same: what Python's parser refuses and libcst's does
    not, text and bytes side by side."""
    construct = cls.__init__

    def checked(self: Any, *given: Any, **named: Any) -> None:
        construct(self, *given, **named)
        self._validate()

    cls.__init__ = checked


def _unchecked(node: Any) -> None:
    pass


def _lighten(cls: Any) -> None:
    cls.__init__ = _constructor(cls)
    cls.__setattr__ = object.__setattr__
    cls.__delattr__ = object.__delattr__


def _constructor(cls: Any) -> Any:
    """An `__init__` with the signature of the data class that only assigns."""
    names: dict[str, Any] = {"_none": dataclasses.MISSING}
    parameters = []
    body = []
    for field in dataclasses.fields(cls):
        given = field.name
        if field.default is not dataclasses.MISSING:
            names[f"_{given}"] = field.default
            parameters.append(f"{given}=_{given}")
        elif field.default_factory is not dataclasses.MISSING:
            names[f"_{given}"] = field.default_factory
            parameters.append(f"{given}=_none")
            given = f"_{given}() if {given} is _none else {given}"
        else:
            parameters.append(given)
        body.append(f"    self.{field.name} = {given}")
    text = f"def __init__(self, {', '.join(parameters)}):\n" + "\n".join(body or ["    pass"])
    exec(text, names)  # noqa: S102 - made of the names of fields, as dataclasses make theirs
    return names["__init__"]
