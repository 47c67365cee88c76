"""Notebooks are one module to the linter; edits change only the source lines they are about."""

from __future__ import annotations

import ast
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ppolint.findings import Edit
from ppolint.source.file import Source, SourceError
from ppolint.source.magics import neutralise


def notebook(*cells: str | list[str], language: str = "python", **layout) -> bytes:
    content = {
        "cells": [
            {"cell_type": "code", "metadata": {}, "outputs": [], "source": cell} for cell in cells
        ],
        "metadata": {"language_info": {"name": language}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    return (json.dumps(content, **layout) + "\n").encode()


def test_cells_are_joined_and_places_are_cells_and_their_rows() -> None:
    data = json.loads(notebook(["import torch\n", "x = 1"], "y = x\nz = 2"))
    data["cells"].insert(1, {"cell_type": "markdown", "source": ["# title"]})
    source = Source.from_bytes(json.dumps(data).encode(), "a.ipynb")
    assert source.text == "import torch\nx = 1\ny = x\nz = 2\n"
    assert source.position(source.text.index("x = 1")) == (1, 2, 1)
    # The Markdown cell is the second one of the notebook.
    assert source.position(source.text.index("z")) == (3, 2, 1)


@pytest.mark.parametrize("layout", [{"indent": 1}, {"indent": 4}, {}, {"ensure_ascii": False}])
def test_an_edit_leaves_every_other_byte_alone(layout: dict) -> None:
    data = notebook(["# é\n", "a = 1\n", "b = 2"], "c = 3", ["d = 4"], **layout)
    source = Source.from_bytes(data, "a.ipynb")
    assert source.rewritten([]) == data
    at = source.text.index("b = 2")
    after = source.rewritten([Edit(at, at + 1, "renamed")])
    assert after == data.replace(b"b = 2", b"renamed = 2")
    at = source.text.index("c = 3")
    assert source.rewritten([Edit(at, at + 1, "cc")]) == data.replace(b"c = 3", b"cc = 3")


def test_a_new_line_is_a_new_element_of_the_list() -> None:
    data = notebook(["a = 1\n", "b = 2"], indent=1)
    source = Source.from_bytes(data, "a.ipynb")
    after = source.rewritten([Edit(0, 0, "import torch\n")])
    assert after == data.replace(b'"a = 1\\n"', b'"import torch\\n",\n    "a = 1\\n"')
    assert source.rewritten([Edit(0, 11, "")]) == data.replace(
        b'[\n    "a = 1\\n",\n    "b = 2"\n   ]', b"[]"
    )


def test_an_edit_across_cells_is_not_editable() -> None:
    source = Source.from_bytes(notebook("a = 1", "b = 2"), "a.ipynb")
    assert source.editable(Edit(0, 5, ""))
    assert not source.editable(Edit(4, 7, ""))


def test_notebooks_in_other_languages_are_empty() -> None:
    assert Source.from_bytes(notebook("x <- 1", language="R"), "a.ipynb").text == ""


@pytest.mark.parametrize("data", [b"[]", b"{", b'{"cells": [1]}', b"\xff", b'{"cells": [{"a"'])
def test_what_is_no_notebook_is_refused(data: bytes) -> None:
    with pytest.raises(SourceError, match="notebook"):
        Source.from_bytes(data, "a.ipynb")


@pytest.mark.parametrize(
    ("cell", "wanted"),
    [
        ("%matplotlib inline", "pass"),
        ("!pip install torch", "pass"),
        ("if a:\n    !ls -l\nb = 1", "if a:\n    pass\nb = 1"),
        ("files = !ls", "files = 0"),
        ("where = %pwd # x", "where = None"),
        ("torch.exp??", "pass"),
        ("?torch.exp", "pass"),
        ("!ls \\\n  -l\nx = 1", "pass\n\nx = 1"),
        ("%%time\nx = 1", "pass\nx = 1"),
        ("%%bash\nls *\n", "\n\n"),
        ("print('%d'\n  % x)", "print('%d'\n  % x)"),
        ("x = '''\n%not magic\n!nor this\n'''", "x = '''\n%not magic\n!nor this\n'''"),
        ("a = b != c\nd = e % f", "a = b != c\nd = e % f"),
        ("# what?\nx = [\n  # !a\n  1,\n]", "# what?\nx = [\n  # !a\n  1,\n]"),
    ],
)
def test_magics_become_harmless(cell: str, wanted: str) -> None:
    made = neutralise(cell)
    assert [line.rstrip() for line in made.split("\n")] == wanted.split("\n")
    assert [len(line) for line in made.split("\n")] == [len(line) for line in cell.split("\n")]
    ast.parse(made)


@given(st.lists(st.text("ab=!%?\\\n'\"#( )", max_size=12), max_size=3))
def test_any_cell_keeps_its_lines(cells: list[str]) -> None:
    source = Source.from_bytes(notebook(*cells), "a.ipynb")
    for segment in source.segments:
        text = source.text[segment.start : segment.end]
        assert [len(line) for line in text.split("\n")] == [
            len(line) for line in segment.original.split("\n")
        ]
