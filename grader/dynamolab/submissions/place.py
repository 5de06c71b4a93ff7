"""Where a submission's result lies: a folder that appears whole or not at all.

Work goes on in a folder beside it, which takes its place at the end. A lock beside both keeps two commands
from grading the same submission; it goes with the process, however that ends."""

from __future__ import annotations

import contextlib
import fcntl
import glob
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from dynamolab import ui
from dynamolab.errors import GraderTrouble, LabError
from dynamolab.grade import RESULTS_FILE
from dynamolab.paths import shown

LOCK_DEADLINE_S = 3600.0
POLL_S = 0.2


def _beside(out: Path, what: str) -> Path:
    return out.with_name(f".{out.name}.{what}")


@contextlib.contextmanager
def locked(out: Path) -> Iterator[None]:
    """One at a time. GraderTrouble if another one does not end for an hour."""
    out.parent.mkdir(parents=True, exist_ok=True)
    lock = _beside(out, "lock")
    until = time.monotonic() + LOCK_DEADLINE_S
    told = False
    while True:
        with lock.open("w") as file:
            if _taken(file.fileno(), lock):
                try:
                    _mend(out)
                    yield
                finally:
                    lock.unlink(missing_ok=True)
                return
        if time.monotonic() > until:
            raise GraderTrouble(f"{shown(out)}: another command has been grading into it for an hour")
        if not told:
            ui.say(f"{shown(out)}: another command is grading into it; waiting …")
            told = True
        time.sleep(POLL_S)


def _taken(descriptor: int, path: Path) -> bool:
    """Whether the lock is ours now. The one before may have removed its file between our open and our
    lock: then it is nobody's."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except (BlockingIOError, FileNotFoundError):
        return False


def _mend(out: Path) -> None:
    """After a kill: a result that was about to be replaced comes back; unfinished work goes."""
    old = _beside(out, "old")
    if old.exists() and not out.exists():
        old.rename(out)
    shutil.rmtree(old, ignore_errors=True)
    for part in out.parent.glob(f".{glob.escape(out.name)}.*.part"):
        shutil.rmtree(part, ignore_errors=True)


def refuse_foreign(out: Path) -> None:
    """LabError if there is something that is no result: it would be lost."""
    if out.is_dir():
        if any(out.iterdir()) and not (out / RESULTS_FILE).is_file():
            raise LabError(f"{shown(out)}: holds other things than a result; name a new folder")
    elif out.exists():
        raise LabError(f"{shown(out)}: is a file; name a folder")


@contextlib.contextmanager
def staged(out: Path, begin_with: Path | None = None) -> Iterator[Path]:
    """A folder to work in, to be used within ``locked``. ``settle`` puts it in its place; if that was not
    called, it is gone when the block ends."""
    # A process of a command that was killed may still write: into a folder of that command's.
    folder = _beside(out.resolve(), f"{os.getpid()}.part")
    if begin_with is None:
        folder.mkdir()
    else:
        shutil.copytree(begin_with, folder)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def settle(folder: Path, out: Path) -> None:
    """The staged folder becomes the result; the one before is gone then."""
    old = _beside(out, "old")
    if out.exists():
        out.rename(old)
    folder.rename(out)
    shutil.rmtree(old, ignore_errors=True)
