"""What the formats for other tools hold: their shape, and their limits."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner
from jsonschema import Draft202012Validator
from published import SARIF, complaints

from ppolint.cli import main
from ppolint.findings import Diagnostic, DiagnosticEdit, DiagnosticFix
from ppolint.reporters import Report, render

FINDING = Diagnostic(
    path="src/train é.py",
    cell=None,
    row=10,
    column=5,
    end_row=10,
    end_column=8,
    code="PPO901",
    name="removed-name",
    severity="error",
    message="`x` is gone <100%>",
    help="use `y`",
    fix=DiagnosticFix("Use `y`", "safe", (DiagnosticEdit(10, 5, 10, 8, "new"),)),
    noqa_row=10,
    scope="main",
    fingerprint="0123456789abcdef",
    excerpt=((10, "ä = old + ' '"),),
)
CELL = FINDING._replace(path="b.ipynb", cell=3, row=2, end_row=2, fix=None, severity="warning")
LONG = FINDING._replace(row=1, column=1, end_row=99, end_column=2, fix=None, severity="info",
                        code="PPO104", name="hand-written-gae", excerpt=((1, "x"),))  # fmt: skip
ALL = Report([FINDING, CELL, LONG], files=3)
TEXT = {"type": "string", "minLength": 1}
NUMBER = {"type": "integer", "minimum": 1}


def closed(required: dict[str, Any], optional: dict[str, Any] | None = None) -> dict[str, Any]:
    """A schema for an object with these members and no other."""
    return {
        "type": "object",
        "properties": {**required, **(optional or {})},
        "required": list(required),
        "additionalProperties": False,
    }


def listed(items: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": items}


def validate(schema: dict[str, Any], data: Any) -> None:
    Draft202012Validator.check_schema(schema)
    Draft202012Validator(schema).validate(data)


def test_sarif_holds_rules_places_and_fingerprints() -> None:
    data = json.loads(render("sarif", ALL))
    (run,) = data["runs"]
    rules = run["tool"]["driver"]["rules"]
    for result in run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
    first, cell, _ = run["results"]
    location = first["locations"][0]["physicalLocation"]
    assert location["artifactLocation"] == {"uri": "src/train%20%C3%A9.py", "uriBaseId": "ROOT"}
    assert first["partialFingerprints"]["ppolint/v1"] == FINDING.fingerprint
    assert "## Why is this bad?" in rules[-1]["help"]["markdown"]
    assert cell["message"]["text"].startswith("cell 3, row 2: ")
    assert "fixes" not in cell


def test_sarif_keeps_the_worst_that_github_keeps() -> None:
    many = [LONG._replace(row=i + 1, end_row=i + 1) for i in range(5_000)]
    (run,) = json.loads(render("sarif", Report([*many, FINDING])))["runs"]
    assert len(run["results"]) == 5_000
    assert run["results"][-1]["level"] == "error"
    (note,) = run["invocations"][0]["toolExecutionNotifications"]
    assert note["message"]["text"] == "1 of 5001 findings are left out, the least severe."


def test_sarif_of_a_file_outside_is_a_file_address(tmp_path: Path) -> None:
    path = str(tmp_path / "a.py")
    (run,) = json.loads(render("sarif", Report([FINDING._replace(path=path)])))["runs"]
    artifact = run["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]
    assert artifact == {"uri": f"file://{path}"}


GITLAB = listed(
    closed(
        {
            "description": TEXT,
            "check_name": TEXT,
            "fingerprint": TEXT,
            "severity": {"enum": ["info", "minor", "major", "critical", "blocker"]},
            "location": closed(
                {
                    "path": {"type": "string", "pattern": r"^[^./]"},
                    "lines": closed({"begin": NUMBER}, {"end": NUMBER}),
                }
            ),
        }
    )
)


def test_gitlab() -> None:
    data = json.loads(render("gitlab", ALL))
    validate(GITLAB, data)
    assert data[0]["description"] == "PPO901 `x` is gone <100%>"
    assert json.loads(render("gitlab", Report([]))) == []


def test_gitlabs_fingerprints_are_unique_and_the_same_in_every_run() -> None:
    twins = Report([FINDING, FINDING._replace(row=20), FINDING._replace(path="other.py")])
    made = [row["fingerprint"] for row in json.loads(render("gitlab", twins))]
    assert len(set(made)) == 3
    assert made == [row["fingerprint"] for row in json.loads(render("gitlab", twins))]
    alone = json.loads(render("gitlab", Report([FINDING])))
    assert alone[0]["fingerprint"] == made[0]


PLACE = {**closed({"line": NUMBER}, {"column": NUMBER})}
SPAN = closed({"start": PLACE, "end": PLACE})
RDJSON = closed(
    {
        "source": closed({"name": TEXT}),
        "diagnostics": listed(
            closed(
                {
                    "message": TEXT,
                    "location": closed({"path": TEXT}, {"range": SPAN}),
                    "severity": {"enum": ["ERROR", "WARNING", "INFO"]},
                    "code": closed({"value": TEXT}),
                },
                {"suggestions": listed(closed({"range": SPAN, "text": {"type": "string"}}))},
            )
        ),
    }
)


def test_rdjson_counts_bytes_and_suggests_whole_lines() -> None:
    data = json.loads(render("rdjson", ALL))
    validate(RDJSON, data)
    first, cell, long = data["diagnostics"]
    # One letter of two bytes stands before column 5.
    assert first["location"]["range"] == {
        "start": {"line": 10, "column": 6},
        "end": {"line": 10, "column": 9},
    }
    assert first["suggestions"] == [
        {"range": {"start": {"line": 10}, "end": {"line": 10}}, "text": "ä = new + ' '"}
    ]
    assert "range" not in cell["location"]
    assert "suggestions" not in cell
    assert long["location"]["range"] == {"start": {"line": 1}, "end": {"line": 99}}


def test_junit() -> None:
    root = ElementTree.fromstring(render("junit", ALL))
    assert (root.tag, root.get("tests"), root.get("failures")) == ("testsuites", "3", "3")
    assert [s.get("name") for s in root] == ["b.ipynb", "src/train é.py"]
    (failure,) = root[0][0]
    assert failure.get("message") == "`x` is gone <100%>"
    passed = ElementTree.fromstring(render("junit", Report([])))
    assert (passed.get("tests"), passed.get("failures")) == ("1", "0")
    assert list(passed[0][0]) == []


def test_checkstyle() -> None:
    root = ElementTree.fromstring(render("checkstyle", ALL))
    assert [(f.get("name"), len(f)) for f in root] == [("b.ipynb", 1), ("src/train é.py", 2)]
    assert root[1][0].attrib == {
        "line": "10",
        "column": "5",
        "severity": "error",
        "message": "`x` is gone <100%>",
        "source": "ppolint.PPO901.removed-name",
    }
    assert len(ElementTree.fromstring(render("checkstyle", Report([])))) == 0


@pytest.mark.parametrize("name", ["junit", "checkstyle"])
def test_xml_survives_what_xml_cannot_hold(name: str) -> None:
    odd = FINDING._replace(message="a\x00b\x1bc\ud800", path="x\x07.py")
    assert "a\\u0000b\\u001bc\\ud800" in render(name, Report([odd]))
    ElementTree.fromstring(render(name, Report([odd])).encode())


def test_markdown_stays_within_a_comment() -> None:
    many = [FINDING._replace(message="x | y " * 40, row=i) for i in range(2_000)]
    text = render("markdown", Report(many))
    assert len(text) < 65_536
    assert text.startswith("**ppolint**: 2,000 findings (2,000 errors).\n")
    assert " more |\n" in text
    assert "x \\| y" in text
    assert render("markdown", Report([])) == "**ppolint**: no findings.\n"


def test_a_review_without_a_diff_has_no_line_to_comment_on() -> None:
    data = json.loads(render("github-review", ALL))
    assert data["comments"] == []
    assert data["body"].count("<!-- ppolint:") == 3


def test_several_formats_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / "a.py").write_text("from torchrl.collectors import SyncDataCollector\n")
    monkeypatch.chdir(tmp_path)
    arguments = ["check", "--output-format", "sarif", "-o", "a.sarif"]
    arguments += ["--output-format", "junit", "-o", "a.xml", "--output-format", "concise"]
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == 1
    assert done.stdout.startswith("a.py:1:32: PPO901")
    assert complaints(SARIF, json.loads((tmp_path / "a.sarif").read_text())) == []
    assert ElementTree.parse(tmp_path / "a.xml").getroot().get("tests") == "1"
    done = CliRunner().invoke(
        main,
        ["check", "--output-format", "concise", "-o", "-", "--output-format", "gitlab", "-o", "g"],
    )
    assert done.stdout.startswith("a.py:1:32: PPO901")
    assert len(json.loads((tmp_path / "g").read_text())) == 1
    assert CliRunner().invoke(main, ["check", "-o", "x", "-o", "y"]).exit_code == 2
