"""The little lexing that works on text no parser has accepted: logical lines and comments.

One regex splits a text into strings, comments, brackets and line ends. That is enough to know
where a statement starts and which `#` starts a comment, in any version of Python, with IPython
magics in between, and in files that do not parse.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_TOKEN = re.compile(
    r"""
      (?P<comment> \#[^\n]* )
    | (?P<string> (?:\b[rRbBuUfFtT]{1,2})?
        (?: \"{3} (?: [^\\"] | \\. | "(?!"") )* (?: \"{3} | \Z )
          | '{3} (?: [^\\'] | \\. | '(?!'') )* (?: '{3} | \Z )
          | " (?: [^\\"\n] | \\. )* (?: " | (?=\n) | \Z )
          | ' (?: [^\\'\n] | \\. )* (?: ' | (?=\n) | \Z ) ) )
    | (?P<open> [(\[{] )
    | (?P<close> [)\]}] )
    | (?P<joined> \\\n )
    | (?P<newline> \n )
    """,
    re.VERBOSE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Comment:
    """A comment: its characters in the text, and whether nothing but blanks comes before it."""

    start: int
    end: int
    own_line: bool


@dataclass(frozen=True, slots=True)
class LogicalLine:
    """A statement line with its continuation lines: `start` to `end` without the last newline."""

    start: int
    end: int
    comments: tuple[Comment, ...]


def logical_lines(text: str, position: int = 0) -> list[LogicalLine]:
    """The logical lines of `text` from `position` on, comment lines and empty lines among them."""
    lines: list[LogicalLine] = []
    while position <= len(text):
        line = next_logical_line(text, position)
        lines.append(line)
        position = line.end + 1
    return lines


def next_logical_line(text: str, start: int) -> LogicalLine:
    """The logical line that starts at `start`."""
    depth = 0
    comments: list[Comment] = []
    for token in _TOKEN.finditer(text, start):
        kind = token.lastgroup
        if kind == "open":
            depth += 1
        elif kind == "close":
            depth = max(0, depth - 1)
        elif kind == "comment":
            line_start = text.rfind("\n", 0, token.start()) + 1
            own_line = not text[line_start : token.start()].strip()
            comments.append(Comment(token.start(), token.end(), own_line))
        elif kind == "newline" and depth == 0:
            return LogicalLine(start, token.start(), tuple(comments))
    return LogicalLine(start, len(text), tuple(comments))
