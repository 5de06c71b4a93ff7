"""The submissions of a class, and the folder that all that is made of them goes to:

    submissions/NAME → what was handed in       results/NAME/ (grade_one)       log/ joblog jobs.txt
    gradebook.csv  canvas.csv  report.html  similarity.csv
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dynamolab import grade, results
from dynamolab.errors import LabError
from dynamolab.labs import Lab
from dynamolab.paths import shown
from dynamolab.results import Results
from dynamolab.submissions import grade_one
from dynamolab.submissions.collecting import ARCHIVES

# Endings that are no part of a student's name.
_ENDINGS = re.compile(r"(\.(zip|tar|tgz|txz|gz|xz|zst|bundle|bz2))+$", re.IGNORECASE)
_UNSAFE = re.compile(r"[^A-Za-z0-9_.@+-]")
LONGEST_NAME = 120
STATE = "batch.json"


@dataclass(frozen=True)
class Item:
    """One submission. ``name`` is safe on a command line and in a file name, and stands for it."""

    name: str
    path: Path


@dataclass(frozen=True)
class Batch:
    """What is graded, and where to."""

    items: Sequence[Item]
    out: Path
    words: Sequence[str]  # Options of ./lab grade-one, the same for all.

    @property
    def log(self) -> Path:
        return self.out / "log"

    @property
    def joblog(self) -> Path:
        return self.out / "joblog"

    def source(self, item: Item) -> Path:
        return self.out / "submissions" / item.name

    def result(self, item: Item) -> Path:
        return self.out / "results" / item.name

    def read(self, item: Item, labs: Sequence[Lab]) -> Results | None:
        """The result with the course's points; None if there is none."""
        try:
            return grade_one.with_course(results.read(self.result(item) / grade.RESULTS_FILE), labs)
        except LabError:
            return None

    def prepare(self, asked: str = "") -> bool:
        """Makes the folders and links; whether all is as it was the last time, so that a run which was
        cut off can go on where it was. ``asked``: what the options come to (a course.json may change)."""
        for folder in (self.log, self.out / "results", self.out / "submissions"):
            folder.mkdir(parents=True, exist_ok=True)
        for item in self.items:
            link = self.source(item)
            if not link.is_symlink() or os.readlink(link) != str(item.path):
                link.unlink(missing_ok=True)
                link.symlink_to(item.path)
        told = {
            "words": list(self.words),
            "asked": asked,
            "items": {item.name: _fingerprint(item.path) for item in self.items},
        }
        state = self.out / STATE
        before = None
        with contextlib.suppress(OSError, ValueError):
            before = json.loads(state.read_text(encoding="utf-8"))
        if before != told:
            # First this: after a kill between the two, all would seem to be as it was.
            self.joblog.unlink(missing_ok=True)
            results.write_json(told, state)
        return before == told


def find(folder: Path) -> tuple[list[Item], list[str]]:
    """The submissions in a folder, by name, and what lies there beside them. LabError if there is none."""
    if not folder.is_dir():
        raise LabError(f"{folder}: there is no such folder of submissions")
    items: dict[str, Item] = {}
    others = []
    for path in sorted(folder.iterdir()):
        if path.name.startswith("."):
            continue
        if not path.is_dir() and not path.name.lower().endswith(ARCHIVES):
            others.append(path.name)
            continue
        name = base = _safe(path.name)
        number = 1
        while name in items:
            number += 1
            name = f"{base}-{number}"
        items[name] = Item(name, path.resolve())
    if not items:
        raise LabError(
            f"{shown(folder)}: holds no submission: a folder or an archive each, named after its student"
        )
    return list(items.values()), others


def _safe(name: str) -> str:
    stem = _ENDINGS.sub("", name) or name
    # Not "-": what begins so looks like an option; not ".": what begins so is hidden.
    safe = re.sub(r"^[.-]", "_", _UNSAFE.sub("_", stem))
    if len(safe) <= LONGEST_NAME:
        return safe
    return f"{safe[:LONGEST_NAME]}-{hashlib.sha256(os.fsencode(name)).hexdigest()[:8]}"


def _fingerprint(path: Path) -> str:
    """Differs after a change of any file in it: names, sizes and times of change."""
    digest = hashlib.sha256()
    paths = [path]
    if path.is_dir():
        for folder, folders, files in os.walk(path):
            folders.sort()
            paths += [Path(folder, name) for name in sorted(files)]
    for each in paths:
        status = each.lstat()
        told = f"{os.fsencode(each)!r} {status.st_size} {status.st_mtime_ns}\n"
        digest.update(told.encode())
    return digest.hexdigest()[:16]
