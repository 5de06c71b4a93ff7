"""Users that nobody else is: one for each untrusted process, so that none can touch another."""

from __future__ import annotations

import contextlib
import fcntl
import os
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from dynamolab.errors import GraderTrouble

SLOTS = 1_000
# Debian leaves 30000 to 59999 to nobody; below 65536, so that a container knows them, too. The last of them
# are the machine's own, the others its containers'.
CONTAINERS_UIDS = range(30_000, 60_000 - SLOTS)
MACHINES_UIDS = range(60_000 - SLOTS, 60_000)
MACHINES_PROCESSES = 0xEFFFFFFC  # linux/proc_ns.h: the namespace of processes that is no container's
APART = 97  # Containers that begin one after the other have numbers that are close: so far are their users.
SWEEP_S = 10.0


@dataclass(frozen=True)
class Slot:
    """``uid``: None where we are not root, and everything runs as who we are."""

    uid: int | None = None

    def give(self, path: Path) -> None:
        """Makes it the slot's, with all below it; symbolic links are not followed."""
        self._own(path, self.uid)

    def take_back(self, path: Path) -> None:
        self._own(path, os.geteuid())

    def _own(self, path: Path, uid: int | None) -> None:
        if self.uid is None or uid is None:
            return
        os.lchown(path, uid, uid)
        for folder, folders, files in os.walk(path):
            for name in [*folders, *files]:
                with contextlib.suppress(FileNotFoundError):
                    os.lchown(os.path.join(folder, name), uid, uid)


def uid_of(number: int, processes: int | None = None) -> int:
    """The user of slot ``number``. A machine and its containers do not see each other's locks, but the
    machine ends a container's processes by their user, and all count by it: so each has users of its own.
    ``processes``: the inode of the namespace of processes; None: ours."""
    if processes is None:
        processes = os.stat("/proc/self/ns/pid").st_ino
    if processes == MACHINES_PROCESSES:
        return MACHINES_UIDS[number]
    return CONTAINERS_UIDS[(processes * APART + number) % len(CONTAINERS_UIDS)]


def _room() -> Path:
    """The folder of the locks: of all runs on this machine, and root's alone."""
    room = Path("/run/lock" if os.access("/run/lock", os.W_OK) else tempfile.gettempdir())
    room /= "dynamo-lab-slots"
    with contextlib.suppress(FileExistsError):
        room.mkdir(mode=0o700)
    found = room.lstat()
    if room.is_symlink() or not room.is_dir() or found.st_uid != os.geteuid():
        raise GraderTrouble(f"{room}: is not a folder of ours; remove it")
    return room


@contextlib.contextmanager
def taken(launcher: Path) -> Iterator[Slot]:
    """A slot for the block's time. What still runs in it at its end, however detached, is killed."""
    if os.geteuid() != 0:
        yield Slot()
        return
    room = _room()
    for number in range(SLOTS):
        lock = os.open(room / str(number), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                continue
            slot = Slot(uid_of(number))
            _sweep(launcher, slot)  # A run that was killed had no chance to.
            try:
                yield slot
            finally:
                _sweep(launcher, slot)
            return
        finally:
            os.close(lock)
    raise GraderTrouble(f"all {SLOTS} slots of the sandbox are in use: see {room}")


def _sweep(launcher: Path, slot: Slot) -> None:
    done = subprocess.run(
        [launcher, "--sweep", str(slot.uid)],
        capture_output=True,
        text=True,
        timeout=SWEEP_S,
        check=False,
    )
    if done.returncode not in (0, -9):
        raise GraderTrouble(f"what slot {slot.uid} has left behind cannot be ended: {done.stderr}")
