"""A text that is parsed in pieces gives the tree that it gives as a whole."""

from __future__ import annotations

from pathlib import Path

import libcst as cst
import pytest

from ppolint.semantics import parsing

ROOT = Path(__file__).resolve().parents[2]
SMALL = "import torch\n\n\ndef f(x):\n    # why\n    return x\n"


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parsing, "_LARGE", 0)
    monkeypatch.setattr(parsing, "_PIECE", 1)


@pytest.mark.parametrize(
    "path",
    [
        *sorted(ROOT.glob("ppolint/semantics/*.py")),
        *sorted(ROOT.glob("fixtures/PPO1*/*.py")),
        *sorted(ROOT.glob("fixtures/PPO3*/*.py")),
    ],
    ids=lambda path: path.name,
)
def test_real_files(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    joined = parsing.parse(text)
    assert joined.code == text
    assert joined.deep_equals(cst.parse_module(text))


@pytest.mark.parametrize(
    ("text", "in_pieces"),
    [
        (f"{SMALL}\n\nclass A:\n    pass\n", True),
        (f"{SMALL}\n\n# a note\n\n\n@dec\n# another\n@dec(1)\ndef g(): ...\n\n\n# the end", True),
        (
            "# first\n\nimport torch\n\nasync def f():\n    await x\n\n# then\n\n@f\nclass B: pass",
            True,
        ),
        ('"""Doc."""\n\ndef f(): pass\n\nclass C(B):\n\tx = 1\n', True),
        (f'X = """\n\ndef f():\n    pass\n"""\n\n{SMALL}', False),
        (f"{SMALL}\n\ndef g(x):\n\treturn x\n", False),
        ("# nothing\n\n@f\ndef g(): pass\n", False),
        ("x = (1\n\n@ y)\n", False),
        ("x = 1\n", False),
    ],
)
def test_where_pieces_are_possible(text: str, in_pieces: bool) -> None:
    assert (parsing._of_pieces(text) is not None) is in_pieces
    tree = parsing.parse(text)
    assert tree.code == text
    assert tree.deep_equals(cst.parse_module(text))


def test_an_error_is_where_it_is_in_the_whole_text() -> None:
    with pytest.raises(parsing.ParseError) as caught:
        parsing.parse(f"{SMALL}\n\ndef g(x):\n    return x = = 1\n")
    assert caught.value.row == 10


@pytest.mark.parametrize("padding", ["", "\n\ndef f():\n    pass\n" * 3_000])
def test_text_and_bytes_side_by_side_are_no_python(padding: str) -> None:
    with pytest.raises(parsing.ParseError) as caught:
        parsing.parse("x = 1\ny = ('a'\n     b'b')\n" + padding)
    assert caught.value.row in (2, 3)  # where a literal begins or ends, as Python has it
    assert "bytes" in caught.value.message


@pytest.mark.parametrize(
    ("text", "said", "row"),
    [
        ("x = 1\nprint x\n", "Missing parentheses in call to 'print'", 2),
        ("y = f(1\nz = 2\n", "'(' was never closed", 1),
        ("for a in b:\nc = 1\n", "expected an indented block after 'for' statement", 2),
    ],
)
def test_what_is_wrong_is_said_as_python_says_it(text: str, said: str, row: int) -> None:
    with pytest.raises(parsing.ParseError) as caught:
        parsing.parse(text)
    assert caught.value.message.startswith(said)
    assert caught.value.row == row
    assert "line" not in caught.value.message
