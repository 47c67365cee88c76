"""What is in a container: `base[index]` and what a loop over it yields, in normal form."""

from __future__ import annotations

from typing import Any

from ppolint.semantics import operations
from ppolint.semantics.normal_form import Values
from ppolint.semantics.program import Loop, State
from ppolint.semantics.values import Value


class Subscripts:
    """The part of the evaluator that takes parts of values; mixed into `Evaluator`."""

    values: Values
    heap: State
    loops: list[Loop]

    def item(self, base: Value, index: Value) -> Value:
        """`base[index]` in normal form."""
        v = self.values
        core = base.core
        if base.op == "wrap" and base.data == "extremum-over-stack":
            return base.args[0]
        number = index.number
        if (
            core.op == "tuple"
            and isinstance(number, int)
            and -len(core.args) <= number < len(core.args)
        ):
            return core.args[number]
        if core.op == "call" and isinstance(number, int):
            field = self.field_at(core, number)  # type: ignore[attr-defined]
            if field is not None:
                return field
        if core.op == "fn" and core.data == "sorted" and number == 1:
            return self._middle(core.args)
        if core.op == "comp" and isinstance(number, int):
            part = self._part_of_display(core, number)
            if part is not None:
                return part
        if core.op == "elem" and isinstance(number, int):
            part = self._part_of_element(core, number)
            if part is not None:
                return part
        key = string_key(index)
        if key is not None:
            held = self.heap.get((core, ("item", key)))
            if held is not None:
                return held
            entries = getattr(core.data, "entries", None) if core.op == "alloc" else None
            if entries and key in entries:
                return entries[key]
        if index.loops:
            held = self._held_cell(core, index.core)
            if held is not None:
                return held
            if _repeats_one_number(base):
                return core
        if index.op == "slice":
            lo, hi, step = index.args
            if step.number == -1 and lo is v.none and hi is v.none:
                return operations.flip(v, base)
            if lo is v.none and hi is v.none:
                return v.make("wrap", (base,), "index")
        elif _reshaping(v, index):
            return v.make("wrap", (base,), "index")
        elif _turns_rows(v, index) or _counts_down(index):
            return operations.flip(v, base)
        return v.make("item", (base, index))

    def _middle(self, three: tuple[Value, ...]) -> Value:
        """The second of three numbers by size: one of them limited by the other two."""
        v = self.values
        for x in three:
            lo, hi = (a for a in three if a is not x)
            for low, high in ((lo, hi), (hi, lo)):
                limited = v.extremum("min", v.extremum("max", x, low), high)
                if limited.core.op not in ("min", "max"):
                    return limited
        return v.make("item", (v.make("fn", three, "sorted"), v.one))

    def _part_of_display(self, comp: Value, at: int) -> Value | None:
        """Element `at` of `[f(x) for x in (a, b)]`."""
        parts = operations.elements(comp.args[1])
        element, loop = comp.args[0], self.loops[comp.data]  # type: ignore[index]
        if parts is None or not -len(parts) <= at < len(parts) or comp.args[1].core.op == "fn":
            return None
        if loop.parent is not None and loop.parent.kind == "comprehension":
            return None
        start = self.element(comp.args[1], loop)
        return self.values.substituted(element, start, parts[at])

    def _held_cell(self, container: Value, index: Value) -> Value | None:
        """What was put into `container[index]` before, also when only a part of it is read."""
        held = self.heap.get((container, index))
        if held is None and index.op == "tuple" and index.args:
            held = self.heap.get((container, index.args[0]))
            if held is not None:
                return self.values.make("wrap", (held,), "index")
        return held

    def _part_of_element(self, elem: Value, at: int) -> Value | None:
        """Element `at` of what a loop over zip, enumerate or a reversed one yields."""
        v = self.values
        iterable = elem.args[0].core
        flipped = False
        while iterable.op == "fn" and iterable.data == "flip":
            iterable = iterable.args[0].core
            flipped = not flipped
        loop = self.loops[elem.data]  # type: ignore[index]

        def element(of: Value) -> Value:
            return self.element(operations.flip(v, of) if flipped else of, loop)

        if (
            iterable.op == "fn"
            and iterable.data == "zip"
            and -len(iterable.args) <= at < len(iterable.args)
        ):
            return element(iterable.args[at])
        if iterable.op == "fn" and iterable.data == "enumerate" and at in (0, 1):
            source = iterable.args[0]
            if at == 1:
                return element(source)
            return element(v.make("fn", (v.make("fn", (source,), "len"),), "range"))
        return None

    def element(self, iterable: Value, loop: Loop) -> Value:
        """What one iteration over `iterable` yields."""
        core = iterable.core
        if core.op == "fn" and core.data in ("zip", "enumerate"):
            parts = core.args if core.data == "zip" else (None, core.args[0])
            if core.data == "enumerate":
                counter = self.values.make(
                    "fn", (self.values.make("fn", (core.args[0],), "len"),), "range"
                )
                parts = (counter, core.args[0])
            return self.values.make("tuple", tuple(self.element(p, loop) for p in parts))
        columns = _columns_of_loader(core)
        if columns:  # rows of each tensor: the numbers stay what they were computed from
            return self.values.make(
                "tuple", tuple(self.values.make("wrap", (c,), "rows") for c in columns)
            )
        return self.values.make("elem", (core,), loop.bit, loops=loop.mask)


