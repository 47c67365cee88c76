"""One computation is one value, however it is spelled, and different computations stay apart."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ppolint.semantics.model import build
from ppolint.semantics.normal_form import Values
from ppolint.semantics.values import Value, terms
from ppolint.source.file import Source

HEADER = """
import math
import operator
from functools import partial

import numpy as np
import torch
import torch as th
import torch.nn.functional as F
from torch import clamp


def f(a, b, c, x, lo, hi, eps, mask):
    return ({})
"""


def value_of(expression: str) -> Value:
    """The normal form of an expression over the parameters a, b, c, x, lo, hi, eps, mask."""
    file = build(Source.from_text(HEADER.format(expression)))
    returned = [e for e in file.events if e.kind == "return"]
    return returned[-1].value.core


def shape(value: Value) -> object:
    """A value as nested tuples: comparable over files; parameters by name, sums without order."""
    if value.op == "param":
        return value.data[1]  # type: ignore[index]
    parts = [shape(a.core) for a in value.args]
    if value.op in ("add", "mul", "min", "max"):
        parts.sort(key=repr)
    data = value.data if value.op in ("const", "fn", "reduce", "cmp", "ref") else None
    return (value.op, data, tuple(parts))


SAME = [
    ("torch.exp(a - b)", ["(a - b).exp()", "th.exp(-b + a)", "torch.sub(a, b).exp()",
                          "math.e ** (a - b)", "np.exp(a - b)", "torch.e ** (a - b)"]),
    ("torch.clamp(x, lo, hi)", ["x.clamp(lo, hi)", "torch.clip(x, min=lo, max=hi)",
                                "clamp(x, lo, hi)", "np.clip(x, a_min=lo, a_max=hi)",
                                "x.clamp(min=lo, max=hi)", "partial(torch.clamp, min=lo, max=hi)(x)",
                                "clamp(input=x, min=lo, max=hi)"]),
    ("torch.clamp(x, 1 - eps, 1 + eps)", ["torch.max(torch.min(x, 1 + eps), 1 - eps)",
                                          "torch.min(torch.max(x, 1.0 - eps), 1.0 + eps)",
                                          "torch.clamp(x, -eps + 1, eps + 1)",
                                          "x - F.relu(x - (1 + eps)) + F.relu((1 - eps) - x)"]),
    ("-torch.min(a, b)", ["torch.max(-a, -b)", "-torch.minimum(b, a)", "-a.min(b)",
                          "-torch.where(a < b, a, b)", "-(a if a < b else b)",
                          "-torch.stack([a, b]).min(0)[0]", "-torch.min(torch.stack([a, b]), dim=0).values"]),
    ("a + torch.clamp(x - a, -eps, eps)", ["torch.clamp(x, a - eps, a + eps)",
                                           "torch.max(torch.min(x, a + eps), a - eps)"]),
    ("a * b * c", ["c * (b * a)", "operator.mul(a, operator.mul(b, c))", "torch.mul(a, b).mul(c)",
                   "a.detach() * b.unsqueeze(-1) * c.to('cpu')", "-(-a * b) * c"]),
    ("(a - b) ** 2", ["torch.square(a - b)", "(a - b).pow(2)", "torch.pow(a - b, 2)"]),
    ("a + b * c", ["torch.addcmul(a, b, c)", "torch.add(a, b * c)", "torch.add(a, c, alpha=b)"]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("one", "other"), [(one, other) for one, others in SAME for other in others]
)
def test_spellings_are_one_value(one: str, other: str) -> None:
    assert shape(value_of(one)) == shape(value_of(other))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("torch.exp(a - b)", "torch.exp(b - a)"),
        ("torch.min(a, b)", "torch.max(a, b)"),
        ("-torch.min(a, b)", "torch.max(a, b)"),
        ("torch.clamp(x, lo, hi)", "torch.clamp(x, hi, lo)"),
        ("torch.min(a, 1)", "torch.minimum(a, torch.tensor(1))"),
        ("x(a) - x(b)", "x(a) - x(a)"),
        ("a / b", "b / a"),
    ],
)
def test_different_computations_are_different_values(one: str, other: str) -> None:
    assert shape(value_of(one)) != shape(value_of(other))


def test_two_calls_of_a_model_never_cancel() -> None:
    assert value_of("x(a) - x(a)").op == "add"


def test_a_value_minus_its_detached_self_is_zero_in_normal_form() -> None:
    assert value_of("a - a.detach()").number == 0


leaves = st.sampled_from(["a", "b", "c"])
expressions = st.recursive(
    leaves,
    lambda inner: st.tuples(st.sampled_from(["+", "-", "*"]), inner, inner),
    max_leaves=12,
)


def evaluate(values: Values, tree: object) -> Value:
    if isinstance(tree, str):
        return values.make("param", (), (0, tree))
    operator, left, right = tree  # type: ignore[misc]
    a, b = evaluate(values, left), evaluate(values, right)
    return {"+": values.add, "-": values.sub, "*": values.mul}[operator](a, b)


@given(expressions)
def test_negation_is_an_involution(tree: object) -> None:
    values = Values()
    value = evaluate(values, tree)
    assert values.neg(values.neg(value)) is value


@given(expressions)
def test_a_value_minus_itself_is_zero(tree: object) -> None:
    values = Values()
    value = evaluate(values, tree)
    assert values.sub(value, value) is values.zero


@given(expressions, expressions)
def test_sums_and_products_do_not_depend_on_order(left: object, right: object) -> None:
    values = Values()
    a, b = evaluate(values, left), evaluate(values, right)
    assert values.add(a, b) is values.add(b, a)
    assert values.mul(a, b) is values.mul(b, a)


@given(expressions)
def test_a_sum_is_flat_and_holds_no_opposites(tree: object) -> None:
    values = Values()
    parts = terms(evaluate(values, tree))
    assert all(p.op != "add" for p in parts) or len(parts) == 1
    assert not any(p.op == "neg" and p.args[0] in parts for p in parts)
