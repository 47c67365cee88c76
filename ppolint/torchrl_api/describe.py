"""Pages about one name of the API, as `ppolint api` prints them."""

from __future__ import annotations

import difflib
import textwrap

from ppolint.torchrl_api.arguments import RAISING
from ppolint.torchrl_api.changes import between, history
from ppolint.torchrl_api.database import PACKAGES, Database, View
from ppolint.torchrl_api.renames import name_change
from ppolint.torchrl_api.signatures import Extra, Parameter, Signature

WIDTH = 96


def find(db: Database, name: str) -> list[str]:
    """The public paths that `name` can mean: itself when it is a full path, else every public
    name that ends with it; names of the newest release first."""
    if name.partition(".")[0] in PACKAGES:
        return [name] if db.lifetime(name) or name_change(name) else []
    candidates = _public_names(db, name.partition(".")[0])
    paths = sorted({f"{c}{name[len(name.partition('.')[0]) :]}" for c in candidates})
    found = [p for p in paths if db.lifetime(p)]
    newest = db.at(db.newest)
    living = [p for p in found if newest.resolve(p) is not None]
    return living or found


def _public_names(db: Database, last: str) -> set[str]:
    """The public paths, in whatever release, that end in `last`: where things are defined, or the
    shortest alias when the definition has another name."""
    paths: set[str] = set()
    aliases: set[str] = set()
    for module in db.modules():
        if last not in db.entry(module)["names"]:
            continue
        for _, view in reversed(db.views(module.partition(".")[0])):
            entity = view.resolve(f"{module}.{last}")
            if entity is None or entity.kind not in ("class", "function"):
                continue
            if entity.public.rpartition(".")[2] == last:
                paths.add(entity.public)
            elif not any(part.startswith("_") for part in module.split(".")):
                aliases.add(f"{module}.{last}")
            break
    if not paths and aliases:
        return {min(aliases, key=lambda path: (path.count("."), path))}
    # Where a definition has moved, its older public path leads to the newer one.
    return {db.identify(p) if (db.identify(p) or "").endswith(f".{last}") else p for p in paths}


def close_matches(db: Database, name: str) -> list[str]:
    """Public names that look like `name`, whatever the case."""
    known: dict[str, str] = {}
    for module in db.modules():
        known.update({n.lower(): n for n in db.entry(module)["names"] if n[0] != "_"})
    wanted = name.rpartition(".")[2].lower()
    return [known[n] for n in difflib.get_close_matches(wanted, sorted(known), n=3, cutoff=0.75)]


def page(db: Database, path: str, release: str) -> str:
    """Everything to know about `path` at a TorchRL release."""
    view = db.at(release)
    package = path.partition(".")[0]
    version = release if package == "torchrl" else view.tensordict
    entity = view.resolve(path)
    lines = []
    if entity is None:
        lines.append(f"{path}: not in {package} {version}")
        lines += _lifetime_lines(db, path)
    else:
        kind = {"member": "attribute", "unknown": "known at run time only"}
        lines.append(f"{path} ({kind.get(entity.kind, entity.kind)}), {package} {version}")
        lines += _entity_lines(db, view, path)
    lines += _history_lines(db, path)
    return "\n".join(lines)


def _entity_lines(db: Database, view: View, path: str) -> list[str]:
    entity = view.resolve(path)
    lines = []
    if entity.public != path:
        lines.append(f"public name: {entity.public}")
    if entity.path not in (path, entity.public):
        lines.append(f"defined in: {entity.path}")
    change = name_change(entity.public)
    if change is not None and change.new:
        lines.append(f"use instead: {change.new}" + (f" ({change.note})" if change.note else ""))
    signature = view.signature(path)
    if signature is not None:
        lines += ["", *_signature_lines(entity.public.rpartition(".")[2], signature)]
        lines += _argument_notes(view, entity.path, signature)
    members = view.enum_members(path)
    if members:
        lines += ["", f"members: {', '.join(members)}"]
    keys = view.accepted_keys(path)
    if keys:
        written = ", ".join(f"{name}={value}" for name, value in keys.items())
        lines += ["", *_wrapped("set_keys: ", written)]
    return lines


