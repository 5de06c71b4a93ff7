"""A client of the store: get, put and delete with contexts, as an application uses Dynamo (P§4.1).

    from dynamolab import Client, Conflict

    with Client(["127.0.0.1:8001", "127.0.0.1:8002"]) as store:
        store.put("cart", b"milk")
        store.get("cart")                  # b"milk"
        store.put("cart", b"milk, eggs")   # replaces what this client has read of the key
        store.siblings("cart")             # [b"milk, eggs"]; more than one after concurrent puts

What a client has read of a key (the context) is kept for it and goes with its next put or delete of
that key, so that a write replaces exactly what its writer had seen (P§4.4).
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
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from urllib.parse import quote, urlencode

CONTEXT = "X-Dynamo-Context"
CONTEXT_ERROR = "X-Dynamo-Context-Error"  # Comes in its place, and says why there is none.
REQUEST_ID = "X-Request-Id"
RETRY_PAUSE_S = 0.05
MOST_CONTEXTS = 4096  # Of a key that was read longest ago it is forgotten: a put reads it again.


class StoreError(Exception):
    """The request was refused, and surely nothing was done. ``status`` is that of HTTP, ``code``
    the error's name: ``too_large``, ``not_a_member``, …; ``unreachable`` if no node listens."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


class Unknown(Exception):
    """No answer, or a 503 or 504: a write may have happened, or happen later. Read before you
    decide, or put again what may stand there twice."""


class Conflict(Exception):
    """The key has siblings. Reconcile ``values``, then put the result: it replaces them all."""

    def __init__(self, key: str, values: list[bytes]) -> None:
        super().__init__(f"{key!r} has {len(values)} siblings; reconcile them and put the result")
        self.key = key
        self.values = values


@dataclass(frozen=True)
class Answer:
    """What a node answered. The names of ``headers`` are in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def code(self) -> str:
        """The error's name; "http" if the body names none."""
        return self._error("code") or "http"

    @property
    def message(self) -> str:
        return self._error("message") or f"status {self.status}"

    def _error(self, part: str) -> str:
        try:
            return str(json.loads(self.body)["error"][part])
        except (ValueError, KeyError, TypeError):
            return ""


@dataclass
class _Node:
    address: str
    connection: http.client.HTTPConnection | None = field(default=None, repr=False)


@dataclass(frozen=True)
class _Request:
    method: str
    path: str
    body: bytes | None
    headers: dict[str, str]

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


class _Unsent(Exception):
    """The request never reached the node, so it may go to another one."""


class _Broken(Exception):
    """The request may have reached the node; there is no answer."""


