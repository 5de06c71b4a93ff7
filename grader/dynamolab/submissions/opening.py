"""Opens a submission: a folder, a git bundle, a zip or a tar, hostile ones too, becomes a clean folder
with a solution's files and nothing else."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from dynamolab import processes
from dynamolab.errors import GraderTrouble, LabError
from dynamolab.labs import Lab
from dynamolab.paths import PACKAGE, SKELETON
from dynamolab.results import Submission
from dynamolab.submissions import unpack
from dynamolab.submissions.collecting import BadSubmission, shown_name

DEADLINE_S = 180.0

__all__ = ["BadSubmission", "digest_of", "open_submission"]


def open_submission(source: Path, folder: Path, labs: Sequence[Lab]) -> Submission:
    """Fills ``folder``, which is made, with one file a lab: the submission's, else the skeleton's.

    BadSubmission if nothing can be graded (the text is for the student), LabError if there is no such
    submission, GraderTrouble if it cannot be read for reasons of our own."""
    if not source.exists():
        raise LabError(f"{source}: there is no such submission")
    known = [lab.file for lab in labs]
    folder.mkdir(parents=True)
    command = [sys.executable, "-P", "-m", "dynamolab.submissions.unpack", source.resolve(), folder]
    done = processes.run(
        [*command, *known],
        deadline_s=DEADLINE_S,
        env={
            **{**os.environ, "PYTHONPATH": str(PACKAGE.parent), "PYTHONDONTWRITEBYTECODE": "1"},
            "TMPDIR": str(folder.parent),  # What it leaves there when it is killed goes with that.
        },
    )
    told = _told(done, source)
    taken = sorted(path.name for path in folder.iterdir())
    notes = list(told["notes"])
    missing = [lab for lab in labs if lab.file not in taken]
    for lab in missing:
        (folder / lab.file).write_bytes((SKELETON / lab.file).read_bytes())
    if names := ", ".join(lab.file for lab in missing if lab.points):
        notes.append(f"not there, so that the skeleton's is graded: {names}")
    return Submission(shown_name(source.resolve().name), digest_of(folder, taken), taken, notes)


def _told(done: processes.Completed, source: Path) -> dict[str, list[str]]:
    if done.timed_out:
        raise BadSubmission(f"it was not unpacked within {DEADLINE_S:.0f} s")
    if done.code in (unpack.GOOD, unpack.BAD):
        told = json.loads(done.out.splitlines()[-1])
        if "bad" in told:
            raise BadSubmission(told["bad"])
        return dict(told)
    if done.code < 0:  # Its limits of time or memory.
        raise BadSubmission(f"unpacking it took more time or memory than it may (signal {-done.code})")
    words = done.out.strip().splitlines()[-1:]
    raise GraderTrouble(f"{source}: cannot be opened: {' '.join(words)}")


def digest_of(folder: Path, names: Sequence[str]) -> str:
    """Of names and contents; the same for the same solution, however it was packed."""
    digest = hashlib.sha256()
    for name in sorted(names):
        content = (folder / name).read_bytes()
        digest.update(f"{name} {len(content)}\n".encode())
        digest.update(content)
    return digest.hexdigest()
