"""Runs a file symbolically: statements in order, branches merged, loops once, helpers looked into.

The outcome is not what the program prints but what it computes: a `Value` for every expression,
with its occurrences, the variables that loops carry, the containers that are filled, and an ordered
list of events. Statements are in `statements.py`, expressions in `expressions.py`, calls in
`calls.py`; this module has the state, and the names and cells that it binds.
"""

from __future__ import annotations

import builtins
from typing import TYPE_CHECKING, Any

import libcst as cst

from ppolint.semantics.calls import Calls
from ppolint.semantics.expressions import Expressions
from ppolint.semantics.normal_form import Values
from ppolint.semantics.program import (
    Class,
    Event,
    Frame,
    Function,
    Loop,
    ModuleInfo,
    Site,
    State,
)
from ppolint.semantics.statements import Statements
from ppolint.semantics.values import Value

if TYPE_CHECKING:
    from ppolint.semantics.project import Project


_BUILTINS = frozenset(dir(builtins))
# Names that everybody gives to these modules, for files that get them through `import *`.
_CONVENTIONAL = {
    "torch": "torch",
    "th": "torch",
    "nn": "torch.nn",
    "F": "torch.nn.functional",
    "np": "numpy",
    "math": "math",
}
# What a tensor that is changed under a mask was computed by.
_COMPUTED = frozenset(
    {"add", "mul", "neg", "div", "exp", "log", "clip", "min", "max", "where", "pow", "abs", "sqrt"}
)


