"""The client of the store: what it sends and when it tries again, and a real node at the other end."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from dynamolab import Client, Conflict, StoreError, Unknown, store
from dynamolab.cluster import Cluster
from dynamolab.cluster.ports import reserve_ports
from real_nodes import Programs, programs

__all__ = ["programs"]

# What a scripted node does with a request: status, body, headers; or one of these.
HANG_UP = "hang up"  # Takes the request and closes the connection.
SILENT = "silent"  # Takes the request and never answers.
CLOSE = {"Connection": "close"}

Step = Any
DONE: Step = (204, b"", {})


def error(status: int, code: str) -> Step:
    return (status, json.dumps({"error": {"code": code, "message": f"it is {code}"}}).encode(), {})


def value(body: bytes, context: str = "seen") -> Step:
    return (200, body, {store.CONTEXT: context})


class Scripted:
    """A node that follows a script; the last step is repeated."""

    def __init__(self) -> None:
        self.script: list[Step] = []
        self.seen: list[tuple[str, str, bytes, dict[str, str]]] = []
        self.connections = 0
        self._over = threading.Event()
        node = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self) -> None:
                super().setup()
                node.connections += 1

            def answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
                headers = {name.lower(): text for name, text in self.headers.items()}
                node.seen.append((self.command, self.path, body, headers))
                step = node.script.pop(0) if len(node.script) > 1 else node.script[0]
                if step is SILENT:
                    node._over.wait(60)
                if step in (SILENT, HANG_UP):
                    self.close_connection = True
                    return
                status, data, more = step
                self.send_response(status)
                if status != 204:
                    self.send_header("Content-Length", str(len(data)))
                for name, text in more.items():
                    self.send_header(name, text)
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_PUT = do_DELETE = answer

            def log_message(self, *_words: Any) -> None:
                """Says nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.address = f"127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def does(self, *steps: Step) -> Scripted:
        self.script = list(steps)
        return self

    def close(self) -> None:
        self._over.set()
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def make_node() -> Iterator[Callable[..., Scripted]]:
    made: list[Scripted] = []

    def make(*steps: Step) -> Scripted:
        made.append(Scripted().does(*steps))
        return made[-1]

    yield make
    for one in made:
        one.close()


MakeNode = Callable[..., Scripted]


def test_put_reads_first_and_sends_the_context_back(make_node: MakeNode) -> None:
    node = make_node(value(b"milk", "c1"), DONE, DONE, value(b"eggs", "c2"), DONE)
    with Client([node.address]) as client:
        client.put("a/b ü", b"\x00\xff")
        client.delete("a/b ü")
        assert client.get("a/b ü") == b"eggs"
        client.put("a/b ü", b"")
    methods = [(method, path, body) for method, path, body, _ in node.seen]
    path = "/kv/a%2Fb%20%C3%BC"
    assert methods[0] == ("GET", path, b"")
    assert methods[1] == ("PUT", path, b"\x00\xff")
    assert node.seen[1][3]["x-dynamo-context"] == "c1"
    assert "x-dynamo-context" not in node.seen[2][3], "a delete without a read leaves it to the node"
    ids = [headers["x-request-id"] for method, _, _, headers in node.seen if method != "GET"]
    assert len(set(ids)) == len(ids) == 3
    assert node.connections == 1, "kept alive"


def test_siblings_are_a_conflict_until_they_are_reconciled(make_node: MakeNode) -> None:
    both = json.dumps({"siblings": [{"text": "grüß"}, {"base64": "/wE="}]}).encode()
    three = (300, both, {store.CONTEXT: "c"})
    node = make_node(three, three, DONE)
    with Client([node.address]) as client:
        with pytest.raises(Conflict) as conflict:
            client.put("cart", b"unseen siblings are not thrown away")
        assert conflict.value.values == ["grüß".encode(), b"\xff\x01"]
        assert client.siblings("cart") == conflict.value.values
        client.put("cart", b"merged")
        assert node.seen[-1][3]["x-dynamo-context"] == "c"
        client.put("cart", b"blind", blind=True)
        assert "x-dynamo-context" not in node.seen[-1][3]


def test_absent_is_none_and_its_context_is_kept(make_node: MakeNode) -> None:
    gone = (404, error(404, "not_found")[1], {store.CONTEXT: "tombstone"})
    node = make_node(gone, DONE)
    with Client([node.address]) as client:
        assert client.get("cart") is None
        client.put("cart", b"milk")
    assert node.seen[1][3]["x-dynamo-context"] == "tombstone"


@pytest.mark.parametrize("trouble", [HANG_UP, error(503, "unavailable"), error(504, "timed_out")])
def test_read_goes_on_to_the_next_node(make_node: MakeNode, trouble: Step) -> None:
    first, second = make_node(trouble), make_node(value(b"milk"))
    with Client([first.address, second.address]) as client:
        assert client.get("cart") == b"milk"
        assert client.get("cart") == b"milk"
    assert len(first.seen) == 1, "the node that answered is asked first from then on"


def test_read_does_not_wait_for_ever_for_a_silent_node(make_node: MakeNode) -> None:
    first, second = make_node(SILENT), make_node(value(b"milk"))
    with Client([first.address, second.address], attempt_s=0.2) as client:
        assert client.get("cart") == b"milk"


