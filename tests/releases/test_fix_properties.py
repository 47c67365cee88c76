"""What a safe fix of a release rule never does, on programs made at random from old spellings."""

import ast
import io
import tokenize

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_renames import RULES, findings, source_of

from ppolint.engine.fixing import allowed, fix_source
from ppolint.findings import Applicability
from ppolint.source.file import Source

NAMES = {
    "torchrl.collectors": ["SyncDataCollector", "MultiSyncDataCollector", "Collector"],
    "torchrl.data": ["CompositeSpec", "DiscreteTensorSpec", "BoundedTensorSpec", "TensorSpec"],
    "torchrl.envs": ["RandomPolicy", "GymEnv", "set_exploration_mode"],
    "torchrl.collectors.collectors": ["StepCounter", "TensorDict"],
    "torchrl.modules": ["NormalParamWrapper", "TanhNormal", "TensorDictModule"],
}
CALLS = [
    ("torchrl.objectives", "ClipPPOLoss", ["actor=a", "critic=c"],
     ["entropy_coef=0.1", "critic_coef=1.0", "gamma=0.9", 'advantage_key="adv"', "clip_epsilon=0.2", 'value_target_key="value_target"']),
    ("torchrl.objectives.value", "GAE", ["gamma=0.9", "lmbda=0.9", "value_network=c"],
     ['value_key="v"', "average_gae=True", "lamda=1"]),
    ("torchrl.collectors", "SyncDataCollector", ["env", "policy", "frames_per_batch=10"],
     ['exploration_mode="random"', "reset_when_done=False", "total_frames=10"]),
    ("torchrl.modules", "TanhNormal", ["loc", "scale"], ["min=-1", "max=1"]),
]  # fmt: skip
COMMENTS = st.sampled_from(["", "", "  # why", "  # noqa: E501", "  # naïve"])


@st.composite
def import_statements(draw):
    module = draw(st.sampled_from(sorted(NAMES)))
    names = draw(st.lists(st.sampled_from(NAMES[module]), min_size=1, unique=True))
    items = [n + draw(st.sampled_from(["", "", f" as {n}_"])) for n in names]
    if draw(st.booleans()):
        rows = [f"    {item},{draw(COMMENTS)}\n" for item in items]
        return f"from {module} import ({draw(COMMENTS)}\n{''.join(rows)})\n"
    return f"from {module} import {', '.join(items)}{draw(COMMENTS)}\n"


@st.composite
def call_statements(draw, indent):
    module, name, required, optional = draw(st.sampled_from(CALLS))
    extra = draw(st.lists(st.sampled_from(optional), unique=True))
    positional = [r for r in required if "=" not in r]
    keywords = draw(st.permutations([r for r in required if "=" in r] + extra))
    arguments = [*positional, *keywords]
    if draw(st.booleans()):
        last = draw(st.sampled_from([",", ""]))
        rows = [f"{indent}    {a},{draw(COMMENTS)}\n" for a in arguments[:-1]]
        rows.append(f"{indent}    {arguments[-1]}{last}{draw(COMMENTS)}\n")
        call = f"{name}(\n{''.join(rows)}{indent})"
    else:
        call = f"{name}({', '.join(arguments)})"
    target = draw(st.sampled_from(["x = ", "self.x = ", "", "return "])) if indent else "x = "
    return f"{indent}{target}{call}{draw(COMMENTS)}\n", f"from {module} import {name}\n"


@st.composite
def programs(draw):
    text = draw(st.sampled_from(["", "# -*- a comment -*-\n", '"""Docs."""\n']))
    text += "".join(draw(st.lists(import_statements(), max_size=3)))
    body, needed = "", set()
    for indent in draw(st.lists(st.sampled_from(["", "    "]), max_size=3)):
        statement, line = draw(call_statements(indent))
        needed.add(line)
        body += (
            f"def f_{len(body)}(self, a, c, env, policy, loc, scale):\n{statement}"
            if indent
            else statement
        )
    text += "".join(sorted(needed)) + body
    uses = [f"print({n})\n" for n in ("CompositeSpec", "RandomPolicy", "StepCounter") if n in text]
    return text + "".join(uses)


def comments(text):
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    return sorted(t.string for t in tokens if t.type == tokenize.COMMENT)


def safe(found):
    return [f for f in found if f.fix is not None and f.fix.applicability is Applicability.SAFE]


def mended(text):
    return fix_source(
        source_of(text),
        lambda source: findings(source.text, "0.14.1", source),
        allowed(False),
    )


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(programs())
def test_it_parses_keeps_comments_and_is_done_at_once(text):
    ast.parse(text)
    done = mended(text)
    after = done.source.text
    ast.parse(after)
    assert done.refused == [] and done.overlapping == []
    assert comments(after) == comments(text)
    assert safe(findings(after, "0.14.1")) == []
    assert mended(after).source.text == after


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(programs())
def test_line_endings_survive(text):
    source = Source.from_text(text.replace("\n", "\r\n"))
    done = fix_source(source, lambda s: findings(s.text, "0.14.1", s), allowed(False))
    data = done.source.data
    assert data.count(b"\n") == data.count(b"\r\n")
    assert data.replace(b"\r\n", b"\n").decode() == mended(text).source.text


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(programs())
def test_nothing_but_the_edits_changes(text):
    """Characters outside of the edits of the findings stay, in order."""
    found = safe(findings(text, "0.14.1"))
    for finding in found:
        pieces, at = [], 0
        for edit in finding.fix.edits:
            assert 0 <= at <= edit.start <= edit.end <= len(text)
            pieces.append(text[at : edit.start])
            at = edit.end
        pieces.append(text[at:])
        rest = mended_by(text, finding)
        for piece in pieces:
            position = rest.find(piece)
            assert position >= 0
            rest = rest[position + len(piece) :]


def mended_by(text, finding):
    for edit in reversed(finding.fix.edits):
        text = text[: edit.start] + edit.text + text[edit.end :]
    return text


def test_every_safe_rule_takes_part():
    """The programs above reach each rule whose fix is safe and that looks at calls or imports."""
    text = (
        "from torchrl.collectors import SyncDataCollector\n"
        "from torchrl.objectives import ClipPPOLoss\n"
        "from torchrl.objectives.value import GAE\n"
        "x = ClipPPOLoss(a, c, entropy_coef=0.1, gamma=0.9)\n"
        "y = GAE(gamma=0.9, lamda=0.9, value_network=c)\n"
    )
    assert {"PPO901", "PPO902", "PPO903", "PPO909"} <= {
        f.code for f in safe(findings(text, "0.14.1"))
    }
    assert set(RULES) >= {"PPO901", "PPO902", "PPO903", "PPO909"}
