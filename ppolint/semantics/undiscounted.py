"""Rewards-to-go without a discount: sums of the rest, and totals less what was before."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ppolint.semantics.operations import elements
from ppolint.semantics.recurrence import RETURNS, Recursion, is_reversed
from ppolint.semantics.values import Value

if TYPE_CHECKING:
    from ppolint.semantics.model import FileModel


def undiscounted_sums(file: FileModel) -> Iterator[Recursion]:
    """cumsum(x[::-1])[::-1], the reward-to-go without a discount."""
    for value in file.of_op("fn"):
        inner = value.args[0].core if value.data == "flip" and value.args else None
        if inner is not None and inner.op == "reduce" and inner.data == "cumsum":
            summed = inner.args[0].core
            if is_reversed(summed) and not is_log_likelihood(summed.args[0].core):
                for node, site in file.places(inner):
                    yield Recursion(RETURNS, (), False, node, site)
    for value in file.of_op("reduce"):
        if _sums_the_rest(value):
            for node, site in file.places(value):
                yield Recursion(RETURNS, (), False, node, site)
    for value in file.of_op("add"):
        if _is_rest_of_total(value):
            for node, site in file.places(value):
                yield Recursion(RETURNS, (), False, node, site)


def _sums_the_rest(value: Value) -> bool:
    """sum(x[t:]) for each of the steps of x."""
    whole = value.args[0].core if value.data == "sum" else None
    if whole is None or whole.op != "item" or whole.args[1].op != "slice":
        return False
    start, stop, step = (part.core for part in whole.args[1].args)
    if start.op != "elem" or not all(p.op == "const" and p.data is None for p in (stop, step)):
        return False
    steps = start.args[0].core
    return steps.op == "fn" and steps.data == "range" and len(steps.args) == 1


def _is_rest_of_total(value: Value) -> bool:
    """x.sum() - x.cumsum(0) + x, or without the x where the sums are moved by one step."""
    totals = {
        t.args[0].core for t in value.args if t.op == "reduce" and t.data in ("sum", "nansum")
    }
    for term in value.args:
        parts = [term.args[0].core] if term.op == "neg" else []
        moved = parts and parts[0].op == "fn" and parts[0].data == "cat"
        if moved:
            parts = [_sliced(e) for e in elements(parts[0]) or ()]
        for part in parts:
            if part.op == "reduce" and part.data == "cumsum" and part.args[0].core in totals:
                if moved or part.args[0].core in [t.core for t in value.args]:
                    return True
    return False


def _sliced(value: Value) -> Value:
    core = value.core
    return core.args[0].core if core.op == "item" and core.args[1].op == "slice" else core


def is_log_likelihood(factor: Value) -> bool:
    core = factor.args[0].core if factor.op == "neg" else factor
    if core.op == "call" and core.args[0].op == "attr":
        return core.args[0].data == "log_prob"
    return core.op == "log" or (core.op == "fn" and core.data in ("log_softmax", "logsigmoid"))
