"""A repository with a base and a pull request, made by tests with real git."""

from __future__ import annotations

import subprocess
from pathlib import Path

from ppolint.engine.plan import Options
from ppolint.review.git import Repository
from ppolint.review.review import Review, review
from ppolint.review.sides import of_commits

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures"


class Repo:
    """A git repository in a folder. `base()` commits to main, `change()` to the branch `pr`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(exist_ok=True)
        self.git("init", "-q", "-b", "main")
        for key, value in {
            "user.email": "dev@example.org",
            "user.name": "dev",
            "core.autocrlf": "false",
            "commit.gpgsign": "false",
        }.items():
            self.git("config", key, value)

    def git(self, *arguments: str) -> str:
        done = subprocess.run(
            ["git", *arguments], cwd=self.folder, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def write(self, files: dict[str, str | bytes | None]) -> None:
        for name, content in files.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if content is None:
                path.unlink()
            elif isinstance(content, bytes):
                path.write_bytes(content)
            else:
                path.write_text(content)

    def commit(self, files: dict[str, str | bytes | None], message: str = "change") -> None:
        self.write(files)
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", message)

    def base(self, files: dict[str, str | bytes | None]) -> None:
        self.commit(files, "base")
        self.git("checkout", "-q", "-b", "pr")

    def change(self, files: dict[str, str | bytes | None]) -> None:
        self.commit(files)

    def review(self, said: str = "main", **options: object) -> Review:
        repository = Repository(str(self.folder))
        run_options = Options(jobs=1, **options)  # type: ignore[arg-type]
        return review(repository, of_commits(repository, said), run_options)


def fixture(name: str) -> str:
    """A fixture file without the comments that mark its findings."""
    (path,) = FIXTURES.glob(name)
    lines = path.read_text().splitlines(keepends=True)
    return "".join(line.split("  # PPO")[0].rstrip("\n") + "\n" for line in lines)
