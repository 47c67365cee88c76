"""Findings that a team has decided to live with, in a file that is committed.

An entry is a rule and a fingerprint below the path of a file: it survives moved and reformatted
code, and, since a fingerprint without a partner in its file is looked for elsewhere, renamed files.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterable

from ppolint.findings import Diagnostic
from ppolint.settings.schema import ConfigurationError

DEFAULT_NAME = "ppolint-baseline.json"
VERSION = 1

Entry = tuple[str, str]  # code, fingerprint


class Baseline:
    """Known findings by file; paths are relative to the folder of the baseline's file."""

    def __init__(self, file: str, known: dict[str, Counter[Entry]] | None = None) -> None:
        self._folder = os.path.dirname(os.path.abspath(file))
        self.file = file
        self.known = known or {}

    @classmethod
    def read(cls, file: str) -> Baseline:
        """The baseline in `file`; raises `ConfigurationError` when it is none."""
        try:
            with open(file, encoding="utf-8") as stream:
                data = json.load(stream)
            if data["version"] != VERSION:
                raise ConfigurationError(f"{file}: a baseline of another version of ppolint")
            known = {
                path: Counter((row["code"], row["fingerprint"]) for row in rows)
                for path, rows in data["findings"].items()
            }
        except OSError as error:
            raise ConfigurationError(f"{file}: {error.strerror}") from None
        except (ValueError, KeyError, TypeError, AttributeError):
            raise ConfigurationError(f"{file}: not a baseline of ppolint") from None
        return cls(file, known)

    @classmethod
    def of(cls, file: str, found: Iterable[Diagnostic]) -> Baseline:
        """A baseline of these findings, to be written to `file`."""
        made = cls(file)
        for diagnostic in found:
            entries = made.known.setdefault(made._path(diagnostic), Counter())
            entries[diagnostic.code, diagnostic.fingerprint] += 1
        return made

    def __len__(self) -> int:
        return sum(entries.total() for entries in self.known.values())

    def write(self) -> None:
        """Write the file, sorted, an entry a line, so that merges of it are small."""
        from ppolint.engine.cache import write_atomically

        parts = []
        for path in sorted(self.known):
            rows = sorted(self.known[path].elements())
            lines = [json.dumps({"code": c, "fingerprint": f}) for c, f in rows]
            if lines:
                inside = ",\n".join(f"      {line}" for line in lines)
                parts.append(f"    {json.dumps(path)}: [\n{inside}\n    ]")
        body = "{\n" + ",\n".join(parts) + "\n  }" if parts else "{}"
        text = f'{{\n  "version": {VERSION},\n  "findings": {body}\n}}\n'
        try:
            write_atomically(self.file, text.encode())
        except OSError as error:
            message = f"{self.file}: cannot be written: {error.strerror}"
            raise ConfigurationError(message) from None

    def unknown(self, found: Iterable[Diagnostic]) -> list[Diagnostic]:
        """The findings that are not in the baseline."""
        return self._split(found)[0]

    def pruned(self, found: Iterable[Diagnostic]) -> Baseline:
        """The baseline without entries that are found no more."""
        known = self._split(found)[1]
        return Baseline.of(self.file, known)

    def _split(self, found: Iterable[Diagnostic]) -> tuple[list[Diagnostic], list[Diagnostic]]:
        """The findings that are not in the baseline, and those that are."""
        left = {path: entries.copy() for path, entries in self.known.items()}
        waiting, known = [], []
        found = list(found)
        for diagnostic in found:
            if _taken(left.get(self._path(diagnostic)), diagnostic):
                known.append(diagnostic)
            else:
                waiting.append(diagnostic)
        unknown = []
        for diagnostic in waiting:
            # Of a file that is not there any more: it was renamed, or its code moved here.
            elsewhere = (left[p] for p in left if not os.path.exists(os.path.join(self._folder, p)))
            if any(_taken(entries, diagnostic) for entries in elsewhere):
                known.append(diagnostic)
            else:
                unknown.append(diagnostic)
        return unknown, known

    def _path(self, diagnostic: Diagnostic) -> str:
        relative = os.path.relpath(os.path.abspath(diagnostic.path), self._folder)
        return relative.replace(os.sep, "/")


def _taken(entries: Counter[Entry] | None, diagnostic: Diagnostic) -> bool:
    """Takes the finding's entry out, if there is one."""
    entry = (diagnostic.code, diagnostic.fingerprint)
    if entries is None or not entries[entry]:
        return False
    entries[entry] -= 1
    return True
