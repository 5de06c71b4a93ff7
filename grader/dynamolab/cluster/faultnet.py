"""The faulty network between the nodes: starts the faultnet program and tells it what to do."""

from __future__ import annotations

import json
import os
import selectors
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from .errors import ClusterTrouble
from .janitor import janitor
from .process import tail_of

ANSWER_S = 15.0
LONGEST_LINE_BYTES = 8 << 20


class Faultnet:
    """One faultnet process. It ends when its standard input closes, so it cannot outlive us."""

    def __init__(
        self,
        program: Path,
        folder: Path,
        upstreams: Mapping[str, str],
        *,
        seed: int,
        links: Mapping[str, Any],
        log: Path,
        record: bool = True,
        dial: Mapping[str, int] | None = None,
    ) -> None:
        """`record`: every message goes into the file `trace`. `dial`: by node in a sandbox, the
        descriptor on which it asks for its connections."""
        self.trace = folder / "trace.jsonl"
        self._log = log
        self._buffer = b""
        self._talking = threading.Lock()  # One question at a time, from whatever thread.
        spec = folder / "faultnet.json"
        spec.write_text(
            json.dumps(
                {
                    "seed": seed,
                    "nodes": dict(upstreams),
                    "links": dict(links),
                    "record": str(self.trace) if record else "",
                    "dial": dict(dial or {}),
                },
                indent=1,
            )
        )
        with log.open("ab") as stderr:
            try:
                self._process = subprocess.Popen(
                    [str(program), "--spec", str(spec)],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=stderr,
                    start_new_session=True,
                    pass_fds=list((dial or {}).values()),
                )
            except OSError as error:
                raise ClusterTrouble(f"{program} cannot be started: {error}") from error
        janitor().owns_process(self._process.pid)
        assert self._process.stdout is not None
        os.set_blocking(self._process.stdout.fileno(), False)
        ready = self._read()
        if "ports" not in ready:
            raise ClusterTrouble(f"faultnet said {ready} instead of its ports")
        self.ports: dict[str, dict[str, int]] = ready["ports"]

    def command(self, act: str, **fields: Any) -> dict[str, Any]:
        """One action, in the words of a fault plan; its answer. ClusterTrouble if it refuses."""
        assert self._process.stdin is not None
        line = json.dumps({"act": act, **fields}) + "\n"
        with self._talking:
            try:
                self._process.stdin.write(line.encode())
                self._process.stdin.flush()
            except (OSError, ValueError) as error:
                raise ClusterTrouble(f"faultnet has died: {self._last_words()}") from error
            answer = self._read()
        if "error" in answer:
            raise ClusterTrouble(f"faultnet refused {line.strip()}: {answer['error']}")
        return answer

    def counts(self) -> list[dict[str, Any]]:
        """What has passed, or not: a row for each (from, to, type, kind, fate), with messages and bytes."""
        return self.command("counts")["counts"]

    def news(self, with_data: str = "") -> tuple[list[dict[str, Any]], int]:
        """What has happened since the last call (the first one begins it), as the trace has it, and how
        many steps more were forgotten. Data only of messages of the type `with_data`."""
        answer = self.command("news", message=with_data)
        return answer["steps"], answer["missed"]

    def records(self) -> list[dict[str, Any]]:
        """Every message so far, in order, as the trace has it."""
        self.command("flush")
        return complete_lines(self.trace)

    def act(
        self, act: str, nodes: Sequence[str] = (), peers: Sequence[str] = (), **fields: Any
    ) -> None:
        self.command(act, nodes=list(nodes), peers=list(peers), **fields)

    def must_live(self) -> None:
        if self._process.poll() is not None:
            raise ClusterTrouble(f"faultnet has died: {self._last_words()}")

    def close(self) -> None:
        """Never raises for what it finds."""
        assert self._process.stdin is not None and self._process.stdout is not None
        try:
            self._process.stdin.close()
        except OSError:
            pass  # It has died before; that is what we want anyway.
        try:
            self._process.wait(2)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()
        try:
            janitor().forgets_process(self._process.pid)
        except ClusterTrouble:
            pass

    def _read(self) -> dict[str, Any]:
        """One line of answer, within ANSWER_S."""
        assert self._process.stdout is not None
        end = time.monotonic() + ANSWER_S
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            while b"\n" not in self._buffer:
                left_s = end - time.monotonic()
                if left_s <= 0 or len(self._buffer) > LONGEST_LINE_BYTES:
                    raise ClusterTrouble(f"faultnet gave no answer within {ANSWER_S:g} s")
                if not selector.select(left_s):
                    continue
                chunk = os.read(self._process.stdout.fileno(), 1 << 16)
                if not chunk:
                    raise ClusterTrouble(f"faultnet has died: {self._last_words()}")
                self._buffer += chunk
        line, _, self._buffer = self._buffer.partition(b"\n")
        return json.loads(line)

    def _last_words(self) -> str:
        return " / ".join(tail_of(self._log, 5)) or "it said nothing"


def complete_lines(file: Path) -> list[dict[str, Any]]:
    """The documents of a JSONL file that is still being written: a line that has no end yet, and what
    comes while we read, is left for the next time."""
    complete, _, _ = file.read_bytes().rpartition(b"\n")
    return [json.loads(line) for line in complete.split(b"\n") if line]
