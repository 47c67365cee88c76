"""The JSON schema of the configuration, for editors.

`python -m ppolint.rules.docs` writes it to `docs/ppolint.schema.json`.
"""

from __future__ import annotations

import json
from typing import Any

from ppolint.rules.registry import entries
from ppolint.settings.schema import DEFAULT_EXCLUDE, KEYS, SEVERITIES

_SELECTOR = {"$ref": "#/definitions/rule"}
_SELECTORS = {"type": "array", "items": _SELECTOR}
_TEXTS = {"type": "array", "items": {"type": "string"}}
# The kinds that `KEYS` speaks of.
_KINDS: dict[str, dict[str, Any]] = {
    "list of rules": _SELECTORS,
    "list of globs": _TEXTS,
    "table of globs and lists of rules": {"type": "object", "additionalProperties": _SELECTORS},
    "table of rules and severities": {
        "type": "object",
        "propertyNames": _SELECTOR,
        "additionalProperties": {"enum": list(SEVERITIES)},
    },
    "version or specifier": {"type": "string"},
    "path": {"type": "string"},
}


def schema() -> dict[str, Any]:
    """The schema of a `ppolint.toml`."""
    codes = [entry.code for entry in entries()]
    prefixes = sorted({code[:length] for code in codes for length in range(3, len(code))})
    names = [entry.name for entry in entries()]
    properties = {}
    for key, told in KEYS.items():
        properties[key] = {"description": told.help, **_KINDS[told.kind]}
    properties["exclude"]["default"] = list(DEFAULT_EXCLUDE)
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "The configuration of ppolint",
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
        "definitions": {
            "rule": {
                "description": "A rule: its code, a prefix of codes, its name, or ALL.",
                "type": "string",
                "enum": ["ALL", *prefixes, *codes, *names],
            }
        },
    }


def text() -> str:
    """The content of the schema's file."""
    return json.dumps(schema(), indent=2) + "\n"
