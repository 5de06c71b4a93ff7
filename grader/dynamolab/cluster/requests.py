"""Clients' requests as a fault plan has them: put, get and delete at one node, each answered as it comes."""

from __future__ import annotations

import contextlib
import http.client
import json
import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from ..store import CONTEXT, values_of

ACTS = {"put": "PUT", "get": "GET", "delete": "DELETE"}
MOST_CONTEXTS = 10_000  # Of all clients; the oldest are forgotten.
ANSWER_S = 10.0


@dataclass(frozen=True)
class KvAnswer:
    """What a client heard. Status 0: nothing, so it is unknown what became of the request."""

    status: int
    values: list[bytes] = field(default_factory=list)
    words: str = ""  # Why not, if it was not done.

    @property
    def done(self) -> bool:
        return self.status in (200, 204, 300, 404)


class KvClients:
    """All clients of a plan; each knows the contexts of what it has read. Any thread may ask."""

    def __init__(self, timeout_s: float = ANSWER_S) -> None:
        self._timeout_s = timeout_s
        self._contexts: OrderedDict[tuple[str, str], str] = OrderedDict()
        self._lock = threading.Lock()

    def ask(self, address: str, action: Mapping[str, Any]) -> KvAnswer:
        """Carries out one action (grader/sim/plan.h): act, key, value, context "read", request.client,
        hosts. Never raises for what a node does or does not answer."""
        act, key = str(action["act"]), str(action.get("key", ""))
        client = str(action.get("request", {}).get("client", "")) or "client"
        path = f"/kv/{quote(key, safe='')}"
        if hosts := int(action.get("hosts", 0)):
            path += f"?{'r' if act == 'get' else 'w'}={hosts}"
        headers = {}
        if action.get("context") == "read" and (context := self.context(client, key)):
            headers[CONTEXT] = context
        body = str(action.get("value", "")).encode() if act == "put" else None
        host, _, port = address.rpartition(":")
        connection = http.client.HTTPConnection(host, int(port), timeout=self._timeout_s)
        with contextlib.closing(connection):
            try:
                connection.request(ACTS[act], path, body, headers)
                response = connection.getresponse()
                raw = response.read()
            except (OSError, http.client.HTTPException) as error:
                silent = isinstance(error, TimeoutError)
                return KvAnswer(0, words=f"no answer within {self._timeout_s:g} s" if silent else str(error))
        if act == "get" and (read := response.getheader(CONTEXT)):
            self._keep(client, key, read)
        return _answer(act, response.status, raw)

    def context(self, client: str, key: str) -> str:
        """What this client has read last of the key; empty: nothing."""
        with self._lock:
            return self._contexts.get((client, key), "")

    def _keep(self, client: str, key: str, context: str) -> None:
        with self._lock:
            self._contexts[(client, key)] = context
            self._contexts.move_to_end((client, key))
            if len(self._contexts) > MOST_CONTEXTS:
                self._contexts.popitem(last=False)


def _answer(act: str, status: int, raw: bytes) -> KvAnswer:
    if act == "get" and status in (200, 300, 404):
        return KvAnswer(status, values_of(status, raw))
    if status == 204:
        return KvAnswer(status)
    try:
        error = json.loads(raw)["error"]
        return KvAnswer(status, words=f"{error['code']}: {error['message']}")
    except (ValueError, KeyError, TypeError):
        return KvAnswer(status, words=raw.decode("utf-8", "replace")[:200])
