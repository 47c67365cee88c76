"""Any module is linted without an internal error, the same way each time."""

from __future__ import annotations

import ast
import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ppolint.engine.plan import Options, Planner
from ppolint.engine.projects import Projects
from ppolint.engine.worker import Analyser, Job
from ppolint.settings.files import Target
from ppolint.settings.schema import Settings

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures"

# Pieces of the code that the rules are about, to be combined into modules that nobody would write.
NAMES = st.sampled_from(["a", "rewards", "ratio", "torch", "self", "loss", "gamma", "x_", "np"])
CONSTANTS = st.sampled_from(["0", "1", "0.99", "-1", "True", "None", "'loss_objective'", "..."])


def _expressions() -> st.SearchStrategy[str]:
    atoms = st.one_of(NAMES, CONSTANTS)
    methods = ["exp", "clamp", "min", "log_prob", "append", "detach", "step", "sum", "extend"]

    def grow(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        operator = st.sampled_from(
            ["+", "-", "*", "/", "@", "**", "//", "and", "<", "is not", "in"]
        )
        return st.one_of(
            st.builds("({} {} {})".format, inner, operator, inner),
            st.builds("-{}".format, inner),
            st.builds("{}[{}]".format, NAMES, inner),
            st.builds("{}[{}:{}:-1]".format, NAMES, inner, inner),
            st.builds("{}.{}({})".format, NAMES, st.sampled_from(methods), inner),
            st.builds("torch.{}({}, {})".format, st.sampled_from(methods), inner, inner),
            st.builds("({} if {} else {})".format, inner, inner, inner),
            st.builds("[{} for {} in {} if {}]".format, inner, NAMES, inner, inner),
            st.builds("{{{}: {}, **{}}}".format, inner, inner, NAMES),
            st.builds("(lambda {}, *b, **c: {})".format, NAMES, inner),
            st.builds("({} := {})".format, NAMES, inner),
            st.builds("f'{{{}}}'".format, NAMES),
            st.builds("({}, *{})".format, inner, NAMES),
            st.builds("reversed(range({}))".format, inner),
        )

    return st.recursive(atoms, grow, max_leaves=8)


def _statements() -> st.SearchStrategy[str]:
    expressions = _expressions()
    simple = st.one_of(
        expressions,
        st.builds("{} = {}".format, NAMES, expressions),
        st.builds("{}, (*{}, _) = {}".format, NAMES, NAMES, expressions),
        st.builds("{}[{}] = {}".format, NAMES, expressions, expressions),
        st.builds("{}.value: int = {}".format, NAMES, expressions),
        st.builds("{} {}= {}".format, NAMES, st.sampled_from(["+", "*", "@"]), expressions),
        st.sampled_from(["pass", "import torch", "from torchrl.objectives import *", "del a"]),
        st.builds("import torch as {}".format, NAMES),
        st.builds("assert {}".format, expressions),
        st.builds("global {}".format, st.sampled_from(["g", "h"])),
    )

    def indented(body: list[str]) -> str:
        return "".join(f"    {line}\n" for text in body for line in text.rstrip("\n").split("\n"))

    def grow(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        body = st.lists(inner, min_size=1, max_size=3).map(indented)
        return st.one_of(
            st.builds("for {} in {}:\n{}".format, NAMES, expressions, body),
            st.builds("while {}:\n{}else:\n{}".format, expressions, body, body),
            st.builds("if {}:\n{}elif {}:\n{}".format, expressions, body, expressions, body),
            st.builds("def {}(a, /, b={}, *, c):\n{}".format, NAMES, expressions, body),
            st.builds("async def {}(*a):\n{}    return {}\n".format, NAMES, body, expressions),
            st.builds("class {}({}):\n{}".format, NAMES, NAMES, body),
            st.builds("with {} as {}:\n{}".format, expressions, NAMES, body),
            st.builds("try:\n{}except ImportError as e:\n{}finally:\n{}".format, body, body, body),
            st.builds("@{}\ndef f():\n{}".format, NAMES, body),
            st.builds("match {}:\n    case [{}, *_]:\n        pass\n".format, expressions, NAMES),
        )

    return st.recursive(simple, grow, max_leaves=10)


MODULES = st.lists(_statements(), min_size=1, max_size=5).map("\n".join)


def analyse(text: str, folder: Path):
    """What every rule has to say about a module that passed every screen."""
    from ppolint.engine.analysis import analyse as analyse_source
    from ppolint.engine.targets import release_for
    from ppolint.rules import registry
    from ppolint.settings.load import SettingsResolver
    from ppolint.source.file import Source

    codes = tuple(entry.code for entry in registry.entries())
    projects = Projects(SettingsResolver(isolated=True))
    path = str(folder / "generated.py")
    source = Source.from_text(text, path)
    return analyse_source(
        source,
        codes,
        codes,
        projects.project(str(folder)),
        lambda: release_for(path, source.data, None),
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("generated")


@settings(max_examples=40, deadline=None)
@given(text=MODULES)
def test_any_module_is_linted_without_an_internal_error(folder: Path, text: str) -> None:
    _check_module(folder, text)


@pytest.mark.slow
@settings(max_examples=2_000, deadline=None)
@given(text=MODULES)
def test_a_great_many_modules_are(folder: Path, text: str) -> None:
    _check_module(folder, text)


def _check_module(folder: Path, text: str) -> None:
    try:
        ast.parse(text)
    except SyntaxError:
        return
    first = analyse(text, folder)
    assert first.errors == []
    assert "PPO001" not in {finding.code for finding in first.findings}
    for finding in first.findings:
        assert 0 <= finding.start <= finding.end <= len(text)
    assert analyse(text, folder).findings == first.findings


@settings(max_examples=60, deadline=None)
@given(text=st.text("(){}[]:=+-*\n\t '\"#\\abdefilmnorst,.0", max_size=60))
def test_text_that_is_no_python_gives_one_finding(folder: Path, text: str) -> None:
    analysis = analyse(text, folder)
    assert analysis.errors == []
    codes = [finding.code for finding in analysis.findings]
    assert codes.count("PPO001") <= 1


def test_real_files_cut_anywhere_are_linted(folder: Path) -> None:
    files = sorted(FIXTURES.glob("PPO*/bad_*.py"))
    chooser = random.Random(4)
    for file in chooser.sample(files, 25):
        text = file.read_text()
        lines = text.splitlines(keepends=True)
        cut = chooser.randrange(len(lines))
        for piece in (
            "".join(lines[:cut]),
            "".join(lines[cut:]),
            "".join(lines[:cut] + lines[cut + 1 :]),
        ):
            assert analyse(piece, folder).errors == [], file


def test_a_job_is_answered_like_a_file(folder: Path) -> None:
    """The way of the workers and the way of the editor give the same."""
    from ppolint.settings.load import SettingsResolver

    file = folder / "one.py"
    file.write_text("from torchrl.collectors import SyncDataCollector\n")
    projects = Projects(SettingsResolver(isolated=True))
    target = Target("one.py", str(file), Settings(root=str(folder)))
    job = Job("one.py", str(file), Planner(Options()).plan(target), str(folder))
    analyser = Analyser(projects)
    assert analyser(job) == analyser.of_bytes(job, file.read_bytes())
    assert [d["code"] for d in analyser(job).diagnostics] == ["PPO901"]
