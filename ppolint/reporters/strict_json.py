"""What the JSON formats for other tools share: text that the strictest of parsers take."""

from __future__ import annotations

import json
import re
from typing import Any

# Python writes a file name that is not UTF-8 with lone surrogates, which are no characters: parsers
# that insist on Unicode refuse the whole document for one of them.
_NO_CHARACTER = re.compile("[\ud800-\udfff]")


def document(data: Any) -> str:
    """The text of a document, in ASCII: no encoding of a stream or file can spoil it."""
    return json.dumps(_unicode(data), indent=2) + "\n"


def _unicode(data: Any) -> Any:
    if isinstance(data, str):
        return _NO_CHARACTER.sub("\ufffd", data)
    if isinstance(data, dict):
        return {key: _unicode(value) for key, value in data.items()}
    if isinstance(data, list):
        return [_unicode(value) for value in data]
    return data
