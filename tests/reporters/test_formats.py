"""What each format prints, for the same findings."""

from __future__ import annotations

import json

import pytest

from ppolint.findings import Diagnostic, DiagnosticEdit, DiagnosticFix
from ppolint.reporters import Report, render

SIMPLE = Diagnostic(
    path="src/train.py",
    cell=None,
    row=10,
    column=5,
    end_row=10,
    end_column=9,
    code="PPO901",
    name="removed-name",
    severity="error",
    message="`x` is gone, 100%",
    help="use `y`",
    fix=DiagnosticFix("Use `y`", "safe", (DiagnosticEdit(10, 5, 10, 9, "y"),)),
    noqa_row=10,
    scope="main",
    fingerprint="0123456789abcdef",
    excerpt=((10, "x = \tabcd"),),
)
LONG = SIMPLE._replace(
    path="b, c:d.ipynb",
    cell=3,
    code="PPO104",
    name="hand-written-gae",
    severity="warning",
    row=1,
    column=3,
    end_row=9,
    end_column=4,
    fix=None,
    message="a loop\nover two lines",
    excerpt=((1, "  for a"), (2, "  b"), (3, "  c"), (4, "  d"), (9, "  e")),
)
INFO = SIMPLE._replace(severity="info", fix=None, help="", row=11, end_row=11, excerpt=())


def test_full() -> None:
    assert render("full", Report([SIMPLE, LONG, INFO], files=7)) == (
        "error[PPO901] removed-name [*]: `x` is gone, 100%\n"
        "  --> src/train.py:10:5\n"
        "   |\n"
        "10 | x =     abcd\n"
        "   |     ^^^^^^^\n"
        "   = help: use `y`\n"
        "   = fix: Use `y`\n"
        "\n"
        "warning[PPO104] hand-written-gae: a loop\nover two lines\n"
        " --> b, c:d.ipynb:cell 3:1:3\n"
        "  |\n"
        "1 |   for a\n"
        "  |   ^^^^^\n"
        "2 |   b\n"
        "3 |   c\n"
        "4 |   d\n"
        "  :\n"
        "9 |   e\n"
        "  = help: use `y`\n"
        "\n"
        "info[PPO901] removed-name: `x` is gone, 100%\n"
        "  --> src/train.py:11:5\n"
        "\n"
        "3 findings in 2 files: 1 error, 1 warning, 1 info.\n"
        "[*] 1 finding fixable with `--fix`.\n"
    )


def test_full_marks_both_ends_of_a_short_span() -> None:
    two = SIMPLE._replace(
        end_row=11, end_column=2, fix=None, help="", excerpt=((10, "    ab("), (11, ") + c"))
    )
    assert render("full", Report([two])).split("\n")[2:7] == [
        "   |",
        "10 |     ab(",
        "   |     ^^^",
        "11 | ) + c",
        "   | ^",
    ]


def test_full_spells_out_what_a_terminal_would_obey() -> None:
    evil = SIMPLE._replace(path="a\x1b[2J.py", excerpt=((10, "x = '\x1b[31m'"),))
    assert "\x1b" not in render("full", Report([evil])) + render("concise", Report([evil]))


def test_colours_only_when_asked_for() -> None:
    assert "\x1b[1;31merror[PPO901]\x1b[0m" in render("full", Report([SIMPLE], color=True))
    assert "\x1b" not in render("full", Report([SIMPLE]))


def test_concise() -> None:
    assert render("concise", Report([SIMPLE, LONG])) == (
        "src/train.py:10:5: PPO901 [*] `x` is gone, 100% (removed-name)\n"
        "b, c:d.ipynb:cell 3:1:3: PPO104 a loop over two lines (hand-written-gae)\n"
        "2 findings in 2 files: 1 error, 1 warning.\n"
        "[*] 1 finding fixable with `--fix`.\n"
    )


def test_json_has_the_keys_that_tools_read() -> None:
    (first, second) = json.loads(render("json", Report([SIMPLE, LONG])))
    assert first == {
        "filename": "src/train.py",
        "cell": None,
        "code": "PPO901",
        "name": "removed-name",
        "severity": "error",
        "message": "`x` is gone, 100%",
        "help": "use `y`",
        "location": {"row": 10, "column": 5},
        "end_location": {"row": 10, "column": 9},
        "fix": {
            "applicability": "safe",
            "message": "Use `y`",
            "edits": [
                {
                    "content": "y",
                    "location": {"row": 10, "column": 5},
                    "end_location": {"row": 10, "column": 9},
                }
            ],
        },
        "noqa_row": 10,
        "scope": "main",
        "fingerprint": "0123456789abcdef",
        "url": None,
    }
    assert second["cell"] == 3
    assert second["fix"] is None


def test_jsonl_is_json_in_lines() -> None:
    text = render("jsonl", Report([SIMPLE, LONG]))
    array = json.loads(render("json", Report([SIMPLE, LONG])))
    assert [json.loads(line) for line in text.splitlines()] == array


def test_github_escapes_and_leaves_columns_out_of_long_spans() -> None:
    long_module = LONG._replace(cell=None)
    error = "::error title=PPO901 removed-name,file=src/train.py,line=10,endLine=10"
    warning = "::warning title=PPO104 hand-written-gae,file=b%2C c%3Ad.ipynb"
    assert render("github", Report([LONG, long_module, SIMPLE])).splitlines() == [
        f"{error},col=5,endColumn=9::`x` is gone, 100%25%0Ause `y`",
        f"{warning}::cell 3, row 1: a loop%0Aover two lines%0Ause `y`",
        f"{warning},line=1,endLine=9::a loop%0Aover two lines%0Ause `y`",
    ]


def test_github_tells_what_its_limit_cuts_off() -> None:
    lines = render("github", Report([LONG] * 14 + [SIMPLE] * 3)).splitlines()
    assert [line.split()[0] for line in lines[:-1]] == ["::error"] * 3 + ["::warning"] * 10
    assert lines[-1].startswith("ppolint: 4 of 17 findings are not annotated")


@pytest.mark.parametrize("name", ["full", "concise", "json", "jsonl", "github"])
def test_without_findings(name: str) -> None:
    text = render(name, Report([], files=3))
    wanted = {"json": "[]\n", "jsonl": "", "github": ""}
    assert text == wanted.get(name, "No findings in 3 files.\n")


def test_a_diagnostic_survives_the_cache() -> None:
    for diagnostic in (SIMPLE, LONG, INFO):
        assert Diagnostic.from_dict(json.loads(json.dumps(diagnostic.as_dict()))) == diagnostic