class Evaluator(Statements, Expressions, Calls):
    """The symbolic execution of one file; `run()` once, then read the tables."""

    def __init__(self, tree: cst.Module, path: str, project: Project | None = None) -> None:
        self.values = Values()
        self.project = project
        self.module = ModuleInfo(path, tree, main=True)
        self.modules: dict[str, ModuleInfo] = {path: self.module}
        self.heap = State()
        self.loops: list[Loop] = []
        self.events: list[Event] = []
        self.occurrences: dict[Value, list[tuple[Any, Site]]] = {}
        self.functions: list[Function] = []
        self.classes: list[Class] = []
        self.dependencies: set[str] = set()
        self.work = 0
        self.looked_into: Any = None  # the last call whose function was looked into
        self.order = 0
        self._pending: list[Function] = []
        self._seen_definitions: dict[int, Any] = {}
        self.self_classes: dict[Value, Class] = {}
        self.assignments: dict[tuple[Value, str], list[Value]] = {}
        self.frame = Frame(None, self.module, None, None)
        self.module.frame = self.frame
        self.site = Site(tree, self.frame, None)

    # -- whole program ----------------------------------------------------------------------
    def run(self) -> None:
        """Execute the module body, then every function and method with unknown arguments."""
        self.exec_block(self.module.tree.body)
        done = 0
        while done < len(self._pending):
            function = self._pending[done]
            done += 1
            self._run_generic(function)

    def _run_generic(self, function: Function) -> None:
        values = self.values
        frame = Frame(function, function.module, function.parent, None)
        frame.contexts = function.contexts
        params = function.node.params
        names = _parameter_names(params)
        for at, name in enumerate(names):
            value = values.make("param", (), (id(function.node), name))
            if at == 0 and function.cls is not None and not function.is_static:
                value = self.self_of(function.cls)
                frame.self_value = value
            frame.env[name] = value
        saved = self.heap
        self.heap = State()
        self._execute(frame, function.node)
        self.heap = saved

    def self_of(self, cls: Class) -> Value:
        """The value that stands for an instance of `cls` inside its own methods."""
        if cls.self_value is None:
            cls.self_value = self.values.make("param", (), (id(cls.node), "self"))
            self.self_classes[cls.self_value] = cls
        return cls.self_value

    def _execute(self, frame: Frame, node: Any) -> None:
        """Run the body of a function or lambda in `frame`."""
        outer, site = self.frame, self.site
        self.frame = frame
        self.site = self._site(node)
        if type(node) is cst.Lambda:
            frame.returns.append(self.eval(node.body))
        else:
            self.exec_suite(node.body)
        self.frame, self.site = outer, site

    def _site(self, statement: Any) -> Site:
        frame = self.frame
        self.order = order = self.order + 1
        contexts = frame.contexts
        if frame.call_site is not None and frame.call_site.contexts:
            contexts = self.contexts_of(frame)
        return Site(statement, frame, frame.loop, frame.conditions, contexts, order)

    @staticmethod
    def contexts_of(frame: Frame | None) -> tuple[Value, ...]:
        if frame is None or frame.caller is None or frame.call_site is None:
            return frame.contexts if frame is not None else ()
        return (*frame.call_site.contexts, *frame.contexts)

    def emit(
        self,
        kind: str,
        node: Any,
        value: Value,
        base: Value | None = None,
        key: Any = None,
        args: tuple[Value, ...] = (),
    ) -> None:
        self.events.append(Event(kind, base, key, value, args, node, self.site))

    # -- names ------------------------------------------------------------------------------
    def lookup(self, name: str) -> Value:
        frame: Frame | None = self.frame
        while frame is not None:
            value = frame.env.get(name)
            if value is not None:
                return value
            frame = frame.lexical
        module = self.frame.module.frame
        if module is not None and "*" in module.env and name in _CONVENTIONAL:
            return self.values.ref(_CONVENTIONAL[name])
        if module is not None and "*" in module.env and name not in _BUILTINS:
            return self.from_stars(name, module) or self.values.ref(f"builtins.{name}")
        return self.values.ref(f"builtins.{name}")

    def bind(self, name: str, value: Value, node: Any) -> None:
        frame = self.frame
        if frame.globals and name in frame.globals and frame.module.frame is not None:
            frame = frame.module.frame
        frame.env[name] = value
        self.emit("bind", node, value, key=name)

    def assign(self, target: Any, value: Value, node: Any) -> None:
        """Bind `value` to any kind of target; `node` is what a finding would point at."""
        kind = type(target)
        if kind is cst.Name:
            self.bind(target.value, value, node)
        elif kind in (cst.Tuple, cst.List):
            starred = [i for i, e in enumerate(target.elements) if type(e) is cst.StarredElement]
            count = len(target.elements)
            for at, element in enumerate(target.elements):
                if starred and at >= starred[0]:
                    at_value = self.values.unknown()
                    if at > starred[0]:
                        at_value = self.item(value, self.values.const(at - count))
                else:
                    at_value = self.item(value, self.values.const(at))
                self.assign(element.value, at_value, node)
        elif kind is cst.Attribute:
            base = self.eval(target.value)
            self.set_attribute(base, target.attr.value, value, node)
        elif kind is cst.Subscript:
            base = self.eval(target.value)
            index = self.index(target)
            self.store(base, index, value, node)
            if type(target.value) is cst.Name and _is_mask(index) and base.core.op in _COMPUTED:
                # x[x > hi] = hi
                limited = self.values.where(index, value, base)
                self.note(limited, node)
                self.frame.env[target.value.value] = limited
        elif kind is cst.StarredElement:
            self.assign(target.value, self.values.unknown(), node)

    def set_attribute(self, base: Value, name: str, value: Value, node: Any) -> None:
        self.heap[(base.core, name)] = value
        self.emit("setattr", node, value, base=base, key=name)
        for table, table_key in self._definition_tables(base, name):
            definitions = table.setdefault(table_key, [])
            if value not in definitions:
                definitions.append(value)

    def _definition_tables(self, base: Value, name: str) -> list[tuple[dict, Any]]:
        cls = self.self_classes.get(base)
        if cls is not None:
            return [(cls.attributes, name)]
        return [(self.assignments, (base.core, name))]

    def store(self, base: Value, index: Value, value: Value, node: Any) -> None:
        self.emit("store", node, value, base=base, key=index)
        key = literal_key(index)
        if key is not None:
            self.heap[(base.core, ("item", key))] = value
        elif index.loops:
            # what this iteration puts into a cell is what it reads from there
            self.heap[(base.core, index.core)] = value


def _is_mask(index: Value) -> bool:
    return index.core.op == "cmp" and index.core.data in ("<", "<=", ">", ">=")


def _parameter_names(params: Any) -> list[str]:
    names = [p.name.value for p in (*params.posonly_params, *params.params)]
    if type(params.star_arg) is cst.Param:
        names.append(params.star_arg.name.value)
    names.extend(p.name.value for p in params.kwonly_params)
    if params.star_kwarg is not None:
        names.append(params.star_kwarg.name.value)
    return names


def literal_key(index: Value) -> Any:
    """A string key, or a tuple of strings, of a dict or TensorDict; None for anything else."""
    if index.string is not None:
        return index.string
    if index.op == "tuple" and index.args and all(a.string is not None for a in index.args):
        return tuple(a.string for a in index.args)
    return None
