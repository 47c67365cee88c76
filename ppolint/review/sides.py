"""Which two states of a project a review compares."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from typing import NamedTuple

from ppolint.review.changes import READ
from ppolint.review.git import GitError, Repository, Scratch

_DEFAULTS = ("refs/remotes/origin/main", "refs/remotes/origin/master", "main", "master")


class Sides(NamedTuple):
    """The two trees of a review. `base_name` and `head_name` are for people; `commit` is the id of
    the head, None when it is no commit."""

    base: str
    head: str
    base_name: str
    head_name: str
    commit: str | None = None


def of_commits(repository: Repository, said: str | None) -> Sides:
    """The sides for `BASE`, `BASE...HEAD` (both from the merge base), `BASE..HEAD` or nothing said.

    Raises `GitError` for a name that is no commit, or without a common history.
    """
    if said is not None and not said.strip():
        raise GitError("the base is empty: name a commit, or leave it out")
    if said is not None and "..." not in said and ".." in said:
        left, right = said.split("..", 1)
        base, head = _commit(repository, left or "HEAD"), _commit(repository, right or "HEAD")
        return Sides(base, head, left or "HEAD", right or "HEAD", head)
    left, _, right = said.partition("...") if said is not None else ("", "", "")
    head = _commit(repository, right or "HEAD")
    name = left or (_default(repository) if said is None else "HEAD")
    base = _commit(repository, name)
    common = repository.run("merge-base", base, head).stdout.decode().split()
    if not common:
        if repository.shallow:
            raise GitError(
                f"the history that {name} and {right or 'HEAD'} have in common is not in this "
                "shallow clone; fetch it (`git fetch --unshallow`, or `fetch-depth: 0` in "
                "actions/checkout), or compare the two trees with `BASE..HEAD`"
            )
        raise GitError(f"{name} and {right or 'HEAD'} have no common history")
    return Sides(common[0], head, name, right or "HEAD", head)


def of_index(scratch: Scratch, repository: Repository, said: str | None) -> Sides:
    """HEAD (or the commit `said`) against what is staged."""
    base = repository.commit(said or "HEAD")
    if base is None and said is not None:
        raise _unknown(repository, said)
    real = repository.text("rev-parse", "--path-format=absolute", "--git-path", "index")
    if os.path.exists(real):
        shutil.copyfile(real, scratch.index)
    done = scratch.repository.run("write-tree")
    if done.returncode:
        raise GitError("there are unmerged files: resolve the conflicts and stage them first")
    return Sides(
        base or repository.empty_tree(), done.stdout.decode().strip(), said or "HEAD", "the index"
    )


def of_patch(scratch: Scratch, repository: Repository, patch: bytes, said: str | None) -> Sides:
    """A commit (HEAD unless `said`) and that commit with the patch; a patch that the commit has
    already is taken out for the base."""
    name = said or "HEAD"
    commit = _commit(repository, name)
    ours = scratch.repository
    if not patch.strip():
        return Sides(commit, commit, name, "the patch")
    only = [f"--include={pattern}" for pattern in READ]
    for data, prefixes, reverse in _readings(patch):
        ours.output("read-tree", commit)
        options = ("--cached", "--whitespace=nowarn", prefixes, *only, *reverse)
        if ours.run("apply", *options, "-", data=data).returncode == 0:
            tree = ours.text("write-tree")
            if reverse:
                return Sides(tree, commit, f"{name} without the patch", name)
            return Sides(commit, tree, name, f"{name} with the patch")
    raise GitError(f"the patch neither applies to {name} nor is it part of it")


def _readings(patch: bytes) -> Iterator[tuple[bytes, str, tuple[str, ...]]]:
    """The ways to read a patch: forwards and backwards; without the prefixes of paths, as
    `diff.noprefix` makes it; with the line endings that the way through Windows has given it."""
    texts = [patch]
    if b"\r\n" in patch:
        texts.append(patch.replace(b"\r\n", b"\n"))
    for text in texts:
        for prefixes in ("-p1", "-p0"):
            yield text, prefixes, ()
            yield text, prefixes, ("-R",)


def _commit(repository: Repository, name: str) -> str:
    found = repository.commit(name)
    if found is None:
        raise _unknown(repository, name)
    return found


def _unknown(repository: Repository, name: str) -> GitError:
    if name == "HEAD":
        return GitError("there is no commit yet to review")
    hint = ""
    if repository.shallow:
        hint = " in this shallow clone; fetch it first (`git fetch origin BRANCH`, or "
        hint += "`fetch-depth: 0` in actions/checkout)"
    return GitError(f"there is no commit called {name!r}{hint}")


def _default(repository: Repository) -> str:
    """The name of the branch that changes go to."""
    head = repository.run("symbolic-ref", "--quiet", "refs/remotes/origin/HEAD")
    names = [head.stdout.decode().strip()] if head.returncode == 0 else []
    for name in (*names, *_DEFAULTS):
        if repository.commit(name):
            return name.removeprefix("refs/remotes/")
    raise GitError("no default branch is known: name the base, as in `ppolint review origin/dev`")
