"""A notebook with a broken cell, or a script that was one, is read without the broken part."""

from __future__ import annotations

import json

from ppolint.semantics.model import build_in_part
from ppolint.source.broken import without_broken_parts
from ppolint.source.file import Source

LOSS = """\
def loss(new, old, gain, limit):
    ratio = torch.exp(new - old)
    return -torch.min(ratio * gain, ratio.clamp(1 - limit, 1 + limit) * gain).mean()
"""


def notebook(*cells: str) -> Source:
    data = {
        "cells": [{"cell_type": "code", "source": cell, "metadata": {}} for cell in cells],
        "metadata": {},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    return Source.from_bytes(json.dumps(data).encode(), "lesson.ipynb")


def test_only_the_broken_cell_is_left_out() -> None:
    source = notebook("import torch", "def todo(x):\n    y =\n    return y", LOSS)
    text = without_broken_parts(source)
    assert text is not None
    assert "todo" not in text
    assert len(text) == len(source.text)
    assert text.index("def loss") == source.text.index("def loss")


def test_what_is_written_by_hand_is_found_in_the_rest() -> None:
    source = notebook("import torch\nimport gymnasium", "x = (", LOSS)
    model = build_in_part(source)
    assert model is not None
    assert [model.span(found.node) for found in model.surrogates]


def test_shell_commands_of_an_exported_script() -> None:
    source = Source.from_text("import torch\n!pip install gym\n%matplotlib inline\n" + LOSS, "a.py")
    text = without_broken_parts(source)
    assert text is not None
    compile(text, "a.py", "exec")
    assert text.index("def loss") == source.text.index("def loss")


def test_no_help() -> None:
    assert without_broken_parts(Source.from_text("x = (\n", "a.py")) is None
    assert without_broken_parts(notebook("x = (", "y = [")) is None
