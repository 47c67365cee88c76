"""What is not handed to a parser: text that is too large, or nested too deeply.

libcst's parser recurses on the stack of the process, which it kills at some thousands of levels;
what walks its trees recurses in Python. The check is a lower bound that costs next to nothing for
ordinary files; what slips through costs a worker process, not the run.
"""

from __future__ import annotations

import re

from ppolint.source.lexer import logical_lines

MAX_CHARACTERS = 3_000_000
MAX_BYTES = 64_000_000
MAX_LINE_NESTING = 400
MAX_BRANCHES = 400

# Lines that start a statement nearly always; the pieces between them are what can nest.
_STATEMENT = re.compile(
    r"\n(?=[ \t]*(?:@|(?:def|class|return|import|from|with|for|while)\b|\w+ = ))"
)
_OPERATOR = re.compile(
    r"""\*\*|//|<<|>>|[-+*/%@&|^~.(\[{'"]|\b(?:and|or|not|if|lambda|await|yield)\b"""
)
# A ruler of dashes is no expression.
_QUOTED = re.compile(r""""(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|#[^\n]*""")
# What operators are written with, for an upper bound on how many there are.
_SIGNS = b"-+*/%@&|^~.([{'\"<>"
_WORDS = (b"and", b"or", b"not", b"if", b"lambda", b"await", b"yield")
_ELIF = re.compile(r"^[ \t]*elif\b", re.MULTILINE)


def reason_to_skip(text: str) -> tuple[str, int] | None:
    """Why `text` must not be parsed, and the offset of the cause; None when it may be."""
    if len(text) > MAX_CHARACTERS:
        return f"it has {len(text):,} characters, the limit is {MAX_CHARACTERS:,}", 0
    if text.count("elif") > MAX_BRANCHES:
        branches = list(_ELIF.finditer(text))
        if len(branches) > MAX_BRANCHES:
            return f"it has {len(branches):,} `elif` branches, each nested in the one before", 0
    if any(_may_nest(piece) for piece in _STATEMENT.split(text)):
        for line in logical_lines(text):
            if line.end - line.start > MAX_LINE_NESTING:
                nesting = expression_nesting(text[line.start : line.end])
                if nesting > MAX_LINE_NESTING:
                    return f"an expression is nested more than {MAX_LINE_NESTING} deep", line.start
    return None


def _may_nest(piece: str) -> bool:
    if len(piece) <= MAX_LINE_NESTING:
        return False
    data = piece.encode("utf-8", "surrogatepass")
    most = len(data) - len(data.translate(None, _SIGNS)) + sum(map(data.count, _WORDS))
    if most <= MAX_LINE_NESTING:
        return False
    return len(_OPERATOR.findall(_QUOTED.sub('""', piece))) > MAX_LINE_NESTING


_TOKEN = re.compile(
    r"""
      (?P<string> ([rRbBuUfFtT]{0,2}) (?: \"{3}.*?(?:\"{3}|\Z) | '{3}.*?(?:'{3}|\Z)
        | "(?:[^"\\\n]|\\.)*"? | '(?:[^'\\\n]|\\.)*'? ) )
    | (?P<comment> \#[^\n]* )
    | (?P<open> [(\[{] )
    | (?P<close> [)\]}] )
    | (?P<flat> [,;=<>] | !=)
    | (?P<operator> \*\*|//|[-+*/%@&|^~.] | \b(?:and|or|not|if|lambda|await|yield)\b )
    """,
    re.VERBOSE | re.DOTALL,
)


def expression_nesting(code: str) -> int:
    """How deep the syntax tree of one logical line is at most, in operators and brackets.

    A chain `a + b + c` is as deep as it is long, for a parser; so are calls, attributes, strings
    side by side and conditional expressions. Items between commas are not nested in each other.
    """
    chains = [0]  # the length of the chain at each level of open brackets
    depth = deepest = 0
    for token in _TOKEN.finditer(code):
        kind = token.lastgroup
        if kind == "open":
            chains[-1] += 1
            depth += 1
            chains.append(0)
        elif kind == "close":
            if len(chains) > 1:
                depth -= chains.pop()
        elif kind == "flat":
            depth -= chains[-1]
            chains[-1] = 0
        elif kind in ("operator", "string"):
            chains[-1] += 1
            depth += 1
        deepest = max(deepest, depth)
    return deepest
