"""What a person sees while something runs: bars on a terminal, nothing elsewhere."""

from __future__ import annotations

import contextlib
import os
import re
import sys
import unicodedata
from collections.abc import Iterator
from typing import Any

PLAIN_COLUMNS = 120

_NOT_PRINTABLE = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)


def harmless(text: str) -> str:
    """Text of a solution, made safe for a terminal: control characters, direction marks and what is no
    character become visible, a newline and a tab stay."""
    return _NOT_PRINTABLE.sub(lambda m: f"\\x{ord(m[0]):02x}", unicodedata.normalize("NFC", text))


def say(text: str) -> None:
    """A line for the person, beside the output proper."""
    print(text, file=sys.stderr, flush=True)


def console() -> Any:
    """A rich console on stdout: plain, and wide enough, where that is no terminal."""
    from rich.console import Console

    wide = None if sys.stdout.isatty() or "COLUMNS" in os.environ else PLAIN_COLUMNS
    return Console(highlight=False, width=wide)


class Bar:
    """Progress of one thing; without a terminal it swallows everything."""

    def update(self, done: int, total: int, text: str = "") -> None:
        """``done`` of ``total``, and what is at work now."""


class _RichBar(Bar):
    def __init__(self, progress: Any, task: Any) -> None:
        self._progress = progress
        self._task = task

    def update(self, done: int, total: int, text: str = "") -> None:
        self._progress.update(self._task, completed=done, total=max(total, 1), now=harmless(text))


@contextlib.contextmanager
def bar(title: str) -> Iterator[Bar]:
    """A progress bar on stderr that vanishes when the block ends."""
    if not sys.stderr.isatty():
        yield Bar()
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=30),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[now]}", markup=False, style="dim"),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        yield _RichBar(progress, progress.add_task(title, total=None, now=""))
