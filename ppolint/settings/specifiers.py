"""What a requirement of TorchRL or TensorDict says, as pip, Poetry and conda write it."""

from __future__ import annotations

import re

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet

# TorchRL's distribution has had a nightly twin; both are the package `torchrl`.
NAMES = {"torchrl": "torchrl", "torchrl-nightly": "torchrl", "torchrl_nightly": "torchrl",
          "tensordict": "tensordict", "tensordict-nightly": "tensordict"}  # fmt: skip
MENTION = re.compile(r"(?i)\b(torchrl|tensordict|pytorch/rl)\b")


def parse_requirement(text: str) -> tuple[str, SpecifierSet] | None:
    """(package, specifier) of a requirement of TorchRL or TensorDict as pip reads it, or None."""
    text = text.partition(" #")[0].partition(" --hash")[0].strip().rstrip("\\").strip()
    if not MENTION.search(text):
        return None
    tag = re.search(r"(?i)pytorch/(rl|tensordict)(?:\.git)?@v?(\d+(?:\.\d+)+)", text)
    if tag:
        package = "torchrl" if tag[1].lower() == "rl" else "tensordict"
        return package, SpecifierSet(f"=={tag[2]}")
    wheel = re.search(r"(?i)/(torchrl|tensordict)-(\d+(?:\.\d+)+)-[^/]*\.whl", text)
    if wheel:
        return wheel[1].lower(), SpecifierSet(f"=={wheel[2]}")
    try:
        requirement = Requirement(text)
    except InvalidRequirement:
        return None
    package = NAMES.get(requirement.name.lower())
    specifier = pip_specifier(str(requirement.specifier))
    return None if package is None or specifier is None else (package, specifier)


def poetry_specifier(text: str) -> SpecifierSet | None:
    """A Poetry constraint: carets and tildes beside what pip knows."""
    parts = []
    for part in re.split(r"\s*,\s*", text.strip()):
        match = re.fullmatch(r"([\^~])\s*(\d+(?:\.\d+)*)", part)
        if match is None:
            if re.fullmatch(r"\d+(\.\d+)*(\.\*)?", part):
                part = f"=={part}"
            parts.append("" if part == "*" else part)
            continue
        numbers = [int(n) for n in match[2].split(".")]
        if match[1] == "^":
            # The first number that is not zero may not change.
            keep = next((i for i, n in enumerate(numbers) if n), len(numbers) - 1)
        else:
            keep = min(1, len(numbers) - 1)
        upper = [*numbers[:keep], numbers[keep] + 1]
        parts += [f">={match[2]}", f"<{'.'.join(map(str, upper))}"]
    return pip_specifier(",".join(filter(None, parts)))


def conda_specifier(text: str) -> SpecifierSet | None:
    """A conda match: `=0.8` means `0.8.*`, a second `=` starts the build string."""
    text = text.strip().strip("\"'").replace(" ", "")
    if text in ("", "*"):
        return SpecifierSet()
    match = re.fullmatch(r"=?(\d[\w.]*)(\.?\*)?(=[\w*]+)?", text)
    if match:
        fuzzy = text.startswith("=") or match[2]
        pinned = match[3] is not None
        return pip_specifier(f"=={match[1].rstrip('.')}{'.*' if fuzzy and not pinned else ''}")
    return pip_specifier(text)


def pip_specifier(text: str) -> SpecifierSet | None:
    """`text` as pip reads it, local versions ("0.2.0+d93fd3b") taken for the public ones."""
    try:
        return SpecifierSet(re.sub(r"\+[\w.]+", "", text))
    except InvalidSpecifier:
        return None
