"""Expressions to values: one handler per kind of libcst node."""

from __future__ import annotations

from typing import Any

import libcst as cst

from ppolint.semantics.normal_form import Values
from ppolint.semantics.program import AllocSite, Event, Frame, Function, Loop, Site, State
from ppolint.semantics.subscripts import Subscripts, string_key
from ppolint.semantics.values import Value

# Values that a pattern never starts from: their places need not be remembered.
_UNNOTED = frozenset({"const", "bool", "ref", "param", "unknown", "func", "class", "elem", "carry"})
_WRAP_ATTRIBUTES = frozenset({"T", "mT", "data", "H"})
_REDUCED = frozenset({"values"})
_LISTS = frozenset({"list", "tuple", "copy", "deepcopy"})
_CONSTANTS = {"True": True, "False": False, "None": None}


class Expressions(Subscripts):
    """The part of the evaluator that evaluates expressions; mixed into `Evaluator`."""

    values: Values
    frame: Frame
    site: Site
    heap: State
    loops: list[Loop]
    events: list[Event]
    occurrences: dict[Value, list[tuple[Any, Site]]]
    work: int
    looked_into: Any

    def eval(self, node: Any) -> Value:
        """The value of an expression; evaluating may emit events and bind names."""
        self.work += 1
        kind = type(node)
        handler = _HANDLERS.get(kind)
        if handler is None:
            return self.values.unknown()
        value = handler(self, node)
        if kind is not cst.Name and value.op not in _UNNOTED:
            if kind not in _HANDING_ON or not self._passes_on(value, node):
                self.note(value, node)
        return value

    def _passes_on(self, value: Value, node: Any) -> bool:
        """Whether a node only hands on a value that was computed, and noted, elsewhere."""
        if type(node) is cst.Call and value.op != "wrap" and node is not self.looked_into:
            return False
        core = value.core.args[0] if value.core.op == "neg" else value.core
        return core in self.occurrences

    def note(self, value: Value, node: Any) -> None:
        """Remember where a value is computed, under its normal form without sign."""
        core = value.core
        if core.op == "neg":
            core = core.args[0]
        places = self.occurrences.get(core)
        if places is None:
            self.occurrences[core] = [(node, self.site)]
        else:
            places.append((node, self.site))

    # -- leaves -----------------------------------------------------------------------------
    def _name(self, node: Any) -> Value:
        name = node.value
        if name in _CONSTANTS:
            return self.values.const(_CONSTANTS[name])
        return self.lookup(name)  # type: ignore[attr-defined]

    def _integer(self, node: Any) -> Value:
        try:
            return self.values.const(int(node.value.replace("_", ""), 0))
        except ValueError:
            return self.values.unknown()

    def _float(self, node: Any) -> Value:
        number = float(node.value.replace("_", ""))
        return self.values.const(
            int(number) if number.is_integer() and abs(number) < 1e9 else number
        )

    def _string(self, node: Any) -> Value:
        text = getattr(node, "value", "\\")
        if text[0] in "'\"" and "\\" not in text:  # nearly every literal is written as it reads
            quotes = 3 if text.startswith(text[0] * 3) and len(text) > 5 else 1
            return self.values.const(text[quotes:-quotes])
        try:
            return self.values.const(node.evaluated_value)
        except (SyntaxError, ValueError, RecursionError):
            # a literal of thousands of pieces is joined recursively; no rule reads such a text
            return self.values.unknown()

    def _formatted(self, node: Any) -> Value:
        for part in node.parts:
            if type(part) is cst.FormattedStringExpression:
                self.eval(part.expression)
        return self.values.make("fn", (), "f-string")

    # -- operators --------------------------------------------------------------------------
    def _unary(self, node: Any) -> Value:
        value = self.eval(node.expression)
        kind = type(node.operator)
        if kind is cst.Minus:
            return self.values.neg(value)
        if kind is cst.Plus:
            return value
        if kind is cst.Not or kind is cst.BitInvert:
            return self.values.make("not", (value,))
        return self.values.unknown()

    def _binary(self, node: Any) -> Value:
        left = self.eval(node.left)
        right = self.eval(node.right)
        return self.binary(type(node.operator).__name__, left, right)

    def binary(self, name: str, left: Value, right: Value) -> Value:
        """The value of `left <operator> right`; `name` is the libcst class of the operator."""
        v = self.values
        if name == "Add":
            if _is_list(left) or _is_list(right):
                return v.make("fn", (left, right), "cat")
            if left.string is not None or right.string is not None:
                return v.make("fn", (left, right), "text")
            return v.add(left, right)
        if name == "Subtract":
            return v.sub(left, right)
        if name == "Multiply":
            if any(_is_list(side) and side.core.op == "alloc" for side in (left, right)):
                return v.make("fn", (left, right), "repeat")
            return v.mul(left, right)
        if name == "Divide":
            return v.div(left, right)
        if name == "Power":
            return v.power(left, right)
        return v.make("fn", (left, right), name)

    def _comparison(self, node: Any) -> Value:
        left = self.eval(node.left)
        parts = []
        for target in node.comparisons:
            right = self.eval(target.comparator)
            operator = _COMPARISONS.get(type(target.operator), "in")
            parts.append(self.values.make("cmp", (left, right), operator))
            left = right
        return parts[0] if len(parts) == 1 else self.values.make("and", tuple(parts))

    def _boolean(self, node: Any) -> Value:
        left = self.eval(node.left)
        right = self.eval(node.right)
        return self.values.make("and" if type(node.operator) is cst.And else "or", (left, right))

    def _conditional(self, node: Any) -> Value:
        condition = self.eval(node.test)
        return self.values.where(condition, self.eval(node.body), self.eval(node.orelse))

    # -- access -----------------------------------------------------------------------------
    def _attribute(self, node: Any) -> Value:
        return self.attribute(self.eval(node.value), node.attr.value, node)

    def attribute(self, base: Value, name: str, node: Any) -> Value:
        """`base.name`, seeing what was assigned to it before on this path."""
        if base.op == "ref":
            return self.resolved(self.values.attr(base, name))  # type: ignore[attr-defined]
        held = self.heap.get((base.core, name))
        if held is not None:
            # an allocation keeps the identity of the attribute: other methods fill the same one
            return held if held.op not in ("alloc", "call") else self.values.attr(base, name)
        if name in _WRAP_ATTRIBUTES and not self._has_attribute(base, name):
            return self.values.make("wrap", (base,), name)
        if base.op == "wrap" and base.data == "extremum-over-stack" and name in _REDUCED:
            return base.args[0]
        return self.class_attribute(base, name, node)  # type: ignore[attr-defined]

    def _has_attribute(self, base: Value, name: str) -> bool:
        """Whether an object of the project has an attribute of its own with a tensor's name."""
        cls = self.class_of(base)  # type: ignore[attr-defined]
        return cls is not None and any(name in c.attributes for c in cls.lineage())

    def index(self, node: Any) -> Value:
        """The index of a Subscript node as one value (a tuple for several)."""
        parts = []
        for element in node.slice:
            part = element.slice
            if type(part) is cst.Index:
                parts.append(self.eval(part.value))
            else:
                ends = (part.lower, part.upper, part.step)
                parts.append(
                    self.values.make(
                        "slice",
                        tuple(self.values.none if e is None else self.eval(e) for e in ends),
                    )
                )
        return parts[0] if len(parts) == 1 else self.values.make("tuple", tuple(parts))

    def _subscript(self, node: Any) -> Value:
        base = self.eval(node.value)
        index = self.index(node)
        return self.item(base, index)

    # -- displays and comprehensions --------------------------------------------------------
    def _tuple(self, node: Any) -> Value:
        return self.values.make("tuple", tuple(self._elements(node)))

    def _elements(self, node: Any) -> list[Value]:
        out = []
        for element in node.elements:
            if type(element) is cst.StarredElement:
                out.append(self.values.make("fn", (self.eval(element.value),), "star"))
            else:
                out.append(self.eval(element.value))
        return out

    def _list(self, node: Any) -> Value:
        return self.allocate("list", node, items=tuple(self._elements(node)))

    def _set(self, node: Any) -> Value:
        return self.allocate("set", node, items=tuple(self._elements(node)))

    def _dict(self, node: Any) -> Value:
        entries: dict[Any, Value] = {}
        for element in node.elements:
            value = self.eval(element.value)
            if type(element) is cst.DictElement:
                key = string_key(self.eval(element.key))
                if key is not None:
                    entries[key] = value
        return self.allocate("dict", node, entries=entries, items=tuple(entries.values()))

    def allocate(
        self,
        kind: str,
        node: Any,
        items: tuple[Value, ...] | None = None,
        entries: dict[Any, Value] | None = None,
    ) -> Value:
        """A new container with its own identity; its first contents count for provenance only."""
        site = AllocSite(kind, node, self.site, items, entries)
        return self.values.make("alloc", (), site)

    def _dict_comprehension(self, node: Any) -> Value:
        """`{key: [] for key in ("obs", "act")}` is a dict whose keys are written out."""
        part = node.for_in
        iterable = self.eval(part.iter)
        members = None
        if part.inner_for_in is None and not part.ifs:
            members = self.iterations(iterable)  # type: ignore[attr-defined]
        outer = self.frame.env.begin()
        entries: dict[Any, Value] = {}
        for member in members or ():
            self.assign(part.target, member, part)  # type: ignore[attr-defined]
            key = string_key(self.eval(node.key))
            if key is None:
                break
            entries[key] = self.eval(node.value)
        self.frame.env.undo(outer)
        if members is None or len(entries) != len(members):
            return self._comprehension(node, iterable)
        return self.allocate("dict", node, entries=entries, items=tuple(entries.values()))

    def _comprehension(self, node: Any, first: Value | None = None) -> Value:
        saved_loop, saved_site = self.frame.loop, self.site
        outer = self.frame.env.begin()
        loop = None
        part = node.for_in
        iterable = self.values.none
        while part is not None:
            iterable = self.eval(part.iter) if first is None else first
            first = None
            loop = self.enter_loop("comprehension", node, iterable)  # type: ignore[attr-defined]
            self.site = Site(
                saved_site.statement, self.frame, loop, saved_site.conditions, saved_site.contexts,
                saved_site.order,
            )  # fmt: skip
            self.assign(part.target, self.element(iterable, loop), part)  # type: ignore[attr-defined]
            for condition in part.ifs:
                self.eval(condition.test)
            part = part.inner_for_in
        if type(node) is cst.DictComp:
            element = self.values.make("tuple", (self.eval(node.key), self.eval(node.value)))
        else:
            element = self.eval(node.elt)
        self.frame.env.undo(outer)
        self.frame.loop, self.site = saved_loop, saved_site
        assert loop is not None
        return self.values.make("comp", (element, iterable), loop.bit)

    # -- the rest ---------------------------------------------------------------------------
    def _lambda(self, node: Any) -> Value:
        function = Function(
            "<lambda>", f"{self.frame.scope}.<lambda>".lstrip("."), node, self.frame.module,
            self.frame,
        )  # fmt: skip
        function.defaults = self._defaults(node.params)  # type: ignore[attr-defined]
        self._register(function)  # type: ignore[attr-defined]
        return self.values.make("func", (), function)

    def _named(self, node: Any) -> Value:
        value = self.eval(node.value)
        self.assign(node.target, value, node)  # type: ignore[attr-defined]
        return value

    def _await(self, node: Any) -> Value:
        return self.eval(node.expression)

    def _yield(self, node: Any) -> Value:
        value = node.value
        if value is not None:
            inner = value.item if type(value) is cst.From else value
            yielded = self.eval(inner)
            self.frame.yields.append(yielded)
            self.emit("yield", node, yielded)  # type: ignore[attr-defined]
        else:
            self.frame.yields.append(self.values.none)
        return self.values.unknown()

    def _call(self, node: Any) -> Value:
        return self.call(node)  # type: ignore[attr-defined]


