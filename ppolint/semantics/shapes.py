"""What a text must look like to be read outside of reinforcement-learning programs.

A PPO loss or a GAE helper may stand in a library without any environment. Reading every PyTorch
file of the world for it would be slow, so outside of programs that are known to be about RL the
text has to show the shape first. Inside of them nothing of this is asked.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import Any

_WINDOW = 12_000
_WORDS = re.compile(r"[A-Za-z_]\w*")
_CLIPS = frozenset({"clamp", "clip", "clamp_", "clip_", "where", "minimum", "min"})
_EXPONENTIALS = frozenset({"exp", "exp_", "expm1"})
_QUOTIENTS = frozenset({"div", "true_divide", "divide"})
_E_POWER = re.compile(r"\*\*(?:(?<=\be\*\*)|(?<=\be \*\*))")
# The gradient of a ratio that is one: exp(x - x.detach()).
_SELF_RATIO = re.compile(r"exp\((?<!\wexp\()\s*([\w.]+)\s*-\s*\1\.detach\(\)")
# Each begins with a character that a search can jump to: 1 - x, -x + 1, 1 + x, and the + 1 of x + 1.
_ONE_LESS = re.compile(r"1(?<!\w1)(?:\.0*)?\s*-\s*([A-Za-z_][\w.]*)")
_LESS_ONE = re.compile(r"-\s*([A-Za-z_][\w.]*)\s*\+\s*1(?:\.0*)?\b")
_ONE_MORE = re.compile(r"1(?<!\w1)(?:\.0*)?\s*\+\s*([A-Za-z_][\w.]*)")
_MORE_ONE = re.compile(r"\+\s*1(?:\.0*)?\b")
_NAME_BEFORE = re.compile(r"([A-Za-z_][\w.]*)\s*$")
_NAME_LENGTH = 80
_SIDES = re.compile(r"1(?<!\w1)(?:\.0*)?\s*-[^,\n]{1,60},[^,]{0,60}\b1(?:\.0*)?\s*\+")
_PAIR = re.compile(r"\.(?<=\w\.)\d+\s*,\s*(?:a_)?(?:max\s*=\s*)?1\.\d")

# clip(..., -c, c), min(max( and max(min(
_SYMMETRIC = (
    re.compile(
        r"cl(?:amp|ip)_?\((?:(?!clamp|clip)[\s\S]){0,200}?"
        r"-\s*([\w.\[\]'\"]+)\s*,\s*(?:#[^\n]*\n\s*)?(?:\w+\s*=\s*)?\1(?![\w.])"
    ),
    re.compile(r"min(?<!\wmin)\w*\([^\n]*\bmax\w*\("),
    re.compile(r"max(?<!\wmax)\w*\([^\n]*\bmin\w*\("),
)
# What follows x in: x - c, x + c
_BOUNDS = re.compile(r"-\s*([\w.]+)\s*,\s*(?:\w+\s*=\s*)?([\w.\[\]'\"]+)\s*\+\s*\1(?![\w.])")

# One by one: a choice between them would be tried at every character.
_BACKWARDS = tuple(
    re.compile(pattern)
    for pattern in (
        r"reversed(?<!\wreversed)(?!\w)", r"::\s*-1", r",\s*-\s*1\s*\)", r"flip(?<!\wflip)",
        r"while(?<!\wwhile)(?!\w)", r"-\s*1\s*-", r"-\s*\w+\s*-\s*1",
        r"\.insert\((?<!path\.insert\()\s*0\s*,",
    )
)  # fmt: skip
_FOLDS = re.compile(
    r"itertools\.accumulate|functools\.reduce|import[^\n]*\b(?:accumulate|reduce)\b"
)
_PRODUCTS = frozenset({"mul", "addcmul", "multiply"})
_PUSHES = frozenset({"append", "insert", "appendleft"})


def has_loss_shape(text: str) -> bool:
    """Whether a text clips something around 1, and has an exponential or a quotient nearby."""
    return _shows_loss(text) and any(map(_shows_loss, _windows(text)))


def _windows(text: str) -> Iterator[str]:
    """A text in parts that overlap: what is far apart in a large file is no one formula."""
    yield text[:_WINDOW]
    for start in range(_WINDOW // 2, len(text) - _WINDOW // 2, _WINDOW // 2):
        yield text[start : start + _WINDOW]


def _shows_loss(text: str) -> bool:
    words = set(_WORDS.findall(text))
    if "detach" in words and _SELF_RATIO.search(text) is not None:
        return True
    exponential = bool(words & _EXPONENTIALS) or _E_POWER.search(text) is not None
    if not words & _CLIPS or not (exponential or words & _QUOTIENTS or "/" in text):
        return False
    if "kl_divergence" in words or "kl_div" in words:
        return exponential
    if not _has_bounds_around_one(text, words):
        return False
    return exponential or bool(words & {"minimum", "min"})


def _has_bounds_around_one(text: str, words: set[str]) -> bool:
    """Whether 1 - x and 1 + x are there for one x, side by side, or as two numbers."""
    if _PAIR.search(text) is not None or _SIDES.search(text) is not None:
        return True
    above = {*_ONE_MORE.findall(text), *_names_before_one(text)}
    if above & {*_ONE_LESS.findall(text), *_LESS_ONE.findall(text)}:
        return True
    return "sub" in words and (bool(above) or "add" in words)


def _names_before_one(text: str) -> set[str]:
    """The x of each x + 1."""
    found = set()
    for match in _MORE_ONE.finditer(text):
        end = match.start()
        name = _NAME_BEFORE.search(text[max(0, end - _NAME_LENGTH) : end])
        if name is not None:
            found.add(name[1])
    return found


def has_value_clip_shape(text: str) -> bool:
    """Whether a text clips something to an interval that is symmetric around something."""
    return any(pattern.search(text) is not None for pattern in _SYMMETRIC) or any(
        text[max(0, match.start() - _NAME_LENGTH) : match.start()].rstrip().endswith(match[2])
        for match in _BOUNDS.finditer(text)
    )


def has_recursion_shape(text: str) -> bool:
    """Whether a loop of the text assigns something that it multiplies: x = d + c * x."""
    if ("accumulate" in text or "reduce" in text) and _FOLDS.search(text) is not None:
        return True
    if not any(pattern.search(text) is not None for pattern in _BACKWARDS):
        return False
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return True
    loops = [_own(loop) for loop in _loops(tree.body)]
    return any(any(map(_recurs, nodes)) or _recurs_in_two(nodes) for nodes in loops)


def _recurs_in_two(nodes: list[ast.AST]) -> bool:
    """Whether a loop multiplies a variable and adds to it: `x *= c`, then `x += d`."""
    changed: dict[type, set[str]] = {ast.Mult: set(), ast.Add: set()}
    for node in nodes:
        if isinstance(node, ast.AugAssign) and type(node.op) in changed:
            changed[type(node.op)] |= _targets(node.target)
    return bool(changed[ast.Mult] & changed[ast.Add])


def _loops(body: list[Any]) -> Iterator[ast.For | ast.While]:
    """The loops among statements and those inside of them."""
    for statement in body:
        if isinstance(statement, (ast.For, ast.While)):
            yield statement
        for block in ("body", "orelse", "finalbody", "handlers", "cases"):
            inner = getattr(statement, block, None)
            if isinstance(inner, list):
                yield from _loops(inner)


def _own(loop: ast.For | ast.While) -> list[ast.AST]:
    return [node for statement in loop.body for node in ast.walk(statement)]


def _recurs(node: ast.AST) -> bool:
    if isinstance(node, ast.Assign):
        names = {name for target in node.targets for name in _targets(target)}
        return bool(names & _multiplied(node.value))
    if isinstance(node, (ast.AugAssign, ast.AnnAssign)) and node.value is not None:
        return bool(_targets(node.target) & _multiplied(node.value))
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        if node.func.attr in _PUSHES and node.args:
            return bool(_targets(node.func.value) & _multiplied(node.args[-1]))
    return False


def _targets(node: ast.AST) -> set[str]:
    """The names that an assignment fills, of `x`, `x[t]`, `self.x[t]` and tuples of them."""
    while isinstance(node, (ast.Subscript, ast.Starred)):
        node = node.value
    if isinstance(node, ast.Name):
        return {node.id}
    if isinstance(node, ast.Attribute):
        return {node.attr}
    if isinstance(node, (ast.Tuple, ast.List)):
        return {name for element in node.elts for name in _targets(element)}
    return set()


def _multiplied(value: ast.AST) -> set[str]:
    """The names in the products of an expression; all of a value that is no formula."""
    out: set[str] = set()
    for node in ast.walk(value):
        product = isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            product = node.func.attr in _PRODUCTS
        if product:
            for part in ast.walk(node):
                if isinstance(part, ast.Name):
                    out.add(part.id)
                elif isinstance(part, ast.Attribute):
                    out.add(part.attr)
    return out
