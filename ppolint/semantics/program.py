"""The parts of a program as the evaluator meets them: definitions, frames, loops, events.

All of these are identities, not descriptions: compared with `is`, found again by rules through
`FileModel`. Nodes are libcst nodes of the file the frame belongs to; `FileModel.span` turns them
into offsets. None has a `repr` that lists its fields: they lead to each other and to whole trees.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ppolint.semantics.values import Value


class State(dict):
    """Names or attributes and their values; knows what changed since a branch began.

    Branches run one after the other on the same state: each starts a `log` of what it overwrites,
    its changes are taken out with `undo`, and only what changed is merged. Copying the whole state
    for each branch would make long functions with many branches quadratic.
    """

    __slots__ = ("log",)

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.log: list[tuple[Any, Value | None]] | None = None

    def __setitem__(self, key: Any, value: Value) -> None:
        if self.log is not None:
            self.log.append((key, self.get(key)))
        dict.__setitem__(self, key, value)

    def update_all(self, values: dict[Any, Value]) -> None:
        """Set many at once, on the log."""
        for key, value in values.items():
            self[key] = value

    def begin(self) -> list[tuple[Any, Value | None]] | None:
        """Start a log of changes; returns the one that was open, for `undo`."""
        outer, self.log = self.log, []
        return outer

    def undo(self, outer: list[tuple[Any, Value | None]] | None) -> dict[Any, Value]:
        """Take back everything since `begin`; returns what had been changed, with its values."""
        log = self.log or []
        changed = {key: self[key] for key, _ in log}
        for key, old in reversed(log):
            if old is None:
                dict.pop(self, key, None)
            else:
                dict.__setitem__(self, key, old)
        self.log = outer
        return changed


@dataclass(eq=False, slots=True, repr=False)
class ModuleInfo:
    """A file that takes part in the analysis: the one being linted (`main`), or one it imports."""

    path: str
    tree: Any
    main: bool
    frame: Frame | None = None


def _is_text(statement: Any) -> bool:
    """Whether a statement is a docstring or an ellipsis."""
    value = getattr(statement, "value", None)
    kinds = ("SimpleString", "ConcatenatedString", "Ellipsis")
    return type(statement).__name__ == "Expr" and type(value).__name__ in kinds


@dataclass(eq=False, slots=True, repr=False)
class Function:
    """A function, method or lambda of a file."""

    name: str
    qualname: str
    node: Any
    module: ModuleInfo
    parent: Frame | None  # the frame it was defined in: where free names are looked up
    cls: Class | None = None
    decorators: tuple[Value, ...] = ()
    defaults: dict[str, Value] = field(default_factory=dict)
    contexts: tuple[Value, ...] = ()  # decorators that act like a `with` around the body
    _abstract: bool | None = None

    @property
    def is_static(self) -> bool:
        return any(d.dotted == "builtins.staticmethod" for d in self.decorators)

    @property
    def is_class_method(self) -> bool:
        return any(d.dotted == "builtins.classmethod" for d in self.decorators)

    @property
    def is_abstract(self) -> bool:
        """Whether it only says what subclasses have to define: by its decorator, or because it does
        nothing but raise (a method: or nothing at all)."""
        if self._abstract is None:
            self._abstract = self._only_declares()
        return self._abstract

    def _only_declares(self) -> bool:
        if any((d.dotted or "").endswith("abstractmethod") for d in self.decorators):
            return True
        lines = getattr(self.node.body, "body", ())
        if self.name == "__init__" or not isinstance(lines, (list, tuple)) or len(lines) > 2:
            return False
        if any(type(line).__name__ != "SimpleStatementLine" for line in lines):
            return False
        statements = [s for line in lines for s in line.body]
        kinds = [type(s).__name__ for s in statements if not _is_text(s)]
        return kinds == ["Raise"] or (self.cls is not None and kinds in ([], ["Pass"]))

    @property
    def is_property(self) -> bool:
        names = ("builtins.property", "functools.cached_property")
        return any(d.dotted in names for d in self.decorators)


@dataclass(eq=False, slots=True, repr=False)
class Class:
    """A class of a file; `attributes` collects what its methods assign to `self.<name>`."""

    name: str
    qualname: str
    node: Any
    module: ModuleInfo
    bases: tuple[Value, ...] = ()
    methods: dict[str, Function] = field(default_factory=dict)
    constants: dict[str, Value] = field(default_factory=dict)
    attributes: dict[str, list[Value]] = field(default_factory=dict)
    self_value: Value | None = None
    _lineage: tuple[Class, ...] = ()

    def lineage(self) -> tuple[Class, ...]:
        """The class and its bases that are known, nearest first."""
        if not self._lineage:
            seen: list[Class] = []
            queue: list[Class] = [self]
            while queue:
                cls = queue.pop(0)
                if cls not in seen:
                    seen.append(cls)
                    queue.extend(b.data for b in cls.bases if b.op == "class")  # type: ignore[misc]
            self._lineage = tuple(seen)
        return self._lineage

    def method(self, name: str) -> Function | None:
        own = self.methods.get(name)
        if own is not None or not self.bases:
            return own
        for cls in self.lineage():
            if name in cls.methods:
                return cls.methods[name]
        return None

    def external_bases(self) -> list[str]:
        """Dotted names of the bases that are not classes of the project."""
        return [b.dotted for c in self.lineage() for b in c.bases if b.dotted is not None]


@dataclass(eq=False, slots=True, repr=False)
class Loop:
    """One execution of a `for`, `while` or comprehension; the body is run once."""

    bit: int
    kind: str  # "for", "while", "comprehension"
    node: Any
    iterable: Value | None
    parent: Loop | None
    frame: Frame
    condition: Value | None = None
    carried: dict[Any, Carried] = field(default_factory=dict)
    # what variables are where a `break` leaves the loop
    broken: list[dict[Any, Value]] = field(default_factory=list)
    # what variables hold that are only changed where a `break` or a `return` leaves the loop
    unchanged: dict[Value, Value] = field(default_factory=dict)
    # variables that the body makes from themselves and that do not exist before it
    unbound: set[str] = field(default_factory=set)

    @property
    def mask(self) -> int:
        return 1 << self.bit


@dataclass(eq=False, slots=True, repr=False)
class Carried:
    """A variable that an iteration takes over from the one before: x = step(x)."""

    key: Any
    loop: Loop
    start: Value  # the `carry` node: the variable at the start of an iteration
    init: Value
    step: Value
    node: Any  # the last assignment in the body, or None
    site: Site | None


@dataclass(eq=False, slots=True, repr=False)
class Frame:
    """One activation of a function (or of the module body): environment and surroundings."""

    function: Function | None  # None for the module body
    module: ModuleInfo
    lexical: Frame | None
    caller: Frame | None
    call: Any = None  # the call node that this frame inlines, if it does
    call_site: Site | None = None
    env: State = field(default_factory=State)
    loop: Loop | None = None
    contexts: tuple[Value, ...] = ()
    conditions: tuple[Any, ...] = ()
    depth: int = 0
    returns: list[Value] = field(default_factory=list)
    globals: set[str] = field(default_factory=set)
    self_value: Value | None = None
    yields: list[Value] = field(default_factory=list)

    @property
    def root(self) -> Frame:
        frame = self
        while frame.caller is not None:
            frame = frame.caller
        return frame

    @property
    def scope(self) -> str:
        return self.function.qualname if self.function is not None else ""

    def loops(self) -> tuple[Loop, ...]:
        """The loops around the current point, outermost first, callers' included."""
        out: list[Loop] = []
        frame: Frame | None = self
        loop = self.loop
        while frame is not None:
            while loop is not None:
                out.append(loop)
                loop = loop.parent
            frame = frame.caller
            loop = frame.loop if frame is not None else None
        return tuple(reversed(out))


