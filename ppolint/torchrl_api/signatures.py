"""Signatures as the database knows them: parameters, and what becomes of unknown keywords."""

from __future__ import annotations

import ast
import enum
from collections.abc import Iterable
from dataclasses import dataclass, field, replace


class Kind(enum.Enum):
    """How an argument reaches a parameter; the values are those of `inspect`."""

    POSITIONAL_ONLY = "positional-only"
    POSITIONAL_OR_KEYWORD = "positional or keyword"
    VAR_POSITIONAL = "variadic positional"
    KEYWORD_ONLY = "keyword-only"
    VAR_KEYWORD = "variadic keyword"


class Extra(str, enum.Enum):
    """What a callable does with a keyword that it has no parameter for.

    `REJECTS`: it raises `TypeError`. `SWALLOWS`: it is accepted and has no effect. `UNKNOWN`: it
    goes where static reading cannot follow (`gym.make`, a stored dictionary).
    """

    REJECTS = "rejects"
    SWALLOWS = "swallows"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter. `default` is the source of its default, None when it is required. `origin` is
    the class or function it belongs to when it is reached through `**kwargs`."""

    name: str
    kind: Kind
    default: str | None = None
    origin: str | None = None

    @property
    def variadic(self) -> bool:
        return self.kind in (Kind.VAR_POSITIONAL, Kind.VAR_KEYWORD)

    @property
    def required(self) -> bool:
        return self.default is None and not self.variadic and self.origin is None

    @property
    def by_keyword(self) -> bool:
        return self.kind in (Kind.POSITIONAL_OR_KEYWORD, Kind.KEYWORD_ONLY)


@dataclass(frozen=True)
class Signature:
    """What a callable takes in one release, `self` left out.

    `parameters` include those reached through a forwarded `**kwargs` (with an `origin`).
    `removed` are names it still knows only to raise. `stub` marks a class whose construction
    always raises.
    """

    parameters: tuple[Parameter, ...]
    extra: Extra = Extra.REJECTS
    removed: frozenset[str] = frozenset()
    stub: bool = False
    _by_name: dict[str, Parameter] = field(default_factory=dict, compare=False, repr=False)

    def __post_init__(self) -> None:
        self._by_name.update({p.name: p for p in self.parameters})

    def parameter(self, name: str) -> Parameter | None:
        """The parameter that a keyword `name` would reach."""
        found = self._by_name.get(name)
        return found if found is not None and found.by_keyword else None

    def accepts(self, name: str) -> bool | None:
        """Whether keyword `name` reaches a parameter; None when that cannot be known."""
        if name in self.removed:
            return False
        if self.parameter(name) is not None:
            return True
        return None if self.extra is Extra.UNKNOWN else False

    @property
    def keywords(self) -> tuple[str, ...]:
        """The names that can be given by keyword."""
        return tuple(p.name for p in self.parameters if p.by_keyword)

    @property
    def positional(self) -> tuple[Parameter, ...]:
        """The parameters that positional arguments fill, in order."""
        kinds = (Kind.POSITIONAL_ONLY, Kind.POSITIONAL_OR_KEYWORD)
        return tuple(p for p in self.parameters if p.kind in kinds and p.origin is None)

    @property
    def takes_any_positional(self) -> bool:
        return any(p.kind is Kind.VAR_POSITIONAL for p in self.parameters)

    def __str__(self) -> str:
        return f"({', '.join(_written(self.parameters))})"


def _written(parameters: Iterable[Parameter]) -> list[str]:
    written: list[str] = []
    star = False
    for parameter in parameters:
        if parameter.kind is Kind.VAR_POSITIONAL:
            star = True
            written.append(f"*{parameter.name}")
        elif parameter.kind is Kind.VAR_KEYWORD:
            written.append(f"**{parameter.name}")
        else:
            if parameter.kind is Kind.KEYWORD_ONLY and not star:
                star = True
                written.append("*")
            written.append(
                parameter.name
                if parameter.default is None
                else f"{parameter.name}={parameter.default}"
            )
    return written


def parse_parameters(text: str) -> tuple[Parameter, ...]:
    """The parameters of a list as `extract` stores it."""
    arguments = ast.parse(f"def f({text}): ...").body[0].args
    parameters: list[Parameter] = []
    plain = [*arguments.posonlyargs, *arguments.args]
    defaults = [None] * (len(plain) - len(arguments.defaults)) + list(arguments.defaults)
    for position, (argument, default) in enumerate(zip(plain, defaults)):
        positional_only = position < len(arguments.posonlyargs)
        kind = Kind.POSITIONAL_ONLY if positional_only else Kind.POSITIONAL_OR_KEYWORD
        parameters.append(Parameter(argument.arg, kind, _source(default)))
    if arguments.vararg:
        parameters.append(Parameter(arguments.vararg.arg, Kind.VAR_POSITIONAL))
    for argument, default in zip(arguments.kwonlyargs, arguments.kw_defaults):
        parameters.append(Parameter(argument.arg, Kind.KEYWORD_ONLY, _source(default)))
    if arguments.kwarg:
        parameters.append(Parameter(arguments.kwarg.arg, Kind.VAR_KEYWORD))
    return tuple(parameters)


def _source(node: ast.expr | None) -> str | None:
    return None if node is None else ast.unparse(node)


def forwarded(
    inner: Signature, own: Iterable[Parameter], positional: int, given: Iterable[str], origin: str
) -> list[Parameter]:
    """The parameters of `inner` that a caller can still reach through forwarded keywords: those
    that the forwarding call neither fills (by position or by name) nor the outer function has."""
    taken = {p.name for p in own} | set(given)
    if positional > 0:
        taken |= {p.name for p in inner.positional[:positional]}
    return [
        replace(p, kind=Kind.KEYWORD_ONLY, origin=p.origin or origin)
        for p in inner.parameters
        if p.by_keyword and p.name not in taken
    ]
