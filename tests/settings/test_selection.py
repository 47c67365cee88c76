"""Which rules a combination of selectors turns on."""

from __future__ import annotations

from ppolint.rules import registry
from ppolint.settings.schema import Settings
from ppolint.settings.selection import codes_of, selected

EVERY = {entry.code for entry in registry.entries()}
DEFAULT = {entry.code for entry in registry.entries() if entry.default}


def chosen(configured: dict | None = None, **options) -> set[str]:
    settings = Settings(root="/", **{k: tuple(v) for k, v in (configured or {}).items()})
    return set(selected(settings, **{k: tuple(v) for k, v in options.items()}))


def test_without_selectors_the_rules_that_are_on_by_default_run() -> None:
    assert chosen() == DEFAULT
    assert chosen(select=["ALL"]) == EVERY


def test_codes_prefixes_and_names_in_any_case() -> None:
    assert codes_of("hand-written-gae") == codes_of("ppo104") == ("PPO104",)
    assert set(codes_of("PPO1")) == {code for code in EVERY if code.startswith("PPO1")}
    assert codes_of("PPO77") == ()


def test_the_more_specific_selector_wins() -> None:
    assert "PPO104" not in chosen(select=["PPO1"], ignore=["PPO104"])
    assert chosen(select=["PPO104"], ignore=["PPO1"]) == {"PPO104"}
    assert chosen(select=["PPO10"], ignore=["PPO1"]) == set(codes_of("PPO10"))
    assert "PPO104" not in chosen(select=["PPO104"], ignore=["hand-written-gae"])


def test_the_command_line_adds_to_the_configuration_and_select_replaces_it() -> None:
    configured = {"select": ["PPO104", "PPO105"], "ignore": ["PPO105"]}
    assert chosen(configured) == {"PPO104"}
    assert chosen(configured, extend_select=["PPO101"]) == {"PPO101", "PPO104"}
    assert chosen(configured, ignore=["PPO104"]) == set()
    assert chosen(configured, select=["PPO105"]) == {"PPO105"}


def test_extend_select_turns_on_what_is_off_by_default() -> None:
    off = sorted(EVERY - DEFAULT)
    for code in off:
        assert chosen(extend_select=[code]) == DEFAULT | {code}
