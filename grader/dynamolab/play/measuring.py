"""How well the playground keeps up: for ./lab bench."""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass
from pathlib import Path

from . import playground

UP_S = 30.0  # Until all nodes are members in their own view.


@dataclass(frozen=True)
class KeptUp:
    """Over some seconds."""

    updates: float  # A second, as a page hears them.
    messages: float  # A second, between the nodes.
    forgotten: int  # Messages that were not told, since they came too fast.


def keeps_up(node: Path, faultnet: Path, size: int, rate: int, seconds: float) -> KeptUp:
    """A playground of ``size`` nodes with ``rate`` clients' requests a second, and one listener, which reads
    as a page does. Nobody draws."""
    with playground.live(playground.Wanted(node, faultnet, size=size)) as place:
        assert place.session is not None
        until = time.monotonic() + UP_S
        while len(place.session.members_up()) < size and time.monotonic() < until:
            time.sleep(0.05)
        place.session.act({"act": "load", "rate": rate})
        with place.feed.listen() as following, contextlib.suppress(EOFError):
            began_s = time.monotonic()
            updates = messages = forgotten = 0
            while (left_s := began_s + seconds - time.monotonic()) > 0:
                message = following(left_s)
                if message is not None and message["kind"] == "flows":
                    updates += 1
                    messages += sum(flow[5] for flow in message["flows"] if flow[4] == "send")
                    forgotten += message["missed"]
        return KeptUp(updates / seconds, messages / seconds, forgotten)
