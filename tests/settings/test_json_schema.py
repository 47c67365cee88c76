"""The schema of the configuration says what reading the configuration says."""

from __future__ import annotations

import sys

import pytest
from jsonschema import Draft7Validator

from ppolint.settings.json_schema import schema
from ppolint.settings.schema import KEYS, ConfigurationError, settings_from

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


@pytest.mark.parametrize("key", KEYS)
def test_the_example_of_a_key_is_valid(key: str) -> None:
    Draft7Validator.check_schema(schema())
    Draft7Validator(schema()).validate(tomllib.loads(KEYS[key].example))


@pytest.mark.parametrize(
    ("written", "valid"),
    [
        ('select = ["ALL"]', True),
        ('select = ["PPO", "PPO4", "PPO401", "missing-return-log-prob"]', True),
        ('select = ["PPO9999"]', False),
        ('select = "ALL"', False),
        ("selekt = []", False),
        ('severity = { PPO104 = "info" }', True),
        ('severity = { PPO104 = "fatal" }', False),
        ('severity = { nonsense = "info" }', False),
        ('per-file-ignores = { "tests/**" = ["PPO301"] }', True),
        ('per-file-ignores = { "tests/**" = "PPO301" }', False),
        ("exclude = [1]", False),
        ("torchrl-version = 0.14", False),
        ("", True),
    ],
)
def test_it_accepts_what_the_reader_accepts(written: str, valid: bool) -> None:
    table = tomllib.loads(written)
    assert Draft7Validator(schema()).is_valid(table) is valid
    try:
        settings_from(table, "/", "ppolint.toml")
        accepted = True
    except ConfigurationError:
        accepted = False
    assert accepted is valid
