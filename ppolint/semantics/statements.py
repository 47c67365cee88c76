"""Statements: in order, branches merged, loops once with the variables that they carry."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import libcst as cst

from ppolint.semantics.definitions import Definitions
from ppolint.semantics.modules import Modules
from ppolint.semantics.normal_form import Values
from ppolint.semantics.program import Carried, Frame, Loop, Site, State
from ppolint.semantics.scan import assigned, changed_in_place, made_from_themselves
from ppolint.semantics.unrolling import Unrolling, is_short
from ppolint.semantics.values import Value


class Statements(Definitions, Modules, Unrolling):
    """The part of the evaluator that runs statements; mixed into `Evaluator`."""

    values: Values
    frame: Frame
    site: Site
    heap: State
    loops: list[Loop]

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
                elif kind is cst.Break:
                    self._break()
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
        if type(value) is cst.Call and result.op != "call":
            # torch.clamp(x, lo, hi, out=y)
            for arg in value.args:
                if arg.keyword is not None and arg.keyword.value == "out":
                    if type(arg.value) is cst.Name:
                        self.frame.env[arg.value.value] = result
        # x.clamp_(...) and x.reverse() as a statement rebind x
        if type(value) is cst.Call and type(value.func) is cst.Attribute:
            name = value.func.attr.value
            receiver = changed_in_place(value)
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

    # -- branches ---------------------------------------------------------------------------
    def _if(self, node: Any) -> bool:
        test = self.eval(node.test)
        return self._branches(node, [node.body, node.orelse], test)

    def _branches(self, node: Any, bodies: list[Any], test: Value | None = None) -> bool:
        """Run alternative bodies (None: an empty one) from the same state and merge what they do.

        `test` decides between two: what it limits (`if x > hi: x = hi`) is a minimum.
        """
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
        self._merge(changes, test if len(changes) == 2 else None)
        return not changes

    def _begin(self) -> tuple[Any, Any]:
        return self.frame.env.begin(), self.heap.begin()

    def _undo(self, outer: tuple[Any, Any]) -> tuple[dict, dict]:
        return self.frame.env.undo(outer[0]), self.heap.undo(outer[1])

    def _merge(self, changes: list[tuple[dict, dict]], test: Value | None = None) -> None:
        """Apply what alternative branches changed: where they differ, either value is possible."""
        for at, state in enumerate((self.frame.env, self.heap)):
            keys = dict.fromkeys(key for change in changes for key in change[at])
            for key in keys:
                before = state.get(key)
                options = [change[at].get(key, before) for change in changes]
                known = [value for value in options if value is not None]
                limited = None
                if test is not None and len(known) == 2:
                    limited = self.values.limited(test, *known)
                if limited is not None:
                    state[key] = limited
                    continue
                merged = self.values.phi(known) if len(known) > 1 else known[0]
                state[key] = merged
                if test is not None and merged.op == "phi":
                    if all(option.number is not None for option in merged.args):
                        self.values.tests.setdefault(merged, []).append(test)

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
            frame.contexts = (*frame.contexts, _entered(value))
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
        members = self.iterations(iterable) if is_short(node) else None
        if members is not None:
            return self._unrolled(node, members)
        loop = self.enter_loop("for", node, iterable)
        before = self._carry(loop, node)
        self.site = self._site(node)
        self.assign(node.target, self.element(iterable, loop), node)
        self.exec_suite(node.body)
        self._leave_loop(loop, before)
        if node.orelse is not None:
            self.exec_suite(node.orelse.body)
        return False

    def _unrolled(self, node: Any, members: list[Value]) -> bool:
        for member in members:
            self.site = self._site(node)
            self.assign(node.target, member, node)
            self.exec_suite(node.body)
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
        """Put a placeholder for every variable that the body assigns and that exists before, or that
        a branch of the body sets at first and the rest goes on with."""
        before: dict[Any, Value] = {}
        targets = assigned(node)
        new = {t for t in targets if isinstance(t, str) and self.frame.env.get(t) is None}
        loop.unbound = made_from_themselves(node, new) if new else new
        for target in targets:
            if isinstance(target, str):
                init = self.frame.env.get(target)
                if init is None and target in loop.unbound:
                    init = self.values.unknown()
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
                if init is None and isinstance(name, tuple):
                    init = (getattr(base.data, "entries", None) or {}).get(name[1])
                    if init is None:
                        continue
                elif init is None:
                    init = self.values.attr(base, name)
                before[(base, name)] = init
                self.heap[(base, name)] = self.values.make(
                    "carry", (init,) if init.op == "attr" else (), (loop.bit, name), loops=loop.mask
                )
        return before

    def _break(self) -> None:
        """Keep what the variables are where a `break` leaves the loop it is in."""
        loop = self.frame.loop
        if loop is not None and loop.kind != "comprehension":
            names = (n for n in assigned(loop.node) if isinstance(n, str))
            loop.broken.append({n: v for n in names if (v := self.frame.env.get(n)) is not None})

    def _leave_loop(self, loop: Loop, before: dict[Any, Value]) -> None:
        values = self.values
        self.frame.loop = loop.parent
        for key, init in before.items():
            state = self.frame.env if isinstance(key, str) else self.heap
            step = state[key]
            broken = [v for names in loop.broken if (v := names.get(key, step)) is not step]
            broken = [v for v in broken if not _is_start(v, loop)]
            name = key if isinstance(key, str) else key[1]
            start = values.make(
                "carry",
                (init,) if not isinstance(key, str) and init.op == "attr" else (),
                (loop.bit, name),
                loops=loop.mask,
            )
            if _is_start(step, loop):
                loop.unchanged[start] = init
                state[key] = (
                    values.make("after", (init, values.phi(broken)), loop.bit) if broken else init
                )
                continue
            node, site = self._last_assignment(name, loop)
            loop.carried[key] = Carried(key, loop, start, init, step, node, site)
            last = values.phi([step, *broken])
            unbound = key in loop.unbound
            state[key] = last if unbound else values.make("after", (init, last), loop.bit)

    def _last_assignment(self, name: Any, loop: Loop) -> tuple[Any, Site | None]:
        for event in reversed(self.events):
            if event.kind in ("bind", "setattr") and event.key == name:
                if event.site.in_loop(loop):
                    return event.node, event.site
                break
            if event.kind == "store" and isinstance(name, tuple) and event.key.string == name[1]:
                if event.site.in_loop(loop):
                    return event.node, event.site
        return None, None


_COMPOUND = {
    cst.If: Statements._if,
    cst.For: Statements._for,
    cst.While: Statements._while,
    cst.With: Statements._with,
    cst.Try: Statements._try,
    cst.TryStar: Statements._try,
    cst.Match: Statements._match,
    cst.FunctionDef: Statements._function,
    cst.ClassDef: Statements._class,
}


def _entered(value: Value) -> Value:
    """What `with a() and b():` enters: the last of `and`, for objects are true."""
    core = value.core
    while core.op == "and" and all(a.core.op == "call" for a in core.args[:-1]):
        value = core.args[-1]
        core = value.core
    return value


def _is_start(value: Value, loop: Loop) -> bool:
    """Whether a value is that of a variable of the loop which this iteration has not changed."""
    return value.op == "carry" and value.data[0] == loop.bit  # type: ignore[index]


def _imports(handler: Any) -> bool:
    """Whether an except clause catches a failed import: its body starts from before the try."""
    caught = handler.type
    names = caught.elements if type(caught) is cst.Tuple else ()
    every = [caught, *(e.value for e in names)]
    return any(
        type(n) is cst.Name and n.value in ("ImportError", "ModuleNotFoundError") for n in every
    )
