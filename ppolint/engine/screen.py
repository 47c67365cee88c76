"""Which rules can have anything to say about a file, told from its bytes."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from ppolint.rules.registry import FAMILIES, RuleEntry
from ppolint.source.file import Source

if TYPE_CHECKING:
    from ppolint.semantics.project import Project

_IDENTIFIER = re.compile(rb"[A-Za-z_][A-Za-z0-9_]*")
_WORD_FIRST = re.compile(r"^\\b([a-z]{2,})(?![*+?{])")
# The kind of program that a family of rules is about, when a rule does not say it itself.
_FAMILY = dict.fromkeys(FAMILIES, "torchrl") | dict.fromkeys(("general", "plumbing"), None)


class _Need:
    """One entry of a rule's `needs`: an identifier, a piece of text, or a regex (`re:`).

    A regex without regard to case (`re:(?i)`, all of it in small letters) is looked for in the text
    in small letters: that is ten times as fast, because the engine then knows how a match begins.
    """

    def __init__(self, entry: str) -> None:
        self.in_small_letters = entry.startswith("re:(?i)")
        assert not self.in_small_letters or entry == entry.lower(), f"{entry}: no capitals"
        self.regex = None
        if entry.startswith("re:"):
            pattern = entry.removeprefix("re:").removeprefix("(?i)")
            # A regex that begins with letters jumps to them; one that begins with \b does not.
            pattern = _WORD_FIRST.sub(r"\1(?<!\\w\1)", pattern)
            self.regex = re.compile(pattern.encode(), re.MULTILINE)
        self.text = entry.encode()
        self.identifier = _IDENTIFIER.fullmatch(self.text) is not None
        # The JSON of a notebook spells quotes, backslashes and line ends in another way.
        self.as_in_json = self.regex is None and not {34, 92} & set(self.text)

    def is_in(self, data: bytes) -> bool:
        """Whether the text holds it, in small letters where it asks for that."""
        return self.text in data if self.regex is None else self.regex.search(data) is not None


class _Group:
    """Alternatives of which a file has to show one."""

    def __init__(self, needs: Iterable[_Need]) -> None:
        self.needs = tuple(needs)
        self.identifiers = frozenset(need.text for need in self.needs if need.identifier)
        self.others = tuple(need for need in self.needs if not need.identifier)


class Screen:
    """The screen for a set of rules."""

    def __init__(self, rules: Iterable[RuleEntry]) -> None:
        needs: dict[str, _Need] = {}
        groups: dict[tuple[str, ...], _Group] = {}

        def group(entries: tuple[str, ...]) -> _Group:
            if entries not in groups:
                known = [needs.setdefault(entry, _Need(entry)) for entry in entries]
                groups[entries] = _Group(known)
            return groups[entries]

        rules = [rule for rule in rules if rule.needs]
        self._programs = {rule.code: rule.program or _FAMILY[rule.family] for rule in rules}
        self._rules = [(rule.code, [group(entries) for entries in rule.needs]) for rule in rules]
        self._of_any_program = [rule for rule in self._rules if self._programs[rule[0]] is None]

    def passing(self, data: bytes, of_any_program: bool = False) -> tuple[str, ...]:
        """The codes of the rules that need to see a Python file with these bytes.

        `of_any_program` leaves out the rules that are about one kind of program only.
        """
        identifiers: set[bytes] = set()
        small: list[bytes] = []
        present: dict[_Need, bool] = {}
        shown: dict[_Group, bool] = {}

        def has(need: _Need) -> bool:
            known = present.get(need)
            if known is None:
                if need.in_small_letters and not small:
                    small.append(data.lower())
                known = present[need] = need.is_in(small[0] if need.in_small_letters else data)
            return known

        def shows(group: _Group) -> bool:
            known = shown.get(group)
            if known is None:
                known = shown[group] = names(group.identifiers) or any(map(has, group.others))
            return known

        def names(wanted: frozenset[bytes]) -> bool:
            # Most files of other kinds hold nothing that looks like one: they are not split up.
            if not identifiers and any(text in data for text in wanted):
                identifiers.update(_IDENTIFIER.findall(data))
            return not identifiers.isdisjoint(wanted)

        rules = self._of_any_program if of_any_program else self._rules
        return tuple(code for code, groups in rules if all(map(shows, groups)))

    def may_pass_notebook(self, data: bytes) -> bool:
        """Whether the JSON of a notebook is worth decoding."""

        def may(need: _Need) -> bool:
            return not need.as_in_json or need.text in data

        return any(all(any(map(may, group.needs)) for group in groups) for _, groups in self._rules)

    def passing_source(self, source: Source) -> tuple[str, ...]:
        """The codes of the rules that need to see `source`."""
        return self.passing(source.text.encode("utf-8", "surrogatepass"))

    def of_program(
        self, codes: tuple[str, ...], text: str, path: str, project: Project
    ) -> tuple[tuple[str, ...], bool]:
        """Those of the rules that are about the kind of program the file belongs to.

        The second value tells whether other files of the project were asked for the answer.
        """
        if all(self._programs[code] is None for code in codes):
            return codes, False
        from ppolint.semantics.evidence import Program

        program = Program(text, path, project)
        kept = tuple(code for code in codes if program.is_a(self._programs[code]))
        return kept, program.consulted
