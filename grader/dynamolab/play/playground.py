"""A playground put together: a cluster, what watches it, and the page; or a recorded session and the page."""

from __future__ import annotations

import contextlib
import json
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..cluster import Cluster
from ..errors import LabError
from ..viewer.failures import REPLAY, TRACE, beside
from .feed import Feed, Message, read_recording
from .of_trace import session_of
from .scripts import SCRIPTS
from .server import PlayServer
from .session import SECRET, Refused, Session, without
from .show import Show
from .steps import MOST_SHOWN, Steps, unpacked
from .watch import Watcher

PATIENCE_S = 20.0  # From the page's end to ours: a page that is loaded anew is no end.
CONFIG = {
    "q": 64,
    "n": 3,
    "gossip_period_ms": 500,
    "call_timeout_ms": 300,
    "retry_period_ms": 500,
    "sync_period_ms": 1000,
    "request_deadline_ms": 3000,
    "r": 2,
    "w": 2,
    "mode": "sloppy",
}
LINKS = {"delay_min_ms": 1, "delay_max_ms": 5}
MODULES = ["membership", "ring", "transfer", "versioning", "quorum", "sync"]


@dataclass(frozen=True)
class Wanted:
    """What ./lab play was asked for."""

    node: Path
    faultnet: Path
    solution: str = "reference"
    size: int = 5
    script: str = ""
    record: Path | None = None
    seed: int = 1
    port: int = 0


@dataclass(frozen=True)
class Place:
    """A playground at work."""

    server: PlayServer
    feed: Feed
    session: Session | None = None  # None: a recording.
    watcher: Watcher | None = None

    @property
    def address(self) -> str:
        return self.server.address

    def left_alone(self) -> bool:
        """There was a page, and for a while there has been none."""
        waited_s = time.monotonic() - self.feed.heard_s
        return self.feed.ever_heard and not self.feed.listening and waited_s > PATIENCE_S


@contextlib.contextmanager
def live(wanted: Wanted) -> Iterator[Place]:
    """A cluster that runs. When the block is left, nothing of it remains."""
    script = SCRIPTS[wanted.script] if wanted.script else None
    size = script.size if script else wanted.size
    config = {**CONFIG, "modules": MODULES, SECRET: secrets.token_hex(16)}
    config |= script.config if script else {}
    with contextlib.ExitStack() as stack:
        cluster = stack.enter_context(
            Cluster(
                node=wanted.node,
                faultnet=wanted.faultnet,
                size=size,
                config=config,
                links=LINKS,
                seed=wanted.seed,
                label="play",
                network_trace=False,
            )
        )
        feed = stack.enter_context(Feed(wanted.record, cluster.began_s))
        feed.tell(
            "hello",
            live=True,
            solution=wanted.solution,
            nodes=cluster.names,
            config=without(cluster.config, SECRET),
            script=wanted.script,
        )
        cluster.form(cluster.names[: script.members] if script and script.members else None)
        session = Session(cluster, feed, wanted.seed)
        session.workload.start()
        stack.callback(session.workload.stop)
        watcher = stack.enter_context(Watcher(session))
        show = Show(script, session) if script else None
        if show is not None:
            show.begin()
        server = PlayServer(feed, _questions(session, show), _looks(session), wanted.port)
        yield Place(stack.enter_context(server), feed, session, watcher)


def _questions(session: Session, show: Show | None) -> dict[str, Any]:
    def step(_question: Mapping[str, Any]) -> dict[str, Any]:
        if show is None:
            raise Refused("no demonstration was asked for; start with --script")
        return {"done": show.next()}

    return {"act": lambda question: {"done": session.act(question)}, "step": step}


def _looks(session: Session) -> dict[str, Any]:
    return {"trace": _trace_look(session.steps), "plan": lambda _query: session.plan()}


def _trace_look(steps: Steps) -> Callable[[Mapping[str, Any]], dict[str, Any]]:
    """`most` of them, up to the moment `until`, in milliseconds."""

    def number(query: Mapping[str, Any], name: str) -> int | None:
        words = str(query.get(name, ""))
        return int(words) if words.isdecimal() and len(words) < 16 else None

    def trace(query: Mapping[str, Any]) -> dict[str, Any]:
        most = number(query, "most") or MOST_SHOWN
        return steps.look(min(MOST_SHOWN, most), number(query, "until"))

    return trace


@dataclass(frozen=True)
class Recorded:
    """A session to be played back."""

    messages: list[Message]
    steps: Steps


def session_in(file: Path, failure: str = "") -> Recorded:
    """A session that was recorded; a trace; or a failure, by the replay file that its trace lies beside.
    `failure`: of a trace, what is told at its end. LabError names what is wrong with the file."""
    if file.name.endswith(REPLAY):
        trace = beside(file, TRACE)
        if not trace.is_file():
            raise LabError(f"{file}: there is no trace beside it; ./lab replay {file} makes one")
        return Recorded(*session_of(trace, failure))
    if _is_trace(file):
        return Recorded(*session_of(file, failure))
    told = read_recording(file)
    try:
        return _recorded(told)
    except (KeyError, TypeError, ValueError) as error:
        raise LabError(f"{file}: was not written by this ./lab play --record: {error!r}") from error


def _recorded(told: list[Message]) -> Recorded:
    steps = Steps(told[0]["nodes"])
    for message in told:
        if message["kind"] == "steps":
            steps.add(message["t"], map(unpacked, message["steps"]))
    return Recorded([message for message in told if message["kind"] != "steps"], steps)


def _is_trace(file: Path) -> bool:
    try:
        with file.open(encoding="utf-8") as lines:
            first = json.loads(lines.readline())
    except (OSError, ValueError):
        return False
    return isinstance(first, dict) and "event" in first


@contextlib.contextmanager
def replayed(recording: Path, port: int = 0, failure: str = "") -> Iterator[Place]:
    """A page that plays a recorded session; at its end, what failed."""
    recorded = session_in(recording, failure)
    with Feed() as feed:
        hello = without(recorded.messages[0], "t", "kind")
        feed.tell("hello", **{**hello, "live": False, "recording": recording.name})
        looks = {"recording": lambda _query: recorded.messages, "trace": _trace_look(recorded.steps)}
        with PlayServer(feed, {}, looks, port) as server:
            yield Place(server, feed)
