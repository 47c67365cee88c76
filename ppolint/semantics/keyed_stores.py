"""Stores of which the fields are named at run time: `getattr(self, key).append(value)`.

Such a class says itself little of what it keeps: its users do, in the keys that they hand to it.
They are often in another file, so the files that import it are looked through for the words that
they say to an instance of the class.
"""

from __future__ import annotations

import ast
import os
import re
import textwrap
from collections.abc import Iterator
from typing import TYPE_CHECKING

from ppolint.semantics.experience import LOG_PROB, Rollout, is_figure, named_roles
from ppolint.semantics.program import Class, Event
from ppolint.semantics.steps import ACTION, DONE, OBSERVATION, POLICY, REWARD
from ppolint.semantics.stores import keeps_data
from ppolint.semantics.values import Value, alternatives

if TYPE_CHECKING:
    from ppolint.semantics.model import FileModel

_ADDS = frozenset({"append", "extend", "copy_"})
_WORD = re.compile(r"[A-Za-z]\w*\Z")
_DIARY = re.compile(r"(?i)log(?!_?p)|meter|metric|track|writer|stat(?!e)|monitor|plot|config")
# A class of another library's does what that says, and its keys are parts of that.
_PLAIN = frozenset(
    "builtins.object builtins.dict abc.ABC torch.nn.Module torch.utils.data.Dataset "
    "torch.utils.data.IterableDataset".split()
)
_USERS = 8


def keyed_store(file: FileModel, cls: Class) -> Rollout | None:
    """The rollout that a class keeps under keys that it is given, by what its users call them."""
    if _DIARY.search(cls.name) or any(b not in _PLAIN for b in cls.external_bases()):
        return None
    fill = next(_keyed_fills(file, cls), None)
    if fill is None or not keeps_data(file, cls):
        return None
    words = _own_words(file, cls, fill)
    if not _are_steps(words) and _attribute(fill.base) != "__dict__":  # any object has that
        for text in _texts(file, cls):
            words |= _said_to_instances(text, cls.name)
    if not _are_steps(words):
        return None
    roles = set().union(*map(named_roles, words))
    place = (cls.node, fill.site)
    return Rollout("buffer", [], cls, place, place, roles)


def _are_steps(words: set[str]) -> bool:
    fields = [word for word in words if not is_figure(word)]
    roles = set().union(*map(named_roles, fields)) if fields else set()
    judged = POLICY in roles or any(map(LOG_PROB.search, fields))
    return len(fields) >= 3 and REWARD in roles and judged and bool(roles & _OF_STEPS)


_OF_STEPS = {ACTION, OBSERVATION, DONE}


def _keyed_fills(file: FileModel, cls: Class) -> Iterator[Event]:
    """The places of a class that add to what it keeps under a key that only its user knows."""
    for event in file.events_in(cls):
        if event.base is None or not (event.kind == "store" or event.key in _ADDS):
            continue
        if event.kind == "store" and event.key.string is not None:
            continue  # a field of one of several records
        keyed = any(_is_keyed(file, cls, base) for base in alternatives(event.base))
        if keyed or _is_given_whole(file, cls, event) or _is_begun(file, cls, event):
            yield event


def _is_begun(file: FileModel, cls: Class, event: Event) -> bool:
    """Whether an empty list is put under a key that only the user knows, and then added to."""
    begun = event.value.core
    if event.kind != "store" or event.base is None or begun.op != "alloc":
        return False
    if not (_is_name(event.key.core) and _is_part_of_self(file, cls, event.base.core)):
        return False
    return any(
        other.key in _ADDS and other.base is not None and begun in alternatives(other.base)
        for other in file.events_in(cls)
    )


def _is_given_whole(file: FileModel, cls: Class, event: Event) -> bool:
    """Whether a list of `self` gets a record as it is given, or a dict made of one entry by entry."""
    if event.key != "append" or not event.args or event.base is None:
        return False
    base, value = event.base.core, event.args[-1].core
    if base.op != "attr" or file.class_of(base.args[0]) is not cls:
        return False
    if value.op == "comp":
        entries = value.args[1].core
        of_dict = entries.op == "call" and entries.args[0].op == "attr"
        value = entries.args[0].args[0].core if of_dict else value
    return value.op == "param"


def _is_keyed(file: FileModel, cls: Class, core: Value) -> bool:
    """Whether a value is a field of `self`, or an entry of one, that a variable names; or a step of
    it."""
    for _ in range(2):
        if core.op == "call" and core.args[0].dotted == "builtins.getattr" and len(core.args) > 2:
            return file.class_of(core.args[1]) is cls and _is_name(core.args[2].core)
        if core.op != "item" or core.args[1].string is not None:
            return False
        key = core.args[1].core
        core = core.args[0].core
        if _is_name(key) and _is_part_of_self(file, cls, core):
            return True
    return False


