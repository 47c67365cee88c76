"""Adding a transform to an environment of the linted file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ppolint.findings import Edit
from ppolint.semantics.components import Environment, Transform
from ppolint.semantics.values import Value

if TYPE_CHECKING:
    from ppolint.semantics.model import FileModel

_MODULES = ("torchrl.envs", "torchrl.envs.transforms", "torchrl.envs.transforms.transforms")


def append_transform(file: FileModel, env: Environment, name: str) -> tuple[Edit, ...]:
    """Edits that add `name()` as the last transform of an environment and import it; empty when
    the environment is built in another file or in a form not known here."""
    from ppolint.semantics.edits import add_argument, imported_beside, insert_after, text_of

    outer = env
    while (
        outer.is_parallel and len(outer.wrapped) == 1 and isinstance(outer.wrapped[0], Environment)
    ):
        outer = outer.wrapped[0]
    if not outer.here or outer.cls is not None:
        return ()
    found = None
    for known in ("Compose", "TransformedEnv", "GymEnv"):
        found = found or imported_beside(file, known, name, _MODULES)
    if found is None:
        return ()
    local, imports = found
    if outer.name != "TransformedEnv":
        return _wrapped(file, outer, local, imports)
    given = outer.argument("transform")
    if not isinstance(given, Value):
        if given is None and outer.label and _statement_binds(outer):
            edit = insert_after(
                file, outer.site.statement, f"{outer.label}.append_transform({local}())"
            )
            return (edit, *imports) if edit is not None else ()
        return ()
    transform = outer.part("transform")
    if not isinstance(transform, Transform) or not transform.here:
        return ()
    if transform.name == "Compose" and transform.cls is None:
        edit = add_argument(file, transform.node, f"{local}()")
        return (edit, *imports) if edit is not None else ()
    compose = imported_beside(file, "TransformedEnv", "Compose", _MODULES)
    if compose is None:
        return ()
    start, end = file.span(transform.node)
    text = f"{compose[0]}({text_of(file, transform.node)}, {local}())"
    return _joined((Edit(start, end, text), *imports, *compose[1]))


def _wrapped(
    file: FileModel, env: Environment, local: str, imports: tuple[Edit, ...]
) -> tuple[Edit, ...]:
    """`TransformedEnv(...)` around the call that builds an environment."""
    from ppolint.semantics.edits import imported_beside, text_of

    around = imported_beside(file, env.name, "TransformedEnv", _MODULES)
    if around is None:
        return ()
    start, end = file.span(env.node)
    text = f"{around[0]}({text_of(file, env.node)}, {local}())"
    return _joined((Edit(start, end, text), *imports, *around[1]))


def _joined(edits: tuple[Edit, ...]) -> tuple[Edit, ...]:
    """Insertions at one place as one edit."""
    out: dict[tuple[int, int], Edit] = {}
    for edit in edits:
        before = out.get((edit.start, edit.end))
        text = edit.text if before is None else before.text + edit.text
        out[edit.start, edit.end] = Edit(edit.start, edit.end, text)
    return tuple(out.values())


def _statement_binds(env: Environment) -> bool:
    """Whether the statement does nothing but bind the environment to its name."""
    import libcst as cst

    statement = env.site.statement
    body = getattr(statement, "body", ())
    small = body[0] if isinstance(body, (list, tuple)) and len(body) == 1 else statement
    return isinstance(small, cst.Assign) and small.value is env.node
