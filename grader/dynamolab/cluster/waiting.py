"""Waiting for a condition with a deadline: the only way in which a cluster check waits."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from .errors import NodeSilent, WaitExpired
from .words import seen_words

State = TypeVar("State")

SHORTEST_PAUSE_S = 0.005
LONGEST_PAUSE_S = 0.05
LONGEST_STATE = 1500  # Characters; more do not help.


def wait_for(
    probe: Callable[[], State],
    deadline_s: float,
    label: str,
    accept: Callable[[State], object] = bool,
    watch: Callable[[], None] = lambda: None,
    words: Callable[[State], str] = seen_words,
) -> State:
    """Calls `probe` until `accept(state)` is true, and returns that state.

    `watch` runs before each try and raises what makes further waiting pointless (a node has died).
    A NodeSilent from `probe` means unknown: it is tried again. After `deadline_s` seconds
    raises WaitExpired with the label, the number of tries and the last state, in `words`. Looks at
    least twice, so that a machine that stood still does not fail a check by itself.
    """
    end = time.monotonic() + deadline_s
    pause = SHORTEST_PAUSE_S
    tries = 0
    last: object = "nothing was seen"
    while True:
        watch()
        tries += 1
        try:
            state = probe()
            if accept(state):
                return state
            last = _Seen(state, words)
        except NodeSilent as silent:
            last = silent
        if time.monotonic() >= end and tries > 1:
            break
        time.sleep(pause)
        pause = min(pause * 1.5, LONGEST_PAUSE_S)
    watch()
    raise WaitExpired(
        f"expected: {label}, within {deadline_s:g} s\nactual: after {tries} tries: {last}"
    )


class _Seen:
    """The last state; put in words only when somebody is going to read them."""

    def __init__(self, state: State, words: Callable[[State], str]) -> None:
        self._tell = lambda: words(state)

    def __str__(self) -> str:
        try:
            text = self._tell()
        except NodeSilent as silent:  # Words may need another look at the nodes.
            text = str(silent)
        return text if len(text) <= LONGEST_STATE else text[:LONGEST_STATE] + " …"
