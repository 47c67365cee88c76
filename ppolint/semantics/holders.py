"""What containers are kept in: attributes of objects, entries of dicts, places of other lists."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ppolint.semantics.program import Event
from ppolint.semantics.values import Value

if TYPE_CHECKING:
    from ppolint.semantics.model import FileModel


class Holders:
    """Where the values of a file are put that may be containers.

    `assigned` has the object and the name of an attribute, `entered` those of an entry of an
    attribute that is a dict; the first one, where there are several. `entries` are what a dict is
    given under names after it is made, `rows` what a list of lists has in its places.
    """

    def __init__(self, file: FileModel) -> None:
        self.assigned: dict[Value, tuple[Value, str]] = {}
        self.entered: dict[Value, tuple[Value, str]] = {}
        self.entries: dict[Value, dict[str, Value]] = {}
        self.rows: dict[Value, Value] = {}
        for event in file.events_of("setattr"):
            if event.base is not None:
                self.assigned.setdefault(event.value.core, (event.base.core, event.key))
        for event in file.events_of("store", "method"):
            if event.base is None:
                continue
            if event.kind == "store":
                self._note(event, event.base.core, event.value.core)
            elif event.key == "update" and event.args:
                given = getattr(event.args[0].core.data, "entries", None)
                if event.args[0].core.op == "alloc" and given:
                    self.entries.setdefault(event.base.core, {}).update(given)

    def _note(self, event: Event, base: Value, value: Value) -> None:
        name = event.key.string
        if base.op == "alloc":
            if name is not None:
                self.entries.setdefault(base, {}).setdefault(name, event.value)
            elif value.op == "alloc":
                self.rows.setdefault(base, value)
        elif base.op == "attr" and name is not None and value.op in ("alloc", "call", "fn"):
            self.entered.setdefault(value, (base, name))
