"""Child processes that cannot outlive us: own process groups, deadlines, and a sweep at the end."""

from __future__ import annotations

import contextlib
import ctypes
import math
import os
import selectors
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

TERMINATE_GRACE_S = 2.0  # From SIGTERM to SIGKILL.
POLL_S = 0.05
READ_BYTES = 1 << 16
MOST_OUTPUT_BYTES = 16 << 20  # Of a command; what comes later is read, and dropped.
PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h

Command = Sequence[str] | Sequence[Path] | Sequence[str | Path]

# Set once, when the command is on its way out: a thread that still works starts nothing more.
_stopping = threading.Event()
# Processes that shall outlive the command (./lab cluster up), with all that is below them.
_daemons: set[int] = set()


@dataclass(frozen=True)
class Completed:
    """How a command ended. ``code`` is negative for a signal; ``out`` has stdout and stderr."""

    code: int
    out: str
    seconds: float
    timed_out: bool = False


class Child:
    """A command in a process group of its own. Use ``start`` or ``run``; both end it for certain."""

    def __init__(self, command: Command, **options: object) -> None:
        if _stopping.is_set():
            raise Interrupted(signal.SIGINT)
        self.command = [str(word) for word in command]
        self.process = subprocess.Popen(  # type: ignore[call-overload]
            self.command, stdin=subprocess.DEVNULL, start_new_session=True, **options
        )

    def running(self) -> bool:
        return self.process.poll() is None

    def signal_group(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, number)

    def end(self) -> int:
        """SIGTERM to the group, a grace, SIGKILL; the exit code. Harmless when it has ended."""
        if self.running():
            self.signal_group(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(TERMINATE_GRACE_S)
        self.signal_group(signal.SIGKILL)  # Also what a leader left behind in its group.
        return int(self.process.wait())


@contextlib.contextmanager
def start(command: Command, **options: object) -> Iterator[Child]:
    """Starts a command; whatever happens, its group is gone when the block is left."""
    child = Child(command, **options)
    try:
        yield child
    finally:
        child.end()


def run(
    command: Command,
    *,
    deadline_s: float,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    on_line: Callable[[str], None] | None = None,
    silence_s: float = math.inf,
) -> Completed:
    """Runs a command to its end, or to the deadline, or until it has printed nothing for ``silence_s``;
    gives what it printed. Does not raise for a failure; FileNotFoundError if there is no such program."""
    began = time.monotonic()
    lines = _Lines(on_line)
    with start(
        command, cwd=cwd, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as child:
        timed_out = not _read_until_it_ends(child, lines, began + deadline_s, silence_s)
        code = child.end()
    lines.close()
    return Completed(code, lines.text(), time.monotonic() - began, timed_out)


class _Lines:
    """Bytes come in as they come; whole lines go on."""

    def __init__(self, on_line: Callable[[str], None] | None) -> None:
        self._on_line = on_line
        self._all = bytearray()
        self._told = 0

    def add(self, data: bytes) -> None:
        room = MOST_OUTPUT_BYTES - len(self._all)
        self._all += data[: max(0, room)]
        while (end := self._all.find(b"\n", self._told)) >= 0:
            self._tell(end)
            self._told = end + 1

    def close(self) -> None:
        if self._told < len(self._all):
            self._tell(len(self._all))

    def _tell(self, end: int) -> None:
        if self._on_line is not None:
            self._on_line(self._all[self._told : end].decode(errors="replace"))

    def text(self) -> str:
        return self._all.decode(errors="replace")


def _read_until_it_ends(child: Child, lines: _Lines, until: float, silence_s: float) -> bool:
    """Ends with the command, and not with the pipe: a daemon that the command left behind may hold
    that open for ever. False if the deadline came first, or the silence was too long."""
    heard = time.monotonic()
    pipe = child.process.stdout
    assert pipe is not None
    with pipe, selectors.DefaultSelector() as selector:
        os.set_blocking(pipe.fileno(), False)
        selector.register(pipe, selectors.EVENT_READ)
        while time.monotonic() < min(until, heard + silence_s):
            ended = not child.running()  # Before the look: what it wrote is in the pipe by then.
            if selector.select(0 if ended else POLL_S):
                data = os.read(pipe.fileno(), READ_BYTES)
                if data:
                    heard = time.monotonic()
                    lines.add(data)
                    continue
                selector.unregister(pipe)
                while child.running() and time.monotonic() < until:
                    time.sleep(POLL_S / 5)
                return not child.running()
            if ended:
                return True
    return False


def adopt_orphans() -> None:
    """Grandchildren whose parent died come to us (Linux), so that kill_descendants() finds them."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _children(pid: int) -> list[int]:
    found: list[int] = []
    for tasks in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            found += [int(word) for word in tasks.read_text().split()]
    return found


def descendants(pid: int) -> list[int]:
    """All processes below ``pid`` but those that shall live on, nearest first. Empty where there is
    no /proc."""
    found: list[int] = []
    waiting = _children(pid)
    while waiting:
        child = waiting.pop(0)
        if child in _daemons:
            continue
        found.append(child)
        waiting += _children(child)
    return found


def let_live(pid: int) -> None:
    """Spares a process from the sweep at the end."""
    _daemons.add(pid)


def kill_descendants(deadline_s: float = 5.0) -> None:
    """The last sweep of a command: whatever was started below us, however detached, goes. A moment
    without a signal comes first: some of them clean up after others. Nothing can be started then.
    """
    _stopping.set()
    _signal_until_gone(0, TERMINATE_GRACE_S)
    _signal_until_gone(signal.SIGTERM, TERMINATE_GRACE_S)
    _signal_until_gone(signal.SIGKILL, deadline_s)


def _signal_until_gone(number: int, deadline_s: float) -> None:
    until = time.monotonic() + deadline_s
    told: set[int] = set()
    while (left := descendants(os.getpid())) and time.monotonic() < until:
        for pid in left:
            if pid not in told:
                told.add(pid)
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, number)
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        time.sleep(0.01)


def turn_signals_into_interrupts() -> None:
    """SIGTERM and SIGHUP clean up as Ctrl-C does, which raises KeyboardInterrupt from here on."""
    signal.signal(signal.SIGINT, signal.default_int_handler)

    def interrupt(number: int, _frame: object) -> None:
        raise Interrupted(number)

    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupt)


class Interrupted(KeyboardInterrupt):
    """A signal other than SIGINT asked us to stop."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def cpus() -> tuple[int, ...]:
    """The cores that we may use, by number."""
    if hasattr(os, "sched_getaffinity"):
        return tuple(sorted(os.sched_getaffinity(0)))
    return tuple(range(os.cpu_count() or 1))
