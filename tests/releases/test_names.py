"""Names by syntax: what a name in the text refers to, and which code chooses between releases."""

import textwrap

import pytest

from ppolint.semantics.names import Names
from ppolint.semantics.parsing import parse


def names_of(text):
    return Names(parse(textwrap.dedent(text)))


def uses(text, name):
    """The alternatives of every use of `name` (a name, or the end of a chain), in order."""
    names = names_of(text)
    found = []
    for use in names.chains:
        last = use.node.attr.value if hasattr(use.node, "attr") else use.node.value
        if last == name:
            found.append(names.alternatives(use.node, use.scope))
    return found


@pytest.mark.parametrize(
    "text, name, expected",
    [
        ("import torchrl.data as td\ntd.Bounded", "Bounded", ["torchrl.data.Bounded"]),
        ("import torchrl.data\ntorchrl.data.Bounded", "Bounded", ["torchrl.data.Bounded"]),
        ("from torchrl.data import Bounded as B\nB", "B", ["torchrl.data.Bounded"]),
        ("from torchrl.data import Bounded\nB = Bounded\nB", "B", ["torchrl.data.Bounded"]),
        ("from torchrl import data\nx = data.Bounded", "Bounded", ["torchrl.data.Bounded"]),
        ("from torchrl.data import *\nBounded", "Bounded", ["torchrl.data.Bounded"]),
        ("from .data import Bounded\nBounded", "Bounded", [".data.Bounded"]),
        ("from a import x\ndef f(x):\n    x", "x", [None]),
        ("from a import x\ndef f():\n    x", "x", ["a.x"]),
        ("from a import x\nx = g()\nx", "x", ["a.x", None]),
        ("from a import x\nfor x in y:\n    x", "x", ["a.x", None]),
        ("from a import x\n[x for x in y]", "x", [None]),
        ("from a import x\nwith f() as x:\n    x", "x", ["a.x", None]),
        (
            "try:\n    from a import x\nexcept ImportError:\n    from b import x\nx",
            "x",
            ["a.x", "b.x"],
        ),
        ("print", "print", []),
    ],
)
def test_what_a_name_refers_to(text, name, expected):
    assert uses(text, name)[-1] == expected


def test_a_class_body_is_no_scope_of_its_methods():
    text = "from a import x\nclass C:\n    x = 1\n    def f(self):\n        return x\n"
    assert uses(text, "x") == [["a.x"]]


def guarded(text):
    return [binding.guarded for binding in names_of(text).imports]


@pytest.mark.parametrize(
    "text",
    [
        "try:\n    from a import x\nexcept ImportError:\n    x = None\n",
        "try:\n    from a import x\nexcept (ImportError, AttributeError):\n    from b import x\n",
        "try:\n    from a import x\nexcept Exception:\n    from b import x\n",
        "try:\n    from a import x\nexcept:\n    x = None\n",
        "if version.parse(torchrl.__version__) > v:\n    from a import x\nelse:\n    from b import x\n",
        "if TORCHRL_VERSION >= (0, 6):\n    from a import x\n",
        "import torchrl\nif hasattr(torchrl.data, 'B'):\n    from a import x\n",
        "with pytest.raises(ImportError):\n    from a import x\n",
    ],
)
def test_code_that_chooses_between_releases(text):
    assert guarded(text)[-1] is True


@pytest.mark.parametrize(
    "text",
    [
        "from a import x\n",
        "try:\n    from a import x\n    train(x)\nexcept Exception as error:\n    print(error)\n",
        "try:\n    from a import x\nfinally:\n    pass\n",
        "try:\n    from a import x\nexcept ValueError:\n    pass\n",
        "def f(self):\n    if hasattr(self, 'x'):\n        from a import x\n",
        "if fast:\n    from a import x\n",
    ],
)
def test_code_that_does_not(text):
    assert guarded(text)[-1] is False


def test_objects_are_followed_to_the_call_that_makes_them():
    names = names_of(
        """
        from a import Loss
        class C:
            def __init__(self):
                self.loss = Loss(1)
            def f(self, other):
                self.loss.step
                other.step
        """
    )
    steps = [
        u
        for u in names.chains
        if getattr(u.node, "attr", None) is not None and u.node.attr.value == "step"
    ]
    assert [names.called(u.node.value, u.scope) for u in steps] == [["a.Loss"], []]
