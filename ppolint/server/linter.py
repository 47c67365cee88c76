"""What the server knows of the files being edited: their findings, from text in memory."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from typing import NamedTuple

from ppolint.engine.plan import Options, Planner
from ppolint.engine.projects import Projects
from ppolint.engine.worker import Analyser, Job
from ppolint.findings import Diagnostic
from ppolint.settings.files import Target, excluded
from ppolint.settings.load import SettingsResolver


class Outcome(NamedTuple):
    """The findings of one text, and defects of ppolint that came up."""

    diagnostics: list[Diagnostic]
    errors: list[str]


class Linter:
    """Lints texts as the files at absolute paths. Other files are read from the disk, and read
    anew after `forget`."""

    def __init__(self, options: Options | None = None) -> None:
        self._options = options or Options()
        self.forget()

    def forget(self) -> None:
        """Files on the disk have changed."""
        from ppolint.settings.release import forget

        forget()
        self._resolver = SettingsResolver()
        self._projects = Projects(self._resolver)

    def lint(self, absolute: str, data: bytes) -> Outcome:
        """The findings of a file with these bytes, none for one that the settings exclude.

        Raises `ConfigurationError` when the settings cannot be used.
        """
        settings = self._resolver.for_folder(os.path.dirname(absolute))
        if excluded(absolute, settings):
            return Outcome([], [])
        plan = Planner(self._options).plan(Target(absolute, absolute, settings))
        job = Job(absolute, absolute, plan, self._projects.root_of(absolute))
        done = Analyser(self._projects).of_bytes(job, data)
        found = [Diagnostic.from_dict({**row, "path": absolute}) for row in done.diagnostics]
        return Outcome(found, done.errors)


def notebook_bytes(cells: Sequence[tuple[bool, str]]) -> bytes:
    """A notebook file with these cells, each as (whether it is code, its text)."""
    rows = [{"cell_type": "code" if code else "markdown", "source": text} for code, text in cells]
    return json.dumps({"cells": rows, "metadata": {}, "nbformat": 4}).encode()
