"""Lists, dicts of lists, deques and arrays, and what is put into them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ppolint.semantics.program import AllocSite, Class, Event, Site
from ppolint.semantics.provenance import POLICY, REWARD, Provenance, literal_members, steps_of
from ppolint.semantics.scopes import children
from ppolint.semantics.values import Value, walk

if TYPE_CHECKING:
    from ppolint.semantics.model import FileModel

_PUSHES = frozenset({"append", "insert", "extend", "appendleft", "add", "push"})
_ALLOCATORS = re.compile(
    r"^(?:torch|numpy)\.(?:zeros|empty|ones|full|zeros_like|empty_like|ones_like|full_like|randn"
    r"|Tensor|FloatTensor)$"
)
_NEW = frozenset({"new_zeros", "new_empty", "new_ones", "new_full", "new_tensor"})
# What puts its last argument into a part of a tensor.
_WRITERS = frozenset({"copy_", "fill_"})
_PLACED_WRITERS = frozenset({"index_copy_", "index_fill_", "index_put_", "scatter_", "put_"})
_PARTS = frozenset({"select", "narrow"})
_MOVES = frozenset({"share_memory_", "pin_memory", "to", "cuda", "cpu", "float", "long", "double"})
_LIKE = frozenset({"zeros_like", "empty_like", "ones_like", "full_like", "repeat"})
# The first part of the key of a list that a network of another file has.
LENT = "lent"
_FACTORIES = frozenset({"list", "dict", "deque", "defaultdict"})


@dataclass(eq=False, slots=True)
class Container:
    """One container and what is put into it."""

    key: tuple
    value: Value
    owner: Class | None
    name: str
    creation: tuple[Any, Site] | None
    array: bool
    roles: set[str] = field(default_factory=set)
    fills: list[Event] = field(default_factory=list)
    bounded: bool = False


class Containers:
    """All containers of a file, found through what is put into them."""

    def __init__(self, file: FileModel, provenance: Provenance) -> None:
        self.file = file
        self.provenance = provenance
        self.table: dict[tuple, Container] = {}
        self.assigned: dict[Value, tuple[Value, str]] = {}
        self.entered: dict[Value, tuple[Value, str]] = {}
        self.stored_entries: dict[Value, dict[str, Value]] = {}
        self.rows: dict[Value, Value] = {}
        self._open: set[Value] = set()
        for event in file.events:
            if event.kind == "setattr" and event.base is not None:
                self.assigned.setdefault(event.value.core, (event.base.core, event.key))
            elif event.kind == "store" and event.base is not None and event.key.string is not None:
                if event.base.core.op == "attr" and event.value.core.op in ("alloc", "call", "fn"):
                    self.entered.setdefault(event.value.core, (event.base.core, event.key.string))
                elif event.base.core.op == "alloc":
                    entries = self.stored_entries.setdefault(event.base.core, {})
                    entries.setdefault(event.key.string, event.value)
            elif event.kind == "store" and event.base is not None:
                if event.base.core.op == "alloc" and event.value.core.op == "alloc":
                    self.rows.setdefault(event.base.core, event.value.core)
            elif event.kind == "method" and event.key == "update" and event.args:
                given = getattr(event.args[0].core.data, "entries", None)
                if event.base is not None and event.args[0].core.op == "alloc" and given:
                    self.stored_entries.setdefault(event.base.core, {}).update(given)
        for event in file.events:
            self._take(event)
        for container in self.table.values():
            for fill in container.fills:
                if fill.kind == "method" and fill.args:
                    container.roles |= self._roles_of_container(fill.args[-1])
            if container.owner is not None and not container.roles:
                container.roles |= self._roles_from_callers(container, container.owner)

    def _roles_from_callers(self, container: Container, cls: Class) -> set[str]:
        """What the methods that fill a container are given, where it is not known whose they are:
        `model.put_data((s, a, r))` with a parameter `model`."""
        out: set[str] = set()
        for fill in container.fills:
            function = fill.site.frame.function
            stored = fill.args[-1].core if fill.args else fill.value.core
            if function is None or function.cls is not cls or stored.op != "param":
                continue
            for call in self._unknown_calls.get(function.name, ()):
                for arg in call.args:
                    parts = arg.core.args if arg.core.op == "tuple" else (arg,)
                    for part in parts:
                        out |= self.provenance.roles(part)
                    out |= self._roles_of_container(arg)
        return out

    @cached_property
    def _unknown_calls(self) -> dict[str, list[Event]]:
        """Calls of methods of objects that may be of any class, by the name of the method."""
        out: dict[str, list[Event]] = {}
        for event in self.file.events:
            if event.kind == "method" and event.base is not None and event.args:
                if event.base.core.op == "param" and isinstance(event.key, str):
                    out.setdefault(event.key, []).append(event)
        return out

    def _roles_of_container(self, value: Value) -> set[str]:
        """The roles of a container that is put into another one, as it is or stacked."""
        out: set[str] = set()
        for part in walk(value.core):
            if part.op in ("alloc", "attr", "carry"):
                _, key, _, _ = self._identity(part)
                inner = self.table.get(key)
                if inner is not None and (part is value.core or is_reply(self.file, inner)):
                    out |= inner.roles
        return out

    def _take(self, event: Event) -> None:
        if event.kind in ("bind", "setattr"):
            if event.value.core.op == "fn" and event.value.core.data == "cat":
                self._concatenated(event)
        if event.base is None:
            return
        if event.kind == "method":
            if event.key in _PUSHES and event.args:
                self._fill(event.base, event.args[-1], event, False)
            elif event.key in _WRITERS and event.args:
                whole = _whole(event.base.core)
                if whole is not None:
                    self._fill(whole, event.args[0], event, True)
            elif event.key in _PLACED_WRITERS and len(event.args) >= 2:
                self._fill(event.base, event.args[-1], event, True)
        elif event.kind == "store" and event.key.string is None and not _adds_up(event):
            self._fill(event.base, event.value, event, True)
        elif event.kind == "augment" and event.key is None:
            source = self._identity(event.base.core)[0]
            made = self._allocation(source) if source is not None else None
            if made is not None and not made[0]:  # an array is added to, not extended
                self._fill(event.base, event.value, event, False)
        elif event.kind == "call" and event.base.op == "attr" and event.base.data in _PUSHES:
            if event.args:  # put = rows.append; put(row)
                self._fill(event.base.args[0], event.args[-1], event, False)

    def _concatenated(self, event: Event) -> None:
        """x = torch.cat([x, new]): the container is the variable, or the attribute."""
        from ppolint.semantics.operations import elements

        parts = elements(event.value) or event.value.core.args
        if event.kind == "setattr" and event.base is not None:
            before = self.file.values.attr(event.base, event.key).core
            carries = [p for p in parts if p.core is before]
        else:
            carries = [p for p in parts if p.core.op == "carry"]
        if len(parts) == 2 and carries:
            self._fill(carries[0], parts[-1], event, True)

    def _fill(self, base: Value, value: Value, event: Event, array: bool) -> None:
        for whole, put in _paired(base.core, value):
            for part in self._parts(whole):
                container = self._container(part, array)
                if container is not None:
                    self._fill_one(container, put, event, array)

    def _parts(self, core: Value) -> list[Value]:
        """`core`; where it is the entry of a dict under a name that is not known, each entry."""
        if core.op == "item" and core.args[1].string is None:
            outer = core.args[0].core
            source = self._identity(outer)[0] if outer.op in ("attr", "alloc", "item") else None
            if source is not None and source.op == "alloc" and source.data.entries:  # type: ignore[attr-defined]
                values = self.file.values
                return [values.make("item", (outer, values.const(k))) for k in source.data.entries]  # type: ignore[attr-defined]
        return [core]

    def _fill_one(self, container: Container, value: Value, event: Event, array: bool) -> None:
        container.fills.append(event)
        if event.kind in ("bind", "setattr"):
            container.array = False  # it grows
        if container.key[0] == LENT and len(container.fills) == 1:
            container.creation = self.file.here(event.node, event.site)
        core = value.core
        if core.op == "tuple" and (not array or len(core.args) > 2):
            for part in _flattened(core):
                container.roles |= self.provenance.roles(part)
        elif core.op == "alloc" and isinstance(core.data, AllocSite) and core.data.items:
            for part in core.data.items:
                container.roles |= self.provenance.roles(part)
        elif (
            core.op == "call" and core.args[0].op in ("class", "ref", "call") and len(core.args) > 2
        ):
            for part in core.args[1:]:
                container.roles |= self.provenance.roles(part)
        else:
            roles = self.provenance.roles(value)
            # what is computed from a reward in one case and from a policy in another is neither
            container.roles |= roles - {POLICY} if REWARD in roles else roles

    def _container(self, core: Value, array: bool) -> Container | None:
        source, key, owner, name = self._identity(core)
        if source is None:
            return None
        made = self._allocation(source)
        if made is None:
            return None
        is_array, creation, bounded = made
        outer = self._literals.get(source)
        if outer is not None:
            creation = (outer[0].data.node, outer[0].data.site)  # type: ignore[attr-defined]
        known = self.table.get(key)
        if known is None:
            known = Container(key, core, owner, name, creation, is_array, bounded=bounded)
            self.table[key] = known
        return known

    def _identity(self, core: Value) -> tuple[Value | None, tuple, Class | None, str]:
        """(value that was allocated, key, class that owns it, name)."""
        file = self.file
        if core.op in ("carry", "after", "phi"):
            if core in self._open:  # level = level.setdefault(key, {}), level by level
                return None, (), None, ""
            options = self.provenance._sources(core) if core.op == "carry" else list(core.args)
            for option in options:
                if option.core is not core and option.core.op in (
                    "alloc",
                    "call",
                    "fn",
                    "carry",
                    "attr",
                ):
                    self._open.add(core)
                    found = self._identity(option.core)
                    self._open.discard(core)
                    if found[0] is not None and self._allocation(found[0]) is not None:
                        return found
            return None, (), None, ""
        if core.op == "attr":
            base = core.args[0].core
            cls = file.class_of(base)
            name = str(core.data)
            if cls is None:
                cls = self._only_class_with(base, name)
            sources = [d for d in file.resolve(core) if self._allocation(d) is not None]
            if not sources and cls is not None:
                made = [*cls.attributes.get(name, ()), *_constant(cls, name)]
                sources = [d.core for d in made if self._allocation(d.core) is not None]
            if not sources and cls is None:
                sources = self._columns(base, name)
            if not sources or (cls is not None and self._is_replaced(cls, name)):
                return None, (), None, ""
            if cls is not None and cls.module.main:
                return sources[0], ("class", id(cls.node), name), cls, name
            if cls is not None and not is_network(cls):
                return None, (), None, ""
            # a network of another file that carries the lists of the episode: its user fills them
            return sources[0], ("attr" if cls is None else LENT, base.id, name), None, name
        if core.op == "item":
            outer = core.args[0].core
            field_name = core.args[1].string
            if field_name is None:
                # a row of a container: x["obs"][episode][t] = ...
                source, key, owner, name = self._identity(outer)
                if outer in self.rows:  # by_worker[i] = defaultdict(list)
                    return self._identity(self.rows[outer])
                last = core.args[1].number is not None
                rows = source is not None and (source.op != "alloc" or outer.op == "item" or last)
                return (source, key, owner, name) if rows else (None, (), None, "")
            source, key, owner, name = self._identity(outer)
            if source is not None:
                source = _element(source)
            if source is not None and source.op == "alloc":
                entries = source.data.entries or {}  # type: ignore[attr-defined]
                inner = entries.get(field_name)
                if inner is not None or source.data.kind in ("defaultdict", "dict"):  # type: ignore[attr-defined]
                    return inner or source, (*key, field_name), owner, field_name
            elif source is not None and source.op in ("call", "fn"):
                # a field of a structured array
                return source, (*key, field_name), owner, field_name
            return None, (), None, ""
        if core.op == "elem" and core not in self._open:
            # of a list of containers, or of those of them that a condition holds for
            whole = core.args[0].core
            chosen = whole.args[0].core if whole.op == "comp" else whole
            self._open.add(core)
            found = self._identity(chosen if chosen.op == "elem" else whole)
            self._open.discard(core)
            rows = found[0] is not None and _element(found[0]) is not found[0]
            return found if rows else (None, (), None, "")
        if core in self.entered:
            base, name = self.entered[core]
            _, key, owner, _ = self._identity(base)
            if owner is not None:
                return core, (*key, name), owner, name
        if core.op == "call" and core.args[0].op == "attr":
            outer = core.args[0].args[0].core
            if core.args[0].data == "setdefault" and len(core.args) > 2:
                source, key, owner, _ = self._identity(outer)
                name = core.args[1].string or "*"
                if source is not None and self._allocation(core.args[2].core) is not None:
                    return source, (*key, name), owner, name
            elif core.args[0].data in _PARTS:
                return self._identity(outer)
        if core in self.assigned and core.op in ("alloc", "call", "fn"):
            base, name = self.assigned[core]
            cls = file.class_of(base)
            if cls is not None and cls.module.main:
                return core, ("class", id(cls.node), name), cls, name
        if core.op == "call" and (core.args[0].dotted or "").endswith(".TensorDict"):
            return self._identity(core.args[1].core) if len(core.args) > 1 else (None, (), None, "")
        parent = self._literals.get(core)
        if parent is not None:
            outer, field_name = parent
            return core, ("value", outer.id, field_name), None, field_name
        return core, ("value", core.id), None, ""

    def _columns(self, base: Value, name: str) -> list[Value]:
        """The container that a record of another file is given as `name`: `Rows(reward=[])`."""
        made = [v for v in self.file.resolve(base) if v.op == "call" and v.args[0].op == "ref"]
        given = [self.file.keywords(call).get(name) for call in made]
        return [v.core for v in given if v is not None and self._allocation(v.core) is not None]

    @cached_property
    def _literals(self) -> dict[Value, tuple[Value, str]]:
        """The containers in a dict that is written out, with the dict and their names in it."""
        out: dict[Value, tuple[Value, str]] = {}
        for value in self.file.of_op("alloc"):
            for name, inner in (value.data.entries or {}).items():  # type: ignore[attr-defined]
                made = self._allocation(inner.core)
                if made is not None and made[1] is not None and self._is_inside(made[1], value):
                    out[inner.core] = (value, name)
        return out

    def _is_inside(self, place: tuple[Any, Site], literal: Value) -> bool:
        """Whether a place is within the text of a literal."""
        site: AllocSite = literal.data  # type: ignore[assignment]
        if not (place[1].frame.module.main and site.site.frame.module.main):
            return False
        waiting = [site.node]
        while waiting:
            node = waiting.pop()
            if node is place[0]:
                return True
            waiting.extend(children(node))
        return False

    def _only_class_with(self, base: Value, name: str) -> Class | None:
        """The class of an opaque argument, when one class only has a container of that name."""
        if base.op != "param":
            return None
        having = [
            cls
            for cls in self.file.classes
            if any(self._allocation(v.core) is not None for v in cls.attributes.get(name, ()))
        ]
        return having[0] if len(having) == 1 else None

    def _is_replaced(self, cls: Class, name: str) -> bool:
        """Whether an attribute is set to a new list of several things at once: it holds one step."""
        return any(
            len(
                [
                    v
                    for v in literal_members(value.core)
                    if v.core.op not in ("const", "bool", "alloc")
                ]
            )
            > 1
            for value in cls.attributes.get(name, ())
        )

    def is_array(self, core: Value) -> bool:
        """Whether a value is a new array, also one in shared memory or on another device."""
        core = _unmoved(core)
        if core.op in ("phi", "where"):
            parts = core.args[core.op == "where" :]
            return all(self.is_array(part.core) for part in parts)
        made = self._allocation(core) if core.op == "call" else None
        return made is not None and made[0]

    def _allocation(self, core: Value) -> tuple[bool, tuple[Any, Site] | None, bool] | None:
        """(is an array, where it was made, has a bound) of a value that is a new container."""
        core = _unmoved(core)
        if core.op == "alloc":
            site = core.data
            assert isinstance(site, AllocSite)
            bounded = site.kind == "deque" and bool(site.items)
            return False, (site.node, site.site), bounded
        if core.op == "comp":
            made = self._allocation(_element(core)) if _element(core) is not core else None
            places = self.file.places(core)
            return (made[0], places[0] if places else made[1], made[2]) if made else None
        if core.op == "call":
            name = core.args[0].dotted or ""
            if name == "dataclasses.field" and len(core.args) == 2:
                factory = (core.args[1].dotted or "").rpartition(".")[2]
                call = self.file.call_site(core)
                return (False, (call.node, call.site), False) if factory in _FACTORIES else None
            made_like = core.args[0].op == "attr" and core.args[0].data in _NEW
            if made_like or _ALLOCATORS.match(name):
                call = self.file.call_site(core)
                return True, (call.node, call.site), False
        if core.op == "fn" and core.data in _LIKE:
            places = self.file.places(core)
            return True, places[0] if places else None, False
        if core.op == "fn" and core.data in ("cat", "stack"):
            from ppolint.semantics.operations import elements

            if not (elements(core) or ()):
                places = self.file.places(core)
                return True, places[0] if places else None, False
        return None


def _paired(core: Value, value: Value) -> list[tuple[Value, Value]]:
    """What is filled with what: one by one, where a loop goes over containers that are written out,
    `for kept, new in zip((states, rewards), (state, reward)): kept.append(new)`."""
    wholes = _written_out(core)
    if not wholes:
        return [(core, value)]
    values = _written_out(value.core) if value.core.data == core.data else ()
    if len(values) != len(wholes):
        return [(whole.core, value) for whole in wholes]
    return list(zip((whole.core for whole in wholes), values))


def _written_out(core: Value) -> tuple[Value, ...]:
    """The members of the tuple or list that a value is an element of."""
    iterable = core.args[0].core if core.op == "elem" else core
    if iterable is core or iterable.op not in ("tuple", "alloc"):
        return ()
    return iterable.args if iterable.op == "tuple" else literal_members(iterable)


def _flattened(core: Value) -> Iterator[Value]:
    """The members of a tuple, and of the tuples in it: `(state, (reward, mask, *action))`."""
    for part in core.args:
        if part.core.op == "tuple":
            yield from _flattened(part.core)
        else:
            yield part.args[0] if part.op == "fn" and part.data == "star" else part


def is_network(cls: Class) -> bool:
    return any(base.startswith("torch.nn.") for base in cls.external_bases())


def _constant(cls: Class, name: str) -> tuple[Value, ...]:
    """The field of a dataclass: what the class body says an attribute is at first."""
    value = cls.constants.get(name)
    return () if value is None else (value,)


def _element(core: Value) -> Value:
    """What a comprehension makes of each element; of a dict, the values."""
    if core.op != "comp":
        return core
    made = core.args[0].core
    return made.args[1].core if made.op == "tuple" and len(made.args) == 2 else made


def _unmoved(core: Value) -> Value:
    """What is moved or cast: `torch.zeros(8)` of `torch.zeros(8).cuda()`."""
    while True:
        if core.op == "call" and core.args[0].op == "attr" and core.args[0].data in _MOVES:
            core = core.args[0].args[0].core
        elif core.op == "fn" and core.data in _MOVES:
            core = core.args[0].core
        else:
            return core


def _whole(core: Value) -> Value | None:
    """The tensor that `x[t]` and `x.select(0, t)` are a part of."""
    if core.op == "item":
        return core.args[0].core
    if core.op == "call" and core.args[0].op == "attr" and core.args[0].data in _PARTS:
        return core
    return None


def _adds_up(event: Event) -> bool:
    """Whether a cell is increased: a running total, of which only the last value is wanted."""
    value = event.value.core
    if value.op != "add" or event.base is None:
        return False
    return any(t.op == "item" and t.args[0].core is event.base.core for t in value.args)


def _is_of_element(core: Value, loop: int) -> bool:
    while core.op in ("item", "attr"):
        core = core.args[0].core
    return core.op == "elem" and core.data == loop


def is_reply(file: FileModel, container: Container) -> bool:
    """Whether a container gathers one step's replies of several environments.

    The loop that fills it runs over the environments: what is stepped depends on its element.
    """
    for fill in container.fills:
        loops = fill.site.loops()
        if loops and fill.base is not None and _is_of_element(fill.base.core, loops[-1].bit):
            continue  # one container for each environment
        for call in steps_of(file).calls:
            site = file.call_site(call).site
            receiver = call.args[0]
            if loops and loops[-1] in site.loops() and receiver.loops & loops[-1].mask:
                if not any(c.start in walk(receiver) for c in loops[-1].carried.values()):
                    return True
    return False
