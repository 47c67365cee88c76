"""Edits that take an argument out of a call, and put what it said where it belongs now."""

from __future__ import annotations

import libcst as cst

from ppolint.findings import Edit
from ppolint.rules.releases._calls import ApiCall, Argument
from ppolint.rules.releases._context import Context
from ppolint.rules.releases._lists import without
from ppolint.torchrl_api.arguments import RaisingArgument

_ESTIMATORS = "torchrl.objectives.value.ValueEstimatorBase"


def argument(context: Context, call: ApiCall, target: Argument) -> tuple[Edit, ...]:
    """Delete one keyword argument (see `_lists.without`)."""
    holder = call.holder
    items = list(holder.args if type(holder) is cst.Call else holder.elements)
    at = next(i for i, item in enumerate(items) if item is target.node)
    previous_end = None
    if at:
        before = items[at - 1]
        previous_end = max(context.file.span(before)[1], context.file.span(before.value)[1])
    return (without(context.file.source.text, *target.span(context), previous_end),)


def mended(
    context: Context, call: ApiCall, target: Argument, entry: RaisingArgument
) -> tuple[tuple[Edit, ...], bool]:
    """Edits that make a call run which raises because of `target`, and whether they are safe."""
    deletion = argument(context, call, target)
    if call.form != "call":
        return (), False
    if entry.key is not None:
        default = _default_key(context, call, entry.key)
        if isinstance(target.value, cst.SimpleString) and target.value.evaluated_value == default:
            return deletion, True
        return _moved(context, call, deletion, f"set_keys({entry.key}={_code(context, target)})")
    if entry.drop == "beside an estimator":
        if _has_estimator(context):
            return deletion, True
        return _moved(
            context, call, deletion, f"make_value_estimator({target.name}={_code(context, target)})"
        )
    return deletion, True


def _code(context: Context, target: Argument) -> str:
    return context.file.source.text[slice(*context.file.span(target.value))]


def _default_key(context: Context, call: ApiCall, key: str) -> str | None:
    """The key that `set_keys` has by default, when it is the same in every release."""
    found = set()
    for _, view in context.views(call.path):
        default = view.accepted_keys(call.path).get(key)
        found.add(default.strip("'\"") if default is not None else None)
    return found.pop() if len(found) == 1 else None


def _has_estimator(context: Context) -> bool:
    """Whether the file makes a value estimator, or tells the loss to."""
    view = context.db.at(context.db.newest)
    if any(view.is_subclass(path, _ESTIMATORS) for path in context.called_identities()):
        return True
    return any(
        type(use.node.func) is cst.Attribute and use.node.func.attr.value == "make_value_estimator"
        for use in context.names.calls
    )


def _moved(
    context: Context, call: ApiCall, deletion: tuple[Edit, ...], method: str
) -> tuple[tuple[Edit, ...], bool]:
    """The deletion, and a statement behind the one that assigns the object; the deletion alone,
    not safe, where the object is not simply assigned."""
    target, statement = context.names.assignments.get(id(call.node), (None, None))
    if target is None or type(target) not in (cst.Name, cst.Attribute):
        return deletion, False
    text = context.file.source.text
    start, end = context.file.span(statement)
    line_start = text.rfind("\n", 0, start) + 1
    line_end = text.find("\n", end)
    line_end = len(text) if line_end < 0 else line_end
    indent = text[line_start:start]
    if indent.strip() or text[end:line_end].partition("#")[0].strip():
        return deletion, False
    name = text[slice(*context.file.span(target))]
    return (*deletion, Edit(line_end, line_end, f"\n{indent}{name}.{method}")), True
