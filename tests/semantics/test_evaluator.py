"""What the evaluator knows after running a file: branches, loops, helpers, attributes, places."""

from __future__ import annotations

from pathlib import Path

import pytest

from ppolint.semantics.model import FileModel, ParseError, build
from ppolint.semantics.project import Project
from ppolint.source.file import Source


def model(text: str) -> FileModel:
    return build(Source.from_text(text))


def bound(file: FileModel, name: str) -> list[str]:
    return [str(e.value.core) for e in file.events if e.kind == "bind" and e.key == name]


def test_branches_meet_in_a_phi() -> None:
    file = model("if c:\n    x = 1\nelse:\n    x = 2\ny = x\n")
    assert bound(file, "y") == ["phi(1, 2)"]


def test_a_branch_that_returns_does_not_meet_the_others() -> None:
    file = model(
        "def f(c):\n    x = 1\n    if c:\n        x = 2\n        return x\n    y = x\n    return y\n"
    )
    assert bound(file, "y") == ["1"]


def test_what_a_branch_changed_is_not_seen_in_the_other() -> None:
    file = model("x = 1\nif c:\n    x = 2\nelse:\n    y = x\nz = x\n")
    assert bound(file, "y") == ["1"]
    assert bound(file, "z") == ["phi(2, 1)"]


def test_a_failed_import_leaves_both_possibilities() -> None:
    file = model("try:\n    from a import f\nexcept ImportError:\n    from b import f\ng = f\n")
    assert bound(file, "g") == ["phi(a.f, b.f)"]


def test_a_loop_carries_what_it_assigns_and_reads() -> None:
    file = model("x = 0\nfor r in rs:\n    x = r + 0.9 * x\n")
    (loop,) = file.loops
    (carried,) = loop.carried.values()
    assert carried.init.number == 0
    assert carried.start in carried.step.args[0].args or carried.start in carried.step.args[1].args


def test_what_is_assigned_before_a_break_is_seen_after_the_loop() -> None:
    file = model(
        "found = None\nfor x in xs:\n    if x > 1:\n        found = x\n        break\ny = found\n"
    )
    assert bound(file, "y") == ["after(None, elem(builtins.xs))"]


def test_a_break_adds_to_what_the_end_of_the_body_leaves() -> None:
    file = model("n = 0\nwhile True:\n    if c:\n        n = 5\n        break\n    n = 7\ny = n\n")
    assert bound(file, "y") == ["after(0, phi(7, 5))"]


def test_a_break_that_changes_nothing_leaves_the_loop_alone() -> None:
    file = model("n = 0\nfor x in xs:\n    if c:\n        break\n    n = 7\ny = n\n")
    assert bound(file, "y") == ["after(0, 7)"]


def test_helpers_are_looked_into() -> None:
    file = model(
        "import torch\ndef clip(x, e):\n    return torch.clamp(x, 1 - e, 1 + e)\ny = clip(z, 0.2)\n"
    )
    assert bound(file, "y") == ["clip(builtins.z, 0.8, 1.2)"]


def test_attributes_are_followed_over_methods() -> None:
    file = model(
        "class A:\n"
        "    def __init__(self, gamma, lam):\n"
        "        self.decay = gamma * lam\n"
        "    def step(self, x):\n"
        "        y = self.decay * x\n"
        "        return y\n"
    )
    assert bound(file, "y")[-1] == "mul(gamma, lam, x)"


def test_a_function_of_another_file_is_looked_into(tmp_path: Path) -> None:
    (tmp_path / "ops.py").write_text(
        "import torch\ndef limit(x):\n    return torch.clamp(x, -1, 1)\n"
    )
    main = tmp_path / "main.py"
    main.write_text("import gymnasium\nfrom ops import limit\ny = limit(gymnasium.z)\n")
    project = Project(str(tmp_path), lambda: [str(p) for p in tmp_path.glob("*.py")])
    file = build(Source.from_text(main.read_text(), str(main)), project)
    assert bound(file, "y") == ["clip(gymnasium.z, -1, 1)"]
    assert file.dependencies() == {str(tmp_path / "ops.py")}


def test_places_are_where_a_value_is_computed() -> None:
    text = "import torch\ny = torch.exp(a - b)\nz = y\n"
    file = model(text)
    (value,) = file.of_op("exp")
    assert [text[slice(*file.at(n, s))] for n, s in file.places(value)] == ["torch.exp(a - b)"]


def test_a_recursive_function_ends() -> None:
    file = model("def f(n):\n    return n * f(n - 1)\ny = f(3)\n")
    assert bound(file, "y")


@pytest.mark.parametrize(
    ("text", "row"), [("x = (\n", 2), ("def f(:\n    pass\n", 1), ("x = 1\nprint 'a'\n", 2)]
)
def test_a_syntax_error_has_a_place(text: str, row: int) -> None:
    with pytest.raises(ParseError) as caught:
        model(text)
    assert abs(caught.value.row - row) <= 1
