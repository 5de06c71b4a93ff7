"""The janitor's program: run by path, without the package, so that it starts in milliseconds.

Reads lines from standard input: `process PID`, `ended PID`, `folder PATH`, `kept PATH`. At the end of
input, however the other side died, kills the processes that are left (stopped ones, too) and removes
the folders that are left.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sys


def started(pid: int) -> str:
    """When the process began, so that a number that is used again is not taken for it."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as stat:
            return stat.read().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return ""


def serve() -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    processes: dict[int, str] = {}
    folders: set[str] = set()
    for line in sys.stdin:
        word, _, value = line.rstrip("\n").partition(" ")
        if word == "process":
            processes[int(value)] = started(int(value))
        elif word == "ended":
            processes.pop(int(value), None)
        elif word == "folder":
            folders.add(value)
        elif word == "kept":
            folders.discard(value)
    for pid, began in processes.items():
        if started(pid) == began:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
    for folder in folders:
        # A process that was killed a moment ago may still write into it: so more than once.
        for _ in range(3):
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    serve()
