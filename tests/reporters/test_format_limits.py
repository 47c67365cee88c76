"""The limits of the tools that read the formats: what they refuse, cut off or drop in silence."""

from __future__ import annotations

import gzip
import json
from collections import Counter

import junitparser
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from published import SARIF, complaints
from test_ci_formats import ALL, CELL, FINDING, LONG

from ppolint.findings import Diagnostic, DiagnosticEdit, DiagnosticFix
from ppolint.reporters import FORMATS, Report, render
from ppolint.rules import registry

ODD_PATH = "a\udcff b\n::error::c%0A,d|`e:f.py"
ODD = FINDING._replace(path=ODD_PATH, message="m\ud800 x % y, z|", help="h")
SEVERITIES = st.sampled_from(["error", "warning", "info"])


def a_finding_of_every_rule() -> list[Diagnostic]:
    return [
        FINDING._replace(code=e.code, name=e.name, severity=e.severity, row=at, end_row=at)
        for at, e in enumerate(registry.entries(), 1)
    ]


# Workflow commands: https://docs.github.com, "Workflow commands for GitHub Actions".
def read_command(line: str) -> tuple[str, dict[str, str], str]:
    """A workflow command as the runner of GitHub Actions reads a line of output."""
    _, head, data = line.split("::", 2)
    level, _, listed = head.partition(" ")
    properties = dict(each.split("=", 1) for each in listed.split(","))

    def plain(text: str, marks: dict[str, str]) -> str:
        for mark, meant in marks.items():
            text = text.replace(mark, meant)
        return text.replace("%25", "%")

    newlines = {"%0D": "\r", "%0A": "\n"}
    found = {k: plain(v, {**newlines, "%3A": ":", "%2C": ","}) for k, v in properties.items()}
    return level, found, plain(data, newlines)


@given(st.text(min_size=1), st.text(), SEVERITIES)
@settings(max_examples=200, deadline=None)
def test_a_command_says_what_it_is_to_say_and_nothing_else(
    path: str, message: str, severity: str
) -> None:
    odd = FINDING._replace(path=path, message=message, severity=severity, help="")
    text = render("github", Report([odd]))
    assert text.count("\n") == 1 and "\r" not in text
    level, properties, data = read_command(text.removesuffix("\n"))
    assert level == {"error": "error", "warning": "warning", "info": "notice"}[severity]
    assert (properties["file"], data) == (path, message)
    assert set(properties) == {"title", "file", "line", "endLine", "col", "endColumn"}


def test_ten_commands_of_each_level() -> None:
    found = [FINDING._replace(severity=s) for s in ("info", "warning", "error") for _ in range(12)]
    *lines, last = render("github", Report(found)).splitlines()
    levels = [read_command(line)[0] for line in lines]
    assert levels == ["error"] * 10 + ["warning"] * 10 + ["notice"] * 10
    assert last.startswith("ppolint: 6 of 36 findings are not annotated")


def test_columns_only_within_a_line() -> None:
    for finding in ALL.diagnostics:
        _, properties, _ = read_command(render("github", Report([finding])).splitlines()[0])
        one_line = finding.cell is None and finding.row == finding.end_row
        assert ("col" in properties, "endColumn" in properties) == (one_line, one_line)


@pytest.mark.parametrize("report", [ALL, Report([]), Report([ODD, ODD._replace(cell=1)])])
def test_sarif_by_its_published_schema(report: Report) -> None:
    assert complaints(SARIF, json.loads(render("sarif", report))) == []


