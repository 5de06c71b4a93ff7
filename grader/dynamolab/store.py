"""A client of the store: get, put and delete with contexts, as an application uses Dynamo (P§4.1).

    from dynamolab import Client

    with Client(["127.0.0.1:8001", "127.0.0.1:8002"]) as store:
        store.put("cart", b"milk")
        store.get("cart")                  # b"milk", or Conflict with all siblings
        store.put("cart", b"milk, eggs")   # replaces what this client read last

What a client read last of a key (the context) is kept for it and goes with the next put or delete
of that key, so that a write replaces exactly what its writer had seen (P§4.4).
"""

from __future__ import annotations

import base64
import contextlib
import http.client
import itertools
import json
import secrets
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from urllib.parse import quote, urlencode

CONTEXT = "X-Dynamo-Context"
REQUEST_ID = "X-Request-Id"
RETRY_PAUSE_S = 0.05


class StoreError(Exception):
    """The store refused a request, and did nothing. ``status`` is that of HTTP."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


class Unknown(Exception):
    """No answer, or a 503 or 504: a write may have happened, or happen later."""


class Conflict(Exception):
    """The key has siblings. Reconcile ``values``, then put the result: it replaces them all."""

    def __init__(self, key: str, values: list[bytes]) -> None:
        super().__init__(f"{key!r} has {len(values)} siblings; reconcile them and put the result")
        self.key = key
        self.values = values


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes


@dataclass
class _Node:
    address: str
    connection: http.client.HTTPConnection | None = field(default=None, repr=False)


class _Unsent(Exception):
    """The request never reached the node, so it may go to another one."""


class Client:
    """Not for several threads at once: give each its own.

    A read is tried at all nodes in turn. A write is retried at the node that it was sent to, with
    the same request id, which that node executes at most once; at another node only if it was
    surely not executed (nothing listens, or the node says that it is no member).
    """

    def __init__(self, nodes: Sequence[str], *, timeout_s: float = 10.0) -> None:
        """``nodes``: addresses "host:port" of their HTTP interface, the preferred one first.
        ``timeout_s``: for one operation, all its attempts together."""
        if not nodes:
            raise ValueError("a client needs the address of at least one node, as 127.0.0.1:8001")
        self._nodes = [_Node(address) for address in nodes]
        self._timeout_s = timeout_s
        self._name = secrets.token_hex(8)
        self._sequence = itertools.count(1)
        self._contexts: dict[str, str] = {}

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        for node in self._nodes:
            _hang_up(node)

    def siblings(self, key: str, *, r: int | None = None) -> list[bytes]:
        """All versions of ``key``: none, one, or several concurrent ones."""
        answer = self._ask("GET", key, {} if r is None else {"r": r})
        if CONTEXT.lower() in answer.headers:
            self._contexts[key] = answer.headers[CONTEXT.lower()]
        if answer.status == 404:
            return []
        if answer.status == 300:
            return [_bytes_of(one) for one in json.loads(answer.body)["siblings"]]
        return [answer.body]

    def get(self, key: str, *, r: int | None = None) -> bytes | None:
        """The value, or None if there is none. Raises Conflict if there are several."""
        values = self.siblings(key, r=r)
        if len(values) > 1:
            raise Conflict(key, values)
        return values[0] if values else None

    def put(self, key: str, value: bytes, *, w: int | None = None, blind: bool = False) -> None:
        """Replaces what this client has read of ``key``; reads it first if it has not.
        ``blind``: replaces nothing, so that it may become a sibling of what is there."""
        self._write("PUT", key, value, w, blind)

    def delete(self, key: str, *, w: int | None = None) -> None:
        """Deletes what this client has read of ``key``; reads it first if it has not."""
        self._write("DELETE", key, None, w, False)

    def context(self, key: str) -> str | None:
        """What goes with the next put of ``key``: opaque."""
        return self._contexts.get(key)

    def _write(self, method: str, key: str, value: bytes | None, w: int | None, blind: bool) -> None:
        if not blind and key not in self._contexts:
            self.siblings(key)
        headers = {REQUEST_ID: f"{self._name}:1:{next(self._sequence)}"}
        # A context names what was read before this write; after it, the key has to be read anew.
        context = None if blind else self._contexts.pop(key, None)
        if context is not None:
            headers[CONTEXT] = context
        try:
            self._ask(method, key, {} if w is None else {"w": w}, value, headers)
        except StoreError:
            if context is not None:
                self._contexts[key] = context  # nothing was done with it
            raise

    def _ask(
        self,
        method: str,
        key: str,
        query: dict[str, int],
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        path = "/kv/" + quote(key, safe="") + ("?" + urlencode(query) if query else "")
        deadline = time.monotonic() + self._timeout_s
        last: Exception = Unknown("no node was asked")
        while True:
            for node in list(self._nodes):
                try:
                    answer = self._exchange(node, method, path, body, headers or {}, deadline)
                except _Unsent as error:
                    last = error
                    continue
                except OSError as error:
                    last = error
                    if method == "GET":
                        continue
                    answer = self._once_more(
                        lambda: self._exchange(node, method, path, body, headers or {}, deadline),
                        deadline,
                        error,
                    )
                self._prefer(node)
                if _elsewhere(method, answer):
                    last = _error_of(answer)
                    continue
                if answer.status in (200, 204, 300) or (answer.status == 404 and method == "GET"):
                    return answer
                raise _error_of(answer)
            if time.monotonic() + RETRY_PAUSE_S > deadline:
                raise Unknown(f"{method} {path}: no answer in {self._timeout_s:g} s: {last}") from last
            time.sleep(RETRY_PAUSE_S)

    def _once_more(self, attempt: Callable[[], Answer], deadline: float, first: Exception) -> Answer:
        """The same request at the same node, until it answers: it executes it at most once."""
        while time.monotonic() < deadline:
            try:
                return attempt()
            except (_Unsent, OSError) as error:
                first = error
                time.sleep(RETRY_PAUSE_S)
        raise Unknown(f"the write may have happened: {first}") from first

    def _prefer(self, node: _Node) -> None:
        self._nodes.remove(node)
        self._nodes.insert(0, node)

    @staticmethod
    def _exchange(
        node: _Node,
        method: str,
        path: str,
        body: bytes | None,
        headers: dict[str, str],
        deadline: float,
    ) -> Answer:
        left_s = deadline - time.monotonic()
        if left_s <= 0:
            raise TimeoutError("out of time")
        fresh = node.connection is None
        try:
            connection = node.connection or _connect(node, left_s)
        except OSError as error:
            raise _Unsent(f"{node.address}: {error}") from error
        assert connection.sock is not None
        connection.sock.settimeout(left_s)
        try:
            connection.request(method, path, body=body, headers=headers)
            response = connection.getresponse()
            content = response.read()
        except (OSError, http.client.HTTPException) as error:
            _hang_up(node)
            if not fresh and isinstance(error, (ConnectionError, http.client.RemoteDisconnected)):
                # A kept connection that the node had closed: the id makes a repetition safe.
                return Client._exchange(node, method, path, body, headers, deadline)
            raise OSError(f"{node.address}: {error or type(error).__name__}") from error
        names = {name.lower(): value for name, value in response.getheaders()}
        if names.get("connection", "").lower() == "close":
            _hang_up(node)
        return Answer(response.status, names, content)


def _connect(node: _Node, timeout_s: float) -> http.client.HTTPConnection:
    connection = http.client.HTTPConnection(node.address, timeout=timeout_s)
    connection.connect()
    connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    node.connection = connection
    return connection


def _hang_up(node: _Node) -> None:
    if node.connection is not None:
        with contextlib.suppress(OSError):
            node.connection.close()
    node.connection = None


def _elsewhere(method: str, answer: Answer) -> bool:
    """May the request go to the next node?"""
    if answer.status == 503 and _code_of(answer) == "not_a_member":
        return True
    return method == "GET" and answer.status in (503, 504)


def _bytes_of(sibling: dict[str, str]) -> bytes:
    if "text" in sibling:
        return sibling["text"].encode()
    text = sibling["base64"]
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _code_of(answer: Answer) -> str:
    try:
        return str(json.loads(answer.body)["error"]["code"])
    except (ValueError, KeyError, TypeError):
        return "http"


def _error_of(answer: Answer) -> Exception:
    try:
        message = str(json.loads(answer.body)["error"]["message"])
    except (ValueError, KeyError, TypeError):
        message = f"status {answer.status}"
    if answer.status in (503, 504):
        return Unknown(message)
    return StoreError(answer.status, _code_of(answer), message)
