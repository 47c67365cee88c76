"""What the text of a file says that it imports, read without a parser.

Every file of a project is asked, also those that are never parsed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

_IMPORT = re.compile(
    r"^[ \t>]*(?:from[ \t]+(\.*[\w.]*)[ \t]+import[ \t]+([^#\n]*)|import[ \t]+([^#\n]+))",
    re.MULTILINE,
)
_TORCH = frozenset({"torch", "torchrl", "tensordict", "pytorch_lightning", "lightning"})
_HANDED_ON = (".torch", ".try_import_torch")  # torch of another module, or RLlib's
# Logging to TensorBoard through torch makes no torch program.
_LOGGING = "torch.utils.tensorboard"
OTHER_FRAMEWORKS = frozenset(
    {
        "jax",
        "flax",
        "tensorflow",
        "keras",
        "tflearn",
        "paddle",
        "mxnet",
        "mindspore",
        "haiku",
        "tinygrad",
    }
)
# `from module import names`, the names in parentheses or in one line.
_NAMES_FROM = re.compile(r"^from[ \t]+([\w.]+)[ \t]+import[ \t]+(\([^)]*\)|[^(\n]*)", re.MULTILINE)


def torch_by_imports(names: Iterable[str]) -> bool | None:
    """Whether a file with these imports is a PyTorch one; None when they do not tell."""
    roots = {n.partition(".")[0] for n in names if not n.startswith(_LOGGING)}
    if roots & _TORCH or any(n.endswith(_HANDED_ON) for n in names):
        return True
    return False if roots & OTHER_FRAMEWORKS else None


def imported_names(text: str) -> frozenset[str]:
    """Dotted names in the import statements of a text: modules, and `module.name` for `from`."""
    out: set[str] = set()
    for match in _import_statements(text):
        module, names, plain = match.groups()
        if plain:
            for part in plain.split(","):
                name = part.split()[0] if part.split() else ""
                if name:
                    out.add(name)
            continue
        out.add(module)
        for part in names.replace("(", " ").replace(")", " ").replace("\\", " ").split(","):
            words = part.split()
            if words and words[0].isidentifier():
                joiner = "" if module.endswith(".") else "."
                out.add(f"{module}{joiner}{words[0]}")
    return frozenset(out)


def _import_statements(text: str) -> Iterator[re.Match[str]]:
    """The matches of `_IMPORT` in the lines that hold the word: most lines need no regex."""
    after = 0
    while (at := text.find("import", after)) >= 0:
        end = text.find("\n", at)
        after = end if end >= 0 else len(text)
        match = _IMPORT.match(text, text.rfind("\n", 0, at) + 1, after)
        if match is not None:
            yield match


def handed_on(text: str) -> dict[str, str]:
    """The names that a package takes from modules, mostly its own, with where they are from."""
    out: dict[str, str] = {}
    for module, names in _NAMES_FROM.findall(text):
        for part in names.strip("()").split(","):
            words = part.partition("#")[0].split()
            if words == ["*"]:
                out[f"*{module}"] = module
            elif words:
                joiner = "" if module.endswith(".") else "."
                out[words[-1]] = f"{module}{joiner}{words[0]}"
    return out
