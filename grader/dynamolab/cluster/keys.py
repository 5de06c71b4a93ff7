"""/kv of one node as checks use it: nothing is retried, and no answer is an answer, too."""

from __future__ import annotations

import contextlib
import http.client
import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from urllib.parse import quote

from ..store import CONTEXT, REQUEST_ID, values_of
from .client import NodeClient
from .cluster import Cluster

TIMEOUT_S = 5.0  # Longer than any deadline of a node.
DONE, ONE, SIBLINGS, ABSENT = 204, 200, 300, 404
REST_S = 30.0  # For transfers to end; a second on an idle machine.


@dataclass(frozen=True)
class Seen:
    """What came back. Status 0: no answer."""

    status: int
    values: frozenset[bytes] = frozenset()
    context: str | None = None
    told: str = ""  # The error's code and message.

    @property
    def unknown(self) -> bool:
        """Neither done nor refused: a write may have happened, or happen later."""
        return self.status in (0, 503, 504)

    def __str__(self) -> str:
        if self.status == 0:
            return f"no answer ({self.told})"
        shown = sorted(repr(value[:40].decode("utf-8", "replace")) for value in self.values)
        values = " and ".join(shown)
        return " ".join(word for word in (str(self.status), self.told, values) if word)


class NodeKeys:
    """One client at one node, on a connection that is kept. Not for several threads."""

    def __init__(self, cluster: Cluster, name: str, timeout_s: float = TIMEOUT_S) -> None:
        self.name = name
        self._address = cluster.process(name).http_port.address
        self._timeout_s = timeout_s
        self._connection: http.client.HTTPConnection | None = None

    def get(self, key: str, r: int | None = None) -> Seen:
        """``r``, and ``w`` below: how many hosts must take part; None: as configured."""
        return self.ask("GET", key, hosts=r)

    def put(
        self,
        key: str,
        value: bytes,
        context: str | None = None,
        request_id: str = "",
        w: int | None = None,
    ) -> Seen:
        return self.ask("PUT", key, value, context, request_id, hosts=w)

    def delete(self, key: str, context: str | None = None, w: int | None = None) -> Seen:
        return self.ask("DELETE", key, None, context, hosts=w)

    def ask(
        self,
        method: str,
        key: str,
        body: bytes | None = None,
        context: str | None = None,
        request_id: str = "",
        hosts: int | None = None,
    ) -> Seen:
        headers = {} if context is None else {CONTEXT: context}
        if request_id:
            headers[REQUEST_ID] = request_id
        fresh = self._connection is None
        connection = self._connection or http.client.HTTPConnection(
            self._address, timeout=self._timeout_s
        )
        self._connection = connection
        try:
            query = "" if hosts is None else f"?{'r' if method == 'GET' else 'w'}={hosts}"
            connection.request(method, "/kv/" + quote(key, safe="") + query, body, headers)
            response = connection.getresponse()
            data = response.read()
        except (OSError, http.client.HTTPException) as error:
            self.close()
            if method == "GET" and not fresh:
                return self.get(key, hosts)  # The connection was of an earlier start of the node.
            return Seen(0, told=type(error).__name__)
        kept = response.getheader(CONTEXT)
        if response.status in (ONE, SIBLINGS):
            return Seen(response.status, frozenset(values_of(response.status, data)), kept)
        return Seen(response.status, context=kept, told=_told(data))

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection = None


def _told(data: bytes) -> str:
    try:
        error = json.loads(data)["error"]
        return f"{error['code']}: {error['message']}"
    except (ValueError, KeyError, TypeError):
        return ""


def owners_of(cluster: Cluster, key: str, via: str) -> list[str]:
    """The key's preference list, as `via` sees it."""
    owners: list[str] = cluster.ask(via, lambda node: node.placement(key))["preference_list"]
    return owners


@contextlib.contextmanager
def alone(cluster: Cluster, name: str) -> Iterator[None]:
    """No message passes between this node and any other; nothing of it is told in the story."""
    others = [other for other in cluster.names if other != name]
    cluster.faultnet.act("cut", [name], others)
    cluster.faultnet.act("cut", others, [name])
    try:
        yield
    finally:
        cluster.faultnet.act("heal", [name], others)
        cluster.faultnet.act("heal", others, [name])


