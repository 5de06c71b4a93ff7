"""Waiting for a condition with a deadline: the only way in which a cluster check waits."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from .errors import NodeSilent, WaitExpired

State = TypeVar("State")

SHORTEST_PAUSE_S = 0.005
LONGEST_PAUSE_S = 0.05


def wait_for(
    probe: Callable[[], State],
    deadline_s: float,
    label: str,
    accept: Callable[[State], object] = bool,
    watch: Callable[[], None] = lambda: None,
) -> State:
    """Calls `probe` until `accept(state)` is true, and returns that state.

    `watch` runs before each try and raises what makes further waiting pointless (a node has died).
    A NodeSilent from `probe` means unknown: it is tried again. After `deadline_s` seconds
    raises WaitExpired with the label, the number of tries and the last state. Looks at least twice,
    so that a machine that stood still does not fail a check by itself.
    """
    end = time.monotonic() + deadline_s
    pause = SHORTEST_PAUSE_S
    tries = 0
    last = "nothing was seen"
    while True:
        watch()
        tries += 1
        try:
            state = probe()
            if accept(state):
                return state
            last = _shown(state)
        except NodeSilent as silent:
            last = str(silent)
        if time.monotonic() >= end and tries > 1:
            break
        time.sleep(pause)
        pause = min(pause * 1.5, LONGEST_PAUSE_S)
    watch()
    raise WaitExpired(
        f"expected: {label}, within {deadline_s:g} s\nactual: after {tries} tries: {last}"
    )


def _shown(state: object, limit: int = 1500) -> str:
    """A state in the words of a failure message, cut where it gets too long to help."""
    if isinstance(state, dict):
        text = "".join(f"\n  {key}: {value}" for key, value in state.items())
    else:
        text = repr(state)
    return text if len(text) <= limit else text[:limit] + " …"
