"""Fixes: what is applied together, what waits, what is refused, and that nothing else changes."""

from __future__ import annotations

import ast
import json
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from small_project import OLD_IMPORT

from ppolint.engine.fixing import MAX_ROUNDS, allowed, chosen_fixes, fix_source
from ppolint.findings import Applicability, Edit, Finding, Fix, Severity
from ppolint.source.file import Source

SAFE, UNSAFE, SUGGEST = Applicability.SAFE, Applicability.UNSAFE, Applicability.SUGGEST


def finding(
    *edits: tuple[int, int, str], kind: Applicability = SAFE, code: str = "PPO900"
) -> Finding:
    fix = Fix("mend it", tuple(Edit(*edit) for edit in edits), kind)
    return Finding(code, "test-rule", Severity.ERROR, edits[0][0], edits[0][1], "wrong", fix=fix)


def renamer(old: str, new: str, kind: Applicability = SAFE):
    """An analysis that wants every word `old` to be `new`."""

    def analyse(source: Source) -> list[Finding]:
        return [
            finding((m.start(), m.end(), new), kind=kind)
            for m in re.finditer(rf"\b{old}\b", source.text)
        ]

    return analyse


def test_every_finding_is_fixed_and_counted() -> None:
    fixed = fix_source(Source.from_text("a = a + a\n"), renamer("a", "b"), allowed(False))
    assert fixed.source.text == "b = b + b\n"
    assert fixed.applied == {("PPO900", "test-rule"): 3}
    assert fixed.remaining == fixed.overlapping == fixed.refused == []


def test_unsafe_fixes_need_permission_and_suggestions_are_never_applied() -> None:
    source = Source.from_text("a = 1\n")
    for kind, with_permission in ((UNSAFE, "b = 1\n"), (SUGGEST, "a = 1\n")):
        analyse = renamer("a", "b", kind)
        assert fix_source(source, analyse, allowed(False)).source.text == "a = 1\n"
        assert fix_source(source, analyse, allowed(True)).source.text == with_permission


def test_of_two_that_overlap_the_first_is_applied_and_the_other_told() -> None:
    source = Source.from_text("f(g(1))\n")
    outer, inner = finding((0, 7, "h(1)")), finding((2, 6, "1"))
    chosen, overlapping = chosen_fixes(source, [inner, outer], allowed(False))
    assert (chosen, overlapping) == ([outer], [inner])


def test_an_overlapping_fix_is_applied_in_the_next_round() -> None:
    def analyse(source: Source) -> list[Finding]:
        return [
            finding((m.start(), m.end(), m[1])) for m in re.finditer(r"old\((.*)\)", source.text)
        ] + [finding((m.start(), m.start() + 3, "new")) for m in re.finditer(r"bad\(", source.text)]

    fixed = fix_source(Source.from_text("x = old(bad(1))\n"), analyse, allowed(False))
    assert fixed.source.text == "x = new(1)\n"
    assert not fixed.overlapping


def test_two_insertions_at_one_place_wait_for_each_other() -> None:
    source = Source.from_text("f()\n")
    first, second = finding((2, 2, "a=1")), finding((2, 2, "b=1"))
    chosen, overlapping = chosen_fixes(source, [first, second], allowed(False))
    assert (len(chosen), len(overlapping)) == (1, 1)


def test_fixes_may_share_an_edit() -> None:
    source = Source.from_text("a\nb\n")
    shared = (0, 0, "import c\n")
    findings = [finding(shared, (0, 1, "c.a")), finding(shared, (2, 3, "c.b"))]
    chosen, overlapping = chosen_fixes(source, findings, allowed(False))
    assert len(chosen) == 2
    assert not overlapping


def test_a_fix_that_breaks_the_syntax_is_refused_and_the_others_are_applied() -> None:
    def analyse(source: Source) -> list[Finding]:
        at = source.text.index("1")
        bad = finding((at, at + 1, "("), code="PPO901")
        return [bad, *renamer("a", "b")(source)]

    fixed = fix_source(Source.from_text("a = 1\n"), analyse, allowed(False))
    assert fixed.source.text == "b = 1\n"
    assert [code for code, _ in fixed.applied] == ["PPO900"]
    assert "the fix of PPO901 is not applied: the result would not be Python" in fixed.refused[0]
    assert [f.code for f in fixed.remaining] == ["PPO901"]


def test_fixes_that_never_end_are_stopped() -> None:
    flip = {"a": "b", "b": "a"}

    def analyse(source: Source) -> list[Finding]:
        return [finding((0, 1, flip[source.text[0]]))]

    fixed = fix_source(Source.from_text("a = 1\n"), analyse, allowed(False))
    assert f"after {MAX_ROUNDS} rounds" in fixed.refused[0]


