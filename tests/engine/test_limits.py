"""What would kill a parser is recognised; what people write is not."""

from __future__ import annotations

import pytest

from ppolint.engine.limits import MAX_LINE_NESTING, expression_nesting, reason_to_skip

DEEP = MAX_LINE_NESTING + 100


@pytest.mark.parametrize(
    "text",
    [
        "x = " + "(" * DEEP + "1" + ")" * DEEP,
        "x = " + " + ".join(["a"] * DEEP),
        "x = (\n" + "\n+ ".join(["a"] * DEEP) + ")",
        "x = " + " and ".join(["a"] * DEEP),
        "x = a" + ".b" * DEEP,
        "x = a" + "()" * DEEP,
        "x = a" + "[0]" * DEEP,
        "x = " + "not " * DEEP + "a",
        "x = " + "-" * DEEP + "a",
        "x = (\n" + "'a'\n" * DEEP + ")",
        'x = "\\n" + ' + " + ".join(["a"] * DEEP) + ' + "b"',
        "x = 'it\\'s' + " + " + ".join(["a"] * DEEP) + " + 'b'",
        "x = " + "a if b else " * DEEP + "c",
        "x = " + "lambda: " * DEEP + "c",
        "x = " + "[" * DEEP + "]" * DEEP,
        "if a: pass\n" + "elif b: pass\n" * DEEP,
    ],
)
def test_too_deep(text: str) -> None:
    reason = reason_to_skip("import torch\n\n" + text + "\n")
    assert reason is not None
    assert "nested" in reason[0]


@pytest.mark.parametrize(
    "text",
    [
        "x = [" + "1.5e-3, " * 10_000 + "]",
        "x = [" + "(1, -2),\n" * 10_000 + "]",
        "x = {" + "'a': f(1),\n" * 10_000 + "}",
        "'''" + "a.b(c) + d - e\n" * 5_000 + "'''",
        "x = '" + "((" * 5_000 + "'",
        "# " + "(" * 5_000,
        "x = 1 + 2\n" * 5_000,
        "print('" + "-" * 5_000 + "')",
        "if a: pass\nelif b: pass\n" * 150,
    ],
)
def test_long_is_not_deep(text: str) -> None:
    assert reason_to_skip(text + "\n") is None


def test_nesting_adds_up_over_brackets() -> None:
    assert expression_nesting("f(g(h(1)))") == 3
    assert expression_nesting("a + (b + (c + d))") == 5
    assert expression_nesting("f(a + b + c, d + e)") == 3
