"""What several rules look for before a file is parsed (`Rule.needs`)."""

from __future__ import annotations

# A file that builds nothing itself (`actor = make_actor(...)`, `PPO(config, actor)`) may still be
# the one where all parts of a pipeline meet. The next two are calls by the names that people give
# such helpers and classes.

# An environment, a collector or an agent is made, or data is collected.
COLLECTS = tuple(
    rf"re:(?i){word}\w*\(" for word in ("env", "collect", "rollout", "trainer", "agent")
)
# A policy, a loss or what holds them is made.
LEARNS = tuple(
    rf"re:(?i){word}\w*\("
    for word in "model net loss ppo actor critic polic agent learner trainer module".split()
)

# A recursion backwards in time, or what does the same at once. `**` between operands: most
# others hand on keywords. The last are words for a helper of another file.
BACKWARDS = (
    "reversed", "[::-1]", "::-1", "flip", "flipud", "lfilter", "insert", "appendleft", "cumsum",
    "cumprod", "logspace", "conv1d", "conv2d", "triu", "tril", "arange", "pop", "reverse", "*=", "pow",
    r"re:range\([^\n]*-\s*1\s*\)", r"re:^[ \t]*while\b", r"re:\*\*(?:(?<=[\w)\]]\*\*)|(?<=[\w)\]] \*\*))\s*\(?[A-Za-z]",
    r"re:-\s*1\s*-\s*[A-Za-z]", r"re:-\s*[A-Za-z]\w*\s*-\s*1",
    r"re:-\s*\w+\)\[", r"re:\breturn\b[^\n]*\*[^\n]*\+\s*1", r"re:\(\s*\w+\[1:\s*\]", "re:(?i)discount", r"re:(?i)\bgae", "re:(?i)advantage",
)  # fmt: skip
# e ** x, and a minimum in a maximum or the other way round.
E_POWER = r"re:\*\*(?:(?<=\be\*\*)|(?<=\be \*\*))"
ONE_IN_ANOTHER = tuple(
    rf"re:{name}(?:(?<=\b{name})|(?<=\bf{name}))\w*\([^\n]*\b(?:min|max)\w*\("
    for name in ("min", "max")
)
# Something is added to a list; `+= 1` counts.
GROWS = (
    "append", "extend", "insert", "appendleft", "cat", "concatenate",
    r"re:\+=(?![ \t]*[\d.]+[ \t]*(?:#.*)?$)",
)  # fmt: skip

# Something is put into what is there already, by an index, an attribute's name or a call; or what was
# filled elsewhere gets names.
STORES = (
    "append", "extend", "insert", "appendleft", "cat", "concatenate", "stack", "copy_", "setattr",
    "push", "roll", "TensorDict", r"re:[\"']\)\s*:[ \t]*[^\s#]", r"re:[._](?:put|set|fill|scatter|copy|add(?!_argument|itional)|update|push|store)\w*\(",
    # not the arguments of a call: kwargs["name"] = value; from the last bracket that opens, so that long
    # lines of numbers are gone through once
    r"re:(?<!kwargs)\[[^\[\n]*\]\s*(?:=(?!=)|[-+*/]=)", r"re:\n[ \t]*\]\s*(?:=(?!=)|[-+*/]=)",
)  # fmt: skip

# A TensorDict is acted on. The action is written into it where an environment of another file of the
# project is stepped; its file does not have to name TorchRL.
ACTS = ("torchrl", "tensordict", "backward", r"re:\[\s*[\"']action[\"']\s*\]\s*=")
