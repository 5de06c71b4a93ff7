"""What is told: messages to every page that listens, and into a file if they are recorded.

A message is {"t": milliseconds since the beginning, "kind": …, …}. One of a kind in `STATES` replaces
the one before, so who comes later hears the last of each; the others tell what happened.
"""

from __future__ import annotations

import contextlib
import json
import queue
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

from ..errors import LabError

STATES = ("hello", "nodes", "links", "rings", "key", "trees", "load", "script", "trouble")
MOST_WAITING = 3000  # Messages for a page that does not take them; then it is let go, and comes anew.
MOST_RECORDED_BYTES = 256 << 20
KEPT_WORDS = 200  # Lines of the log that a page which comes later hears, too.

Message = dict[str, Any]


class Feed:
    """Any thread may tell and listen. A context manager: it owns the file."""

    def __init__(self, record: Path | None = None, began_s: float | None = None) -> None:
        self._began_s = time.monotonic() if began_s is None else began_s
        self._last: dict[str, Message] = {}
        self._log: list[Message] = []
        self._listeners: set[queue.Queue[Message | None]] = set()
        self._lock = threading.Lock()
        self._file = record.open("w", encoding="utf-8") if record is not None else None
        self._written = 0
        self.heard_s = time.monotonic()  # When a page went away last.
        self.ever_heard = False

    def __enter__(self) -> Feed:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._lock:
            for listener in self._listeners:
                with contextlib.suppress(queue.Full):
                    listener.put_nowait(None)
            self._listeners.clear()
            if self._file is not None:
                self._file.close()
                self._file = None

    @property
    def listening(self) -> bool:
        with self._lock:
            return bool(self._listeners)

    def now_ms(self) -> int:
        return int((time.monotonic() - self._began_s) * 1000)

    def tell(self, kind: str, **more: Any) -> None:
        """A state that says the same as the last one of its kind is not told again."""
        with self._lock:
            last = self._last.get(kind)
            if last is not None and {**last, "t": 0} == {"t": 0, "kind": kind, **more}:
                return
            message = {"t": self.now_ms(), "kind": kind, **more}
            if kind in STATES:
                self._last[kind] = message
            elif kind == "log":
                self._log = [*self._log[1 - KEPT_WORDS :], message]
            for listener in list(self._listeners):
                try:
                    listener.put_nowait(message)
                except queue.Full:
                    self._listeners.discard(listener)  # It has lost count; it will come anew.
            self._record(message)

    def keep(self, kind: str, **more: Any) -> None:
        """For the recording alone: no page hears of it."""
        with self._lock:
            if self._file is not None:
                self._record({"t": self.now_ms(), "kind": kind, **more})

    def _record(self, message: Message) -> None:
        if self._file is None or self._written > MOST_RECORDED_BYTES:
            return
        line = json.dumps(message, separators=(",", ":")) + "\n"
        self._written += len(line)
        self._file.write(line)

    def last(self, kind: str) -> Message:
        with self._lock:
            return self._last.get(kind, {})

    @contextlib.contextmanager
    def listen(self) -> Iterator[Callable[[float], Message | None]]:
        """A function that gives the next message within some seconds; None if there is none. It raises
        EOFError at the end, and when the listener was let go. First comes the state of now."""
        waiting: queue.Queue[Message | None] = queue.Queue(MOST_WAITING)
        with self._lock:
            for message in [*self._last.values(), *self._log]:
                waiting.put_nowait(message)
            self._listeners.add(waiting)
            self.ever_heard = True

        def following(within_s: float) -> Message | None:
            try:
                message = waiting.get(timeout=within_s)
            except queue.Empty:
                if waiting not in self._listeners:
                    raise EOFError from None
                return None
            if message is None:
                raise EOFError
            return message

        try:
            yield following
        finally:
            with self._lock:
                self._listeners.discard(waiting)
                self.heard_s = time.monotonic()


def read_recording(path: Path) -> list[Message]:
    """A recorded session. LabError that names the file, the line and the cure."""
    messages: list[Message] = []
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise LabError(f"{path}: cannot be read: {error}") from error
    for number, line in enumerate(lines, start=1):
        try:
            message = json.loads(line)
            good = isinstance(message["t"], int) and isinstance(message["kind"], str)
        except (ValueError, KeyError, TypeError):
            good = False
        if not good:
            if number == len(lines) and number > 1:
                break  # The harness was killed while it wrote.
            raise LabError(f"{path}:{number}: is no line of a session; give a file of ./lab play --record")
        messages.append(message)
    if not messages or messages[0]["kind"] != "hello":
        raise LabError(f"{path}: does not begin as a session does; give a file of ./lab play --record")
    return messages
