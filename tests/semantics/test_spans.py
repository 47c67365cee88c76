"""Where nodes are, held against libcst's own positions."""

from __future__ import annotations

from pathlib import Path

import libcst as cst
import pytest
from libcst.metadata import MetadataWrapper, PositionProvider

from ppolint.semantics.parsing import parse
from ppolint.semantics.spans import Spans

FOLDER = Path(__file__).parents[2] / "fixtures"
FIXTURES = [p for p in sorted(FOLDER.rglob("*.py")) if "PPO001" not in str(p)]
# libcst has no place for the line end that is not there at the end of a file, and we have none for
# whitespace.
WITHOUT_PLACE = (cst.Module, cst.Newline, cst.TrailingWhitespace, cst.SimpleWhitespace)
SMALL = [
    "",
    "# only a comment\n",
    "\n\nx = 1; y = (2)\n",
    "@decorated\n# between\nasync def f(a, *, b=1):\n    return a  # why\n\n\nclass A: pass",
    "if a:\n\tb = [1,\n\t\t2]\nelse:\n\tc = 'é' + f'{d!r:>{e}}'\n",
    "a = b . c = (d)[ 1 , 2:3 ] ( x , * y, k = (z) , ** w ) ; e\n",
    "f(  # why\n    (a.b),  # here\n\n    # between\n    c\n    * (d / 2) - e,\n)  # end\n",
    "class A:  # a\n  # first\n\n  def f(self):\n    return ((self.x)[0])\n    # last\n  y = 1\n",
    "x = (  # a\n    1,\n)\nx[\n    y\n](\n)\nassert a, (b == c)\nx = y = f (1)\n",
]


def _offsets(text: str) -> list[int]:
    """The offset of the start of each line."""
    starts = [0]
    for line in text.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    return starts


def _compare(text: str, backwards: bool) -> None:
    wrapper = MetadataWrapper(parse(text), unsafe_skip_copy=True)
    expected = wrapper.resolve(PositionProvider)
    starts = _offsets(text)
    spans = Spans(wrapper.module)
    nodes = [node for node in expected if not isinstance(node, WITHOUT_PLACE)]
    for node in reversed(nodes) if backwards else nodes:
        where = expected[node]
        start = starts[where.start.line - 1] + where.start.column
        end = starts[where.end.line - 1] + where.end.column
        assert spans.of(node) == (start, end), node


@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("text", SMALL)
def test_small_modules(text: str, backwards: bool) -> None:
    _compare(text, backwards)


@pytest.mark.parametrize("path", FIXTURES[:: max(1, len(FIXTURES) // 25)], ids=lambda p: p.name)
def test_fixtures(path: Path) -> None:
    _compare(path.read_text(encoding="utf-8"), backwards=True)


def test_a_node_of_another_module_has_no_place() -> None:
    with pytest.raises(KeyError):
        Spans(parse("x = 1\n")).of(parse("x = 1\n").body[0])
