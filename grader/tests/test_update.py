"""./lab update: a newer release is laid over, and solution/ is as it was."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from dynamolab.errors import LabError
from dynamolab.semester import update

DEADLINE_S = 60


def release(folder: Path, version: str, **files: str) -> Path:
    """``files``: path with __ for / → content."""
    folder.mkdir()
    (folder / "release.json").write_text(json.dumps({"version": version}))
    for name, text in files.items():
        path = folder / name.replace("__", "/").replace("_cpp", ".cpp").replace("_md", ".md")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    """A student's repository: a file of the student's own, and notes beside a handout."""
    folder = release(tmp_path / "mine", "1", lab="old", labs__README_md="old", solution__ring_cpp="my work")
    (folder / "labs" / "notes.txt").write_text("my notes")
    (folder / "results").mkdir()
    return folder


@pytest.fixture
def newer(tmp_path: Path) -> Path:
    files = {"lab": "new", "labs__README_md": "new", "grader__x": "new"}
    return release(tmp_path / "newer", "2", solution__ring_cpp="skeleton", solution__sync_cpp="s", **files)


def test_all_but_the_solution_is_replaced_and_nothing_is_lost(mine: Path, newer: Path) -> None:
    told = update.update(str(newer), mine)
    assert (told.before, told.now, told.begin) == ("1", "2", ["sync.cpp"])
    assert (mine / "lab").read_text() == "new"
    assert (mine / "labs" / "README.md").read_text() == "new"
    assert (mine / "grader" / "x").read_text() == "new"
    assert sorted(path.name for path in (mine / "solution").iterdir()) == ["ring.cpp"]
    assert (mine / "solution" / "ring.cpp").read_text() == "my work"
    assert (mine / "results").is_dir()
    assert (mine / update.BACKUP / "labs" / "notes.txt").read_text() == "my notes"
    assert update.update(str(newer), mine).replaced == []


def test_what_git_clones_is_a_source_too(mine: Path, newer: Path, tmp_path: Path) -> None:
    if shutil.which("git") is None:
        pytest.skip("git is not installed")
    who = ["-c", "user.name=a", "-c", "user.email=a@b"]
    for words in (["init", "-q"], ["add", "-A"], [*who, "commit", "-qm", "release"]):
        subprocess.run(["git", "-C", newer, *words], check=True, timeout=DEADLINE_S)
    bundle = tmp_path / "release.bundle"
    subprocess.run(
        ["git", "-C", newer, "bundle", "create", "-q", bundle, "HEAD"], check=True, timeout=DEADLINE_S
    )
    assert update.update(str(bundle), mine).now == "2"
    assert (mine / "lab").read_text() == "new"
    assert not (mine / ".git").exists()


def test_an_error_on_the_way_leaves_all_as_it_was(
    mine: Path, newer: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rename = Path.rename
    broken = mine / "labs"

    def fails_once(self: Path, target: Path) -> Path:
        if Path(target) == broken and self.parent.name == "new":
            raise OSError("disk full")
        return rename(self, target)

    before = {str(p): p.read_bytes() for p in mine.rglob("*") if p.is_file()}
    monkeypatch.setattr(Path, "rename", fails_once)
    with pytest.raises(LabError, match="all is as it was: disk full"):
        update.update(str(newer), mine)
    monkeypatch.undo()
    assert {str(p): p.read_bytes() for p in mine.rglob("*") if p.is_file()} == before


def test_what_is_no_release_is_named(mine: Path, newer: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(LabError, match="git cannot clone it"):
        update.update(str(tmp_path / "empty"), mine)
    with pytest.raises(LabError, match="no students' repository"):
        update.update(str(newer), tmp_path / "empty")
    with pytest.raises(LabError, match="is this repository itself"):
        update.update(str(mine), mine)
