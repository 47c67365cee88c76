"""What changed in the API from one release to another, in words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from ppolint.torchrl_api.database import Database, View
from ppolint.torchrl_api.renames import BEHAVIOUR, name_change
from ppolint.torchrl_api.signatures import Extra, Parameter, Signature

# The modules whose changes are written down in docs/torchrl-changes.md: what PPO code imports.
PPO_MODULES = (
    *("torchrl.collectors", "torchrl.collectors.distributed", "torchrl.collectors.utils"),
    *("torchrl.data", "torchrl.envs", "torchrl.envs.utils", "torchrl.modules"),
    *("torchrl.objectives", "torchrl.objectives.value", "torchrl.record", "torchrl.record.loggers"),
    *("torchrl.trainers", "torchrl.trainers.algorithms"),
    *("tensordict", "tensordict.nn", "tensordict.nn.distributions"),
)


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that happened to `path` in `release`."""

    release: str
    path: str
    text: str


def signature_changes(old: Signature | None, new: Signature | None) -> list[str]:
    """How a signature differs, a phrase per difference; forwarded parameters included."""
    if old is None or new is None:
        return []
    before = {p.name: p for p in old.parameters}
    after = {p.name: p for p in new.parameters}
    phrases = [f"`{_written(p)}` added" for name, p in after.items() if name not in before]
    for name, parameter in before.items():
        if name not in after:
            phrases.append(f"`{_written(parameter)}` removed")
            continue
        phrases.extend(_parameter_changes(parameter, after[name]))
    phrases.extend(f"`{n}` now raises" for n in sorted(new.removed - old.removed))
    if old.extra is not new.extra:
        phrases.append(f"unknown keywords: {_fate(old.extra)}, now {_fate(new.extra)}")
    if new.stub and not old.stub:
        phrases.append("construction now always raises")
    return phrases


def _fate(extra: Extra) -> str:
    return {"rejects": "rejected", "swallows": "swallowed"}.get(extra.value, "read at run time")


def _written(parameter: Parameter) -> str:
    if parameter.default == "...":  # read out of **kwargs: its default is not in the signature
        return parameter.name
    return str(Signature((parameter,)))[1:-1].removeprefix("*, ")


def _parameter_changes(old: Parameter, new: Parameter) -> Iterator[str]:
    if old.kind is not new.kind and old.origin is None and new.origin is None:
        yield f"`{old.name}` is now {new.kind.value}"
    if old.default != new.default and "..." not in (old.default, new.default):
        if new.default is None:
            yield f"`{old.name}` is now required"
        elif old.default is None:
            yield f"`{old.name}` is now optional, default `{new.default}`"
        else:
            yield f"`{old.name}` defaults to `{new.default}`, before to `{old.default}`"


def between(path: str, old: View, new: View) -> list[str]:
    """What happened to the thing at `path` from one release to another, a phrase each."""
    was, now = old.resolve(path), new.resolve(path)
    if was is None and now is None:
        return []
    if was is None:
        return ["added"]
    if now is None:
        change = name_change(was.public)
        suffix = f"; use `{change.new}`" if change is not None and change.new else ""
        return [f"removed{suffix}"]
    phrases = signature_changes(old.signature(path), new.signature(path))
    if was.kind == now.kind == "class":
        before, after = old.enum_members(path), new.enum_members(path)
        phrases += [f"member `{name}` added" for name in after if name not in before]
        phrases += [f"member `{name}` removed" for name in before if name not in after]
        keys, new_keys = old.accepted_keys(path), new.accepted_keys(path)
        phrases += [f"`set_keys({name}=)` added" for name in new_keys if name not in keys]
        phrases += [f"`set_keys({name}=)` removed" for name in keys if name not in new_keys]
    return phrases


def history(db: Database, path: str) -> list[Change]:
    """Everything that happened to `path` over the releases of its package, oldest first."""
    views = db.views(path.partition(".")[0])
    changes = []
    for (_, old), (release, new) in pairwise(views):
        changes += [Change(release, path, text) for text in between(path, old, new)]
    names = {path, db.identify(path)}
    for _, view in views:
        entity = view.resolve(path)
        if entity is not None and entity.kind == "class":
            bases = [view.resolve(cls) for cls in view.mro(entity.path)]
            names.update(base.public for base in bases if base is not None)
    said = {c.text for c in changes}
    changes += [
        Change(b.since, path, b.what) for b in BEHAVIOUR if b.owner in names and b.what not in said
    ]
    order = {release: position for position, (release, _) in enumerate(views)}
    return sorted(changes, key=lambda change: order[change.release])


def release_notes(db: Database, package: str) -> str:
    """The changes of every release of `package` to what PPO code imports, as Markdown."""
    views = db.views(package)
    lines: list[str] = []
    for (_, old), (release, new) in reversed(list(pairwise(views))):
        found: dict[str, list[str]] = {}
        for path in sorted(_public_names(db, package, old) | _public_names(db, package, new)):
            phrases = between(path, old, new)
            if phrases:
                found[path] = phrases
        lines.append(f"\n## {package} {release}\n")
        added = [path for path, phrases in found.items() if phrases == ["added"]]
        if added:
            lines.append(f"Added: {', '.join(f'`{path}`' for path in added)}.\n")
        lines += [f"- `{p}`: {'; '.join(ph)}." for p, ph in found.items() if ph != ["added"]]
        if not found:
            lines.append("Nothing that PPO code imports changed.")
    return "\n".join(lines) + "\n"


def _public_names(db: Database, package: str, view: View) -> set[str]:
    """The public paths in `PPO_MODULES` that have their home there."""
    names = set()
    for module in PPO_MODULES:
        if module.partition(".")[0] != package:
            continue
        for name in (db.entry(module) or {"names": ()})["names"]:
            path = f"{module}.{name}"
            entity = None if name.startswith("_") else view.resolve(path)
            if (
                entity is not None
                and entity.kind in ("class", "function")
                and entity.public == path
            ):
                names.add(path)
    return names