def _is_part_of_self(file: FileModel, cls: Class, core: Value) -> bool:
    while core.op in ("item", "elem"):  # of each agent, or of each environment
        core = core.args[0].core
    return core.op == "attr" and file.class_of(core.args[0]) is cls


def _is_name(core: Value) -> bool:
    """Whether a value may be the name of a field: an argument, or the key of an item of one."""
    if core.op == "item" and core.args[1].number == 0:
        core = core.args[0].core
    if core.op == "attr" and core.data == "name":  # of a specification
        core = core.args[0].core
    if core.op == "elem":
        over = core.args[0].core
        return not (over.op == "call" and over.args[0].dotted == "builtins.range")
    return core.op == "param"


def _own_words(file: FileModel, cls: Class, fill: Event) -> set[str]:
    """The words of a class that may be keys of what it keeps: those that are keys, members of displays,
    assigned or compared (no messages, no modes of files), and what it takes from the attribute that
    is filled, `self.data.rewards`."""
    start, end = file.span(cls.node)
    start = file.source.text.rfind("\n", 0, start) + 1
    try:
        tree = ast.parse(textwrap.dedent(file.source.text[start:end]))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return set()
    held = _attribute(fill.base)
    words: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            if (
                held is not None
                and isinstance(node.value, ast.Attribute)
                and node.value.attr == held
            ):
                words.add(node.attr)
            continue
        for part in _keys_of(node):
            if isinstance(part, ast.Constant) and isinstance(part.value, str):
                if _WORD.match(part.value):
                    words.add(part.value)
    return words


def _keys_of(node: ast.AST) -> list[ast.expr | None]:
    """The parts of a node that may name a field, if they are strings."""
    if isinstance(node, ast.Subscript):
        return [node.slice]
    if isinstance(node, (ast.List, ast.Tuple, ast.Set)):
        return [*node.elts]
    if isinstance(node, ast.Dict):
        return [*node.keys]
    if isinstance(node, ast.Assign):
        return [node.value]
    return [node.left, *node.comparators] if isinstance(node, ast.Compare) else []


def _attribute(base: Value | None) -> str | None:
    """The attribute of `self` that a fill goes to, or to an entry of."""
    for option in alternatives(base) if base is not None else ():
        while option.op in ("item", "elem"):
            option = option.args[0].core
        if option.op == "attr":
            return str(option.data)
    return None


def _texts(file: FileModel, cls: Class) -> Iterator[str]:
    """This file, and the files of the project that import it and name the class."""
    yield file.source.text
    project = file.project
    if project is None:
        return
    file.searched_project = True
    for path in sorted(project.importers.get(os.path.abspath(file.source.path), ()))[:_USERS]:
        text = project.text(path)
        if cls.name in text:
            yield text


def _said_to_instances(text: str, name: str) -> set[str]:
    """The strings and the names of arguments that are handed to instances of a class, and the
    attributes that are taken from them."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return set()
    nodes = list(ast.walk(tree))
    instances: set[str] = set()
    words: set[str] = set()
    for node in nodes:
        if isinstance(node, (ast.Assign, ast.AnnAssign)) and isinstance(node.value, ast.Call):
            if _last(node.value.func) == name:
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                instances.update(filter(None, map(_last, targets)))
                words.update(_strings(node.value))
    for node in nodes:
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            if _last(node.func.value) in instances:
                words.update(_strings(node))
        elif isinstance(node, ast.Attribute) and _last(node.value) in instances:
            words.add(node.attr)
        elif isinstance(node, ast.Subscript) and _last(node.value) in instances:
            words.update(_strings(node.slice))
    return words


def _last(node: ast.expr) -> str | None:
    """The last name of `a.b.c`, or None for other expressions."""
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else None


def _strings(node: ast.expr) -> set[str]:
    """The words of a call or a key that may name fields; not those in what is computed for it."""
    words: set[str] = set()
    queue: list[ast.AST | None] = [node]
    if isinstance(node, ast.Call):
        words.update(k.arg for k in node.keywords if k.arg is not None)
        queue = [*node.args, *(k.value for k in node.keywords)]
    for part in queue:
        if isinstance(part, ast.Constant) and isinstance(part.value, str):
            if _WORD.match(part.value):
                words.add(part.value)
        elif isinstance(part, ast.Dict):
            queue.extend(part.keys)
        elif isinstance(part, (ast.List, ast.Tuple, ast.Set)):
            queue.extend(part.elts)
    return words
