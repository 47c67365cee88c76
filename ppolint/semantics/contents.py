"""What is in the files of a run: read once, though several questions are asked of each."""

from __future__ import annotations

# Bytes; a larger library is read again for each question.
ROOM = 64_000_000


class Contents:
    """The bytes of files as they were when first asked for, as long as there is room for them."""

    def __init__(self, room: int = ROOM) -> None:
        self._kept: dict[str, bytes] = {}
        self._room = room

    def of(self, path: str) -> bytes:
        """The bytes of a file; raises `OSError`."""
        data = self._kept.get(path)
        if data is None:
            with open(path, "rb") as file:
                data = file.read()
            if len(data) <= self._room:
                self._room -= len(data)
                self._kept[path] = data
        return data