class Client:
    """Not for several threads at once: give each its own.

    A read is tried at one node after the other. A write that got no answer is tried again at the same
    node only, with the same request id, so that the node need not execute it twice; it goes to
    another node if it was surely not executed (nothing listens, or the node is no member).
    """

    def __init__(
        self,
        nodes: Sequence[str],
        *,
        timeout_s: float = 10.0,
        attempt_s: float = 4.0,
        watch: Callable[[str, str, bytes | None, Answer], None] | None = None,
    ) -> None:
        """``nodes``: addresses "host:port" of their HTTP interface, the preferred one first.
        ``timeout_s``: for one operation, all its attempts together. ``attempt_s``: for one attempt;
        longer than the cluster's ``request_deadline_ms``. ``watch`` sees each method, path, body
        and the answer."""
        if not nodes or isinstance(nodes, str):
            raise ValueError('a client needs a list of addresses, as ["127.0.0.1:8001"]')
        self._nodes = [_Node(address) for address in nodes]
        self._timeout_s = timeout_s
        self._attempt_s = attempt_s
        self._watch = watch
        self._name = secrets.token_hex(8)
        self._sequence = itertools.count(1)
        self._contexts: OrderedDict[str, str] = OrderedDict()
        self._no_context = ""  # Why the last read came without one; empty if it had one.

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
        """Closes the connections; the next operation opens them again."""
        for node in self._nodes:
            _hang_up(node)

    def siblings(self, key: str, *, r: int | None = None) -> list[bytes]:
        """All versions of ``key``: none, one, or several concurrent ones, in any order."""
        answer = self._done(_request("GET", key, {"r": r}))
        if CONTEXT.lower() in answer.headers:
            self._keep(key, answer.headers[CONTEXT.lower()])
        self._no_context = answer.headers.get(CONTEXT_ERROR.lower(), "")
        return values_of(answer.status, answer.body)

    def get(self, key: str, *, r: int | None = None) -> bytes | None:
        """The value, or None if there is none. Raises Conflict if there are several."""
        values = self.siblings(key, r=r)
        if len(values) > 1:
            raise Conflict(key, values)
        return values[0] if values else None

    def put(self, key: str, value: bytes, *, w: int | None = None, blind: bool = False) -> None:
        """Replaces what this client has read of ``key`` since its last write of it. If it has read
        nothing it reads first, and raises Conflict, without a put, if there are siblings: they are
        not thrown away unseen; or StoreError if there is no context that could replace what is there.
        ``blind``: replaces nothing, so that it may become a sibling."""
        if not isinstance(value, bytes):
            raise TypeError(f"a value is bytes, not {type(value).__name__}")
        if not blind and key not in self._contexts:
            self.get(key)
            if self._no_context:
                code, _, message = self._no_context.partition(": ")
                raise StoreError(413, code, message)
        self._write("PUT", key, value, w, None if blind else self._contexts.pop(key, None))

    def delete(self, key: str, *, w: int | None = None) -> None:
        """Deletes what this client has read of ``key`` since its last write of it; if it has read
        nothing, all that the node which executes it holds."""
        self._write("DELETE", key, None, w, self._contexts.pop(key, None))

    def context(self, key: str) -> str | None:
        """What goes with the next put of ``key``: opaque."""
        return self._contexts.get(key)

    def use_context(self, key: str, context: str) -> None:
        """The next put or delete of ``key`` carries this one, which came from elsewhere."""
        self._keep(key, context)

    def _keep(self, key: str, context: str) -> None:
        self._contexts[key] = context
        self._contexts.move_to_end(key)
        if len(self._contexts) > MOST_CONTEXTS:
            self._contexts.popitem(last=False)

    def _write(
        self, method: str, key: str, value: bytes | None, w: int | None, context: str | None
    ) -> None:
        # After the write the context is of the past: what was read before is replaced.
        request = _request(method, key, {"w": w}, value)
        request.headers[REQUEST_ID] = f"{self._name}:1:{next(self._sequence)}"
        if context is not None:
            request.headers[CONTEXT] = context
        try:
            self._done(request)
        except StoreError:
            if context is not None:
                self._keep(key, context)  # nothing was done with it
            raise

    def _done(self, request: _Request) -> Answer:
        """Asks until there is an answer that says what the store did, or time is up."""
        deadline = time.monotonic() + self._timeout_s
        while True:
            last: Exception = Unknown("no node was asked")
            for node in list(self._nodes):
                try:
                    answer = self._tried(node, request, deadline)
                except (_Unsent, _Broken) as error:
                    last = error
                    continue
                if not _may_go_on(request, answer):
                    self._prefer(node)
                    return _judged(request, answer)
                last = _error_of(answer)
            if time.monotonic() + RETRY_PAUSE_S > deadline:
                raise self._given_up(request, last) from last
            time.sleep(RETRY_PAUSE_S)

    def _given_up(self, request: _Request, last: Exception) -> Exception:
        """At the deadline. `last` tells of the last node that was asked."""
        words = f"{request}: no node did it within {self._timeout_s:g} s; the last one: {last}"
        if isinstance(last, _Unsent):
            return StoreError(503, "unreachable", words)
        return StoreError(last.status, last.code, words) if isinstance(last, StoreError) else Unknown(words)

    def _tried(self, node: _Node, request: _Request, deadline: float) -> Answer:
        """The answer of one node. A write that may have been sent is stuck to this node."""
        sent = False
        while True:
            try:
                return self._exchanged(node, request, deadline)
            except _Broken as error:
                if request.method == "GET":
                    raise
                sent, why = True, error
            except _Unsent as error:
                if not sent:
                    raise
                why = _Broken(str(error))
            if time.monotonic() + RETRY_PAUSE_S > deadline:
                raise Unknown(f"{request} may have happened: {why}") from why
            time.sleep(RETRY_PAUSE_S)

    def _exchanged(self, node: _Node, request: _Request, deadline: float) -> Answer:
        left_s = min(self._attempt_s, deadline - time.monotonic())
        if left_s <= 0:
            raise _Unsent(f"{node.address} was not asked: time is up")
        if node.connection is not None and not _still_open(node.connection):
            _hang_up(node)
        try:
            connection = node.connection or _connect(node, left_s)
        except OSError as error:
            raise _Unsent(f"{node.address}: {error}") from error
        connection.sock.settimeout(left_s)
        try:
            connection.request(request.method, request.path, request.body, request.headers)
            response = connection.getresponse()
            body = response.read()
        except (OSError, http.client.HTTPException) as error:
            _hang_up(node)
            raise _Broken(f"{node.address}: {error or type(error).__name__}") from error
        headers = {name.lower(): value for name, value in response.getheaders()}
        if headers.get("connection", "").lower() == "close":
            _hang_up(node)
        answer = Answer(response.status, headers, body)
        if self._watch is not None:
            self._watch(request.method, request.path, request.body, answer)
        return answer

    def _prefer(self, node: _Node) -> None:
        """Who has answered is asked first next time."""
        self._nodes.remove(node)
        self._nodes.insert(0, node)


