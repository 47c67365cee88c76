"""Finding the configuration that holds for a folder."""

from __future__ import annotations

import os
import sys

from ppolint.settings.schema import ConfigurationError, Settings, settings_from

FILE_NAMES = ("ppolint.toml", "pyproject.toml")


def read_toml(file: str) -> dict:
    """A TOML file; raises `ConfigurationError` when it cannot be read or is not TOML."""
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    try:
        with open(file, "rb") as stream:
            return tomllib.load(stream)
    except OSError as error:
        raise ConfigurationError(f"{file}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{file}: not valid TOML: {error}") from None


def settings_of_file(file: str, root: str | None = None) -> Settings | None:
    """The settings in `file`, or None for a `pyproject.toml` without a `[tool.ppolint]` table.

    Raises `ConfigurationError` for a file that cannot be read or has unknown keys or wrong types.
    """
    root = os.path.dirname(os.path.abspath(file)) if root is None else root
    if os.path.basename(file) == "pyproject.toml":
        try:
            with open(file, "rb") as stream:
                if b"ppolint" not in stream.read():
                    return None
        except OSError as error:
            raise ConfigurationError(f"{file}: {error.strerror}") from None
        tool = read_toml(file).get("tool", {})
        table = tool.get("ppolint") if isinstance(tool, dict) else None
        if table is None:
            return None
        if not isinstance(table, dict):
            raise ConfigurationError(f"{file}: `tool.ppolint` must be a table")
        return settings_from(table, root, file)
    return settings_from(read_toml(file), root, file)


class SettingsResolver:
    """The settings for each folder: the nearest configuration file at or above it.

    `config` names one file for everything (its globs are relative to the working directory);
    `isolated` ignores all files.
    """

    def __init__(self, config: str | None = None, isolated: bool = False) -> None:
        self._by_folder: dict[str, Settings] = {}
        self._fixed: Settings | None = None
        if config is not None:
            fixed = settings_of_file(config, os.getcwd())
            if fixed is None:
                raise ConfigurationError(f"{config}: there is no [tool.ppolint] table in it")
            self._fixed = fixed
        elif isolated:
            self._fixed = Settings(root=os.getcwd())

    def for_folder(self, folder: str) -> Settings:
        """The settings that hold in the absolute path `folder`."""
        if self._fixed is not None:
            return self._fixed
        known = self._by_folder.get(folder)
        if known is None:
            known = self._own(folder)
            if known is None:
                parent = os.path.dirname(folder)
                known = Settings(root=folder) if parent == folder else self.for_folder(parent)
            self._by_folder[folder] = known
        return known

    def inherit(self, folder: str, parent: Settings, names: set[str]) -> Settings:
        """`for_folder` for a folder whose parent's settings and file names are known."""
        if self._fixed is None and not names.isdisjoint(FILE_NAMES):
            return self.for_folder(folder)
        return parent

    def _own(self, folder: str) -> Settings | None:
        for name in FILE_NAMES:
            file = os.path.join(folder, name)
            if os.path.isfile(file):
                settings = settings_of_file(file)
                if settings is not None:
                    return settings
        return None
