"""The builder, on wheels made for the test: two releases of a small package called torchrl."""

import json
import zipfile

import pytest

from ppolint.torchrl_api import build as builder
from ppolint.torchrl_api.build import build, history, listed_releases
from ppolint.torchrl_api.database import Database
from ppolint.torchrl_api.snapshot import TextCache

OLD = {
    "torchrl/__init__.py": "",
    "torchrl/data/__init__.py": "from .specs import *\nfrom .specs import Spec as Alias\n",
    "torchrl/data/specs.py": (
        "__all__ = ['Spec', 'make']\n"
        "class Base:\n    def __init__(self, shape=None): self.shape = shape\n"
        "class Spec(Base):\n    def __init__(self, low, **kwargs): super().__init__(**kwargs)\n"
        "def make(a, b=1): ...\n"
        "def hidden(): ...\n"
    ),
}
NEW = {
    "torchrl/__init__.py": "",
    "torchrl/data/__init__.py": "from torchrl.data._specs import Spec\n",
    "torchrl/data/_specs.py": (
        "class Spec:\n    def __init__(self, low, *, high=2, **kwargs):\n"
        "        if 'shape' in kwargs:\n            raise TypeError('gone')\n"
    ),
}


@pytest.fixture
def wheels(tmp_path):
    def write(package, version, files, requires=""):
        name = f"{package}-{version}-py3-none-any.whl"
        with zipfile.ZipFile(tmp_path / name, "w") as wheel:
            for path, text in files.items():
                wheel.writestr(path, text)
            metadata = f"Metadata-Version: 2.1\nName: {package}\nVersion: {version}\n{requires}"
            wheel.writestr(f"{package}-{version}.dist-info/METADATA", metadata)

    write("torchrl", "0.2.0", OLD, "Requires-Dist: tensordict>=0.2.0\n")
    write("torchrl", "0.10.0", NEW, "Requires-Dist: tensordict<0.11,>=0.10\n")
    for version in ("0.2.0", "0.2.1", "0.10.0", "0.11.0"):
        write("tensordict", version, {"tensordict/__init__.py": "class TensorDict: ...\n"})
    return tmp_path


@pytest.fixture
def db(wheels):
    releases = listed_releases(
        "torchrl==0.10.0\ntorchrl==0.2.0\n"
        "tensordict==0.2.0\ntensordict==0.2.1\ntensordict==0.10.0\ntensordict==0.11.0\n"
    )
    return Database(build(wheels, releases, TextCache()))


def test_releases_are_sorted_as_versions_and_paired(db):
    assert db.releases["torchrl"] == ("0.2.0", "0.10.0")
    assert db.partners == {"0.2.0": "0.2.1", "0.10.0": "0.10.0"}


def test_star_imports_follow_all(db):
    assert db.at("0.2.0").resolve("torchrl.data.make").kind == "function"
    assert db.at("0.2.0").resolve("torchrl.data.hidden") is None
    assert db.at("0.2.0").resolve("torchrl.data.Alias").public == "torchrl.data.Spec"


def test_a_definition_that_moves_keeps_its_public_name(db):
    assert db.identify("torchrl.data.specs.Spec") == "torchrl.data.Spec"
    assert db.lifetime("torchrl.data.specs.Spec").removed_in == "0.10.0"
    assert db.lifetime("torchrl.data.Spec").releases == ("0.2.0", "0.10.0")


def test_signatures_change_between_releases(db):
    old = db.at("0.2.0").signature("torchrl.data.Spec")
    new = db.at("0.10.0").signature("torchrl.data.Spec")
    assert old.accepts("shape") is True and old.accepts("high") is False
    assert new.accepts("shape") is False and new.accepts("high") is True
    assert new.removed == {"shape"}


@pytest.mark.parametrize(
    "values, start, expected",
    [
        ([None, "a", "a", "b"], 0, [1, "a", 3, "b"]),
        (["a", "a", None, "a"], 0, ["a", 2, None, 3, "a"]),
        ([None, "a", "a", "a"], 1, ["a"]),
        ([None, None], 0, []),
    ],
)
def test_histories_hold_changes_only(values, start, expected):
    assert history(values, start) == expected


def test_adding_a_release_is_one_command(wheels, tmp_path, monkeypatch):
    for name in ("DATA", "RELEASES", "CHANGES"):
        monkeypatch.setattr(builder, name, tmp_path / name.lower())
    (tmp_path / "releases").write_text("torchrl==0.2.0\ntensordict==0.2.0\n")
    builder.main(
        ["--wheels", str(wheels), "--add", "torchrl==0.10.0", "--add", "tensordict==0.10.0"]
    )
    assert "torchrl==0.10.0\n" in (tmp_path / "releases").read_text()
    assert "`torchrl.data.make`: removed" in (tmp_path / "changes").read_text()
    assert Database((tmp_path / "data").read_bytes()).newest == "0.10.0"


def test_the_committed_files_belong_together():
    """`releases.txt`, the data file and the list of changes are written by one run."""
    listed = listed_releases(builder.RELEASES.read_text())
    data = Database(builder.DATA.read_bytes())
    assert {p: tuple(v) for p, v in listed.items()} == data.releases
    changes = builder.CHANGES.read_text()
    for package, versions in listed.items():
        assert all(f"\n## {package} {version}\n" in changes for version in versions[1:])


def test_the_cache_on_disk_gives_the_same(tmp_path):
    text = b"def f(a, **kw):\n    return g(**kw)\n"
    first = TextCache(tmp_path).extract(text)
    assert json.loads(json.dumps(first)) == TextCache(tmp_path).extract(text) == first
