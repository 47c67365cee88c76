"""Which files a change reaches: those connected with what it touches by imports."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ppolint.review.projects import TreeProjects


def reached_from(projects: TreeProjects, touched: set[str]) -> set[str]:
    """The files whose findings may depend on the touched ones: connected with them by imports.

    From a touched file upwards to what imports it, and from all of those down to what they import:
    what an actor in one file is made of is judged by the script that trains it.
    """
    tree = projects.tree
    start = [tree.absolute(path) for path in touched if path in projects.targets()]
    up = _closure(start, lambda p: projects.project(projects.root_of(p)).importers.get(p, ()))
    down = _closure(up, lambda p: projects.project(projects.root_of(p)).imported_files(p))
    reached = {tree.relative(path) for path in down}
    return {path for path in reached if path is not None and path in projects.targets()}


def _closure(start: Iterable[str], step: Callable[[str], Iterable[str]]) -> set[str]:
    seen: set[str] = set()
    queue = list(start)
    while queue:
        path = queue.pop()
        if path not in seen:
            seen.add(path)
            queue.extend(step(path))
    return seen


class Near:
    """The changed files that a file is connected with by imports, the closest first."""

    def __init__(self, projects: TreeProjects, touched: set[str]) -> None:
        self._projects = projects
        self._touched = touched

    def __call__(self, path: str) -> list[str]:
        tree = self._projects.tree
        start = tree.absolute(path)
        project = self._projects.project(self._projects.root_of(start))
        seen, level, found = {start}, [start], []
        while level:
            following = []
            for current in level:
                for near in (*project.imported_files(current), *project.importers.get(current, ())):
                    if near not in seen:
                        seen.add(near)
                        following.append(near)
                        if (relative := tree.relative(near)) in self._touched:
                            found.append(relative)
            level = following
        return found
