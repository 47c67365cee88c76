"""Read the public surface out of one Python module without importing it.

The builder calls `extract_module` on the source text of every file of a wheel. What comes back is
plain data that depends on the text alone (imports stay relative, nothing is resolved), so that the
same text in two releases is read once.

A *signature* is the source of a parameter list without annotations (`"self, a, *, b=1, **kw"`),
or, where the function takes `**kwargs`, a pair of that text and a record of what the body does
with them:

- `to`: calls that receive them, as (callee, number of positional arguments, keyword names); the
  callee is `"super"` for `super().same_method`, else a dotted name as written;
- `take`: keys read out of them by name; `bad`: keys whose presence raises;
- `reject`: left-overs raise; `other`: they are stored or handed on in another way.
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterable, Iterator

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef


def dotted(node: ast.AST | None) -> str | None:
    """`a.b.c` for a chain of attributes on a name, else None; subscripts are looked through."""
    parts: list[str] = []
    while True:
        if isinstance(node, ast.Attribute):
            parts.append(node.attr)
            node = node.value
        elif isinstance(node, ast.Subscript):
            node = node.value
        elif isinstance(node, ast.Name):
            parts.append(node.id)
            return ".".join(reversed(parts))
        else:
            return None


def extract_module(source: str) -> dict:
    """The bindings, functions and classes of a module, as JSON-able data.

    Raises `SyntaxError` for text that is not Python.
    """
    module: dict = {"bind": {}, "star": [], "def": {}, "class": {}}
    tree = ast.parse(source)
    _read_block(tree.body, module, redefine=True)
    if "__getattr__" in module["def"]:
        module["dynamic"] = True
        _read_lazy_names(tree, module)
    return module


def _read_block(body: Iterable[ast.stmt], module: dict, *, redefine: bool) -> None:
    """Record what `body` binds; with `redefine` off, names already bound keep their binding."""

    def bind(name: str, target: list) -> bool:
        if not redefine and name in module["bind"]:
            return False
        module["bind"][name] = target
        return True

    for node in body:
        if isinstance(node, FunctionNode):
            if any(dotted(d) in ("overload", "typing.overload") for d in node.decorator_list):
                continue
            if bind(node.name, ["def"]):
                module["def"][node.name] = function_record(node)
        elif isinstance(node, ast.ClassDef):
            if bind(node.name, ["class"]):
                module["class"][node.name] = class_record(node)
        elif isinstance(node, ast.Import):
            for alias in node.names:
                if alias.asname:
                    bind(alias.asname, ["from", 0, "", alias.name])
                else:
                    first = alias.name.partition(".")[0]
                    bind(first, ["from", 0, "", first])
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                if alias.name == "*":
                    module["star"].append([node.level, node.module or ""])
                else:
                    target = ["from", node.level, node.module or "", alias.name]
                    bind(alias.asname or alias.name, target)
        elif isinstance(node, (ast.Assign, ast.AnnAssign)):
            _read_assignment(node, module, bind)
        elif isinstance(node, ast.If):
            test = dotted(node.test)
            if test in ("TYPE_CHECKING", "typing.TYPE_CHECKING"):
                _read_block(node.orelse, module, redefine=False)
                continue
            _read_block(node.body, module, redefine=redefine)
            _read_block(node.orelse, module, redefine=False)
        elif isinstance(node, ast.Try):
            _read_block(node.body, module, redefine=redefine)
            for handler in node.handlers:
                _read_block(handler.body, module, redefine=False)
            _read_block(node.orelse, module, redefine=redefine)
            _read_block(node.finalbody, module, redefine=redefine)
        elif isinstance(node, ast.With):
            _read_block(node.body, module, redefine=redefine)


def _read_assignment(node: ast.Assign | ast.AnnAssign, module: dict, bind) -> None:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    if node.value is None:
        return
    for target in targets:
        names = target.elts if isinstance(target, (ast.Tuple, ast.List)) else [target]
        for name in names:
            if not isinstance(name, ast.Name):
                continue
            if name.id == "__all__":
                module["all"] = _strings(node.value)
                continue
            source = dotted(node.value) if name is target else None
            bind(name.id, ["alias", source] if source else ["var"])


def _strings(node: ast.AST) -> list[str]:
    return [
        n.value for n in ast.walk(node) if isinstance(n, ast.Constant) and isinstance(n.value, str)
    ]


def _read_lazy_names(tree: ast.Module, module: dict) -> None:
    """Names that a module-level `__getattr__` can answer: every string of the `__all__` and of
    the tables and sets that the function compares with. Where they come from is not known."""
    lazy = set(module.get("all", ()))
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name == "__getattr__":
            for child in ast.walk(node):
                if isinstance(child, ast.Compare):
                    lazy.update(_strings(child))
        elif isinstance(node, ast.Assign) and isinstance(node.value, (ast.Dict, ast.Set)):
            keys = node.value.keys if isinstance(node.value, ast.Dict) else node.value.elts
            lazy.update(s for key in keys if key is not None for s in _strings(key))
    for name in lazy:
        if name.isidentifier():
            module["bind"].setdefault(name, ["lazy"])


def function_record(node: FunctionNode) -> str | list:
    """The signature of a function (see the module docstring)."""
    text = _parameters(node.args)
    if node.args.kwarg is None:
        return text
    return [text, _keyword_use(node, node.args.kwarg.arg)]


def _parameters(arguments: ast.arguments) -> str:
    bare = ast.arguments(
        posonlyargs=[ast.arg(a.arg) for a in arguments.posonlyargs],
        args=[ast.arg(a.arg) for a in arguments.args],
        vararg=ast.arg(arguments.vararg.arg) if arguments.vararg else None,
        kwonlyargs=[ast.arg(a.arg) for a in arguments.kwonlyargs],
        kw_defaults=arguments.kw_defaults,
        kwarg=ast.arg(arguments.kwarg.arg) if arguments.kwarg else None,
        defaults=arguments.defaults,
    )
    return ast.unparse(bare)


def _keyword_use(function: FunctionNode, name: str) -> dict:
    """What the body of `function` does with its `**name`."""
    use: dict = {}
    known: set[int] = set()
    local = _local_imports(function)

    def is_kwargs(node: ast.AST) -> bool:
        return isinstance(node, ast.Name) and node.id == name

    def take(key: ast.AST, kind: str = "take") -> None:
        if isinstance(key, ast.Constant) and isinstance(key.value, str):
            use.setdefault(kind, set()).add(key.value)

    for node in ast.walk(function):
        if isinstance(node, ast.Call):
            for keyword in node.keywords:
                if keyword.arg is None and is_kwargs(keyword.value):
                    known.add(id(keyword.value))
                    use.setdefault("to", []).append(_forward(node, function.name, local))
            owner = node.func.value if isinstance(node.func, ast.Attribute) else None
            reads = owner is not None and node.func.attr in ("pop", "get", "setdefault")
            if reads and is_kwargs(owner) and node.args:
                known.add(id(owner))
                take(node.args[0])
        elif isinstance(node, ast.Subscript) and is_kwargs(node.value):
            known.add(id(node.value))
            take(node.slice)
        elif isinstance(node, ast.Compare) and len(node.comparators) == 1:
            if is_kwargs(node.comparators[0]) and isinstance(node.ops[0], (ast.In, ast.NotIn)):
                known.add(id(node.comparators[0]))
                take(node.left)
        elif isinstance(node, ast.If) and node.body and isinstance(node.body[-1], ast.Raise):
            if _is_presence_test(node.test, name) and node in function.body:
                take(node.test.left, "bad")
            elif node in function.body and _tests_leftovers(node.test, name):
                use["reject"] = True
                known.update(id(child) for child in ast.walk(node) if is_kwargs(child))
    for node in ast.walk(function):
        if is_kwargs(node) and id(node) not in known:
            use["other"] = True
    return {k: sorted(v) if isinstance(v, set) else v for k, v in use.items()}


def _is_presence_test(test: ast.expr, name: str) -> bool:
    return (
        isinstance(test, ast.Compare)
        and isinstance(test.ops[0], ast.In)
        and isinstance(test.left, ast.Constant)
        and isinstance(test.comparators[0], ast.Name)
        and test.comparators[0].id == name
    )


def _tests_leftovers(test: ast.expr, name: str) -> bool:
    """Whether a condition looks at the dictionary as a whole (`if kwargs`, `len(kwargs)`), not at
    one key of it, and not at another parameter as well (`source is not None and kwargs`)."""
    others = {n.id for n in ast.walk(test) if isinstance(n, ast.Name)} - {name}
    if not others <= set(dir(builtins)):
        return False
    single: set[int] = set()
    for node in ast.walk(test):
        if isinstance(node, ast.Subscript):
            single.add(id(node.value))
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            if node.func.attr in ("pop", "get"):
                single.add(id(node.func.value))
        elif isinstance(node, ast.Compare):
            member = isinstance(node.ops[0], (ast.In, ast.NotIn))
            if member and isinstance(node.left, ast.Constant):
                single.add(id(node.comparators[0]))
    return any(
        isinstance(node, ast.Name) and node.id == name and id(node) not in single
        for node in ast.walk(test)
    )


def _local_imports(function: FunctionNode) -> dict[str, str]:
    """Names imported inside a function, as `level|module|name` (see `snapshot`)."""
    found = {}
    for node in ast.walk(function):
        if isinstance(node, ast.ImportFrom):
            for alias in node.names:
                bound = alias.asname or alias.name
                found[bound] = f"{node.level}|{node.module or ''}|{alias.name}"
    return found


def _forward(call: ast.Call, method: str, local: dict[str, str]) -> list:
    func = call.func
    positional = len(call.args)
    callee = dotted(func) or "?"
    callee = local.get(callee, callee)
    if any(isinstance(argument, ast.Starred) for argument in call.args):
        positional = -1
    if isinstance(func, ast.Attribute) and func.attr == method:
        if isinstance(func.value, ast.Call) and dotted(func.value.func) == "super":
            callee = "super"
            if call.args and dotted(call.args[0]) == "cls" and method == "__new__":
                positional -= 1
        elif method == "__init__" and call.args and dotted(call.args[0]) == "self":
            callee = dotted(func.value) or "?"
            positional = max(positional - 1, -1)
    return [callee, positional, [k.arg for k in call.keywords if k.arg is not None]]


def _is_property(node: FunctionNode) -> bool:
    names = [(dotted(d) or "").rpartition(".")[2] for d in node.decorator_list]
    return any("property" in name or name in ("setter", "getter", "deleter") for name in names)


def class_record(node: ast.ClassDef) -> dict:
    """A class: `bases` and `meta` as written, `methods` (signatures), `fields` of its body in
    order (name, source of the default or None), `props` and `attrs` (set on `self`), `keys` (the
    fields of a nested `_AcceptedKeys`), `deco` (decorators), `stub` when construction only raises.
    """
    record: dict = {
        "bases": [name for name in map(dotted, node.bases) if name],
        "methods": {},
        "fields": [],
        "props": [],
        "attrs": [],
    }
    decorators = [dotted(d.func if isinstance(d, ast.Call) else d) for d in node.decorator_list]
    if any(decorators):
        record["deco"] = [d for d in decorators if d]
    for keyword in node.keywords:
        if keyword.arg == "metaclass":
            record["meta"] = dotted(keyword.value) or "?"
    attributes: set[str] = set()
    for statement in _class_statements(node.body):
        if isinstance(statement, FunctionNode):
            _read_method(statement, record, attributes)
        elif isinstance(statement, ast.ClassDef):
            if statement.name == "_AcceptedKeys":
                record["keys"] = class_record(statement)["fields"]
        elif isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            value = ast.unparse(statement.value) if statement.value is not None else None
            # A ClassVar, like an attribute without annotation, is no field of a data class.
            is_field = "ClassVar" not in ast.unparse(statement.annotation)
            record["fields"].append([statement.target.id, value, is_field])
        elif isinstance(statement, ast.Assign):
            for target in statement.targets:
                if isinstance(target, ast.Name):
                    record["fields"].append([target.id, _short(statement.value), False])
    attributes -= set(record["methods"]) | set(record["props"])
    attributes -= {field[0] for field in record["fields"]}
    record["attrs"] = sorted(attributes)
    record["props"] = sorted(set(record["props"]))
    return record


def _short(value: ast.expr) -> str:
    text = ast.unparse(value)
    return text if len(text) <= 40 else "..."


def _class_statements(body: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    for statement in body:
        if isinstance(statement, ast.If):
            yield from _class_statements(statement.body)
            yield from _class_statements(statement.orelse)
        elif isinstance(statement, ast.Try):
            yield from _class_statements(statement.body)
        else:
            yield statement


KEPT_DUNDERS = ("__init__", "__new__", "__call__", "__post_init__")


def _read_method(node: FunctionNode, record: dict, attributes: set[str]) -> None:
    decorators = {dotted(d) for d in node.decorator_list}
    if "overload" in decorators or "typing.overload" in decorators:
        return
    for child in ast.walk(node):
        stored = isinstance(child, ast.Attribute) and isinstance(child.ctx, ast.Store)
        if stored and dotted(child.value) == "self" and not child.attr.startswith("_"):
            attributes.add(child.attr)
    if _is_property(node):
        if not node.name.startswith("_"):
            record["props"].append(node.name)
        return
    if node.name.startswith("_") and node.name not in KEPT_DUNDERS:
        return
    record["methods"][node.name] = function_record(node)
    if "staticmethod" in decorators:
        record.setdefault("static", []).append(node.name)
    if node.name in ("__init__", "__new__") and _only_raises(node):
        record["stub"] = True


def _only_raises(node: FunctionNode) -> bool:
    body = [
        statement
        for statement in node.body
        if not (isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant))
    ]
    return len(body) == 1 and isinstance(body[0], ast.Raise)
