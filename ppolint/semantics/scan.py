"""What a loop body assigns, from its syntax."""

from __future__ import annotations

from typing import Any

import libcst as cst

from ppolint.semantics.scopes import children

# Methods with a trailing underscore that change an object, not the numbers a name stands for.
_OF_OBJECTS = frozenset({"update_policy_weights_", "requires_grad_", "share_memory_"})
_SUITES = frozenset(
    {cst.IndentedBlock, cst.SimpleStatementLine, cst.If, cst.Else, cst.With, cst.For, cst.While}
)

Target = str | tuple[str, str | tuple[str, str]]


def assigned(loop: Any) -> list[Target]:
    """What the body of a loop assigns, in source order: names, `(name, attribute)` for an attribute
    and `(name, ("item", key))` for an entry of a dict."""
    out: dict[Target, None] = {}
    _scan_suite(loop.body, out)
    return list(out)


def made_from_themselves(loop: Any, names: set[str]) -> set[str]:
    """Those of the names that a branch of the body sets before the rest of it does, and that are made
    from what they were: `if last: x = 0`, then `x = d + c * x`."""
    seen: set[Any] = set()
    branched: set[str] = set()
    branches = [at for at, s in enumerate(loop.body.body) if type(s) is cst.If]
    for statement in loop.body.body[: branches[-1] + 1] if branches else ():
        found: dict[Target, None] = {}
        _scan(statement, found)
        if type(statement) is cst.If:
            branched.update(n for n in names if n in found and n not in seen)
        seen.update(found)
    return _going_on(loop.body, branched) if branched else branched


def _going_on(suite: Any, names: set[str]) -> set[str]:
    """Those of the names that a statement of a suite assigns something made from the name to."""
    found: set[str] = set()
    waiting = [suite]
    while waiting:
        node = waiting.pop()
        kind = type(node)
        if kind is cst.Assign:
            out: dict[Target, None] = {}
            _scan(node, out)
            targets = names.intersection(out)
            if targets:
                found |= targets & _read(node.value)
        elif kind is cst.AugAssign and type(node.target) is cst.Name:
            found |= names & {node.target.value}
        elif kind in _SUITES:
            waiting.extend(children(node))
    return found


def _read(expression: Any) -> set[str]:
    names = set()
    waiting = [expression]
    for node in waiting:
        if type(node) is cst.Name:
            names.add(node.value)
        else:
            waiting.extend(children(node))
    return names


def _scan_suite(suite: Any, out: dict) -> None:
    for statement in suite.body:
        _scan(statement, out)


def _scan(node: Any, out: dict) -> None:
    kind = type(node)
    if kind is cst.SimpleStatementLine:
        for small in node.body:
            _scan(small, out)
    elif kind is cst.Assign:
        for target in node.targets:
            _target(target.target, out)
    elif kind is cst.AugAssign:
        _target(node.target, out)
    elif kind is cst.AnnAssign:
        if node.value is not None:
            _target(node.target, out)
    elif kind is cst.Expr:
        # x.clamp_(...) and x.reverse() change x in place
        call = node.value
        if type(call) is cst.Call and type(call.func) is cst.Attribute:
            name = call.func.attr.value
            if name in _OF_OBJECTS:
                return
            if name == "reverse" or (name.endswith("_") and not name.startswith("_")):
                _target(changed_in_place(call), out)
    elif kind in (cst.For, cst.While):
        if kind is cst.For:
            _target(node.target, out)
        _scan_suite(node.body, out)
        if node.orelse is not None:
            _scan_suite(node.orelse.body, out)
    elif kind is cst.If:
        _scan_suite(node.body, out)
        if type(node.orelse) is cst.If:
            _scan(node.orelse, out)
        elif node.orelse is not None:
            _scan_suite(node.orelse.body, out)
    elif kind is cst.With:
        for item in node.items:
            if item.asname is not None:
                _target(item.asname.name, out)
        _scan_suite(node.body, out)
    elif kind in (cst.Try, cst.TryStar):
        _scan_suite(node.body, out)
        for part in node.handlers:
            _scan_suite(part.body, out)
        for part in (node.orelse, node.finalbody):
            if part is not None:
                _scan_suite(part.body, out)
    elif kind is cst.Match:
        for case in node.cases:
            _scan_suite(case.body, out)


def changed_in_place(call: Any) -> Any:
    """What a method changes in place: `x` of `x.clamp_(0)` and of `x.mul_(c).add_(d)`."""
    receiver = call.func.value
    while type(receiver) is cst.Call and type(receiver.func) is cst.Attribute:
        name = receiver.func.attr.value
        if not name.endswith("_") or name.startswith("_"):
            break
        receiver = receiver.func.value
    return receiver


def _target(node: Any, out: dict) -> None:
    kind = type(node)
    if kind is cst.Name:
        out[node.value] = None
    elif kind in (cst.Tuple, cst.List):
        for element in node.elements:
            _target(element.value, out)
    elif kind is cst.Attribute and type(node.value) is cst.Name:
        out[(node.value.value, node.attr.value)] = None
    elif kind is cst.Subscript and type(node.value) is cst.Name:
        key = _text(node)
        if key is not None:
            out[(node.value.value, ("item", key))] = None
    elif kind is cst.StarredElement:
        _target(node.value, out)


def _text(node: Any) -> str | None:
    """The key of `x["key"]`."""
    index = node.slice[0].slice if len(node.slice) == 1 else None
    if type(index) is cst.Index and type(index.value) is cst.SimpleString:
        key = index.value.evaluated_value
        return key if isinstance(key, str) else None
    return None
