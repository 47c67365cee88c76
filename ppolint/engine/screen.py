"""Which rules can have anything to say about a file, told from its bytes."""

from __future__ import annotations

import re
from collections.abc import Iterable

from ppolint.rules.registry import RuleEntry
from ppolint.source.file import Source

_IDENTIFIER = re.compile(rb"[A-Za-z_][A-Za-z0-9_]*")


class Screen:
    """The screen for a set of rules.

    First every needed word is looked for as a piece of text, which is fast and passes too much;
    only when that lets a rule through are the identifiers of the file gathered.
    """

    def __init__(self, rules: Iterable[RuleEntry]) -> None:
        self._rules = [
            (rule.code, [[word.encode() for word in group] for group in rule.needs])
            for rule in rules
            if rule.needs
        ]

    def passing(self, data: bytes) -> tuple[str, ...]:
        """The codes of the rules that need to see a Python file with these bytes."""
        present: dict[bytes, bool] = {}

        def has(word: bytes) -> bool:
            known = present.get(word)
            if known is None:
                known = present[word] = word in data
            return known

        candidates = [
            rule for rule in self._rules if all(any(map(has, group)) for group in rule[1])
        ]
        if not candidates:
            return ()
        identifiers = set(_IDENTIFIER.findall(data))
        return tuple(
            code
            for code, needs in candidates
            if all(
                any(
                    word in identifiers or (_IDENTIFIER.fullmatch(word) is None and has(word))
                    for word in g
                )
                for g in needs
            )
        )

    def may_pass_notebook(self, data: bytes) -> bool:
        """Whether the JSON of a notebook is worth decoding. Its quotes and newlines are escaped."""
        return any(
            all(any(b'"' in w or b"\\" in w or w in data for w in group) for group in needs)
            for _, needs in self._rules
        )

    def passing_source(self, source: Source) -> tuple[str, ...]:
        """The codes of the rules that need to see `source`."""
        return self.passing(source.text.encode("utf-8", "surrogatepass"))
