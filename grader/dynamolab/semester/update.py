"""A newer release of the course laid over a student's repository: all but ``solution/``, which is never
touched. What was replaced is kept in ``.before-update/``, so nothing of anybody's is lost."""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dynamolab.errors import LabError
from dynamolab.paths import ROOT

MANIFEST = "release.json"
SOLUTION = "solution"
BACKUP = ".before-update"
GIT_DEADLINE_S = 300.0
# Of a release, what is no part of the grader and the handouts.
_NOT_OURS = (SOLUTION, ".git", BACKUP)


@dataclass
class Updated:
    """What came of it. ``begin``: files of labs that the solution does not have yet."""

    before: str
    now: str
    replaced: list[str] = field(default_factory=list)
    begin: list[str] = field(default_factory=list)


def update(source: str, root: Path = ROOT) -> Updated:
    """``source``: the folder of a release, or what ``git clone`` takes. LabError if one of both is no
    release; then nothing was changed."""
    before = _manifest(root, "this checkout is no students' repository: git pull brings the newest")
    with _opened(source) as fresh:
        now = _manifest(fresh, f"{source} is no release of a course: ./lab release makes one")
        if fresh.resolve() == root.resolve():
            raise LabError(f"{source}: is this repository itself; name the newer one")
        told = Updated(str(before.get("version")), str(now.get("version")))
        if told.before == told.now:
            return told
        entries = sorted(path.name for path in fresh.iterdir() if path.name not in _NOT_OURS)
        _swap(entries, fresh, root)
        told.replaced = entries
        files = sorted(path.name for path in (fresh / SOLUTION).glob("*"))
        told.begin = [name for name in files if not (root / SOLUTION / name).exists()]
    return told


def _manifest(folder: Path, otherwise: str) -> dict[str, Any]:
    try:
        document = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise LabError(f"{otherwise} ({MANIFEST} is missing or damaged)") from None
    if not isinstance(document, dict):
        raise LabError(f"{otherwise} ({MANIFEST} is damaged)")
    return document


@contextlib.contextmanager
def _opened(source: str) -> Iterator[Path]:
    """A folder is taken as it is, also if it is a clone: its files are what counts."""
    if (Path(source) / MANIFEST).is_file():
        yield Path(source)
        return
    with tempfile.TemporaryDirectory(prefix="dynamo-update-") as place:
        command = ["git", "clone", "-q", "--depth", "1", "--", source, place]
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, timeout=GIT_DEADLINE_S, check=False
            )
        except FileNotFoundError:
            raise LabError(f"{source}: is no folder of a release, and git is not here to fetch it") from None
        except subprocess.TimeoutExpired:
            raise LabError(f"{source}: git did not fetch it within {GIT_DEADLINE_S:.0f} s") from None
        if done.returncode != 0:
            last = (done.stderr.strip().splitlines() or ["no reason"])[-1]
            raise LabError(f"{source}: is no folder of a release, and git cannot clone it: {last}")
        yield Path(place)


def _swap(entries: list[str], fresh: Path, root: Path) -> None:
    """All is copied first; then old and new change places, name by name. An error on the way puts the old
    ones back."""
    staged = root / f"{BACKUP}.part"
    shutil.rmtree(staged, ignore_errors=True)
    (staged / "new").mkdir(parents=True)
    (staged / "old").mkdir()
    moved: list[str] = []
    try:
        for name in entries:
            copy = shutil.copytree if (fresh / name).is_dir() else shutil.copy2
            copy(fresh / name, staged / "new" / name)
        for name in entries:
            if (root / name).exists():
                (root / name).rename(staged / "old" / name)
            moved.append(name)  # From here on, what lies there is new.
            (staged / "new" / name).rename(root / name)
    except OSError as error:
        for name in moved:
            _remove(root / name)
            if (staged / "old" / name).exists():
                (staged / "old" / name).rename(root / name)
        shutil.rmtree(staged, ignore_errors=True)
        raise LabError(f"the update failed, and all is as it was: {error}") from error
    shutil.rmtree(root / BACKUP, ignore_errors=True)
    (staged / "old").rename(root / BACKUP)
    shutil.rmtree(staged, ignore_errors=True)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
