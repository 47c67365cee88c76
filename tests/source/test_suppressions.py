"""Which comments keep which findings from being reported, and what removing one leaves."""

from __future__ import annotations

import ast
import io
import tokenize

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ppolint.source.file import Source
from ppolint.source.lexer import logical_lines
from ppolint.source.suppressions import Suppressions

CODES = {
    "PPO104": ("PPO104",),
    "hand-written-gae": ("PPO104",),
    "PPO105": ("PPO105",),
    "PPO1": ("PPO104", "PPO105"),
}


def suppressions(text: str) -> Suppressions:
    return Suppressions(Source.from_text(text), lambda name: CODES.get(name, ()))


@pytest.mark.parametrize(
    "text",
    [
        "x = HERE  # ppolint: ignore[PPO104]\n",
        "x = HERE  # ppolint: ignore[hand-written-gae, PPO105]\n",
        "x = HERE  # ppolint: ignore[PPO1]\n",
        "x = HERE  # ppolint: ignore\n",
        "x = HERE  # type: ignore  # ppolint:ignore[PPO104] - because\n",
        "x = HERE  # noqa: E501, PPO104\n",
        "x = HERE  # noqa:PPO104 E501\n",
        "x = f(  # ppolint: ignore[PPO104]\n  HERE)\n",
        "x = f(\n  HERE\n)  # ppolint: ignore[PPO104]\n",
        "# ppolint: ignore[PPO104]\nx = HERE\n",
        "# ppolint: ignore[PPO104]\n# more words\n@decorator\ndef HERE(): pass\n",
        "if a:\n    # ppolint: ignore[PPO104]\n    x = HERE\n",
        "y = 1\nx = HERE\n# ppolint: ignore-file[PPO104]\n",
    ],
)
def test_suppressed(text: str) -> None:
    assert suppressions(text).suppresses("PPO104", text.index("HERE"))


@pytest.mark.parametrize(
    "text",
    [
        "x = HERE  # noqa\n",
        "x = HERE  # noqa: E501\n",
        "x = HERE  # ppolint: ignore[PPO105]\n",
        "x = HERE + '# ppolint: ignore[PPO104]'\n",
        "y = 1  # ppolint: ignore[PPO104]\nx = HERE\n",
        "# ppolint: ignore[PPO104]\n\nx = HERE\n",
        "# ppolint: ignore[PPO104]\ny = 1\nx = HERE\n",
        '"""\n# ppolint: ignore-file[PPO104]\n"""\nx = HERE\n',
    ],
)
def test_not_suppressed(text: str) -> None:
    assert not suppressions(text).suppresses("PPO104", text.index("HERE"))


def test_from_scratch_is_seen_in_comments_only() -> None:
    assert suppressions("# ppolint: from-scratch\n").from_scratch
    assert not suppressions("x = '# ppolint: from-scratch'\n").from_scratch


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("x = 1  # ppolint: ignore[PPO104]\n", "x = 1\n"),
        ("x = 1  # noqa: PPO104\ny = 2\n", "x = 1\ny = 2\n"),
        ("x = 1  # noqa: E501, PPO104\n", "x = 1  # noqa: E501\n"),
        ("x = 1  # noqa: PPO104 E501,F401\n", "x = 1  # noqa: E501, F401\n"),
        ("x = 1  # type: ignore  # ppolint: ignore[PPO104]\n", "x = 1  # type: ignore\n"),
        ("x = 1  # ppolint: ignore[PPO104]  # more\n", "x = 1  # more\n"),
        ("x = 1  # ppolint: ignore[PPO104] as told\n", "x = 1  # as told\n"),
        ("a = 1\n    # ppolint: ignore[PPO104]\nx = 1\n", "a = 1\nx = 1\n"),
        ("x = 1  # ppolint: ignore[PPO104, PPO105]\n", "x = 1  # ppolint: ignore[PPO105]\n"),
        ("x = 1  # ppolint: ignore[PPO105, bogus]\n", "x = 1  # ppolint: ignore[PPO105]\n"),
    ],
)
def test_what_removing_an_unused_one_leaves(before: str, after: str) -> None:
    found = suppressions(before)
    found.suppresses("PPO105", before.index("x = 1"))
    ((_, _, _, edit),) = found.unused(lambda code: True)
    assert before[: edit.start] + edit.text + before[edit.end :] == after


def test_rules_that_were_not_run_are_not_unused() -> None:
    found = suppressions("x = 1  # ppolint: ignore[PPO104, PPO105, bogus]\n")
    ((_, names, unknown, _),) = found.unused(lambda code: code == "PPO105")
    assert (names, unknown) == (["PPO105"], ["bogus"])


def _generated_line() -> st.SearchStrategy[str]:
    strings = st.sampled_from(["'a # b'", '"#"', "'''a\n# b\n'''", r"'\'#'", 'r"\\#"', "f'{x}#'"])
    atoms = st.one_of(strings, st.sampled_from(["x", "(1,\n 2)", "[# c\n1]", "1 \\\n + 2"]))
    comment = st.sampled_from(["", "  # words", "  # 'quoted", "  # ( open"])
    return st.builds(lambda atom, end: f"y = {atom}{end}\n", atoms, comment)


@given(st.lists(st.one_of(_generated_line(), st.just("# alone\n"), st.just("\n")), max_size=6))
def test_comments_and_statements_are_those_that_python_sees(lines: list[str]) -> None:
    text = "".join(lines)
    ast.parse(text)
    starts = [0]
    for line in text.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    tokens = list(tokenize.generate_tokens(io.StringIO(text).readline))
    wanted = [starts[t.start[0] - 1] + t.start[1] for t in tokens if t.type == tokenize.COMMENT]
    found = logical_lines(text)
    assert [comment.start for line in found for comment in line.comments] == wanted
    ends = [starts[t.start[0] - 1] + t.start[1] for t in tokens if t.type == tokenize.NEWLINE]
    code = [line for line in found if ast.parse(text[line.start : line.end]).body]
    assert [line.end for line in code] == ends
