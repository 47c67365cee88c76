"""Names by syntax alone: which imported thing every name and attribute chain of a file refers to.

The evaluator (`evaluator.py`) tells what a program computes; this table tells, for each place in
the text and exactly once, what is written there: imports, uses of imported names through scopes,
shadowing and aliases, calls, and which of them stand in code that chooses between releases
(`try/except ImportError`, checks of a version). Rules about the API of a release and their fixes
work on it.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Any

import libcst as cst

from ppolint.semantics.cells import is_cell
from ppolint.semantics.fallbacks import expects_failure, falls_back
from ppolint.semantics.scopes import Binding, Scope, Use, children, dotted_path, scope_binding

_COMPREHENSIONS = (cst.ListComp, cst.SetComp, cst.DictComp, cst.GeneratorExp)


class Names:
    """The table of one module."""

    def __init__(self, tree: cst.Module) -> None:
        self.module = Scope(tree, "module", None)
        self.imports: list[Binding] = []
        self.chains: list[Use] = []  # names, and attribute chains as long as they go
        self.calls: list[Use] = []
        self.classes: list[tuple[cst.ClassDef, Scope]] = []
        self.strings: list[Use] = []
        self.stars: list[tuple[str, Any]] = []
        self.bound: dict[str, list[Binding]] = {}  # every binding of the file, by name
        self.assignments: dict[int, tuple[Any, Any]] = {}  # id(value) -> target, statement
        self._self_attributes: dict[tuple[int, str], list[Any]] = {}
        self._body(tree.body, self.module, False)

    # -- reading the tree -------------------------------------------------------------------
    def _body(self, statements: Any, scope: Scope, guarded: bool) -> None:
        for statement in statements:
            self._visit(statement, scope, guarded)

    def _visit(self, node: Any, scope: Scope, guarded: bool) -> None:
        handler = _VISITORS.get(type(node))
        if handler is not None:
            handler(self, node, scope, guarded)
        else:
            for child in children(node):
                self._visit(child, scope, guarded)

    def _bind(self, scope: Scope, name: str, **what: Any) -> None:
        home = scope
        while home.kind == "comprehension" and home.parent is not None:
            home = home.parent
        if name in home.outer_names:
            home = self.module
        binding = Binding(name, scope=home, **what)
        home.bindings.setdefault(name, []).append(binding)
        self.bound.setdefault(name, []).append(binding)

    def _name(self, node: Any, scope: Scope, guarded: bool) -> None:
        self.chains.append(Use(node, scope, guarded))

    def _attribute(self, node: Any, scope: Scope, guarded: bool) -> None:
        self.chains.append(Use(node, scope, guarded))
        base = node.value
        while type(base) is cst.Attribute:
            base = base.value
        if type(base) is not cst.Name:
            self._visit(base, scope, guarded)

    def _call(self, node: Any, scope: Scope, guarded: bool) -> None:
        self.calls.append(Use(node, scope, guarded))
        self._visit(node.func, scope, guarded)
        for arg in node.args:
            self._visit(arg.value, scope, guarded)

    def _argument(self, node: Any, scope: Scope, guarded: bool) -> None:
        self._visit(node.value, scope, guarded)

    def _string(self, node: Any, scope: Scope, guarded: bool) -> None:
        self.strings.append(Use(node, scope, guarded))

    def _import(self, node: Any, scope: Scope, guarded: bool) -> None:
        for alias in node.names:
            dotted = dotted_path(alias.name)
            bound = dotted.partition(".")[0]
            if alias.asname is not None:
                bound, target = alias.asname.name.value, dotted
            else:
                target = bound
            self._bind(scope, bound, dotted=target, node=alias, statement=node, guarded=guarded)
            self.imports.append(scope_binding(scope, bound, self.module))

    def _import_from(self, node: Any, scope: Scope, guarded: bool) -> None:
        module = dotted_path(node.module) if node.module is not None else ""
        base = "." * len(node.relative) + module
        if type(node.names) is cst.ImportStar:
            self.stars.append((base, node))
            return
        joiner = "" if base.endswith(".") or not base else "."
        for alias in node.names:
            name = alias.name.value
            bound = alias.asname.name.value if alias.asname is not None else name
            dotted = f"{base}{joiner}{name}"
            self._bind(scope, bound, dotted=dotted, node=alias, statement=node, guarded=guarded)
            self.imports.append(scope_binding(scope, bound, self.module))

    def _assign(self, node: Any, scope: Scope, guarded: bool) -> None:
        self._visit(node.value, scope, guarded)
        if len(node.targets) == 1:
            self.assignments[id(node.value)] = (node.targets[0].target, node)
        for target in node.targets:
            self._target(target.target, node.value, scope, guarded)

    def _annotated(self, node: Any, scope: Scope, guarded: bool) -> None:
        self._visit(node.annotation, scope, guarded)
        if node.value is not None:
            self._visit(node.value, scope, guarded)
            self._target(node.target, node.value, scope, guarded)
        elif type(node.target) is cst.Name:
            self._bind(scope, node.target.value, node=node)

    def _augmented(self, node: Any, scope: Scope, guarded: bool) -> None:
        self._visit(node.value, scope, guarded)
        self._target(node.target, None, scope, guarded)

    def _named(self, node: Any, scope: Scope, guarded: bool) -> None:
        self._visit(node.value, scope, guarded)
        self._target(node.target, node.value, scope, guarded)

    def _target(self, target: Any, value: Any, scope: Scope, guarded: bool) -> None:
        kind = type(target)
        if kind is cst.Name:
            self._bind(scope, target.value, value=value, node=target)
        elif kind in (cst.Tuple, cst.List):
            for element in target.elements:
                self._target(element.value, None, scope, guarded)
        elif kind is cst.StarredElement:
            self._target(target.value, None, scope, guarded)
        else:
            if kind is cst.Attribute and type(target.value) is cst.Name:
                owner = scope.enclosing_class()
                if owner is not None and target.value.value in ("self", "cls"):
                    key = (id(owner.node), target.attr.value)
                    self._self_attributes.setdefault(key, []).append(value)
            self._visit(target, scope, guarded)

    def _for(self, node: Any, scope: Scope, guarded: bool) -> None:
        self._visit(node.iter, scope, guarded)
        self._target(node.target, None, scope, guarded)
        self._visit(node.body, scope, guarded)
        if node.orelse is not None:
            self._visit(node.orelse, scope, guarded)

    def _with_item(self, node: Any, scope: Scope, guarded: bool) -> None:
        self._visit(node.item, scope, guarded)
        if node.asname is not None:
            self._target(node.asname.name, node.item, scope, guarded)

    def _with(self, node: Any, scope: Scope, guarded: bool) -> None:
        for item in node.items:
            self._visit(item, scope, guarded)
        self._visit(node.body, scope, guarded or any(expects_failure(i.item) for i in node.items))

    def _handler(self, node: Any, scope: Scope, guarded: bool) -> None:
        if node.type is not None:
            self._visit(node.type, scope, guarded)
        if node.name is not None and type(node.name.name) is cst.Name:
            self._bind(scope, node.name.name.value, node=node)
        self._visit(node.body, scope, guarded)

    def _global(self, node: Any, scope: Scope, guarded: bool) -> None:
        scope.outer_names.update(item.name.value for item in node.names)

    def _if(self, node: Any, scope: Scope, guarded: bool) -> None:
        self._visit(node.test, scope, guarded)
        inside = guarded or self._chooses_release(node.test, scope)
        self._visit(node.body, scope, inside)
        if node.orelse is not None:
            self._visit(node.orelse, scope, inside)

    def _conditional(self, node: Any, scope: Scope, guarded: bool) -> None:
        self._visit(node.test, scope, guarded)
        inside = guarded or self._chooses_release(node.test, scope)
        self._visit(node.body, scope, inside)
        self._visit(node.orelse, scope, inside)

    def _try(self, node: Any, scope: Scope, guarded: bool) -> None:
        inside = guarded or falls_back(node)
        for part in (node.body, *node.handlers, node.orelse):
            if part is not None:
                self._visit(part, scope, inside)
        if node.finalbody is not None:
            self._visit(node.finalbody, scope, guarded)

    def _function(self, node: Any, scope: Scope, guarded: bool) -> None:
        if type(node) is cst.FunctionDef:
            if node.decorators and scope is self.module and is_cell(node, scope.node):
                for param in _parameters(node.params):  # a use of what another cell gives
                    self._visit(param.name, scope, guarded)
                self._visit(node.body, scope, guarded)
                return
            for decorator in node.decorators:
                self._visit(decorator.decorator, scope, guarded)
            if node.returns is not None:
                self._visit(node.returns, scope, guarded)
            self._bind(scope, node.name.value, node=node)
        inner = Scope(node, "function", scope)
        for param in _parameters(node.params):
            for part in (param.annotation, param.default):
                if part is not None:
                    self._visit(part, scope, guarded)
            self._bind(inner, param.name.value, node=param)
        self._visit(node.body, inner, guarded)

    def _class(self, node: Any, scope: Scope, guarded: bool) -> None:
        for part in (*node.decorators, *node.bases, *node.keywords):
            self._visit(part, scope, guarded)
        self._bind(scope, node.name.value, node=node)
        self.classes.append((node, scope))
        self._visit(node.body, Scope(node, "class", scope), guarded)

    def _comprehension(self, node: Any, scope: Scope, guarded: bool) -> None:
        inner = Scope(node, "comprehension", scope)
        clause = node.for_in
        while clause is not None:
            self._visit(clause.iter, inner, guarded)
            for name in _target_names(clause.target):
                inner.bindings.setdefault(name, []).append(Binding(name, scope=inner))
            for condition in clause.ifs:
                self._visit(condition, inner, guarded)
            clause = clause.inner_for_in
        for part in (node.key, node.value) if type(node) is cst.DictComp else (node.elt,):
            self._visit(part, inner, guarded)

    def _chooses_release(self, test: Any, scope: Scope) -> bool:
        """Whether a condition asks which release is installed: a version, or `hasattr` of
        something imported."""
        kind = type(test)
        if kind is cst.Name:
            name = test.value.lower()
            return "version" in name or name.startswith(("torchrl_", "_torchrl"))
        if kind is cst.Attribute:
            return "version" in test.attr.value.lower()
        if kind is cst.Call and type(test.func) is cst.Name and test.func.value == "hasattr":
            return bool(test.args) and None not in self.alternatives(test.args[0].value, scope)
        return any(self._chooses_release(child, scope) for child in children(test))

    # -- questions --------------------------------------------------------------------------
    def lookup(self, name: str, scope: Scope) -> list[Binding]:
        """Everything `name` may be bound to where it is used in `scope`; empty for a builtin."""
        current: Scope | None = scope
        while current is not None:
            if current is scope or current.kind != "class":
                found = current.bindings.get(name)
                if found:
                    return found
            current = current.parent
        return []

    def alternatives(self, node: Any, scope: Scope, depth: int = 0) -> list[str | None]:
        """The dotted paths that a name or attribute chain may refer to; None stands for something
        that is not an import. Empty for a name that nothing binds."""
        attributes: list[str] = []
        while type(node) is cst.Attribute:
            attributes.append(node.attr.value)
            node = node.value
        if type(node) is not cst.Name or depth > 5:
            return [None]
        suffix = "".join(f".{a}" for a in reversed(attributes))
        found: dict[str | None, None] = {}
        for binding in self.lookup(node.value, scope):
            if binding.dotted is not None:
                found[binding.dotted + suffix] = None
            elif binding.value is not None and binding.scope is not None:
                home = binding.scope
                for path in self.alternatives(binding.value, home, depth + 1):
                    found[None if path is None else path + suffix] = None
            else:
                found[None] = None
        if not found and self.stars:
            return [f"{module}.{node.value}{suffix}" for module, _ in self.stars]
        return list(found)

    def dotted(self, node: Any, scope: Scope) -> str | None:
        """The dotted path of a name or chain, when there is just one."""
        found = self.alternatives(node, scope)
        return found[0] if len(found) == 1 else None

    def values(self, node: Any, scope: Scope, depth: int = 0) -> list[tuple[Any, Scope]] | None:
        """The expressions whose value a name, `self.x` or any other expression holds, with their
        scopes; None when one of its sources cannot be seen."""
        kind = type(node)
        if depth > 5:
            return None
        if kind is cst.Name:
            sources = [(b.value, b.scope or scope) for b in self.lookup(node.value, scope)]
        elif kind is cst.Attribute and type(node.value) is cst.Name and node.value.value == "self":
            owner = scope.enclosing_class()
            if owner is None:
                return None
            held = self._self_attributes.get((id(owner.node), node.attr.value), [])
            sources = [(value, self._scope_of(value, scope)) for value in held]
        elif kind in (cst.Name, cst.Attribute):
            return None
        else:
            return [(node, scope)]
        if not sources:
            return None
        out: list[tuple[Any, Scope]] = []
        for value, home in sources:
            if value is None:
                return None
            found = self.values(value, home, depth + 1)
            if found is None:
                return None
            out += found
        return out

    def _scope_of(self, node: Any, default: Scope) -> Scope:
        """The scope a call stands in: attributes are often set in another method."""
        return self._call_scopes.get(id(node), default)

    @cached_property
    def _call_scopes(self) -> dict[int, Scope]:
        return {id(use.node): use.scope for use in self.calls}

    def called(self, node: Any, scope: Scope) -> list[str]:
        """The dotted paths of what is called to make the object an expression holds; empty when
        that cannot be told."""
        values = self.values(node, scope)
        paths: list[str] = []
        for value, home in values or ():
            if type(value) is not cst.Call:
                return []
            dotted = self.dotted(value.func, home)
            if dotted is None:
                return []
            paths.append(dotted)
        return paths


def _parameters(params: Any) -> list[Any]:
    found = [*params.posonly_params, *params.params, *params.kwonly_params]
    found += [p for p in (params.star_arg, params.star_kwarg) if isinstance(p, cst.Param)]
    return found


def _target_names(target: Any) -> Iterator[str]:
    if type(target) is cst.Name:
        yield target.value
    elif type(target) in (cst.Tuple, cst.List):
        for element in target.elements:
            yield from _target_names(element.value)


_VISITORS = {
    cst.Name: Names._name,
    cst.Attribute: Names._attribute,
    cst.Call: Names._call,
    cst.Arg: Names._argument,
    cst.SimpleString: Names._string,
    cst.Import: Names._import,
    cst.ImportFrom: Names._import_from,
    cst.Assign: Names._assign,
    cst.AnnAssign: Names._annotated,
    cst.AugAssign: Names._augmented,
    cst.NamedExpr: Names._named,
    cst.For: Names._for,
    cst.With: Names._with,
    cst.WithItem: Names._with_item,
    cst.ExceptHandler: Names._handler,
    cst.ExceptStarHandler: Names._handler,
    cst.Global: Names._global,
    cst.If: Names._if,
    cst.IfExp: Names._conditional,
    cst.Try: Names._try,
    cst.TryStar: Names._try,
    cst.FunctionDef: Names._function,
    cst.Lambda: Names._function,
    cst.ClassDef: Names._class,
    **{kind: Names._comprehension for kind in _COMPREHENSIONS},
}
