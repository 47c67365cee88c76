"""Standard streams that are closed, full, or that nobody listens to any more; and folders that are gone."""

from __future__ import annotations

import contextlib
import os
import sys
import warnings

ERROR = 2
INTERRUPTED = 130  # as shells have it: 128 and the number of SIGINT


def prepare() -> None:
    """Make the streams fit to be used, and keep back what Python warns of in the code that is read: an
    escape that is none is not ours to say."""
    open_closed()
    warnings.filterwarnings("ignore", module="<unknown>")


def open_closed() -> None:
    """Give the streams that the process was started without (`>&-`) nothing to read, nowhere to write."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            stream = open(os.devnull, mode, encoding="utf-8")  # noqa: SIM115 - it stays open
            setattr(sys, name, stream)


def reason(error: OSError) -> str | None:
    """What to tell of an error that is not about a file ppolint was asked to open; else None."""
    if error.filename is not None:
        return None
    try:
        os.getcwd()
    except OSError:
        return "the working directory is not there any more"
    return f"the output cannot be written: {error.strerror}" if error.strerror else None


def hush() -> None:
    """Write to standard output no more: what it holds back would fail again when Python ends."""
    with contextlib.suppress(OSError, ValueError):  # it may be no file of the system
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
