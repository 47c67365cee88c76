"""Lists, dicts of lists, deques and arrays, and what is put into them."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ppolint.semantics.allocations import allocation, element_of
from ppolint.semantics.fills import PARTS, adds_up, flattened, is_of_element, paired, whole_of
from ppolint.semantics.holders import Holders
from ppolint.semantics.program import AllocSite, Class, Event, Site
from ppolint.semantics.provenance import Provenance
from ppolint.semantics.scopes import children
from ppolint.semantics.steps import POLICY, REWARD, literal_members, steps_of
from ppolint.semantics.values import Value, walk

if TYPE_CHECKING:
    from ppolint.semantics.model import FileModel

_PUSHES = frozenset({"append", "insert", "extend", "appendleft", "add", "push"})
# What puts its last argument into a part of a tensor.
_WRITERS = frozenset({"copy_", "fill_"})
_PLACED_WRITERS = frozenset({"index_copy_", "index_fill_", "index_put_", "scatter_", "put_"})
_FILLING = _PUSHES | _WRITERS | _PLACED_WRITERS
# The first part of the key of a list that a network of another file has.
LENT = "lent"


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
        self.holders = Holders(file)
        self._open: set[Value] = set()
        self._find_fills()
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
        for event in self.file.events_of("method"):
            if event.base is not None and event.args:
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

    def _find_fills(self) -> None:
        for event in self.file.events:
            kind = event.kind
            if kind == "bind" or kind == "setattr":
                if event.value.core.data == "cat" and event.value.core.op == "fn":
                    self._concatenated(event)
            elif event.base is None:
                continue
            elif kind == "method":
                if event.key in _FILLING and event.args:
                    self._filled_by_method(event, event.base)
            elif kind == "call":
                if event.base.op == "attr" and event.base.data in _PUSHES and event.args:
                    # put = rows.append; put(row)
                    self._fill(event.base.args[0], event.args[-1], event, False)
            elif kind == "store":
                if event.key.string is None and not adds_up(event):
                    self._fill(event.base, event.value, event, True)
            elif kind == "augment" and event.key is None:
                source = self._identity(event.base.core)[0]
                made = allocation(self.file, source) if source is not None else None
                if made is not None and not made[0]:  # an array is added to, not extended
                    self._fill(event.base, event.value, event, False)

    def _filled_by_method(self, event: Event, base: Value) -> None:
        if event.key in _PUSHES:
            self._fill(base, event.args[-1], event, False)
        elif event.key in _WRITERS:
            whole = whole_of(base.core)
            if whole is not None:
                self._fill(whole, event.args[0], event, True)
        elif len(event.args) >= 2:
            self._fill(base, event.args[-1], event, True)

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
        for whole, put in paired(base.core, value):
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
            for part in flattened(core):
                container.roles |= self.provenance.roles(part)
        elif core.op == "alloc" and isinstance(core.data, AllocSite) and core.data.items:
            for part in core.data.items:
                parts = flattened(part.core) if part.core.op == "tuple" else (part,)
                for one in parts:
                    container.roles |= self.provenance.roles(one)
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
        made = allocation(self.file, source)
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
                    if found[0] is not None and allocation(self.file, found[0]) is not None:
                        return found
            return None, (), None, ""
        if core.op == "attr":
            base = core.args[0].core
            cls = file.class_of(base)
            name = str(core.data)
            if cls is None:
                cls = self._only_class_with(base, name)
            sources = [d for d in file.resolve(core) if allocation(self.file, d) is not None]
            if not sources and cls is not None:
                made = [*cls.attributes.get(name, ()), *_constant(cls, name)]
                sources = [d.core for d in made if allocation(self.file, d.core) is not None]
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
                if outer in self.holders.rows:  # by_worker[i] = defaultdict(list)
                    return self._identity(self.holders.rows[outer])
                last = core.args[1].number is not None
                rows = source is not None and (source.op != "alloc" or outer.op == "item" or last)
                return (source, key, owner, name) if rows else (None, (), None, "")
            source, key, owner, name = self._identity(outer)
            if source is not None:
                source = element_of(source)
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
            rows = found[0] is not None and element_of(found[0]) is not found[0]
            return found if rows else (None, (), None, "")
        if core in self.holders.entered:
            base, name = self.holders.entered[core]
            _, key, owner, _ = self._identity(base)
            if owner is not None:
                return core, (*key, name), owner, name
        if core.op == "call" and core.args[0].op == "attr":
            outer = core.args[0].args[0].core
            if core.args[0].data == "setdefault" and len(core.args) > 2:
                source, key, owner, _ = self._identity(outer)
                name = core.args[1].string or "*"
                if source is not None and allocation(self.file, core.args[2].core) is not None:
                    return source, (*key, name), owner, name
            elif core.args[0].data in PARTS:
                return self._identity(outer)
        if core in self.holders.assigned and core.op in ("alloc", "call", "fn"):
            base, name = self.holders.assigned[core]
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
        return [
            v.core for v in given if v is not None and allocation(self.file, v.core) is not None
        ]

    @cached_property
    def _literals(self) -> dict[Value, tuple[Value, str]]:
        """The containers in a dict that is written out, with the dict and their names in it."""
        out: dict[Value, tuple[Value, str]] = {}
        for value in self.file.of_op("alloc"):
            for name, inner in (value.data.entries or {}).items():  # type: ignore[attr-defined]
                made = allocation(self.file, inner.core)
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
            if any(allocation(self.file, v.core) is not None for v in cls.attributes.get(name, ()))
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


def is_network(cls: Class) -> bool:
    return any(base.startswith("torch.nn.") for base in cls.external_bases())


def _constant(cls: Class, name: str) -> tuple[Value, ...]:
    """The field of a dataclass: what the class body says an attribute is at first."""
    value = cls.constants.get(name)
    return () if value is None else (value,)


def is_reply(file: FileModel, container: Container) -> bool:
    """Whether a container gathers one step's replies of several environments.

    The loop that fills it runs over the environments: what is stepped depends on its element.
    """
    for fill in container.fills:
        loops = fill.site.loops()
        if loops and fill.base is not None and is_of_element(fill.base.core, loops[-1].bit):
            continue  # one container for each environment
        for call in steps_of(file).calls:
            site = file.call_site(call).site
            receiver = call.args[0]
            if loops and loops[-1] in site.loops() and receiver.loops & loops[-1].mask:
                if not any(c.start in walk(receiver) for c in loops[-1].carried.values()):
                    return True
    return False