def test_write_without_an_answer_is_repeated_at_the_same_node_with_the_same_id(
    make_node: MakeNode,
) -> None:
    first, second = make_node(HANG_UP, HANG_UP, DONE), make_node(DONE)
    with Client([first.address, second.address]) as client:
        client.put("cart", b"milk", blind=True)
    assert len(first.seen) == 3
    assert len({headers["x-request-id"] for *_, headers in first.seen}) == 1
    assert second.seen == []


def test_write_that_may_have_happened_is_unknown(make_node: MakeNode) -> None:
    first, second = make_node(HANG_UP), make_node(DONE)
    with Client([first.address, second.address], timeout_s=0.3) as client:
        with pytest.raises(Unknown, match="may have happened"):
            client.put("cart", b"milk", blind=True)
    assert second.seen == []
    for status, code in [(503, "unavailable"), (504, "timed_out")]:
        third = make_node(error(status, code))
        with Client([third.address, second.address]) as client:
            with pytest.raises(Unknown, match=f"it is {code}"):
                client.delete("cart")
        assert len(third.seen) == 1
    assert second.seen == []


def test_write_goes_to_another_node_if_it_was_surely_not_executed(make_node: MakeNode) -> None:
    (closed,) = reserve_ports(1)
    stranger, member = make_node(error(503, "not_a_member")), make_node(DONE)
    with Client([closed.address, stranger.address, member.address]) as client:
        client.put("cart", b"milk", blind=True)
    assert (len(stranger.seen), len(member.seen)) == (1, 1)
    with Client([closed.address, stranger.address], timeout_s=0.2) as client:
        with pytest.raises(StoreError) as nobody:
            client.put("cart", b"milk", blind=True)
        assert nobody.value.code == "not_a_member"
    with Client([closed.address], timeout_s=0.2) as client:
        with pytest.raises(StoreError) as nobody:
            client.put("cart", b"milk", blind=True)
        assert nobody.value.code == "unreachable"
    closed.close()


def test_connection_that_the_node_closed_between_two_requests_is_opened_again(
    make_node: MakeNode,
) -> None:
    node = make_node((200, b"milk", {store.CONTEXT: "c", **CLOSE}), DONE, HANG_UP, DONE)
    with Client([node.address]) as client:
        client.get("cart")
        client.put("cart", b"eggs")
    assert (len(node.seen), node.connections) == (2, 2)


def test_refusal_is_an_error_and_the_context_is_still_good(make_node: MakeNode) -> None:
    node = make_node(value(b"milk", "c1"), error(413, "too_large"), DONE)
    with Client([node.address]) as client:
        client.get("cart")
        with pytest.raises(StoreError) as refused:
            client.put("cart", b"large")
        assert (refused.value.status, refused.value.code) == (413, "too_large")
        client.put("cart", b"small")
    assert node.seen[2][3]["x-dynamo-context"] == "c1"
    with pytest.raises(TypeError):
        client.put("cart", "text")  # type: ignore[arg-type]
    with pytest.raises(ValueError):
        Client([])


def test_put_of_a_key_without_a_context_is_no_blind_put(make_node: MakeNode) -> None:
    old = (200, b"old", {store.CONTEXT_ERROR: "too_large: the context would be too long"})
    node = make_node(old, old, DONE)
    with Client([node.address]) as client:
        assert client.get("k") == b"old"
        with pytest.raises(StoreError, match="the context would be too long") as refused:
            client.put("k", b"new")
        assert (refused.value.status, refused.value.code) == (413, "too_large")
        assert [seen[0] for seen in node.seen] == ["GET", "GET"]
        client.put("k", b"new", blind=True)


def test_contexts_do_not_pile_up(make_node: MakeNode, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "MOST_CONTEXTS", 2)
    node = make_node(value(b"milk"))
    with Client([node.address]) as client:
        for key in ["a", "b", "a", "c"]:
            client.get(key)
        assert [client.context(key) for key in "abc"] == ["seen", None, "seen"]


def test_with_real_nodes(programs: Programs) -> None:
    every = bytes(range(256))
    with Cluster(node=programs.node, faultnet=programs.faultnet, size=3) as cluster:
        cluster.form()
        addresses = [cluster.process(name).http_port.address for name in cluster.names]
        with Client(addresses) as one, Client(addresses[::-1]) as other:
            assert one.get("cart") is None
            one.put("cart", b"milk")
            # The same coordinator wrote both, so the second replaces the first.
            assert one.get("cart") == b"milk"
            one.put("cart", every)
            cluster.wait_for("n3 reads it", lambda: other.siblings("cart"), lambda v: v == [every])
            one.get("cart")
            other.get("cart")
            one.put("cart", b"of one")
            other.put("cart", every)
            found = cluster.wait_for(
                "both are siblings", lambda: one.siblings("cart"), lambda v: len(v) == 2
            )
            assert sorted(found) == [every, b"of one"]
            cluster.kill("n1")
            one.put("cart", b"both")
            assert one.get("cart") == b"both"
            one.delete("cart")
            cluster.wait_for("it is gone", lambda: one.siblings("cart"), lambda v: v == [])
            with pytest.raises(StoreError, match="must be 1 to 3") as refused:
                one.get("cart", r=4)
            assert refused.value.status == 400
