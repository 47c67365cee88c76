"""Files of every encoding and line end become one text, and go back to the bytes they were."""

from __future__ import annotations

import codecs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ppolint.findings import Edit
from ppolint.source.decoding import declared_encoding
from ppolint.source.file import Source, SourceError

LINE_ENDS = st.sampled_from(["\n", "\r\n", "\r"])


def test_crlf_and_byte_order_mark_survive_an_edit() -> None:
    source = Source.from_bytes(codecs.BOM_UTF8 + b"a = 1\r\nb = 2\r\n")
    assert source.text == "a = 1\nb = 2\n"
    edits = [Edit(6, 7, "c = 3\nd"), Edit(0, 1, "x")]
    assert source.rewritten(edits) == codecs.BOM_UTF8 + b"x = 1\r\nc = 3\r\nd = 2\r\n"


def test_mixed_line_ends_stay_where_they_are() -> None:
    data = b"a\r\nb\nc\rd"
    source = Source.from_bytes(data)
    assert source.text == "a\nb\nc\nd"
    assert source.rewritten([Edit(6, 7, "D")]) == b"a\r\nb\nc\rD"


@given(st.lists(st.tuples(st.text("ab #é", max_size=4), LINE_ENDS), max_size=8), st.data())
def test_an_edit_changes_its_span_and_nothing_else(lines, data) -> None:
    original = "".join(text + end for text, end in lines)
    source = Source.from_bytes(original.encode())
    assert source.rewritten([]) == original.encode()
    start = data.draw(st.integers(0, len(source.text)))
    end = data.draw(st.integers(start, len(source.text)))
    edited = source.text[:start] + "XYZ" + source.text[end:]
    after = Source.from_bytes(source.rewritten([Edit(start, end, "XYZ")]))
    assert after.text == edited


def test_positions_count_characters_from_one_and_form_feeds_are_no_line_ends() -> None:
    source = Source.from_bytes("é = 1\n\f\nx = 'ü'\x1c\u2028 # y\n".encode())
    assert source.position(source.text.index("x")) == (None, 3, 1)
    assert source.position(source.text.index("y")) == (None, 3, 13)
    assert source.offset_at(3, 13) == source.text.index("y")
    assert source.offset_at(99, 1) == len(source.text)


@pytest.mark.parametrize(
    ("data", "encoding"),
    [
        (b"# -*- coding: latin-1 -*-\nx = '\xe9'\n", "latin-1"),
        (b"#!/usr/bin/python\n# vim: set fileencoding=cp1252 :\nx = '\xe9'\n", "cp1252"),
    ],
)
def test_declared_encodings_are_read_and_written(data: bytes, encoding: str) -> None:
    source = Source.from_bytes(data)
    assert "é" in source.text
    assert source.encoding == encoding
    at = source.text.index("x")
    assert source.rewritten([Edit(at, at + 1, "ï")]) == data.replace(b"x", b"\xef")
    with pytest.raises(SourceError, match="cannot be written"):
        source.rewritten([Edit(at, at + 1, "\N{SNOWMAN}")])


def test_a_cookie_counts_in_the_first_two_lines_only_and_not_after_code() -> None:
    assert declared_encoding(b"\n\n# coding: latin-1\n") is None
    assert declared_encoding(b"x = 1\n# coding: latin-1\n") is None
    assert declared_encoding(b"\n# coding: latin-1\n") == "latin-1"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"x = 1\0", "null bytes"),
        (b"x = '\xff'\n", "not valid utf-8: byte 0xff in row 1"),
        (b"# coding: klingon\n", "unknown encoding: klingon"),
        (b"# coding: rot13\n", "no text encoding"),
        (codecs.BOM_UTF16_LE + "x".encode("utf-16-le"), "UTF-16"),
    ],
)
def test_what_is_no_text_is_refused_with_a_reason(data: bytes, reason: str) -> None:
    with pytest.raises(SourceError, match=reason):
        Source.from_bytes(data)
