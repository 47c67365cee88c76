"""Where the Jinja sources are, in a checkout and in a wheel, and how they are read."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import jinja2

import ppolint


def find_templates() -> Path:
    """Return the folder of templates.

    A wheel carries them as `ppolint/_templates`; a checkout has them beside the package.

    Raises:
        FileNotFoundError: neither is there.
    """
    packaged = Path(str(resources.files(ppolint))) / "_templates"
    checkout = Path(ppolint.__file__).resolve().parent.parent / "templates"
    for folder in (packaged, checkout):
        if (folder / "project").is_dir():
            return folder
    raise FileNotFoundError("ppolint is installed without its templates")


def make_environment(folder: Path) -> jinja2.Environment:
    """Return the Jinja environment of the templates.

    A line with nothing but a statement leaves no line behind, so that templates keep the layout of
    the code they make; a name that is not defined is an error.
    """
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder),
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        undefined=jinja2.StrictUndefined,
        autoescape=False,
    )
