"""Several modules as one script: their imports together at the top, their bodies one by one."""

from __future__ import annotations

import ast
import sys


def join_modules(header: str, modules: list[str]) -> str:
    """Join modules, given in the order in which they may import each other, into one script.

    Imports between the modules go, all others move to the top, sorted as isort sorts them. The first
    line of a module's docstring becomes the heading of its section. Only the last module keeps
    its main guard.
    """
    imports: set[str] = set()
    from_imports: dict[str, set[str]] = {}
    bodies = []
    for index, text in enumerate(modules):
        body_starts, heading = 0, ""
        lines = text.splitlines(keepends=True)
        skipped: set[int] = set()
        for position, node in enumerate(ast.parse(text).body):
            if position == 0:
                heading = ast.get_docstring(ast.parse(text)) or ""
                body_starts = node.end_lineno or 0
            elif isinstance(node, ast.Import):
                imports.update(f"import {alias.name}" + _as(alias) for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                if node.level == 0:
                    names = from_imports.setdefault(node.module or "", set())
                    names.update(alias.name + _as(alias) for alias in node.names)
            elif not (isinstance(node, ast.If) and index < len(modules) - 1):
                continue
            skipped.update(range(node.lineno - 1, node.end_lineno or node.lineno))
        body = "".join(
            line for row, line in enumerate(lines) if row >= body_starts and row not in skipped
        )
        bodies.append(f"# --- {heading.splitlines()[0]}\n\n\n{body.strip()}\n")
    return header + _import_block(imports, from_imports) + "\n" + "\n\n".join(bodies)


def _as(alias: ast.alias) -> str:
    return f" as {alias.asname}" if alias.asname else ""


def _import_block(imports: set[str], from_imports: dict[str, set[str]]) -> str:
    groups: dict[int, list[str]] = {0: [], 1: [], 2: []}
    for line in sorted(imports):
        groups[_group(line.split()[1])].append(line)
    for module in sorted(from_imports, key=_sort_key):
        groups[_group(module)].append(_from_line(module, sorted(from_imports[module], key=_member)))
    return "\n\n".join("\n".join(lines) for lines in groups.values() if lines) + "\n"


def _group(module: str) -> int:
    top = module.split(".")[0]
    if top == "__future__":
        return 0
    return 1 if top in sys.stdlib_module_names else 2


def _sort_key(module: str) -> str:
    return module.lower()


def _member(name: str) -> tuple[int, str]:
    """Sort constants before classes before the rest, as isort does."""
    if name.isupper() and len(name) > 1:
        return 0, name
    return (1 if name[0].isupper() else 2), name


def _from_line(module: str, names: list[str]) -> str:
    line = f"from {module} import {', '.join(names)}"
    if len(line) <= 100:
        return line
    return "\n".join([f"from {module} import (", *(f"    {name}," for name in names), ")"])
