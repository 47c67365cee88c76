"""Bytes of a Python file to text, as PEP 263 has it: byte order mark, coding cookie, else UTF-8."""

from __future__ import annotations

import codecs
import re

_COOKIE = re.compile(rb"^[ \t\f]*#.*?coding[:=][ \t]*([-\w.]+)")
_BLANK = re.compile(rb"^[ \t\f]*(?:#[^\r\n]*)?(?:\r\n|\r|\n|$)")
_LINE = re.compile(rb"[^\r\n]*(?:\r\n|\r|\n)?")


class SourceError(Exception):
    """A file cannot be read as text; the message says why, for the person who named it."""


def declared_encoding(data: bytes) -> str | None:
    """The encoding named by a coding cookie in the first two lines, or None."""
    first = _LINE.match(data)
    assert first is not None
    for start in (0, first.end()):
        line = _LINE.match(data, start)
        assert line is not None
        cookie = _COOKIE.match(line.group())
        if cookie:
            return cookie.group(1).decode("ascii", "replace")
        if not _BLANK.match(line.group()):
            return None
    return None


def decode(data: bytes) -> tuple[str, str]:
    """The text of a Python file and the encoding to write it back with.

    A byte order mark is not part of the text; its encoding is "utf-8-sig". Newlines are as in the
    file. Raises `SourceError` for a file that is binary or not in the encoding it declares.
    """
    if data.startswith(codecs.BOM_UTF8):
        encoding = "utf-8-sig"
    elif data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise SourceError("the file is UTF-16, which Python does not read as source code")
    else:
        encoding = declared_encoding(data) or "utf-8"
        try:
            known = codecs.lookup(encoding)
        except LookupError:
            raise SourceError(f"the file declares an unknown encoding: {encoding}") from None
        if not known._is_text_encoding:  # rot13 and the like turn bytes into bytes
            raise SourceError(f"the file declares {encoding}, which is no text encoding")
    if b"\0" in data:
        raise SourceError("the file is binary (it contains null bytes)")
    try:
        return data.decode(encoding), encoding
    except UnicodeDecodeError as error:
        row = data.count(b"\n", 0, error.start) + 1
        raise SourceError(
            f"the file is not valid {encoding}: byte 0x{data[error.start]:02x} in row {row}"
        ) from None