def test_a_letter_outside_the_encoding_is_refused() -> None:
    source = Source.from_bytes(b"# coding: latin-1\na = 1\n")
    fixed = fix_source(source, renamer("a", "\N{GREEK SMALL LETTER GAMMA}"), allowed(False))
    assert fixed.source.data == source.data
    assert "cannot be written" in fixed.refused[0]


def test_line_ends_comments_and_marks_survive() -> None:
    data = b"\xef\xbb\xbf# h\xc3\xa9\r\na = 'x'  # why\r\n\x0c\r\nb = a"
    fixed = fix_source(Source.from_bytes(data), renamer("a", "c"), allowed(False))
    assert fixed.source.data == data.replace(b"a = ", b"c = ").replace(b"= a", b"= c")


def test_notebooks_are_fixed_in_place() -> None:
    data = json.dumps(
        {
            "cells": [
                {"cell_type": "code", "source": ["!ls\n", "a = 1"], "outputs": [{"x": "a = 1"}]}
            ]
        },
        indent=1,
    ).encode()
    fixed = fix_source(Source.from_bytes(data, "x.ipynb"), renamer("a", "b"), allowed(False))
    assert fixed.source.data == data.replace(b'"a = 1"\n   ]', b'"b = 1"\n   ]', 1)


WORDS = st.sampled_from(["a", "bb", "x = 1", "(a)", "'s'  # c", "f(a, bb)"])


@given(
    st.lists(WORDS, min_size=1, max_size=6).map("\n".join),
    st.sampled_from(["\n", "\r\n"]),
    st.lists(
        st.tuples(st.integers(0, 40), st.integers(0, 4), st.sampled_from(["", "b", "(", "1"])),
        max_size=6,
    ),
)
@example("(a)\n's'  # c\n's'  # c\n's'  # c\n's'  # c", "\n", [(27, 4, "b")])
def test_whatever_the_edits_the_result_is_python(text, newline, edits) -> None:
    source = Source.from_bytes(text.replace("\n", newline).encode())
    assert ast.parse(source.text)
    places = [(min(at, len(source.text)), min(at + n, len(source.text)), t) for at, n, t in edits]

    def analyse(now: Source) -> list[Finding]:
        return [finding(place) for place in places] if now is source else []

    fixed = fix_source(source, analyse, allowed(True))
    ast.parse(fixed.source.text)
    assert fixed.source.data.count(b"\r\n") == (
        fixed.source.data.count(b"\n") if newline == "\r\n" else 0
    )


@pytest.mark.parametrize("flags", [["--fix"], ["--fix", "--unsafe-fixes"]])
def test_the_command_fixes_files_and_a_second_run_does_nothing(project, flags) -> None:
    from click.testing import CliRunner

    from ppolint.cli.check import command

    run = CliRunner().invoke(command, ["--no-cache", *flags, "--output-format", "concise"])
    assert "Applied 2 fixes in 2 files: 1 PPO002 (unused-suppression), 1 PPO901" in run.stderr
    assert "PPO901" not in run.stdout
    assert (project / "old.py").read_text() == "from torchrl.collectors import Collector\n"
    assert (project / "unused.py").read_text() == "x = 1\n"
    before = {p: p.read_bytes() for p in project.glob("*.py")}
    again = CliRunner().invoke(command, ["--no-cache", *flags])
    assert "No fixes to apply" in again.stderr
    assert before == {p: p.read_bytes() for p in project.glob("*.py")}


def test_a_diff_changes_nothing(project) -> None:
    from click.testing import CliRunner

    from ppolint.cli.check import command

    run = CliRunner().invoke(command, ["--no-cache", "--diff", "old.py"])
    assert run.exit_code == 1
    assert run.stdout == (
        "--- old.py\n+++ old.py\n@@ -1 +1 @@\n"
        f"-{OLD_IMPORT}+from torchrl.collectors import Collector\n"
    )
    assert (project / "old.py").read_text() == OLD_IMPORT
    clean = CliRunner().invoke(command, ["--no-cache", "--diff", "nothing.py"])
    assert (clean.exit_code, clean.stdout) == (0, "")


def test_fix_only_is_silent_about_the_rest(project) -> None:
    from click.testing import CliRunner

    from ppolint.cli.check import command

    run = CliRunner().invoke(command, ["--no-cache", "--fix-only", "old.py", "gae.py"])
    assert (run.exit_code, run.stdout) == (0, "")
    assert (project / "old.py").read_text() == "from torchrl.collectors import Collector\n"


def test_a_file_that_cannot_be_written_is_told(project, monkeypatch) -> None:
    from click.testing import CliRunner

    from ppolint.cli.check import command
    from ppolint.engine import fix_files

    def refuse(path: str, data: bytes) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(fix_files, "write_atomically", refuse)
    run = CliRunner().invoke(command, ["--no-cache", "--fix", "old.py"])
    assert "old.py: not fixed: Permission denied" in run.stderr
    assert run.exit_code == 1
