"""Hyperparameters as a person would paste them: `0.2` where a number is known, else the expression."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ppolint.semantics.program import Class
from ppolint.semantics.values import Value, show, walk

if TYPE_CHECKING:
    from ppolint.semantics.model import FileModel


def shown(file: FileModel, value: Value | None) -> str | None:
    """`value` as source text: its number, the expression in the file, or None when it is long."""
    if value is None:
        return None
    number = known_number(file, value)
    if number is not None:
        return f"{number:g}"
    for node, site in file.places(value):
        if site.frame.module.main:
            start, end = file.span(node)
            text = file.source.text[start:end]
            if "\n" not in text and len(text) <= 40:
                return text
    text = show(value)
    return text if len(text) <= 40 and "<" not in text and "..." not in text else None


def known_number(file: FileModel, value: Value) -> float | None:
    """The number a value always has in this file: a constant, a default, a field of a config."""
    found: set[float] = set()
    for option in file.resolve(value):
        number = option.number
        if number is None and option.op == "param":
            number = _default(file, option)
        if number is None and option.op == "attr":
            number = _field(option)
        if number is None:
            return None
        found.add(float(number))
    return found.pop() if len(found) == 1 else None


def _default(file: FileModel, param: Value) -> float | None:
    node_id, name = param.data  # type: ignore[misc]
    for function in file.functions:
        if id(function.node) == node_id and name in function.defaults:
            return function.defaults[name].number
    return None


def _field(attribute: Value) -> float | None:
    """`args.gamma` where args was made from a class with `gamma: float = 0.99`."""
    for part in walk(attribute.args[0], through_calls=True):
        if part.op == "class" and isinstance(part.data, Class):
            constant = part.data.constants.get(str(attribute.data))
            if constant is not None:
                return constant.number
    return None
