"""Where reports go: each format with its file."""

from __future__ import annotations

from typing import Any


class TooManyFiles(Exception):
    """More output files than formats."""


def paired(options: dict[str, Any]) -> dict[str, Any]:
    """The options with `outputs`: each format with its file, None for standard output.

    `output_format` and `output_file` become the first pair. Raises `TooManyFiles`.
    """
    formats = options["output_format"] or ("full",)
    files = [None if file == "-" else file for file in options["output_file"]]
    if len(files) > len(formats):
        raise TooManyFiles(f"{len(files)} output files for {len(formats)} formats")
    outputs = list(zip(formats, [*files, *[None] * (len(formats) - len(files))], strict=True))
    first_format, first_file = outputs[0]
    return {
        **options,
        "outputs": outputs,
        "output_format": first_format,
        "output_file": first_file,
    }
