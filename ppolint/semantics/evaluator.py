"""Runs a file symbolically: statements in order, branches merged, loops once, helpers looked into.

The outcome is not what the program prints but what it computes: a `Value` for every expression,
with its occurrences, the variables that loops carry, the containers that are filled, and an ordered
list of events. Expressions are in `expressions.py`, calls in `calls.py`; this module has the
statements and the state.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import libcst as cst

from ppolint.semantics.calls import Calls
from ppolint.semantics.expressions import Expressions
from ppolint.semantics.program import (
    Carried,
    Class,
    Event,
    Frame,
    Function,
    Loop,
    ModuleInfo,
    Site,
    State,
)
from ppolint.semantics.scan import assigned
from ppolint.semantics.values import Value, Values

if TYPE_CHECKING:
    from ppolint.semantics.project import Project


# Names that everybody gives to these modules, for files that get them through `import *`.
_CONVENTIONAL = {
    "torch": "torch",
    "th": "torch",
    "nn": "torch.nn",
    "F": "torch.nn.functional",
    "np": "numpy",
    "math": "math",
}


class Evaluator(Expressions, Calls):
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
        self.inlined = 0
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
        if isinstance(node, cst.Lambda):
            frame.returns.append(self.eval(node.body))
        else:
            self.exec_suite(node.body)
        self.frame, self.site = outer, site

    def _site(self, statement: Any) -> Site:
        frame = self.frame
        self.order += 1
        return Site(
            statement, frame, frame.loop, frame.conditions, self.contexts_of(frame), self.order
        )

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
        return self.values.ref(f"builtins.{name}")

    def bind(self, name: str, value: Value, node: Any) -> None:
        frame = self.frame
        if name in frame.globals and frame.module.frame is not None:
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

    # -- statements -------------------------------------------------------------------------
    def exec_suite(self, body: Any) -> bool:
        """Execute an indented block or a suite on the header's line."""
        if type(body) is cst.SimpleStatementSuite:
            return self._small_statements(body)
        return self.exec_block(body.body)

    def exec_block(self, statements: Iterable[Any]) -> bool:
        """Execute statements in order; True when control never gets past them."""
        for statement in statements:
            if type(statement) is cst.SimpleStatementLine:
                ended = self._small_statements(statement)
            else:
                handler = _COMPOUND.get(type(statement))
                if handler is None:
                    continue
                self.site = self._site(statement)
                ended = handler(self, statement)
            if ended:
                return True
        return False

    def _small_statements(self, line: Any) -> bool:
        self.site = self._site(line)
        for small in line.body:
            kind = type(small)
            if kind is cst.Expr:
                self._expression_statement(small)
            elif kind is cst.Assign:
                value = self.eval(small.value)
                for target in small.targets:
                    self.assign(target.target, value, small)
            elif kind is cst.AugAssign:
                self._augmented(small)
            elif kind is cst.AnnAssign:
                if small.value is not None:
                    self.assign(small.target, self.eval(small.value), small)
            elif kind is cst.Return:
                value = self.eval(small.value) if small.value is not None else self.values.none
                self.frame.returns.append(value)
                self.emit("return", small, value)
                return True
            elif kind in (cst.Import, cst.ImportFrom):
                self._import(small)
            elif kind in (cst.Raise, cst.Continue, cst.Break):
                if kind is cst.Raise and small.exc is not None:
                    self.eval(small.exc)
                return True
            elif kind is cst.Assert:
                self.eval(small.test)
            elif kind is cst.Global:
                self.frame.globals.update(item.name.value for item in small.names)
            elif kind is cst.Del and type(small.target) is cst.Subscript:
                base = self.eval(small.target.value)
                self.emit("delete", small, base, base=base, key=self.index(small.target))
        return False

    def _expression_statement(self, small: Any) -> None:
        value = small.value
        result = self.eval(value)
        # x.clamp_(...) and x.reverse() as a statement rebind x
        if type(value) is cst.Call and type(value.func) is cst.Attribute:
            name = value.func.attr.value
            receiver = value.func.value
            in_place = name.endswith("_") and not name.endswith("__") and result.op != "call"
            if name == "reverse" and not value.args:
                result = self.values.make("fn", (self.eval(receiver),), "flip")
                in_place = True
            if in_place:
                if type(receiver) is cst.Name:
                    self.frame.env[receiver.value] = result
                elif type(receiver) is cst.Attribute:
                    self.heap[(self.eval(receiver.value).core, receiver.attr.value)] = result

    def _augmented(self, small: Any) -> None:
        target = small.target
        old = self.eval(target)
        operand = self.eval(small.value)
        name = type(small.operator).__name__.removesuffix("Assign")
        if old.core.op == "alloc" and name == "Add":
            self.emit("method", small, old, base=old, key="extend", args=(operand,))
            return
        value = self.binary(name, old, operand)
        if type(target) is cst.Subscript:
            base = self.eval(target.value)
            self.emit("augment", small, operand, base=base, key=self.index(target))
        elif name == "Add":
            self.emit("augment", small, operand, base=old, key=None)
        self.note(value, small)
        self.assign(target, value, small)

    def _import(self, node: Any) -> None:
        values = self.values
        env = self.frame.env
        if type(node) is cst.Import:
            for alias in node.names:
                dotted = dotted_name(alias.name)
                if alias.asname is not None and type(alias.asname.name) is cst.Name:
                    env[alias.asname.name.value] = values.ref(dotted)
                else:
                    root = dotted.partition(".")[0]
                    env[root] = values.ref(root)
            return
        prefix = "." * len(node.relative)
        module = dotted_name(node.module) if node.module is not None else ""
        base = f"{prefix}{module}"
        if type(node.names) is cst.ImportStar:
            self._import_star(base)
            return
        joiner = "" if base.endswith(".") or not base else "."
        for alias in node.names:
            name = alias.name.value
            bound = name
            if alias.asname is not None and type(alias.asname.name) is cst.Name:
                bound = alias.asname.name.value
            env[bound] = values.ref(f"{base}{joiner}{name}")

    def _import_star(self, base: str) -> None:
        self.frame.env.setdefault("*", self.values.ref(base))
        module = self.module_named(base)
        if module is not None and module.frame is not None and module.frame is not self.frame:
            for name, value in module.frame.env.items():
                if isinstance(name, str) and not name.startswith("_"):
                    self.frame.env.setdefault(name, value)

    # -- branches ---------------------------------------------------------------------------
    def _if(self, node: Any) -> bool:
        self.eval(node.test)
        return self._branches(node, [node.body, node.orelse])

    def _branches(self, node: Any, bodies: list[Any]) -> bool:
        """Run alternative bodies (None: an empty one) from the same state and merge what they do."""
        frame = self.frame
        conditions = frame.conditions
        changes: list[tuple[dict, dict]] = []
        for at, body in enumerate(bodies):
            frame.conditions = (*conditions, (node, at))
            outer = self._begin()
            if body is None:
                ended = False
            elif type(body) is cst.If:
                self.site = self._site(body)
                ended = self._if(body)
            elif type(body) is cst.Else:
                ended = self.exec_suite(body.body)
            else:
                ended = self.exec_suite(body)
            changed = self._undo(outer)
            if not ended:
                changes.append(changed)
        frame.conditions = conditions
        self._merge(changes)
        return not changes

    def _begin(self) -> tuple[Any, Any]:
        return self.frame.env.begin(), self.heap.begin()

    def _undo(self, outer: tuple[Any, Any]) -> tuple[dict, dict]:
        return self.frame.env.undo(outer[0]), self.heap.undo(outer[1])

    def _merge(self, changes: list[tuple[dict, dict]]) -> None:
        """Apply what alternative branches changed: where they differ, either value is possible."""
        for at, state in enumerate((self.frame.env, self.heap)):
            keys = dict.fromkeys(key for change in changes for key in change[at])
            for key in keys:
                before = state.get(key)
                options = [change[at].get(key, before) for change in changes]
                known = [value for value in options if value is not None]
                state[key] = self.values.phi(known) if len(known) > 1 else known[0]

    def _try(self, node: Any) -> bool:
        conditions = self.frame.conditions
        changes: list[tuple[dict, dict]] = []
        outer = self._begin()
        ended = self.exec_suite(node.body)
        if not ended and node.orelse is not None:
            ended = self.exec_suite(node.orelse.body)
        body = self._undo(outer)
        if not ended:
            changes.append(body)
        for at, handler in enumerate(node.handlers):
            self.frame.conditions = (*conditions, (node, at + 1))
            outer = self._begin()
            if not _imports(handler):
                self.frame.env.update_all(body[0])
                self.heap.update_all(body[1])
            if handler.name is not None and type(handler.name.name) is cst.Name:
                self.frame.env[handler.name.name.value] = self.values.unknown()
            ended = self.exec_suite(handler.body)
            changed = self._undo(outer)
            if not ended:
                changes.append(changed)
        self.frame.conditions = conditions
        self._merge(changes)
        if node.finalbody is not None and self.exec_suite(node.finalbody.body):
            return True
        return not changes

    def _with(self, node: Any) -> bool:
        frame = self.frame
        outer = frame.contexts
        for item in node.items:
            value = self.eval(item.item)
            frame.contexts = (*frame.contexts, value)
            if item.asname is not None:
                self.assign(item.asname.name, value, item)
        self.site = self._site(node)
        ended = self.exec_suite(node.body)
        frame.contexts = outer
        return ended

    def _match(self, node: Any) -> bool:
        self.eval(node.subject)
        return self._branches(node, [case.body for case in node.cases] + [None])

    # -- loops ------------------------------------------------------------------------------
    def enter_loop(self, kind: str, node: Any, iterable: Value | None) -> Loop:
        loop = Loop(len(self.loops), kind, node, iterable, self.frame.loop, self.frame)
        self.loops.append(loop)
        self.frame.loop = loop
        return loop

    def _for(self, node: Any) -> bool:
        iterable = self.eval(node.iter)
        loop = self.enter_loop("for", node, iterable)
        before = self._carry(loop, node)
        self.site = self._site(node)
        self.assign(node.target, self.element(iterable, loop), node)
        self.exec_suite(node.body)
        self._leave_loop(loop, before)
        if node.orelse is not None:
            self.exec_suite(node.orelse.body)
        return False

    def _while(self, node: Any) -> bool:
        loop = self.enter_loop("while", node, None)
        before = self._carry(loop, node)
        self.site = self._site(node)
        loop.condition = self.eval(node.test)
        self.exec_suite(node.body)
        self._leave_loop(loop, before)
        if node.orelse is not None:
            self.exec_suite(node.orelse.body)
        return False

    def _carry(self, loop: Loop, node: Any) -> dict[Any, Value]:
        """Put a placeholder for every variable that the body assigns and that exists before."""
        before: dict[Any, Value] = {}
        for target in assigned(node):
            if isinstance(target, str):
                init = self.frame.env.get(target)
                if init is None or init.op in ("func", "class"):
                    continue
                before[target] = init
                self.frame.env[target] = self.values.make(
                    "carry", (), (loop.bit, target), loops=loop.mask
                )
            else:
                owner, name = target
                base = self.lookup(owner).core
                init = self.heap.get((base, name))
                if init is None:
                    init = self.values.attr(base, name)
                before[(base, name)] = init
                self.heap[(base, name)] = self.values.make(
                    "carry", (init,) if init.op == "attr" else (), (loop.bit, name), loops=loop.mask
                )
        return before

    def _leave_loop(self, loop: Loop, before: dict[Any, Value]) -> None:
        values = self.values
        self.frame.loop = loop.parent
        for key, init in before.items():
            state = self.frame.env if isinstance(key, str) else self.heap
            step = state[key]
            if step.op == "carry" and step.data[0] == loop.bit:  # type: ignore[index]
                state[key] = init
                continue
            name = key if isinstance(key, str) else key[1]
            start = values.make(
                "carry",
                (init,) if not isinstance(key, str) and init.op == "attr" else (),
                (loop.bit, name),
                loops=loop.mask,
            )
            node, site = self._last_assignment(name, loop)
            loop.carried[key] = Carried(key, loop, start, init, step, node, site)
            state[key] = values.make("after", (init, step), loop.bit)

    def _last_assignment(self, name: str, loop: Loop) -> tuple[Any, Site | None]:
        for event in reversed(self.events):
            if event.kind in ("bind", "setattr") and event.key == name:
                if event.site.in_loop(loop):
                    return event.node, event.site
                break
        return None, None

    # -- definitions ------------------------------------------------------------------------
    def _function(self, node: Any) -> bool:
        function = self._define(node, None)
        self.bind(node.name.value, self.values.make("func", (), function), node)
        return False

    def _define(self, node: Any, cls: Class | None) -> Function:
        decorators = tuple(self.eval(d.decorator) for d in node.decorators)
        name = node.name.value
        outer = cls.qualname if cls is not None else self.frame.scope
        function = Function(
            name,
            f"{outer}.{name}" if outer else name,
            node,
            self.frame.module,
            self.frame if cls is None else self.frame.lexical,
            cls,
            decorators,
        )
        function.defaults = self._defaults(node.params)
        function.contexts = tuple(d for d in decorators if d.op in ("call", "ref"))
        self._register(function)
        return function

    def _defaults(self, params: Any) -> dict[str, Value]:
        out: dict[str, Value] = {}
        for param in (*params.posonly_params, *params.params, *params.kwonly_params):
            if param.default is not None:
                out[param.name.value] = self.eval(param.default)
        return out

    def _register(self, function: Function) -> None:
        """Queue a definition of the linted file for its run with unknown arguments, once."""
        if function.module.main and id(function.node) not in self._seen_definitions:
            self._seen_definitions[id(function.node)] = function
            self.functions.append(function)
            self._pending.append(function)

    def _class(self, node: Any) -> bool:
        bases = tuple(self.eval(arg.value) for arg in node.bases)
        outer = self.frame.scope
        name = node.name.value
        known = self._seen_definitions.get(id(node))
        cls = known or Class(
            name, f"{outer}.{name}" if outer else name, node, self.frame.module, bases
        )
        if known is None and self.frame.module.main:
            self._seen_definitions[id(node)] = cls
            self.classes.append(cls)
        body = Frame(None, self.frame.module, self.frame, self.frame.caller)
        body.call_site = self.frame.call_site
        enclosing, site = self.frame, self.site
        self.frame = body
        for statement in node.body.body:
            if type(statement) is cst.FunctionDef:
                self.site = self._site(statement)
                function = self._define(statement, cls)
                if known is None:
                    cls.methods.setdefault(statement.name.value, function)
                    cls.methods[statement.name.value] = function
                body.env[statement.name.value] = self.values.make("func", (), function)
            else:
                self.exec_block([statement])
        self.frame, self.site = enclosing, site
        if known is None:
            cls.constants = {
                k: v for k, v in body.env.items() if isinstance(k, str) and v.op != "func"
            }
        self.bind(name, self.values.make("class", (), cls), node)
        return False


