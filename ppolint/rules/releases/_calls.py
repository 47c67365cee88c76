"""Every call of something of TorchRL or TensorDict, with its arguments, as the text has them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import libcst as cst

from ppolint.rules.releases._context import Context, package_of, scope_name
from ppolint.semantics.scopes import Scope
from ppolint.torchrl_api.database import PACKAGES
from ppolint.torchrl_api.signatures import Signature

_PARTIALS = ("functools.partial", "functools.partialmethod")
_WITH_DISTRIBUTION = (
    "torchrl.modules.ProbabilisticActor",
    "torchrl.modules.SafeProbabilisticModule",
    "tensordict.nn.ProbabilisticTensorDictModule",
)


@dataclass(frozen=True, slots=True)
class Argument:
    """A keyword argument, or an entry of a literal dict that becomes one. `name_node` is the
    keyword (the string in a dict, with its `quote`); `node` the whole argument."""

    name: str
    name_node: Any
    value: Any
    node: Any
    quote: str = ""

    def name_span(self, context: Context) -> tuple[int, int]:
        return context.file.span(self.name_node)

    def span(self, context: Context) -> tuple[int, int]:
        """From the keyword to the end of the value."""
        return context.file.span(self.name_node)[0], context.file.span(self.value)[1]

    def renamed(self, new: str) -> str:
        return f"{self.quote}{new}{self.quote}"


@dataclass(frozen=True, slots=True, eq=False)
class ApiCall:
    """A call of `path`. `positional` are the argument nodes given by position. `complete`: nothing
    is hidden in `*` or `**`, and all arguments are given here (not so for `partial`). `form` is
    "call", "partial", "base" (`super().__init__`), "subclass" or "dict"."""

    path: str
    node: Any
    scope: Scope
    positional: tuple[Any, ...]
    arguments: tuple[Argument, ...]
    complete: bool
    star: bool
    form: str = "call"
    holder: Any = None  # the node that lists the arguments: a Call, or a Dict

    @property
    def where(self) -> str:
        return scope_name(self.scope)

    def signatures(self, context: Context) -> dict[str, Signature]:
        """Release -> what the callable takes there, for the releases where that is known; where
        the name is gone, what its successor takes."""
        identity = context.db.identify(self.path)
        found = {}
        for release, view in context.views(self.path):
            signature = view.signature(self.path)
            if signature is None and identity is not None:
                signature = view.signature(identity)
            if signature is not None:
                found[release] = signature
        return found

    def owners(self, context: Context) -> tuple[str, ...]:
        """The public names of the callable and of the classes it inherits from."""
        identity = context.db.identify(self.path) or self.path
        view = context.db.at(context.db.newest)
        entity = view.resolve(identity)
        names = {self.path: None, identity: None}
        if entity is not None and entity.kind == "class":
            for cls in view.mro(entity.path):
                base = view.resolve(cls)
                if base is not None:
                    names[base.public] = None
        elif entity is not None and entity.owner is not None:
            method = entity.path.rpartition(".")[2]
            for cls in view.mro(entity.owner):
                base = view.resolve(cls)
                if base is not None:
                    names[f"{base.public}.{method}"] = None
        return tuple(names)


def api_calls(context: Context) -> list[ApiCall]:
    """All calls of the file, made once."""
    found = context.__dict__.get("_api_calls")
    if found is None:
        found = context.__dict__["_api_calls"] = [] if context.theirs else list(_collect(context))
    return found


def _collect(context: Context) -> Iterator[ApiCall]:
    for use in context.names.calls:
        if use.guarded:
            continue
        yield from _calls_at(context, use.node, use.scope)


def _calls_at(context: Context, node: Any, scope: Scope) -> Iterator[ApiCall]:
    names = context.names
    dotted = names.dotted(node.func, scope)
    if dotted in _PARTIALS and node.args and not node.args[0].star:
        inner = names.dotted(node.args[0].value, scope)
        if inner is not None and package_of(inner) in PACKAGES:
            yield _made(context, inner, node, scope, "partial", node.args[1:])
        return
    form = "call"
    if dotted is not None and _is_unbound_method(context, dotted):
        return
    if dotted is None:
        dotted, form = _local_class(context, node, scope)
    if dotted is None:
        dotted = _method(context, node, scope)
    if dotted is None or package_of(dotted) not in PACKAGES:
        return
    call = _made(context, dotted, node, scope, form, node.args)
    yield call
    if context.db.identify(dotted) in _WITH_DISTRIBUTION:
        yield from _distribution(context, call)


def _is_unbound_method(context: Context, path: str) -> bool:
    """`LossModule.make_value_estimator(self, ...)`: the instance is one of the arguments."""
    if package_of(path) not in PACKAGES:
        return False
    return any(
        entity is not None and entity.kind == "member"
        for entity in (view.resolve(path) for _, view in context.views(path))
    )


def _made(context: Context, path: str, node: Any, scope: Scope, form: str, args: Any) -> ApiCall:
    positional = tuple(a for a in args if a.keyword is None and not a.star)
    star = any(a.star == "*" for a in args)
    double = any(a.star == "**" for a in args)
    arguments = tuple(
        Argument(a.keyword.value, a.keyword, a.value, a) for a in args if a.keyword is not None
    )
    complete = not star and not double and form != "partial"
    return ApiCall(path, node, scope, positional, arguments, complete, star, form, node)


def _local_class(context: Context, node: Any, scope: Scope) -> tuple[str | None, str]:
    """The TorchRL class behind `super().__init__(...)`, or behind a class of the file that adds no
    constructor of its own."""
    func = node.func
    if type(func) is cst.Attribute and func.attr.value == "__init__":
        base = func.value
        if type(base) is cst.Call and type(base.func) is cst.Name and base.func.value == "super":
            owner = scope.enclosing_class()
            if owner is not None and not base.args:
                return _only_base(context, owner.node, owner.parent), "base"
    elif type(func) is cst.Name:
        bindings = context.names.lookup(func.value, scope)
        if len(bindings) == 1 and type(bindings[0].node) is cst.ClassDef:
            cls = bindings[0].node
            if not _has_constructor(cls) and not cls.decorators:
                return _only_base(context, cls, bindings[0].scope), "subclass"
    return None, "call"


def _has_constructor(cls: Any) -> bool:
    """Whether a class body defines or assigns `__init__` or `__new__`."""
    names = []
    for statement in cls.body.body:
        if type(statement) is cst.FunctionDef:
            names.append(statement.name.value)
        elif type(statement) is cst.SimpleStatementLine:
            for small in statement.body:
                if type(small) is cst.Assign:
                    names += [getattr(t.target, "value", "") for t in small.targets]
    return "__init__" in names or "__new__" in names


def _only_base(context: Context, cls: Any, scope: Scope | None) -> str | None:
    if scope is None or len(cls.bases) != 1 or cls.keywords:
        return None
    path = context.names.dotted(cls.bases[0].value, scope)
    return path if path is not None and package_of(path) in PACKAGES else None


def _method(context: Context, node: Any, scope: Scope) -> str | None:
    """`Class.method` for a method of an object that is plainly made by a TorchRL constructor."""
    func = node.func
    if type(func) is not cst.Attribute:
        return None
    paths = context.names.called(func.value, scope)
    kinds = set()
    for path in paths:
        identity = context.db.identify(path) if package_of(path) in PACKAGES else None
        kinds.add(identity)
    if len(kinds) != 1:
        return None
    identity = kinds.pop()
    if identity is None:
        return None
    view = context.views(identity)[-1][1]
    entity = view.resolve(f"{identity}.{func.attr.value}")
    owner = view.resolve(identity)
    if entity is None or entity.kind != "member" or owner is None or owner.kind != "class":
        return None
    if view.members(identity).get(func.attr.value) != "method":
        return None
    return f"{identity}.{func.attr.value}"


def _distribution(context: Context, call: ApiCall) -> Iterator[ApiCall]:
    """The call that `distribution_kwargs` will make of `distribution_class`."""
    given = {a.name: a for a in call.arguments}
    cls, entries = given.get("distribution_class"), given.get("distribution_kwargs")
    if cls is None or entries is None:
        return
    path = context.names.dotted(cls.value, call.scope)
    values = context.names.values(entries.value, call.scope)
    if path is None or package_of(path) not in PACKAGES or values is None:
        return
    for value, scope in values:
        arguments = _entries(context, value, scope)
        if arguments is not None:
            yield ApiCall(
                path,
                value,
                scope,
                (),
                arguments,
                False,
                False,
                "dict",
                value,
            )


def _is_builtin_dict(context: Context, func: Any, scope: Scope) -> bool:
    named = type(func) is cst.Name and func.value == "dict"
    return named and not context.names.alternatives(func, scope)


def _entries(context: Context, value: Any, scope: Scope) -> tuple[Argument, ...] | None:
    if type(value) is cst.Call and _is_builtin_dict(context, value.func, scope):
        return tuple(
            Argument(a.keyword.value, a.keyword, a.value, a)
            for a in value.args
            if a.keyword is not None
        )
    if type(value) is not cst.Dict:
        return None
    found = []
    for element in value.elements:
        if type(element) is cst.DictElement and type(element.key) is cst.SimpleString:
            text = element.key.value
            quote = text[-1]
            if text[0] == quote and not text.startswith(quote * 3):
                found.append(Argument(text[1:-1], element.key, element.value, element, quote))
    return tuple(found)
