"""The pages about the rules, made from the docstrings of their modules.

`python -m ppolint.rules.docs` writes the index of the registry, `docs/rules/*.md`, the table in
`README.md`, the keys in `docs/configuration.md` and their JSON schema; with `--check` it only tells which are stale.
"""

from __future__ import annotations

import ast
import importlib.util
import json
import re
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path

from ppolint.rules import registry
from ppolint.rules.registry import FAMILIES, RuleEntry

SECTIONS = (
    "What it does",
    "Why is this bad",
    "Example",
    "Use instead",
    "What happens at run time",
)
FIX_WORDS = {
    "safe": "safe: `--fix` applies it",
    "unsafe": "unsafe: `--fix --unsafe-fixes` applies it",
    "suggest": "suggested in the output, never applied",
    None: "none",
}
ROOT = Path(__file__).resolve().parents[2]
_HEADING = re.compile(
    r"^(?:#+ +)?(?P<title>[A-Z][^\n:]*?):?[ \t]*\n(?:(?:-{3,}|={3,}|~{3,})\n)?", re.MULTILINE
)


@dataclass(frozen=True)
class Page:
    """What is written about a rule: `title` is one sentence, `sections` are in order."""

    entry: RuleEntry
    title: str
    sections: dict[str, str]


def page(entry: RuleEntry) -> Page:
    """The page of a rule, read from its module without importing it.

    Raises `ValueError` when a section is missing.
    """
    spec = importlib.util.find_spec(entry.module)
    assert spec is not None and spec.origin is not None
    docstring = ast.get_docstring(ast.parse(Path(spec.origin).read_bytes())) or ""
    title, sections = parsed(docstring)
    missing = [section for section in SECTIONS if not sections.get(section)]
    if missing:
        raise ValueError(f"{entry.module}: the docstring has no section {', '.join(missing)}")
    return Page(entry, title, sections)


def parsed(docstring: str) -> tuple[str, dict[str, str]]:
    """The first sentence and the sections of a rule's docstring."""
    found: dict[str, str] = {}
    places = [m for m in _HEADING.finditer(docstring) if m["title"] in SECTIONS]
    title = docstring[: places[0].start()] if places else docstring
    for place, following in zip(places, [*places[1:], None]):
        end = following.start() if following is not None else len(docstring)
        section = docstring[place.end() : end].strip("\n").rstrip()
        found[place["title"]] = textwrap.dedent(section)
    return " ".join(title.split()), found


def _code_fenced(text: str) -> str:
    """`text`, in a fence when it is bare code."""
    return text if "```" in text else f"```python\n{text}\n```"


def markdown(page: Page) -> str:
    """The page as it stands in `docs/rules`."""
    entry = page.entry
    lines = [
        f"# {entry.name} ({entry.code})",
        "",
        page.title,
        "",
        f"- Severity: {entry.severity}" + ("" if entry.default else ", off by default"),
        f"- Fix: {FIX_WORDS[entry.fix]}",
        *([f"- TorchRL releases: {entry.torchrl}"] if entry.torchrl else []),
        *(["- Looks at the other files of the project."] if entry.across_files else []),
    ]
    for section in SECTIONS:
        text = page.sections[section]
        if section in ("Example", "Use instead"):
            text = _code_fenced(text)
        mark = "?" if section.startswith("Why") else ""
        lines += ["", f"## {section}{mark}", "", text]
    return "\n".join(lines) + "\n"


def table() -> str:
    """The table of all rules for the README, one part a family."""
    parts = []
    for family, title in FAMILIES.items():
        rules = [entry for entry in registry.entries() if entry.family == family]
        if not rules:
            continue
        rows = [
            f"| [{e.code}](docs/rules/{e.name}.md) | `{e.name}` | {e.summary.rstrip('.')} "
            f"| {e.severity if e.default else e.severity + ', off by default'} | {e.fix or ''} |"
            for e in rules
        ]
        head = ["| code | name | what it finds | severity | fix |", "|---|---|---|---|---|"]
        parts.append("\n".join([f"**{title}**", "", *head, *rows]))
    return "\n\n".join(parts) + "\n"


def configuration() -> str:
    """The keys of the configuration, for `docs/configuration.md`."""
    from ppolint.settings.schema import KEYS

    parts = []
    for name, key in KEYS.items():
        parts += [
            f"### `{name}`",
            "",
            key.help,
            "",
            f"- Type: {key.kind}",
            f"- Default: {key.default}",
            "",
            "```toml",
            "[tool.ppolint]",
            key.example,
            "```",
            "",
        ]
    return "\n".join(parts)


def example(root: Path = ROOT) -> str:
    """What ppolint says of the README's script, as the README shows it."""
    import subprocess

    command = ["ppolint", "check", "fixtures/readme/train.py"]
    run = subprocess.run(
        [sys.executable, "-m", *command, "--isolated", "--no-cache"],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )
    return f"```console\n$ {' '.join(command)}\n{run.stdout}```\n"


def index_text(broken: list[str] | None = None) -> str:
    """The content of the registry's index: a JSON array, one rule a line."""
    rows = [json.dumps(entry._asdict()) for entry in registry.discover(broken)]
    return "[\n" + ",\n".join(rows) + "\n]\n"


def _between(mark: str, part: str, text: str) -> str:
    """`text` with `part` between its two comments named `mark`."""
    begin, end = f"<!-- {mark}: begin -->\n", f"<!-- {mark}: end -->"
    head, _, rest = text.partition(begin)
    return f"{head}{begin}{part}{end}{rest.partition(end)[2]}"


def generated(root: Path = ROOT, broken: list[str] | None = None) -> dict[Path, str | None]:
    """Every generated file of the checkout with what it must contain; None for a page too many.

    The pages follow the index, so write that first. A docstring without its sections is described
    in `broken`, or raises `ValueError` when that is None.
    """
    folder = root / "docs" / "rules"
    made: dict[Path, str | None] = {path: None for path in folder.glob("*.md")}
    for entry in registry.entries():
        try:
            made[folder / f"{entry.name}.md"] = markdown(page(entry))
        except ValueError as error:
            if broken is None:
                raise
            broken.append(str(error))
    for name, parts in {
        "README.md": {"rules": table(), "example": example(root)},
        "docs/configuration.md": {"keys": configuration()},
    }.items():
        text = (root / name).read_text(encoding="utf-8")
        for mark, part in parts.items():
            text = _between(mark, part, text)
        made[root / name] = text
    from ppolint.settings import json_schema

    made[root / "docs" / "ppolint.schema.json"] = json_schema.text()
    return made


def stale(root: Path = ROOT) -> list[Path]:
    """The generated files that are not what they must be."""
    index = Path(registry.INDEX)
    wrong = [index] if index.read_text(encoding="utf-8") != index_text() else []
    return wrong + [path for path, text in generated(root).items() if _content(path) != text]


def _content(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.exists() else None


def write(root: Path = ROOT) -> list[str]:
    """Write what is stale; returns what is wrong with rule modules that had to be left out."""
    from ppolint.engine.cache import write_atomically

    broken: list[str] = []
    write_atomically(registry.INDEX, index_text(broken).encode())
    registry.entries.cache_clear()
    registry.by_code.cache_clear()
    for path, text in generated(root, broken).items():
        if text is None:
            path.unlink()
        elif _content(path) != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(str(path), text.encode())
    return broken


if __name__ == "__main__":
    if "--check" in sys.argv[1:]:
        wrong = [str(path) for path in stale()]
    else:
        wrong = write()
    print("".join(f"{line}\n" for line in wrong), end="")
    sys.exit(1 if wrong else 0)
