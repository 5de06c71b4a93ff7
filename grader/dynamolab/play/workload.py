"""Clients in the background: puts and gets at a rate that can be changed, and what they meet."""

from __future__ import annotations

import random
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ..cluster.requests import KvAnswer
from .feed import Feed

Ask = Callable[[str, Mapping[str, Any]], KvAnswer]

KEYS = 20
CLIENTS = 6
WINDOW_S = 10.0  # What the figures are over.
IDLE_S = 0.1
STOP_S = 2.0  # Who still waits for a node then hears from it when the cluster ends.


@dataclass(frozen=True)
class _Done:
    at_s: float
    seconds: float
    answer: KvAnswer
    read: bool
    stale: bool


class Workload:
    """Each client gets a key, and then often puts it with what it has read. A value is a number that only
    grows; a get that shows only smaller ones than a put before it that was acknowledged is stale."""

    MOST_A_SECOND = 400

    def __init__(
        self, ask: Ask, nodes: Callable[[], list[str]], feed: Feed, seed: int
    ) -> None:
        self._ask = ask
        self._nodes = nodes
        self._feed = feed
        self._seed = seed
        self._rate = 0
        self._next_s = time.monotonic()
        self._written = 0
        self._acknowledged: dict[str, int] = {}
        self._done: deque[_Done] = deque()
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        for number in range(CLIENTS):
            thread = threading.Thread(target=self._work, args=(number,), name=f"load-{number}", daemon=True)
            thread.start()
            self._threads.append(thread)

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(STOP_S)

    @property
    def rate(self) -> int:
        return self._rate

    def set_rate(self, a_second: int) -> None:
        """0 stops it."""
        with self._lock:
            self._rate = a_second
            self._next_s = time.monotonic()

    def _work(self, number: int) -> None:
        draw = random.Random(self._seed * 1000 + number)
        fresh = ""  # A key that was read, and not put since.
        while not self._stop.is_set():
            wait_s = self._turn_in_s()
            if self._stop.wait(wait_s) or self._rate == 0:
                continue
            nodes = self._nodes()
            if not nodes:
                continue
            read = not fresh or draw.random() < 1 / 3
            key = f"load-{draw.randrange(KEYS)}" if read else fresh
            self._once(number, draw.choice(nodes), key, read)
            fresh = key if read else ""

    def _turn_in_s(self) -> float:
        """Whose turn comes when: the rate is shared by all clients."""
        with self._lock:
            now_s = time.monotonic()
            if self._rate == 0:
                return IDLE_S
            # Late turns are not made up for: the rate is an upper bound.
            self._next_s = max(self._next_s + 1 / self._rate, now_s - 1 / self._rate)
            return max(0.0, self._next_s - now_s)

    def _once(self, number: int, node: str, key: str, read: bool) -> None:
        action: dict[str, Any] = {"key": key, "request": {"client": f"load-{number}", "sequence": 0}}
        with self._lock:
            acknowledged = self._acknowledged.get(key, 0)
            if not read:
                self._written += 1
                action |= {"value": str(self._written), "context": "read"}
        action["act"] = "get" if read else "put"
        began_s = time.monotonic()
        answer = self._ask(node, action)
        ended_s = time.monotonic()
        stale = read and answer.done and _newest(answer.values) < acknowledged
        with self._lock:
            if not read and answer.done:
                self._acknowledged[key] = max(self._acknowledged.get(key, 0), int(action["value"]))
            self._done.append(_Done(ended_s, ended_s - began_s, answer, read, stale))

    def tell(self) -> None:
        """The figures of the last seconds."""
        with self._lock:
            oldest_s = time.monotonic() - WINDOW_S
            while self._done and self._done[0].at_s < oldest_s:
                self._done.popleft()
            done = list(self._done)
            rate = self._rate
        reads = [one for one in done if one.read and one.answer.done]
        times = sorted(one.seconds for one in done)
        self._feed.tell(
            "load",
            rate=rate,
            done=round(len(done) / WINDOW_S, 1),
            p50_ms=_percentile_ms(times, 0.5),
            p99_ms=_percentile_ms(times, 0.99),
            failed=sum(not one.answer.done for one in done),
            reads=len(reads),
            siblings=[sum(len(one.answer.values) == count for one in reads) for count in range(1, 5)],
            stale=sum(one.stale for one in reads),
        )


def _newest(values: list[bytes]) -> int:
    """Of those that a workload wrote; somebody may have put something else by hand."""
    return max((int(value) for value in values if value.isdigit()), default=0)


def _percentile_ms(times: list[float], share: float) -> float | None:
    if not times:
        return None
    return round(times[min(len(times) - 1, int(share * len(times)))] * 1000, 1)