_COMPOUND = {
    cst.If: Evaluator._if,
    cst.For: Evaluator._for,
    cst.While: Evaluator._while,
    cst.With: Evaluator._with,
    cst.Try: Evaluator._try,
    cst.TryStar: Evaluator._try,
    cst.Match: Evaluator._match,
    cst.FunctionDef: Evaluator._function,
    cst.ClassDef: Evaluator._class,
}


def _imports(handler: Any) -> bool:
    """Whether an except clause catches a failed import: its body starts from before the try."""
    caught = handler.type
    names = caught.elements if type(caught) is cst.Tuple else ()
    every = [caught, *(e.value for e in names)]
    return any(
        type(n) is cst.Name and n.value in ("ImportError", "ModuleNotFoundError") for n in every
    )


def _parameter_names(params: Any) -> list[str]:
    names = [p.name.value for p in (*params.posonly_params, *params.params)]
    if isinstance(params.star_arg, cst.Param):
        names.append(params.star_arg.name.value)
    names.extend(p.name.value for p in params.kwonly_params)
    if params.star_kwarg is not None:
        names.append(params.star_kwarg.name.value)
    return names


def dotted_name(node: Any) -> str:
    """`a.b.c` of a Name or Attribute node."""
    parts: list[str] = []
    while type(node) is cst.Attribute:
        parts.append(node.attr.value)
        node = node.value
    parts.append(node.value)
    return ".".join(reversed(parts))


def literal_key(index: Value) -> Any:
    """A string key, or a tuple of strings, of a dict or TensorDict; None for anything else."""
    if index.string is not None:
        return index.string
    if index.op == "tuple" and index.args and all(a.string is not None for a in index.args):
        return tuple(a.string for a in index.args)
    return None
