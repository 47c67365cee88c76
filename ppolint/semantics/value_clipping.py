"""The clipped value loss: old + clip(new - old, -c, c) against a return."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ppolint.semantics.program import Site
from ppolint.semantics.ratios import is_difference, settled
from ppolint.semantics.values import Value, terms

if TYPE_CHECKING:
    from ppolint.semantics.model import FileModel

_REGRESSION = frozenset({"mse_loss", "smooth_l1_loss", "huber_loss", "l1_loss"})
_REGRESSION_MODULES = frozenset({"MSELoss", "SmoothL1Loss", "HuberLoss", "L1Loss"})


@dataclass(frozen=True, slots=True)
class ValueClip:
    """One clipped value loss: old + clip(new - old, -c, c) against a return."""

    clip: Value
    epsilon: Value
    node: Any
    site: Site


def value_clips(file: FileModel) -> list[ValueClip]:
    """Every clipped value loss of a file, once a place."""
    found: list[ValueClip] = []
    candidates: list[tuple[Any, list[tuple[Any, Site]]]] = []
    seen: set[int] = set()
    for clip in file.of_op("clip"):
        if not is_difference(clip.args[0]) or not _opposite(file, clip):
            continue
        sums = _predictions(file, clip)
        errors = [u for form in (clip, file.values.neg(clip)) for u in file.users(form)]
        regressed = [
            e
            for e in errors
            if e.op == "add" and not _is_own_target(file, e, clip) and _is_regressed(file, e, clip)
        ]
        if not sums or not regressed:
            continue
        for value in [clip, *sums]:
            places = [p for p in file.places(value) if p[1].frame.module.main]
            if places:
                candidates.append((clip, places))
                break
        else:
            # a helper of another file limits what is compared here
            places = next((p for v in (clip, *sums) if (p := file.places(v))), [])
            if any(_is_here(file, user) for e in regressed for user in [e, *file.users(e)]):
                candidates.append((clip, [file.here(*place) for place in places]))
    once: set[tuple[Value, Any]] = set()
    for clip, node, site in settled(file, candidates):
        # branches that compute the same are one
        place = (clip, site.frame.function)
        if id(node) not in seen and place not in once:
            seen.add(id(node))
            once.add(place)
            found.append(ValueClip(clip, clip.args[2].core, node, site))
    return found


def _is_here(file: FileModel, value: Value) -> bool:
    return any(site.frame.module.main for _, site in file.places(value))


def _is_own_target(file: FileModel, error: Value, clip: Value) -> bool:
    """Whether the change is compared with what it was taken to and with nothing else: a limited
    residual of a signal. A return may be made of the prediction too, as advantage plus value."""
    negated = file.values.neg
    parts = {t if clip in terms(error) else negated(t) for t in terms(error)}
    plus = [t for t in terms(clip.args[0]) if t.op != "neg" and t.number is None]
    minus = [t.args[0] for t in terms(clip.args[0]) if t.op == "neg"]
    if len([t for t in parts if t.number is None]) > 1 + len(plus) + len(minus):
        return False
    if all(old in parts for old in minus):
        return any(negated(new) in parts for new in plus)
    return all(negated(old) in parts for old in plus) and any(new in parts for new in minus)


def _opposite(file: FileModel, clip: Value) -> bool:
    lo, hi = clip.args[1].core, clip.args[2].core
    return file.values.neg(hi) is lo and lo is not hi


def _predictions(file: FileModel, clip: Value) -> list[Value]:
    """The sums that hold old + clip(new - old), whatever else they hold."""
    negative = {t.args[0] for t in terms(clip.args[0]) if t.op == "neg"}
    positive = {t for t in terms(clip.args[0]) if t.op != "neg" and t.number is None}
    flipped = {file.values.neg(clip)} | {clip}
    out = []
    for form in flipped:
        for user in file.users(form):
            if user.op != "add":
                continue
            sign = form is clip
            held = set(user.args)
            old = {n if sign else file.values.neg(n).core for n in negative}
            other = {p if not sign else file.values.neg(p).core for p in positive}
            if old <= held or (other and other <= held):
                out.append(user)
    return out


def _is_regressed(file: FileModel, total: Value, clip: Value) -> bool:
    """Whether a sum is an error that is squared, or the prediction of a regression loss."""
    queue, seen = [total], {total}
    depth = 0
    while queue and depth < 12:
        depth += 1
        for user in file.users(queue.pop()):
            if user in seen:
                continue
            seen.add(user)
            if user.op == "pow" and user.args[1].number == 2:
                return True
            if user.op == "mul" and user.args.count(total) > 1:
                return True
            if user.op == "fn" and user.data in _REGRESSION:
                return True
            if user.op == "call" and (_is_regression_call(file, user) or _is_larger(file, user)):
                return True
            if user.op == "reduce" and user.data == "norm":
                return True
            if user.op == "max" and all(a.op == "abs" for a in user.args):
                return True  # the larger of two distances
            if user.op in ("neg", "phi", "after", "add", "abs", "where", "mul", "max"):
                queue.append(user)
    return False


def _is_larger(file: FileModel, call: Value) -> bool:
    """Whether the larger of this loss and the same loss of another prediction is taken."""
    return any(
        other.op == "call" and other is not call and other.args[0] is call.args[0]
        for user in file.users(call)
        if user.op == "max"
        for other in (a.core for a in user.args)
    )


def _is_regression_call(file: FileModel, call: Value) -> bool:
    for callee in file.resolve(call.args[0]):
        if callee.op == "call":
            name = file.callee(callee) or ""
            if name.rpartition(".")[2] in _REGRESSION_MODULES:
                return True
        if callee.op == "ref" and str(callee.data).rpartition(".")[2] in _REGRESSION:
            return True
    return False