@dataclass(eq=False, slots=True, repr=False)
class Site:
    """A statement at the time it was evaluated, with its surroundings."""

    statement: Any
    frame: Frame
    loop: Loop | None
    conditions: tuple[Any, ...] = ()
    contexts: tuple[Value, ...] = ()
    order: int = 0
    _loops: tuple[Loop, ...] | None = None

    def in_loop(self, loop: Loop) -> bool:
        return loop in self.loops()

    @property
    def root(self) -> Frame:
        return self.frame.root

    def loops(self) -> tuple[Loop, ...]:
        """The loops around the site, outermost first, those of the callers included."""
        if self._loops is None:
            out: list[Loop] = []
            loop = self.loop
            while loop is not None:
                out.append(loop)
                loop = loop.parent
            out.reverse()
            outer = self.frame.call_site
            self._loops = (*outer.loops(), *out) if outer is not None else tuple(out)
        return self._loops


@dataclass(eq=False, slots=True, repr=False)
class CallSite:
    """The identity of an opaque call; the value's args are callee, positionals, keyword values."""

    node: Any
    site: Site
    positional: int
    keywords: tuple[str, ...]
    star: bool = False
    double_star: bool = False


@dataclass(eq=False, slots=True, repr=False)
class AllocSite:
    """The identity of a list, dict, set, deque or comprehension."""

    kind: str
    node: Any
    site: Site
    items: tuple[Value, ...] | None = None
    entries: dict[Any, Value] | None = None


@dataclass(eq=False, slots=True, repr=False)
class Event:
    """Something that happened, in order of evaluation.

    kind      base            key            value
    call      the callee      -              the call (an opaque one) or the inlined result
    method    the receiver    method name    the result; also for pure methods and inlined ones
    store     container       index          what is stored        x[i] = v
    setattr   receiver        name           what is stored        x.a = v
    bind      -               name           what is bound         a = v
    return    -               -              what is returned
    """

    kind: str
    base: Value | None
    key: Any
    value: Value
    args: tuple[Value, ...]
    node: Any
    site: Site
