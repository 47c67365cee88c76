"""Files are read once as long as there is room for what is in them."""

from __future__ import annotations

from pathlib import Path

import pytest

from ppolint.semantics.contents import Contents


def test_a_file_is_read_once(tmp_path: Path) -> None:
    file = tmp_path / "a.py"
    file.write_bytes(b"one")
    contents = Contents()
    assert contents.of(str(file)) == b"one"
    file.write_bytes(b"two")
    assert contents.of(str(file)) == b"one"
    assert Contents().of(str(file)) == b"two"


def test_what_there_is_no_room_for_is_read_again(tmp_path: Path) -> None:
    small, large = tmp_path / "small.py", tmp_path / "large.py"
    small.write_bytes(b"12345")
    large.write_bytes(b"123456")
    contents = Contents(room=10)
    assert (contents.of(str(small)), contents.of(str(large))) == (b"12345", b"123456")
    small.write_bytes(b"x")
    large.write_bytes(b"y")
    assert (contents.of(str(small)), contents.of(str(large))) == (b"12345", b"y")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Contents().of(str(tmp_path / "none.py"))
