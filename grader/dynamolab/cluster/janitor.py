"""Cleans up after a harness that had no chance to: a small process that outlives it by a moment.

The harness holds the other end of the janitor's standard input (reaper.py) and tells it what it owns.
The janitor lives in a session of its own, so a Ctrl-C or a kill of the group does not end it first.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from pathlib import Path

from .errors import ClusterTrouble

CLOSING_S = 10.0  # For the last sweep; it takes milliseconds.


class Janitor:
    """The harness's side. One per process is enough: see `janitor()`."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", str(Path(__file__).with_name("reaper.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            cwd="/",
        )

    def owns_process(self, pid: int) -> None:
        self._tell("process", str(pid))

    def forgets_process(self, pid: int) -> None:
        self._tell("ended", str(pid))

    def owns_folder(self, folder: Path) -> None:
        self._tell("folder", str(folder.resolve()))

    def forgets_folder(self, folder: Path) -> None:
        self._tell("kept", str(folder.resolve()))

    def alive(self) -> bool:
        return self._process.poll() is None

    def close(self) -> None:
        """Lets it clean up what is left, and waits until it has ended."""
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        try:
            self._process.wait(CLOSING_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _tell(self, word: str, value: str) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(f"{word} {value}\n".encode())
            self._process.stdin.flush()
        except OSError as error:
            raise ClusterTrouble(f"the janitor of this run has died: {error}") from error


_ours: dict[int, Janitor] = {}  # By process: a fork must not share its parent's.


def janitor() -> Janitor:
    """This process's janitor; started when first asked for."""
    found = _ours.get(os.getpid())
    if found is None or not found.alive():
        found = _ours[os.getpid()] = Janitor()
    return found


def close_janitor() -> None:
    """Ends this process's janitor before the process ends, for whoever counts children."""
    found = _ours.pop(os.getpid(), None)
    if found is not None:
        found.close()