def _wrapped(label: str, text: str) -> list[str]:
    return textwrap.wrap(label + text, WIDTH, subsequent_indent=" " * len(label))


def _signature_lines(name: str, signature: Signature) -> list[str]:
    own = [p for p in signature.parameters if p.origin is None]
    lines = [f"{name}("]
    star = False
    for parameter in own:
        text = str(Signature((parameter,)))[1:-1]
        if text.startswith("*, "):
            text = text[3:]
            if not star:
                lines.append("    *,")
        star = star or parameter.kind.value in ("keyword-only", "variadic positional")
        lines.append(f"    {text},")
    lines.append(")")
    if len("".join(lines)) < WIDTH and len(own) < 5:
        lines = [f"{name}{Signature(tuple(own))}"]
    return lines


def _argument_notes(view: View, path: str, signature: Signature) -> list[str]:
    lines = []
    origins: dict[str, list[Parameter]] = {}
    for parameter in signature.parameters:
        if parameter.origin is not None:
            origins.setdefault(parameter.origin, []).append(parameter)
    for origin, parameters in origins.items():
        owner = view.resolve(origin) if origin != "**" else None
        where = f"through {owner.public}" if owner is not None else "read from its keywords"
        names = [
            p.name if p.default in (None, "...") else f"{p.name}={p.default}" for p in parameters
        ]
        lines += _wrapped(f"also takes ({where}): ", ", ".join(names))
    if signature.removed:
        lines += _wrapped("raises for: ", ", ".join(sorted(signature.removed)))
    is_class = view.class_part(path, "bases") is not None
    owners = {_public(view, cls) for cls in view.mro(path)} if is_class else set()
    for entry in RAISING:
        if entry.owner in owners and signature.parameter(entry.name) is not None:
            given = "any value" if entry.when == "given" else entry.when
            lines += _wrapped(
                f"{entry.name}: ", f"{entry.raises} for {given}; instead: {entry.instead}"
            )
    if signature.stub:
        lines.append("construction always raises")
    fates = {
        Extra.SWALLOWS: "unknown keywords: SWALLOWED - a misspelled one has no effect and no error",
        Extra.UNKNOWN: "unknown keywords: what becomes of them is decided at run time",
        Extra.REJECTS: "unknown keywords: TypeError",
    }
    return ["", *lines, fates[signature.extra]]


def _public(view: View, path: str) -> str:
    entity = view.resolve(path)
    return path if entity is None else entity.public


def _lifetime_lines(db: Database, path: str) -> list[str]:
    lifetime = db.lifetime(path)
    lines = []
    package = path.partition(".")[0]
    if lifetime:
        lines.append(f"in {package} {lifetime.releases[0]} to {lifetime.releases[-1]}")
    change = name_change(path) or _old_change(db, path)
    if change is not None and change.new:
        lines.append(f"use instead: {change.new}" + (f" ({change.note})" if change.note else ""))
    elif lifetime and db.identify(path) not in (None, path):
        lines.append(f"use instead: {db.identify(path)}")
    return lines


def _old_change(db: Database, path: str):
    for _, view in reversed(db.views(path.partition(".")[0])):
        entity = view.resolve(path)
        if entity is not None:
            return name_change(entity.public)
    return None


def _history_lines(db: Database, path: str) -> list[str]:
    changes = history(db, path)
    if not changes:
        return ["", "history: unchanged in every release known"]
    lines = ["", "history:"]
    for release in dict.fromkeys(change.release for change in changes):
        text = "; ".join(c.text for c in changes if c.release == release)
        label = f"  {release:8}"
        lines += textwrap.wrap(label + text, WIDTH, subsequent_indent=" " * len(label))
    return lines


def difference(db: Database, path: str, old: str, new: str) -> str:
    """What changed in `path` from one TorchRL release to another."""
    before, after = db.at(old), db.at(new)
    phrases = between(path, before, after)
    versions = f"{old} -> {new}"
    if path.startswith("tensordict"):
        versions += f" (tensordict {before.tensordict} -> {after.tensordict})"
    if not phrases:
        absent = before.resolve(path) is None
        return f"{path}, {versions}: {'in neither release' if absent else 'unchanged'}"
    return "\n".join([f"{path}, {versions}:", *(f"  {phrase}" for phrase in phrases)])
