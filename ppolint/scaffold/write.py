"""Puts a project on disk: all of its files or none."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from ppolint.scaffold.errors import ScaffoldError


def check_destination(directory: Path, files: dict[str, str], *, force: bool) -> None:
    """Check that the project may be written to the folder.

    A new or empty folder takes any project. One with other files takes it only with `force`, unless
    the project is a single file that is not there yet.

    Raises:
        ScaffoldError: it may not.
    """
    if directory.exists() and not directory.is_dir():
        raise ScaffoldError(f"{directory} is a file")
    existing = [path for path in files if (directory / path).exists()]
    if force:
        folders = [path for path in existing if (directory / path).is_dir()]
        if folders:
            raise ScaffoldError(f"{directory / folders[0]} is a folder where a file is to be")
        return
    if len(files) == 1:
        if existing:
            raise ScaffoldError(f"{directory / existing[0]} exists: --force replaces it")
    elif directory.exists() and any(directory.iterdir()):
        raise ScaffoldError(f"{directory} is not empty: --force writes into it all the same")


def write_project(directory: Path, files: dict[str, str], *, force: bool = False) -> None:
    """Write the files, path -> text, below `directory`.

    They are staged in a folder beside it. A folder that is new or empty appears by one rename; in
    one that is not, each file replaces its predecessor by a rename.

    Raises:
        ScaffoldError: the folder may not be written to, or cannot be.
    """
    check_destination(directory, files, force=force)
    directory = directory.absolute()
    try:
        directory.parent.mkdir(parents=True, exist_ok=True)
        stage = Path(tempfile.mkdtemp(prefix=f".{directory.name}.", dir=directory.parent))
    except OSError as error:
        raise ScaffoldError(f"cannot write beside {directory}: {error.strerror}") from error
    try:
        for path, text in files.items():
            staged = stage / path
            staged.parent.mkdir(parents=True, exist_ok=True)
            staged.write_text(text, encoding="utf-8", newline="\n")
        if directory.exists() and any(directory.iterdir()):
            for path in files:
                (directory / path).parent.mkdir(parents=True, exist_ok=True)
                os.replace(stage / path, directory / path)
        else:
            stage.chmod(0o777 & ~_umask())
            os.replace(stage, directory)
    except OSError as error:
        raise ScaffoldError(f"cannot write {directory}: {error.strerror}") from error
    finally:
        shutil.rmtree(stage, ignore_errors=True)


def _umask() -> int:
    """Return the process's mask; a folder of `mkdtemp` is private otherwise."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
