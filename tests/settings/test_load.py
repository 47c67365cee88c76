"""The configuration: where it is found, what it may say, and how mistakes are told."""

from __future__ import annotations

from pathlib import Path

import pytest

from ppolint.settings.load import SettingsResolver
from ppolint.settings.schema import KEYS, ConfigurationError


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def load(folder: Path):
    return SettingsResolver().for_folder(str(folder))


def test_the_nearest_file_holds_and_files_without_our_table_do_not(tmp_path: Path) -> None:
    outer = write(tmp_path / "pyproject.toml", "[tool.ppolint]\nselect = ['PPO1']\n")
    write(tmp_path / "inner" / "pyproject.toml", "[project]\nname = 'ppolint-user'\n")
    own = write(tmp_path / "inner" / "own" / "ppolint.toml", "ignore = ['PPO105']\n")
    assert load(tmp_path / "inner").file == str(outer)
    assert load(tmp_path / "inner" / "own" / "deep").file == str(own)
    assert load(tmp_path / "inner" / "own").select is None
    assert SettingsResolver(isolated=True).for_folder(str(tmp_path)).file is None


def test_ppolint_toml_comes_before_pyproject(tmp_path: Path) -> None:
    write(tmp_path / "pyproject.toml", "[tool.ppolint]\nselect = ['PPO1']\n")
    write(tmp_path / "ppolint.toml", "select = ['PPO9']\n")
    assert load(tmp_path).select == ("PPO9",)


def test_every_documented_key_is_read(tmp_path: Path) -> None:
    write(tmp_path / "ppolint.toml", "\n".join(key.example for key in KEYS.values()))
    made = load(tmp_path)
    for name in KEYS:
        assert getattr(made, name.replace("-", "_")), name


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("slect = ['PPO1']", r'unknown key `slect`.*did you mean "select".*valid keys: select, ig'),
        ("select = 'PPO1'", r"`select` must be a list of strings, not a string"),
        ("select = ['PPO1', 4]", r"`select` must be a list of strings, not a list with an integer"),
        ("cache-dir = true", r"`cache-dir` must be a string, not a boolean"),
        ("per-file-ignores = ['a']", r"`per-file-ignores` must be a table"),
        ("per-file-ignores = {'a' = 'PPO1'}", r'`per-file-ignores`."a" must be a list of strings'),
        ("severity = {PPO104 = 'fatal'}", r"`severity`.PPO104 must be one of info, warning, error"),
        ("severity = {PPO999 = 'info'}", r"`severity`: unknown rule 'PPO999'"),
        ("select = ['PPO104x']", r"`select`: unknown rule 'PPO104x' \(did you mean \"PPO104\"\?\)"),
        ("ignore = ['hand-writen-gae']", r'did you mean "hand-written-gae"'),
        ("select = [", r"not valid TOML"),
    ],
)
def test_mistakes_name_the_file_and_the_key(tmp_path: Path, text: str, said: str) -> None:
    file = write(tmp_path / "ppolint.toml", text)
    with pytest.raises(ConfigurationError, match=said) as raised:
        load(tmp_path)
    assert file.name in str(raised.value)


def test_a_named_file_must_be_there_and_be_about_ppolint(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="No such file"):
        SettingsResolver(config=str(tmp_path / "none.toml"))
    file = write(tmp_path / "pyproject.toml", "[project]\nname = 'x'\n")
    with pytest.raises(ConfigurationError, match=r"no \[tool.ppolint\] table"):
        SettingsResolver(config=str(file))