def string_key(index: Value) -> Any:
    """The string, or the strings, of an index that is written out; None for any other index."""
    if index.string is not None:
        return index.string
    if index.op == "tuple" and index.args and all(a.string is not None for a in index.args):
        return tuple(a.string for a in index.args)
    return None


def _columns_of_loader(core: Value) -> tuple[Value, ...]:
    """The tensors of `DataLoader(TensorDataset(x, y), ...)`."""
    if core.op != "call" or len(core.args) < 2:
        return ()
    dataset = core.args[1].core
    if (core.args[0].dotted or "") != "torch.utils.data.DataLoader" or dataset.op != "call":
        return ()
    site = dataset.data
    known = dataset.args[0].dotted == "torch.utils.data.TensorDataset"
    whole = not getattr(site, "star", True) and len(dataset.args) > 2
    return dataset.args[1:] if known and whole else ()


def _repeats_one_number(base: Value) -> bool:
    """Whether a setting was made as long as the steps: `lambda_ * torch.ones_like(rewards)`."""
    if base.core.op not in ("param", "attr", "const"):
        return False
    if base.op == "mul":
        return any(part.op == "wrap" and part.data == "ones_like" for part in base.args)
    return base.op == "wrap" and base.data == "full_like"


def _counts_down(index: Value) -> bool:
    """Whether an index is torch.arange(n - 1, -1, -1)."""
    core = index.core
    if core.op != "call" or not (core.args[0].dotted or "").endswith(".arange"):
        return False
    return len(core.args) == 4 and core.args[2].number == core.args[3].number == -1


def _turns_rows(v: Values, index: Value) -> bool:
    """Whether an index only turns the first dimension around: [::-1, :]."""
    if index.op != "tuple" or not index.args or index.args[0].op != "slice":
        return False
    lo, hi, step = index.args[0].args
    rest = v.make("tuple", index.args[1:])
    return step.number == -1 and lo is v.none and hi is v.none and _reshaping(v, rest)


def _reshaping(v: Values, index: Value) -> bool:
    """Whether an index only adds or keeps dimensions: [None], [...], [:, None]."""
    parts = index.args if index.op == "tuple" else (index,)
    return bool(parts) and all(
        p is v.none
        or p.dotted == "builtins.Ellipsis"
        or (p.op == "slice" and all(e is v.none for e in p.args))
        or p.dotted in ("numpy.newaxis", "torch.newaxis")
        for p in parts
    )
