"""Steps between the nodes, as the space-time diagram of the failure viewer draws them."""

from __future__ import annotations

import bisect
import threading
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Any

from ..viewer import model

MOST_SHOWN = 1500

Step = dict[str, Any]

_WORDS = {
    "send": "{node} sends {peer} {what}",
    "receive": "{node} gets {peer}'s {what}",
    "drop": "{node}'s {what} to {peer} is lost: {text}",
    "cut": "what {node} sends to {peer} is lost from now on",
    "heal": "what {node} sends to {peer} passes again",
    "link": "the link from {node} to {peer} has another model",
    "forget": "the next {text} of {what}, from {node} to {peer}, will be lost",
    "crash": "{node} is killed (kill -9)",
    "wipe": "{node} loses its disk",
    "pause": "{node} is paused",
    "resume": "{node} goes on",
    "restart": "{node} starts again",
    "client": "{node} is asked: {text}",
    "told": "{node} answers: {text}",
}
_KEPT = ("t_us", "node", "event", "peer", "message", "id", "reply", "text")  # In a recording, in this order.


class Steps:
    """By moment, oldest first. Any thread may add and look. `most`: the newest that are kept; None: all."""

    def __init__(self, lanes: Sequence[str], most: int | None = None) -> None:
        self._lanes = list(lanes)
        self._steps: deque[tuple[int, Step]] = deque(maxlen=most)
        self._lock = threading.Lock()

    def add(self, t_ms: int, steps: Iterable[Step]) -> None:
        """`t_ms`: when the session told them."""
        with self._lock:
            self._steps.extend((t_ms, step) for step in steps)

    def look(self, most: int, until_ms: int | None = None) -> dict[str, Any]:
        """The last ones, or the last ones by a moment, with the arrows between them."""
        with self._lock:
            told = list(self._steps)
        if until_ms is not None:
            told = told[: bisect.bisect_right(told, until_ms, key=lambda one: one[0])]
        steps = [step for _, step in told[-most:]]
        arrows = [[arrow.sent, arrow.received] for arrow in model.arrows_of(steps)]
        return {"lanes": self._lanes, "steps": steps, "arrows": arrows}


def worded(step: Step) -> Step:
    """A step, with the words that the viewer shows, and without its data."""
    event, node = step["event"], step.get("node", "")
    what = f"{step.get('message') or 'message'}{' reply' if step.get('reply') else ''}"
    words = "the network heals" if event == "heal" and not node else _WORDS.get(event, event)
    told = words.format(node=node, peer=step.get("peer", ""), what=what, text=step.get("text", ""))
    kept = {name: value for name, value in step.items() if name != "data"}
    return {**kept, "moment": f"t={step['t_us'] / 1e6:.3f} s", "words": told}


def hint_owners(keeper: str, data: Step) -> dict[tuple[str, str], str]:
    """(keeper, key) → for whom, as a StoreHints to the keeper says it; of other messages nothing."""
    hints = data.get("hints")
    if not isinstance(hints, list):
        return {}
    return {(keeper, hint["copy"]["key"]): hint["owner"] for hint in hints}


def packed(step: Step) -> list[Any]:
    """For a recording, which has many of them."""
    return [step.get(name) or 0 for name in _KEPT]


def unpacked(values: Sequence[Any]) -> Step:
    return worded({name: value for name, value in zip(_KEPT, values, strict=True) if value or name == "t_us"})