def test_sarif_of_every_rule() -> None:
    data = json.loads(render("sarif", Report(a_finding_of_every_rule())))
    assert complaints(SARIF, data) == []
    (run,) = data["runs"]  # 20 are allowed
    rules = run["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == sorted(e.code for e in registry.entries())
    # GitHub keeps 10 of at most 20 tags, 100 of 1,000 locations.
    assert all(len(rule["properties"]["tags"]) <= 10 for rule in rules)
    assert all(len(result["locations"]) == 1 for result in run["results"])


def test_sarif_stays_below_ten_megabytes() -> None:
    fix = DiagnosticFix("Rewrite", "unsafe", (DiagnosticEdit(1, 1, 9, 1, "x = y\n" * 20),))
    many = [
        each._replace(path=f"folder{at % 97}/file{at}.py", fingerprint=f"{at:020x}", fix=fix)
        for at, each in enumerate(a_finding_of_every_rule() * 100)
    ]
    text = render("sarif", Report(many))
    assert len(json.loads(text)["runs"][0]["results"]) == 5_000
    assert len(gzip.compress(text.encode())) < 2_000_000


def test_sarif_addresses_are_relative_and_escaped() -> None:
    def address(path: str) -> dict[str, str]:
        (run,) = json.loads(render("sarif", Report([FINDING._replace(path=path)])))["runs"]
        return run["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]

    for path, uri in {
        "a b/c#d?.py": "a%20b/c%23d%3F.py",
        "a\udcff.py": "a%FF.py",
        "100%.py": "100%25.py",
        "a\nb.py": "a%0Ab.py",
    }.items():
        assert address(path) == {"uri": uri, "uriBaseId": "ROOT"}


def test_gitlab_has_what_gitlab_shows() -> None:
    rows = json.loads(render("gitlab", Report([*a_finding_of_every_rule(), CELL])))
    # The schema of GitLab asks for these four; of an invalid row it drops all that follow, too.
    for row in rows:
        assert {k: type(row[k]) for k in ("description", "fingerprint", "severity")} == {
            "description": str,
            "fingerprint": str,
            "severity": str,
        }
        assert isinstance(row["location"]["lines"]["begin"], int)
        assert row["check_name"] in row["description"]
        assert not row["location"]["path"].startswith(("/", "./"))
    assert max(Counter(row["fingerprint"] for row in rows).values()) == 1


def test_gitlab_paths_are_relative_to_the_working_directory(
    tmp_path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (row,) = json.loads(
        render("gitlab", Report([FINDING._replace(path=str(tmp_path / "lib" / "a.py"))]))
    )
    assert row["location"]["path"] == "lib/a.py"


def test_rdjson_suggestions_are_absent_and_not_null() -> None:
    data = json.loads(render("rdjson", Report([FINDING, FINDING._replace(fix=None)])))
    assert ["suggestions" in row for row in data["diagnostics"]] == [True, False]
    assert "null" not in render("rdjson", ALL)


@given(st.text(alphabet="aä€𐐀\t", max_size=6), st.text(alphabet="bß𝔘", min_size=1, max_size=6))
@settings(max_examples=100, deadline=None)
def test_rdjson_columns_count_bytes(before: str, found: str) -> None:
    line = before + found + " = 1"
    end = len(before) + len(found) + 1
    finding = FINDING._replace(
        column=len(before) + 1, end_column=end, fix=None, excerpt=((10, line),)
    )
    (row,) = json.loads(render("rdjson", Report([finding])))["diagnostics"]
    span = row["location"]["range"]
    raw = line.encode()[span["start"]["column"] - 1 : span["end"]["column"] - 1]
    assert raw.decode() == found


def test_junit_by_a_reader_of_junit(tmp_path) -> None:
    file = tmp_path / "junit.xml"
    file.write_text(render("junit", Report([*ALL.diagnostics, ODD])), encoding="utf-8")
    read = junitparser.JUnitXml.fromfile(str(file))
    assert (read.tests, read.failures, read.errors, read.skipped) == (4, 4, 0, 0)
    cases = [case for suite in read for case in suite]
    assert all(isinstance(case.result[0], junitparser.Failure) for case in cases)
    assert sum(suite.tests for suite in read) == len(cases)
    file.write_text(render("junit", Report([])), encoding="utf-8")
    ((case,),) = junitparser.JUnitXml.fromfile(str(file))
    assert case.is_passed


def test_checkstyle_has_no_other_severities_than_checkstyle() -> None:
    from xml.etree import ElementTree

    root = ElementTree.fromstring(render("checkstyle", Report(a_finding_of_every_rule())))
    assert root.tag == "checkstyle" and "version" in root.attrib
    for file in root:
        assert (file.tag, set(file.attrib)) == ("file", {"name"})
        for error in file:
            assert error.tag == "error"
            assert set(error.attrib) == {"line", "column", "severity", "message", "source"}
            assert error.get("severity") in {"ignore", "info", "warning", "error"}
            assert int(error.get("line", "")) >= 1 and int(error.get("column", "")) >= 1


@pytest.mark.parametrize("name", FORMATS)
def test_names_that_are_no_text_spoil_no_format(name: str) -> None:
    text = render(name, Report([ODD, LONG, ODD._replace(cell=2, fix=None)]))
    # What is written is UTF-8, or ASCII where a stream takes no more.
    for encoding in ("utf-8", "ascii"):
        written = text.encode(encoding, "backslashreplace").decode(encoding)
        if name in ("gitlab", "rdjson", "sarif", "github-review", "json"):
            data = json.dumps(json.loads(written), ensure_ascii=False)
            assert name == "json" or data.encode()
    commands = [line for line in text.splitlines() if line.startswith("::")]
    assert len(commands) == (3 if name == "github" else 0)
