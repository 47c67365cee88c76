"""libcst's nodes with lean constructors hold what its own hold."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = '''\
@decorated(1)
async def f(a, /, b: int = 2, *args, c, **kw) -> None:
    """Text."""
    with open(a) as x, y:  # why
        z = [i for i in (1, 2.0) if i] or {k: v for k, v in x} or {*x} or not -a[1:2, ...]
    try:
        del z, a.b
    except* ValueError as error:
        raise error from None
    finally:
        await f(*args, key=lambda q: (yield)); assert f"{z!r:>{c}}", 'a' "b"


class A(B, metaclass=C):
    x: int = 1
    x += 1
    global y
    match x:
        case [A(b=1), *_] | {"k": 2, **rest} if x:
            pass
        case _:
            import a.b as c, d
            from . import (e as f, g)
    while a < b <= c is not d: continue
    else:
        for i in x: break
'''
SHOWN = """
import dataclasses, sys
{first}
import libcst as cst
original = dataclasses.dataclass
tree = cst.parse_module(sys.stdin.read())
assert tree.code == tree.deep_clone().code == tree.visit(cst.CSTTransformer()).code
print(repr(tree))
"""
LEAN = "from ppolint.semantics.nodes import slim; slim()"


def _python(code: str, text: str = "") -> str:
    ran = subprocess.run(
        [sys.executable, "-c", code],
        input=text,
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
    )
    return ran.stdout


@pytest.mark.parametrize("first", [LEAN, f"import libcst; {LEAN}"], ids=["before", "after"])
def test_trees_are_the_same(first: str) -> None:
    plain = _python(SHOWN.format(first=""), SOURCE)
    assert "FunctionDef" in plain and "Match" in plain
    assert _python(SHOWN.format(first=first), SOURCE) == plain


def test_nobody_else_notices() -> None:
    code = f"""
import dataclasses
before = dataclasses.dataclass
{LEAN}
import libcst as cst
import libcst.matchers as m
assert dataclasses.dataclass is before

@dataclasses.dataclass(frozen=True)
class Mine(cst.Name):
    note: str = ""

node = Mine("x", note="mine")
try:
    node.note = "yours"
except dataclasses.FrozenInstanceError:
    assert m.matches(cst.Expr(cst.Name("x")), m.Expr(m.Name("x")))
    print(node.value, node.note)
"""
    assert _python(code) == "x mine\n"
