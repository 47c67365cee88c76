"""Output formats: one module each, with `render(report) -> str`.

A reporter knows diagnostics and nothing about rules: what it needs of them (the text of a help
page, a severity) is in the diagnostic or asked of the registry.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, NamedTuple

from ppolint.findings import Diagnostic

if TYPE_CHECKING:
    from ppolint.review.review import Review

# format -> one line of help
FORMATS = {
    "full": "the code with the place underlined, and what to write instead",
    "concise": "one line a finding",
    "json": "a JSON array",
    "jsonl": "a JSON object a line",
    "github": "GitHub workflow commands",
    "github-review": "the JSON body of a review on GitHub, with suggestions",
    "markdown": "a summary, as a comment on a pull request",
    "sarif": "SARIF 2.1.0, for code scanning",
    "gitlab": "GitLab code quality",
    "rdjson": "reviewdog",
    "junit": "JUnit XML",
    "checkstyle": "Checkstyle XML",
}


class Report(NamedTuple):
    """What is rendered. `color` is for formats that people read; `files` counts those looked at.

    `review` is what the diagnostics are the new findings of, when they come from a review.
    """

    diagnostics: list[Diagnostic]
    files: int = 0
    color: bool = False
    review: Review | None = None


def render(name: str, report: Report) -> str:
    """The report in the format called `name`: text that ends with a newline, or is empty."""
    return importlib.import_module(f"ppolint.reporters.{name.replace('-', '_')}").render(report)
