"""What all components of a pipeline have in common, and the answer "cannot be seen"."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from ppolint.semantics import catalogue
from ppolint.semantics.program import CallSite, Class, Site
from ppolint.semantics.values import Value

if TYPE_CHECKING:
    from ppolint.semantics.pipeline import Pipeline
    from ppolint.semantics.story import Step


class Unknown:
    """The answer "cannot be seen"; there is one, `UNKNOWN`, and it is falsy."""

    __slots__ = ()

    def __bool__(self) -> bool:
        return False

    def __repr__(self) -> str:
        return "UNKNOWN"


UNKNOWN = Unknown()

# Arguments that may be given as a factory, which then stands for what it builds.
_BUILT = frozenset({"create_env_fn", "policy_factory"})


class Component:
    """One object of the pipeline, as built by one call (or derived from another component)."""

    def __init__(
        self, pipeline: Pipeline, kind: str, name: str, call: Value, cls: Class | None = None
    ) -> None:
        self.pipeline = pipeline
        self.kind = kind
        self.name = name
        self.call = call
        self.cls = cls

    def __repr__(self) -> str:
        return f"<{self.title} {self.label or ''} line {self.line}>"

    @property
    def title(self) -> str:
        """The class as a reader of the code knows it: a subclass of the project by its own name."""
        return self.cls.name if self.cls is not None else self.name

    # -- where ------------------------------------------------------------------------------
    @property
    def site(self) -> Site:
        site = self.call.core.data
        assert isinstance(site, CallSite)
        return site.site

    @property
    def node(self) -> Any:
        """The libcst Call node that builds the component, in the file of `site`."""
        return self.call.core.data.node  # type: ignore[attr-defined]

    @property
    def here(self) -> bool:
        """Whether the component is built in the linted file itself."""
        return self.site.frame.module.main

    @property
    def span(self) -> tuple[int, int]:
        """Offsets of the call, or of the call of this file that leads to it."""
        return self.pipeline.file.at(self.node, self.site)

    @property
    def line(self) -> int:
        """The 1-based line of `span` in the source text."""
        return self.pipeline.file.source.text.count("\n", 0, self.span[0]) + 1

    @cached_property
    def label(self) -> str:
        """The name it is first bound to (`env`, `self.actor`), or an empty string."""
        return self.pipeline.label_of(self)

    # -- arguments --------------------------------------------------------------------------
    @cached_property
    def _bound(self) -> tuple[dict[str, Value], bool]:
        """Argument name -> value, and whether there may be more than can be seen."""
        core = self.call.core
        site = core.data
        assert isinstance(site, CallSite)
        args = core.args[1:]
        bound: dict[str, Value] = {}
        names = self._positional_names()
        for at in range(site.positional):
            if at < len(names):
                bound[names[at]] = args[at]
        bound.update(zip(site.keywords, args[site.positional :]))
        return bound, site.star or site.double_star or self._own_constructor()

    def _positional_names(self) -> tuple[str, ...]:
        if self._own_constructor():
            return ()
        dotted = self.pipeline.file.callee(self.call)
        return catalogue.positional(dotted or "", self.name)

    def _own_constructor(self) -> bool:
        return self.cls is not None and any("__init__" in c.methods for c in self.cls.lineage())

    @property
    def positionals(self) -> tuple[Value, ...]:
        """The positional arguments as written."""
        site = self.call.core.data
        assert isinstance(site, CallSite)
        return self.call.core.args[1 : 1 + site.positional]

    @property
    def arguments(self) -> dict[str, Value]:
        """The arguments that can be seen, under the names they are bound to."""
        return dict(self._bound[0])

    @property
    def sealed(self) -> bool:
        """Whether every argument can be seen: no `**`, and no constructor of the project's own."""
        return not self._bound[1]

    def argument(self, name: str) -> Value | Unknown | None:
        """An argument by its name of today (`SYNONYMS` of other releases included)."""
        bound, more = self._bound
        for candidate in (name, *catalogue.SYNONYMS.get(name, ())):
            if candidate in bound:
                return bound[candidate]
        return UNKNOWN if more else None

    def flag(self, name: str, default: bool) -> bool | Unknown:
        """A boolean argument, or `default` when it is not given."""
        value = self.argument(name)
        if value is None:
            return default
        if isinstance(value, Unknown):
            return UNKNOWN
        found = self.pipeline.constant(value)
        return found if isinstance(found, bool) else UNKNOWN

    def part(self, name: str) -> Component | Unknown | None:
        """The component given as an argument: the only one it can be, else UNKNOWN."""
        return only(self.parts_of(name))

    def parts_of(self, name: str) -> tuple[Component | Unknown | None, ...]:
        """Every component that an argument may be; `(None,)` when it is not given."""
        value = self.argument(name)
        if value is None:
            return (None,)
        if isinstance(value, Unknown):
            return (UNKNOWN,)
        return self.pipeline.candidates(value, self if name in _BUILT else None)

    # -- what is done with it ---------------------------------------------------------------
    def methods(self, *names: str) -> list[Step]:
        """The calls of its methods, in order, over all stories; of any of `names` if given."""
        steps = self.pipeline.method_steps(self)
        return [s for s in steps if s.method in names] if names else list(steps)

    @cached_property
    def keys(self) -> dict[str, Any] | Unknown:
        """What `set_keys` (and the `*_key` arguments) renamed: setting -> key or UNKNOWN."""
        return self.pipeline.renamed_keys(self)


def only(found: tuple) -> Any:
    """The single member of `found`, else UNKNOWN (None when there is none)."""
    distinct = list(dict.fromkeys(found))
    if len(distinct) == 1:
        return distinct[0]
    return UNKNOWN if distinct else None
