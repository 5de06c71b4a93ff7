"""A prepared demonstration at work: captions, and what is done at each. A step waits until the cluster shows
what its caption says, so that who goes on sees it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..cluster import ClusterTrouble, NodeClient, NodeSilent, listed
from ..cluster.requests import KvAnswer
from .session import Refused, Session

WITHOUT_SYNC = ["membership", "ring", "transfer", "versioning", "quorum"]
SHOWN_S = 30.0  # For what a step promises to come true; seconds on an idle machine.


class Stage:
    """What steps act with, and what they have found out."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.cluster = session.cluster
        self.key = ""

    def act(self, act: str, **more: Any) -> str:
        return self.session.act({"act": act, **more})

    def look_at(self, key: str) -> None:
        self.key = key
        self.act("watch", key=key)

    def owners(self, key: str) -> list[str]:
        place = self.cluster.ask(self.cluster.running()[0], lambda client: client.placement(key))
        return list(place["preference_list"])

    def key_on(self, owners: list[str], first: str = "cart") -> str:
        """A key that lies on exactly these."""
        for number in range(2000):
            key = f"{first}{number or ''}"
            if sorted(self.owners(key)) == sorted(owners):
                return key
        raise Refused(f"no key lies on {listed(owners)}")

    def read(self, at: str, key: str) -> list[str]:
        """Without a line in the log."""
        address = self.cluster.process(at).http_port.address
        answer: KvAnswer = self.session.clients.ask(address, {"act": "get", "key": key, "hosts": 1})
        return sorted(value.decode("utf-8", "replace") for value in answer.values)

    def wait(self, label: str, true: Callable[[], object]) -> None:
        self.cluster.wait_for(label, true, deadline_s=SHOWN_S)

    def versions(self, at: str, key: str) -> list[str]:
        state = self.cluster.ask(at, lambda client: client.held(key))["state"]
        return sorted(str(version["value"]) for version in state["versions"]) if state else []

    def wait_held(self, nodes: list[str], key: str, values: list[str]) -> None:
        """Until each of the nodes holds exactly these versions."""
        shown = f"{listed(nodes)} hold {listed(values) or 'nothing'} of {key}"
        self.wait(shown, lambda: all(self.versions(name, key) == sorted(values) for name in nodes))

    def heal(self) -> None:
        """All links, and until nobody is suspected."""
        self.act("heal")
        running = self.cluster.running()
        self.wait(
            "nobody is suspected",
            lambda: not any(self.cluster.ask(name, NodeClient.suspects) for name in running),
        )

    def hints(self, at: str) -> list[str]:
        return list(self.cluster.ask(at, NodeClient.hints)["keys"])


def _nothing(_stage: Stage) -> None:
    """The step only tells."""


@dataclass(frozen=True)
class Step:
    caption: str  # What happens, and what is to be seen.
    act: Callable[[Stage], None] = _nothing
    ask: str = ""  # A question for the class.
    look: str = ""  # The panel that it is about: a class of its section in page/index.html.


@dataclass(frozen=True)
class Script:
    title: str
    steps: list[Step]
    size: int = 5
    members: int = 0  # Of them at the beginning; 0: all.
    config: Mapping[str, Any] = field(default_factory=dict)


class Show:
    """A script at work. What has been shown is shown again by the page itself, from what it has heard."""

    def __init__(self, script: Script, session: Session) -> None:
        self._script = script
        self._stage = Stage(session)
        self._feed = session.feed
        self._session = session
        self._at = 0
        self._lock = threading.Lock()

    def begin(self) -> None:
        self._tell()

    def next(self) -> str:
        """Does the next step; its caption. Refused if one is at work, if there is none, or if the cluster
        does not show what it should."""
        if not self._lock.acquire(blocking=False):
            raise Refused("the step before is still at work")
        try:
            if self._at == len(self._script.steps):
                raise Refused("this was the last step")
            step = self._script.steps[self._at]
            self._at += 1
            self._tell(busy=True)
            try:
                step.act(self._stage)
            except (AssertionError, ClusterTrouble, NodeSilent) as error:
                self._session.say(str(error), good=False)
                raise Refused(f"the cluster does not do what it should: {error}") from error
            finally:
                self._tell()
            return step.caption
        finally:
            self._lock.release()

    def _tell(self, busy: bool = False) -> None:
        step = self._script.steps[self._at - 1] if self._at else Step(self._script.title)
        self._feed.tell(
            "script",
            step=self._at,
            of=len(self._script.steps),
            title=self._script.title,
            caption=step.caption,
            ask=step.ask,
            look=step.look,
            busy=busy,
        )
