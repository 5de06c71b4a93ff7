"""How the demos tell their stories: numbered steps, and what went over the wire below each."""

from __future__ import annotations

import json
from collections.abc import Callable

from .cart import View, decode
from .cluster import listed
from .store import Answer, values_of

Say = Callable[[str], None]

SESSION_S = 15.0  # For one operation of a session; milliseconds on an idle machine.
WIDTH = 96


class Teller:
    """Numbers the steps, and shows what went over the wire below each."""

    def __init__(self, say: Say) -> None:
        self._say = say
        self._steps = 0

    def step(self, words: str) -> None:
        self._steps += 1
        self._say(f"\n{self._steps}. {words}")

    def tell(self, words: str) -> None:
        self._say(f"   {words}")

    def wire(self, session: str, node: str) -> Callable[[str, str, bytes | None, Answer], None]:
        """For a client's `watch`."""

        def show(method: str, path: str, body: bytes | None, answer: Answer) -> None:
            sent = f" {_shown(body)}" if body else ""
            self.tell(f"  {session} → {node}   {method} {path}{sent}"[:WIDTH])
            self.tell(f"  {session} ← {node}   {answer.status}{_answered(method, answer)}"[:WIDTH])

        return show


def _shown(value: bytes) -> str:
    return json.dumps(sorted(decode(value).values()))


def _answered(method: str, answer: Answer) -> str:
    if method != "GET" or answer.status not in (200, 300):
        return ""
    return " " + "  and  ".join(_shown(value) for value in values_of(answer.status, answer.body))


def names(view: View) -> str:
    return listed(view.names()) or "nothing"


def must_show(view: View, items: list[str]) -> None:
    assert view.names() == items, f"expected: the cart shows {listed(items)}\nactual: {names(view)}"