def _request(
    method: str, key: str, query: dict[str, int | None], body: bytes | None = None
) -> _Request:
    given = {name: value for name, value in query.items() if value is not None}
    path = "/kv/" + quote(key, safe="") + ("?" + urlencode(given) if given else "")
    return _Request(method, path, body, {})


def _connect(node: _Node, timeout_s: float) -> http.client.HTTPConnection:
    connection = http.client.HTTPConnection(node.address, timeout=timeout_s)
    connection.connect()
    connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    node.connection = connection
    return connection


def _still_open(connection: http.client.HTTPConnection) -> bool:
    """A kept connection that the node has closed meanwhile has an end to be read, or an error."""
    connection.sock.settimeout(0)
    try:
        connection.sock.recv(1, socket.MSG_PEEK)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def _hang_up(node: _Node) -> None:
    if node.connection is not None:
        with contextlib.suppress(OSError):
            node.connection.close()
    node.connection = None


def _may_go_on(request: _Request, answer: Answer) -> bool:
    """May the request go to the next node?"""
    if answer.status not in (503, 504):
        return False
    return request.method == "GET" or answer.code == "not_a_member"


def _judged(request: _Request, answer: Answer) -> Answer:
    absent = answer.status == 404 and request.method == "GET"
    if answer.status in (200, 204, 300) or absent:
        return answer
    raise _error_of(answer)


def _error_of(answer: Answer) -> Exception:
    if answer.status in (503, 504) and answer.code != "not_a_member":
        return Unknown(answer.message)
    return StoreError(answer.status, answer.code, answer.message)


def values_of(status: int, body: bytes) -> list[bytes]:
    """The values in the answer to a GET: none with 404, all siblings with 300."""
    if status == 404:
        return []
    if status == 300:
        return [_bytes_of(one) for one in json.loads(body)["siblings"]]
    return [body]


def _bytes_of(sibling: dict[str, str]) -> bytes:
    if "text" in sibling:
        return sibling["text"].encode()
    return base64.b64decode(sibling["base64"], validate=True)
