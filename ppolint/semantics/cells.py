"""Notebooks of marimo: Python files whose cells are functions.

    app = marimo.App()

    @app.cell
    def _(env, nn):
        actor = nn.Linear(4, 2)
        return (actor,)

A cell takes the names that it uses and returns those that it gives to other cells; all of them are
names of the notebook. Read as functions, cells know nothing of each other; here they are read as
parts of the module, in the order of the file.
"""

from __future__ import annotations

from typing import Any

import libcst as cst


def is_cell(node: cst.FunctionDef, module: cst.Module) -> bool:
    """Whether a definition at the top of a module is a cell of a notebook."""
    return any(_app(d.decorator) in _apps(module) for d in node.decorators if _app(d.decorator))


def _app(decorator: Any) -> str:
    """The name of the application in `app.cell` and `app.cell(...)`."""
    if type(decorator) is cst.Call:
        decorator = decorator.func
    if type(decorator) is not cst.Attribute or decorator.attr.value != "cell":
        return ""
    return decorator.value.value if type(decorator.value) is cst.Name else ""


def _apps(module: cst.Module) -> set[str]:
    """The names that `marimo.App(...)` is given at the top of a module."""
    out = set()
    for line in module.body:
        for small in getattr(line, "body", ()) if type(line) is cst.SimpleStatementLine else ():
            if type(small) is cst.Assign and type(small.value) is cst.Call:
                made = small.value.func
                if type(made) is cst.Attribute and made.attr.value == "App":
                    out.update(t.target.value for t in small.targets if type(t.target) is cst.Name)
    return out


def is_notebook(module: cst.Module) -> bool:
    """Whether a module is a notebook of marimo."""
    return any(
        type(node) is cst.FunctionDef and node.decorators and is_cell(node, module)
        for node in module.body
    )
