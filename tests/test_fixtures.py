"""Every fixture says what its rule must find: `fixtures/<code>-<name>/`.

`bad_*` is flagged on the rows marked by a trailing `# <code>` and nowhere else, `good_*` is silent,
`fixed_*` is what the fix makes of the `bad_*` of the same name. A folder is a project of its
own; its files carry their own marks.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ppolint.engine.fixing import allowed, fix_source
from ppolint.engine.plan import Options, Planner
from ppolint.engine.projects import Projects
from ppolint.engine.worker import Analyser, Job
from ppolint.rules import registry
from ppolint.settings.files import SUFFIXES, Target
from ppolint.settings.load import SettingsResolver
from ppolint.source.file import Source, read_source

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures"
MARK = re.compile(r"[ \t]*#[ \t]*(PPO\d{3}(?:[, \t]+PPO\d{3})*)[ \t]*$", re.MULTILINE)


def _cases(kind: str) -> list[pytest.ParameterSet]:
    found = []
    for folder in sorted(FIXTURES.glob("PPO*")):
        for path in sorted(folder.glob(f"{kind}_*")):
            if path.is_dir() or path.suffix in SUFFIXES:
                found.append(pytest.param(path, id=f"{folder.name}/{path.name}"))
    return found


def _files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    return sorted(p for p in path.rglob("*") if p.suffix in SUFFIXES)


def _code(fixture: Path) -> str:
    return fixture.parent.name.partition("-")[0]


@pytest.fixture
def project(tmp_path: Path):
    """Copies a fixture to a project of its own, so that it does not see the other fixtures."""

    def copy(fixture: Path) -> Path:
        (tmp_path / ".git").mkdir(exist_ok=True)
        for file in [fixture] if fixture.is_file() else sorted(fixture.rglob("*")):
            if file.is_file() and "__pycache__" not in file.parts:
                target = tmp_path / file.relative_to(fixture.parent)
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(file.read_bytes())
        return tmp_path / fixture.name

    return copy


class Linter:
    """Lints one file with one rule, as `ppolint check --isolated --select CODE` does.

    The general rules are about what the others do, so those run as well.
    """

    def __init__(self, path: Path, code: str) -> None:
        self.path = path
        resolver = SettingsResolver(isolated=True)
        settings = resolver.for_folder(str(path.parent))
        target = Target(str(path), str(path), settings)
        projects = Projects(resolver)
        self.code = code
        general = registry.by_code()[code].family == "general"
        plan = Planner(Options(select=("ALL",) if general else (code,))).plan(target)
        self.job = Job(str(path), str(path), plan, projects.root_of(str(path)))
        self.analyser = Analyser(projects)

    def __call__(self, source: Source) -> list:
        analysis = self.analyser.analysis(self.job, source)
        assert not analysis.errors
        return [finding for finding in analysis.findings if finding.code == self.code]


def _marks(source: Source, code: str) -> list[int]:
    """The rows of the joined text that are marked with `code`, once for each time it is named."""
    rows = []
    for match in MARK.finditer(source.text):
        row = source.row_column(match.start())[0]
        rows += [row] * re.findall(r"PPO\d{3}", match[1]).count(code)
    return rows


def _mismatch(source: Source, findings: list, code: str) -> str:
    """What is wrong with the findings, for a person; empty when each has one mark in its span."""
    marks = _marks(source, code)
    spans = []
    for finding in findings:
        first = source.row_column(finding.start)[0]
        last = source.row_column(max(finding.start, finding.end - 1))[0]
        spans.append((last - first, first, last, finding.message))
    problems = []
    for _, first, last, message in sorted(spans):
        inside = [row for row in marks if first <= row <= last]
        if inside:
            marks.remove(inside[0])
        else:
            problems.append(f"rows {first}-{last} are flagged and not marked: {message}")
    problems += [f"row {row} is marked and not flagged" for row in marks]
    return "\n".join(problems)


def _has_rule(code: str) -> bool:
    return code in registry.by_code()


@pytest.mark.parametrize("fixture", _cases("bad"))
def test_what_is_marked_is_found(fixture: Path, project) -> None:
    code = _code(fixture)
    assert _has_rule(code), f"there is no rule {code}"
    problems, marks = [], 0
    for file in _files(project(fixture)):
        source = read_source(file)
        marks += len(_marks(source, code))
        problem = _mismatch(source, Linter(file, code)(source), code)
        if problem:
            problems.append(f"{file.name}: {problem}")
    assert marks, "nothing is marked"
    assert not problems, "\n".join(problems)


@pytest.mark.parametrize("fixture", _cases("good"))
def test_look_alikes_are_silent(fixture: Path, project) -> None:
    code = _code(fixture)
    assert _has_rule(code), f"there is no rule {code}"
    for file in _files(project(fixture)):
        source = read_source(file)
        assert not _marks(source, code), "a good example carries a mark"
        assert not _mismatch(source, Linter(file, code)(source), code)


def _kinds(code: str) -> frozenset:
    from ppolint.findings import Applicability

    declared = registry.by_code()[code].fix
    if declared == Applicability.SUGGEST.value:
        return frozenset({Applicability.SUGGEST})
    return allowed(unsafe=True)


def _without_marks(source: Source) -> str:
    return MARK.sub("", source.text)


@pytest.mark.parametrize("fixture", _cases("fixed"))
def test_the_fix_makes_the_fixed_file(fixture: Path, project) -> None:
    code = _code(fixture)
    bad = fixture.with_name(fixture.name.replace("fixed_", "bad_", 1))
    assert bad.exists(), f"there is no {bad.name}"
    copy = project(bad)
    for file, wanted in zip(_files(copy), _files(fixture), strict=True):
        fixed = fix_source(read_source(file), Linter(file, code), _kinds(code))
        assert not fixed.refused
        assert _without_marks(fixed.source) == _without_marks(read_source(wanted))


@pytest.mark.parametrize("fixture", _cases("bad"))
def test_fixing_twice_changes_nothing_more(fixture: Path, project) -> None:
    code = _code(fixture)
    assert _has_rule(code), f"there is no rule {code}"
    if registry.by_code()[code].fix is None:
        return
    for file in _files(project(fixture)):
        lint = Linter(file, code)
        once = fix_source(read_source(file), lint, _kinds(code))
        assert not once.refused
        file.write_bytes(once.source.data)
        twice = fix_source(read_source(file), Linter(file, code), _kinds(code))
        assert not twice.applied
        assert twice.source.data == once.source.data
