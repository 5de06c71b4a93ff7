"""The page's server: on loopback, for who has the token, and for no other page.

The first address carries the token; it is put into a cookie that no other site's page sends along. Every
request must have the cookie and a Host of ours (a name that somebody lets point here is none), and a
question that does something must come from our own page (Origin).
"""

from __future__ import annotations

import hmac
import json
import secrets
import socket
import sys
import threading
from collections.abc import Callable, Mapping
from http import HTTPStatus
from http.cookies import CookieError, SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from .. import drawing
from .feed import Feed
from .session import Refused

LOOPBACK = "127.0.0.1"
PAGE = Path(__file__).with_name("page")
TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".json": "application/json"}
LONGEST_QUESTION_BYTES = 1 << 20
BEAT_S = 5.0  # A stream says that it lives, so that a page sees when it does not.
POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:"

Answers = Mapping[str, Callable[[Mapping[str, Any]], Any]]


class PlayServer:
    """A context manager. ``questions``: what POST /NAME does, with the JSON of the body; ``looks``: what
    GET /NAME gives, with the query. Each returns JSON, or raises Refused."""

    def __init__(self, feed: Feed, questions: Answers, looks: Answers, port: int = 0) -> None:
        self.feed = feed
        self.questions = questions
        self.looks = looks
        self.token = secrets.token_urlsafe(24)
        self._http = _Server((LOOPBACK, port), _Handler)
        self._http.play = self
        self.port = int(self._http.server_address[1])
        self.hosts = {f"{name}:{self.port}" for name in (LOOPBACK, "localhost")}
        self.cookie = f"play-{self.port}"
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True)

    @property
    def address(self) -> str:
        """For the browser, with the token."""
        return f"http://{LOOPBACK}:{self.port}/?token={self.token}"

    def __enter__(self) -> PlayServer:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join(5)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False  # A stream ends with the feed.
    play: PlayServer

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A page that goes away in the middle is no error of ours; anything else is told."""
        if not isinstance(sys.exc_info()[1], (OSError, EOFError)):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server
    timeout = 60.0

    def setup(self) -> None:
        super().setup()
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def log_message(self, *_words: Any) -> None:
        """Nothing goes to the terminal."""

    @property
    def _play(self) -> PlayServer:
        return self.server.play

    # What may be asked.

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        if not self._host_is_ours():
            return
        if url.path == "/" and "token" in query:
            return self._enter(query["token"])
        if not self._has_token():
            return
        if url.path == "/events":
            return self._stream()
        if look := self._play.looks.get(url.path[1:]):
            return self._answer(look, query)
        self._file(url.path)

    def do_POST(self) -> None:
        if not (self._host_is_ours() and self._has_token() and self._page_is_ours()):
            return
        question = self._play.questions.get(self.path[1:])
        if question is None:
            return self._refuse(HTTPStatus.NOT_FOUND, "there is nothing of this name")
        try:
            length = int(self.headers.get("Content-Length", ""))
        except ValueError:
            return self._refuse(HTTPStatus.LENGTH_REQUIRED, "say how long the question is")
        if not 0 <= length <= LONGEST_QUESTION_BYTES:
            return self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "the question is too long")
        try:
            asked = json.loads(self.rfile.read(length))
        except ValueError:
            return self._refuse(HTTPStatus.BAD_REQUEST, "the question is no JSON")
        if not isinstance(asked, dict):
            return self._refuse(HTTPStatus.BAD_REQUEST, "the question is no object")
        self._answer(question, asked)

    def _host_is_ours(self) -> bool:
        if self.headers.get("Host") in self._play.hosts:
            return True
        self._refuse(HTTPStatus.FORBIDDEN, "this is not the name of this machine's loopback")
        return False

    def _page_is_ours(self) -> bool:
        origin = self.headers.get("Origin", "")
        if origin.removeprefix("http://") == self.headers.get("Host") and origin.startswith("http://"):
            return True
        self._refuse(HTTPStatus.FORBIDDEN, "only the playground's own page may ask that")
        return False

    def _has_token(self) -> bool:
        try:
            said = SimpleCookie(self.headers.get("Cookie", "")).get(self._play.cookie)
        except CookieError:
            said = None
        if said is not None and _same(said.value, self._play.token):
            return True
        self._refuse(
            HTTPStatus.FORBIDDEN, "open the address that ./lab play printed: it has the token of this session"
        )
        return False

    # Answers.

    def _enter(self, token: str) -> None:
        """The token moves into a cookie, so that it stands in no address and no history."""
        if not _same(token, self._play.token):
            return self._refuse(HTTPStatus.FORBIDDEN, "this token is of another session; start again")
        self.send_response(HTTPStatus.SEE_OTHER)
        cookie = f"{self._play.cookie}={self._play.token}; HttpOnly; SameSite=Strict; Path=/"
        self.send_header("Set-Cookie", cookie)
        self.send_header("Location", "/")
        self.send_header("Referrer-Policy", "no-referrer")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _file(self, path: str) -> None:
        name = "/index.html" if path == "/" else path
        folder, _, file = name[1:].rpartition("/")
        place = {"": PAGE, "drawing": drawing.FOLDER}.get(folder)
        found = place / file if place is not None else None
        known = found is not None and found.suffix in TYPES and found.parent in (PAGE, drawing.FOLDER)
        if not known or found is None or not found.is_file():
            return self._refuse(HTTPStatus.NOT_FOUND, "there is nothing of this name")
        self._send(HTTPStatus.OK, TYPES[found.suffix], found.read_bytes())

    def _answer(self, question: Callable[[Mapping[str, Any]], Any], asked: Mapping[str, Any]) -> None:
        try:
            self._json(HTTPStatus.OK, question(asked))
        except Refused as refused:
            self._refuse(HTTPStatus.CONFLICT, str(refused))

    def _refuse(self, status: HTTPStatus, words: str) -> None:
        self.close_connection = True  # What was sent with it stays unread.
        self._json(status, {"error": words})

    def _json(self, status: HTTPStatus, content: Any) -> None:
        self._send(status, "application/json", json.dumps(content).encode())

    def _send(self, status: HTTPStatus, kind: str, content: bytes) -> None:
        self.send_response(status)
        self._headers(f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(content)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(content)

    def _headers(self, kind: str) -> None:
        self.send_header("Content-Type", kind)
        self.send_header("Cache-Control", "no-store")
        self.send_header("Content-Security-Policy", POLICY)
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Referrer-Policy", "no-referrer")

    def _stream(self) -> None:
        """Server-sent events, until one of us ends."""
        self.close_connection = True
        self.send_response(HTTPStatus.OK)
        self._headers("text/event-stream")
        self.end_headers()
        with self._play.feed.listen() as following:
            while True:
                message = following(BEAT_S)
                self.wfile.write(b": alive\n\n" if message is None else _event(message))


def _event(message: Mapping[str, Any]) -> bytes:
    return b"data: " + json.dumps(message, separators=(",", ":")).encode() + b"\n\n"


def _same(said: str, wanted: str) -> bool:
    return hmac.compare_digest(said.encode("utf-8", "replace"), wanted.encode())