def _is_list(value: Value) -> bool:
    """Whether a value is a list, not an array that was made of one."""
    while value.op == "wrap" and value.data in _LISTS:
        value = value.args[0]
    return value.op in ("alloc", "comp")


_HANDING_ON = frozenset(
    {
        cst.Attribute,
        cst.Subscript,
        cst.NamedExpr,
        cst.Await,
        cst.IfExp,
        cst.Call,
        cst.UnaryOperation,
    }
)
_COMPARISONS = {
    cst.LessThan: "<",
    cst.LessThanEqual: "<=",
    cst.GreaterThan: ">",
    cst.GreaterThanEqual: ">=",
    cst.Equal: "==",
    cst.NotEqual: "!=",
    cst.Is: "is",
    cst.IsNot: "is not",
    cst.In: "in",
    cst.NotIn: "not in",
}

_HANDLERS = {
    cst.Name: Expressions._name,
    cst.Integer: Expressions._integer,
    cst.Float: Expressions._float,
    cst.SimpleString: Expressions._string,
    cst.ConcatenatedString: Expressions._string,
    cst.FormattedString: Expressions._formatted,
    cst.Ellipsis: lambda self, node: self.values.ref("builtins.Ellipsis"),
    cst.UnaryOperation: Expressions._unary,
    cst.BinaryOperation: Expressions._binary,
    cst.Comparison: Expressions._comparison,
    cst.BooleanOperation: Expressions._boolean,
    cst.IfExp: Expressions._conditional,
    cst.Attribute: Expressions._attribute,
    cst.Subscript: Expressions._subscript,
    cst.Call: Expressions._call,
    cst.Tuple: Expressions._tuple,
    cst.List: Expressions._list,
    cst.Set: Expressions._set,
    cst.Dict: Expressions._dict,
    cst.ListComp: Expressions._comprehension,
    cst.SetComp: Expressions._comprehension,
    cst.GeneratorExp: Expressions._comprehension,
    cst.DictComp: Expressions._dict_comprehension,
    cst.Lambda: Expressions._lambda,
    cst.NamedExpr: Expressions._named,
    cst.Await: Expressions._await,
    cst.Yield: Expressions._yield,
}
