"""Blocks that are indented too far are moved out, and all code keeps its offset."""

from __future__ import annotations

import ast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ppolint.source.indentation import reindented

BETWEEN = """\
for i in x:
    with a:
            b(i)
            c(i)
        d(i)

        e(i)
f()
"""
DEEPER = """\
def f():
    a = 1
      # moved with it
      b = (
      2)
      if b:
          c = 3
    return a
"""


def test_a_level_between_two_is_the_outer_one() -> None:
    mended = reindented(BETWEEN)
    assert mended is not None
    loop = ast.parse(mended).body[0]
    assert [ast.unparse(s).partition("\n")[0] for s in loop.body] == ["with a:", "d(i)", "e(i)"]


def test_an_unexpected_level_is_the_one_before() -> None:
    mended = reindented(DEEPER)
    assert mended is not None
    assert [type(s) for s in ast.parse(mended).body[0].body] == [
        ast.Assign, ast.Assign, ast.If, ast.Return,
    ]  # fmt: skip


@pytest.mark.parametrize("text", [BETWEEN, DEEPER, BETWEEN.replace("    ", "\t"), "  x = 1\n y\n"])
def test_code_keeps_its_offset(text: str) -> None:
    mended = reindented(text)
    if mended is None:
        return
    assert len(mended) == len(text)
    assert [(i, c) for i, c in enumerate(mended) if not c.isspace()] == [
        (i, c) for i, c in enumerate(text) if not c.isspace()
    ]


@pytest.mark.parametrize(
    "text",
    [
        "for i in x:\nprint(i)\n",
        "x = (\n",
        "if x:\n    y = 'a\n",
        "print 'Python 2'\n",
        "x = 1\n  y = )\n",
    ],
)
def test_other_mistakes_are_not_guessed_at(text: str) -> None:
    assert reindented(text) is None


@given(st.lists(st.tuples(st.integers(0, 6), st.sampled_from(["x()", "if x:", "# c", ""]))))
def test_what_comes_back_is_python(rows: list[tuple[int, str]]) -> None:
    text = "".join(f"{' ' * width}{code}\n" for width, code in rows)
    mended = reindented(text)
    if mended is not None:
        ast.parse(mended)
        assert mended.split() == text.split()