class Placements:
    """Who keeps which keys, as one node sees it: asked again only when that node's history is another,
    since lists follow from the history alone (2.6)."""

    def __init__(self, cluster: Cluster, via: str) -> None:
        self._cluster = cluster
        self._via = via
        self._digest = ""
        self._owners: dict[str, list[str]] = {}

    def keys_of_owners(self, keys: Iterable[str]) -> dict[str, list[str]]:
        """Owners in the order of their names, and the keys of each."""
        digest = self._cluster.ask(self._via, NodeClient.history)["digest"]
        if digest != self._digest:
            self._digest, self._owners = digest, {}
        held: dict[str, list[str]] = {}
        for key in keys:
            if key not in self._owners:
                self._owners[key] = owners_of(self._cluster, key, self._via)
            for owner in self._owners[key]:
                held.setdefault(owner, []).append(key)
        return dict(sorted(held.items()))


@dataclass
class Looks:
    """When to cut off a node again, and for how long. One that lacks a key may say so only at its
    deadline, and nothing can come to it meanwhile. So the first difference ends a look, the first looks
    are short, and after each of them all links stay whole for as long as it took."""

    timeout_s: float = 0.25
    wrong: list[str] = field(default_factory=list)  # In the last look.
    _next: float = 0.0

    def too_soon(self) -> bool:
        return time.monotonic() < self._next

    def failed(self, wrong: list[str], began: float) -> None:
        now = time.monotonic()
        self._next = now + (now - began)
        self.wrong = wrong
        self.timeout_s = min(2 * self.timeout_s, TIMEOUT_S)


def wait_on_all_owners(
    cluster: Cluster,
    expected: Mapping[str, Callable[[Seen], bool]],
    what: str,
    via: str,
    deadline_s: float = REST_S,
) -> None:
    """Until each owner of each key answers as expected though it is cut off from all others, so that
    it can only tell what it holds itself. In between all links are whole again."""

    placements = Placements(cluster, via)
    looks = Looks()

    def differences() -> list[str]:
        if looks.too_soon():
            return looks.wrong
        for owner, keys in placements.keys_of_owners(expected).items():
            began = time.monotonic()
            if wrong := _wrong(cluster, owner, keys, expected, 1, looks.timeout_s):
                looks.failed(wrong, began)
                return wrong
        return []

    cluster.wait_for(
        f"{what}, on each of its owners by itself",
        differences,
        lambda wrong: not wrong,
        deadline_s,
        "; ".join,
    )
    cluster.story.tell(f"{what}: every owner holds it")


def owners_differ(cluster: Cluster, key: str, right: Callable[[Seen], bool], via: str = "n1") -> list[str]:
    """For each owner of the key which, cut off from all others, does not answer as is right, a line."""
    owners = owners_of(cluster, key, via)
    return [line for owner in owners for line in _wrong(cluster, owner, [key], {key: right}, 1)]


def _wrong(
    cluster: Cluster,
    owner: str,
    keys: Iterable[str],
    expected: Mapping[str, Callable[[Seen], bool]],
    most: int,
    timeout_s: float = TIMEOUT_S,
) -> list[str]:
    wrong = []
    node = NodeKeys(cluster, owner, timeout_s)
    with alone(cluster, owner), contextlib.closing(node):
        for key in keys:
            seen = node.get(key, r=1)
            if not expected[key](seen):
                wrong.append(f"{owner} alone says of {key}: {seen}")
                if len(wrong) == most:
                    break
    return wrong


def holds(*values: bytes) -> Callable[[Seen], bool]:
    """Exactly one value, one of these."""
    return lambda seen: seen.status == ONE and seen.values <= set(values)


def deleted(seen: Seen) -> bool:
    return seen.status == ABSENT


__all__ = [
    "NodeKeys", "Seen", "alone", "deleted", "holds", "owners_differ", "owners_of", "wait_on_all_owners",
]
