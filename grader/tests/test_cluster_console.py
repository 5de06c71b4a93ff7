"""The operator's console: its commands on a fake cluster, and on a real one through `./lab`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from dynamolab.cluster import state
from dynamolab.cluster.console import run as run_console
from dynamolab.cluster.operations import Operator, Refused, nodes_of_peers_file
from dynamolab.errors import LabError

VIEW = {"self": "n1", "incarnation": 1, "member": True, "members": ["n1", "n2"], "suspects": ["n2"]}
RING = {"q": 4, "n": 2, "owners": ["n1", "n2", "n1", "n2"]}
EVENT = {
    "subject": "n1",
    "change": "join",
    "version": {"counter": 1, "node": "n1", "incarnation": 9},
}
ANSWERS: dict[str, tuple[int, Any]] = {
    "GET /admin/view": (200, {**VIEW, "view": []}),
    "GET /admin/history": (200, {"digest": "abcdef0123", "events": [EVENT]}),
    "GET /admin/ring": (200, RING),
    "GET /admin/ring?key=cart%2F1": (
        200,
        {
            "key": "cart/1",
            "hash": "e0a5aa3bac58015d",
            "vnode": 3,
            "preference_list": ["n2", "n1"],
            "active_list": [{"host": "n1", "stands_in_for": "n2"}],
        },
    ),
    "POST /admin/members/n2": (
        409,
        {"error": {"code": "already_exists", "message": "n2 is a member already"}},
    ),
    "DELETE /admin/members/n2": (200, {"done": True}),
}


class FakeNode(BaseHTTPRequestHandler):
    """Answers as n1 of a cluster whose n2 is dead."""

    token = ""  # Not empty: who does not show it is turned away, as by a node that is open to a network.

    def answer(self) -> None:
        status, body = ANSWERS[f"{self.command} {self.path}"]
        if self.token and self.headers["Authorization"] != f"Bearer {self.token}":
            status, body = 401, {"error": {"code": "unauthorized", "message": "give the token"}}
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = do_DELETE = answer

    def log_message(self, *_words: Any) -> None:
        """Says nothing."""


@pytest.fixture
def nodes() -> Iterator[dict[str, str]]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), FakeNode)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield {"n1": f"127.0.0.1:{server.server_port}", "n2": "127.0.0.1:1"}
    server.shutdown()
    server.server_close()


def test_members_marks_who_is_suspected(nodes: dict[str, str]) -> None:
    shown = Operator(nodes).execute("members").splitlines()
    assert shown[0] == "2 members, as n1 sees them:"
    assert shown[1].split() == ["n1", "asked"]
    assert shown[2].split() == ["n2", "suspected"]


def test_ring_draws_shares(nodes: dict[str, str]) -> None:
    shown = Operator(nodes).execute("ring").splitlines()
    assert shown[1].split()[:3] == ["n1", "2", "50.0%"]
    assert "█" * 20 in shown[1]


def test_key_names_the_stand_in_and_its_hash(nodes: dict[str, str]) -> None:
    shown = Operator(nodes).execute("key cart/1")
    assert "e0a5aa3bac58015d" in shown
    assert "preference list  n2 → n1" in shown
    assert "n1 (for n2)" in shown


def test_views_stand_side_by_side_and_a_dead_node_is_no_error(nodes: dict[str, str]) -> None:
    shown = Operator(nodes).execute("views").splitlines()
    assert shown[0].split() == ["node", "member", "sees", "suspects", "events", "history"]
    assert shown[1].split() == ["n1", "yes", "n1", "n2", "n2", "1", "abcdef01"]
    assert shown[2].split() == ["n2", "no", "answer"]


def test_history_and_suspects(nodes: dict[str, str]) -> None:
    operator = Operator(nodes)
    assert "1  n1 joins   (made on n1, disk 9)" in operator.execute("history")
    assert "n2: gives no answer" in operator.execute("suspects")


def test_changes_tell_what_was_done_or_why_not(nodes: dict[str, str]) -> None:
    operator = Operator(nodes)
    assert "remove n2 is done" in operator.execute("remove n2")
    with pytest.raises(Refused, match="409 already_exists: n2 is a member already"):
        operator.execute("add n2")


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("memers", "did you mean members"),
        ("add", "add takes one NODE"),
        ("add n1 n2", "add takes one NODE"),
        ("ring n1", "ring takes nothing"),
        ("add n9", "no node is called 'n9'"),
        ("use n9", "no node is called 'n9'"),
    ],
)
def test_mistakes_are_explained(nodes: dict[str, str], line: str, told: str) -> None:
    with pytest.raises(Refused, match=told):
        Operator(nodes).execute(line)


def test_a_dead_cluster_is_said(nodes: dict[str, str]) -> None:
    operator = Operator({"n2": nodes["n2"]})
    with pytest.raises(Refused, match="no node answers"):
        operator.execute("members")


def test_help_names_every_command(nodes: dict[str, str]) -> None:
    operator = Operator(nodes)
    shown = operator.execute("help")
    assert all(name in shown for name in operator.verbs)


def test_the_operator_s_token_is_shown_to_nodes_that_want_one(
    nodes: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FakeNode, "token", "0123456789abcdef")
    assert Operator(nodes, "0123456789abcdef").execute("members").startswith("2 members")
    with pytest.raises(Refused, match="unauthorized"):
        Operator(nodes).execute("remove n2")


def test_a_refused_line_makes_the_exit_code_1_and_the_rest_still_runs(
    nodes: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_console(nodes, ["nonsense", "members", "quit", "never"]) == 1
    said = capsys.readouterr()
    assert "there is no command 'nonsense'" in said.err
    assert "2 members" in said.out
    assert run_console(nodes, ["use n1", "members"]) == 0


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", "no JSON"),
        ("{}", "nodes: expected"),
        ('{"nodes": {"n1": {"http": "here"}}}', "nodes.n1.http: expected an address"),
        ('{"nodes": {"n1": {"http": "127.0.0.1:0"}}}', "nodes.n1.http: expected an address"),
    ],
)
def test_a_wrong_peers_file_names_file_and_field(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "peers.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(LabError, match=told) as error:
        nodes_of_peers_file(path)
    assert str(path) in str(error.value)


def test_a_state_file_of_a_dead_cluster_says_nothing(tmp_path: Path) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait(30)
    for text in ["", "{", "[]", '{"pid": 1}']:
        (tmp_path / state.STATE_FILE).write_text(text, encoding="utf-8")
        assert state.find_running(tmp_path) is None
    dead = state.Running(ended.pid, str(tmp_path / "control"), "reference", {"n1": "127.0.0.1:1"})
    state.write_state(tmp_path / state.STATE_FILE, dead)
    assert state.find_running(tmp_path) is None
    with pytest.raises(LabError, match="cluster up"):
        state.need_running(tmp_path)
    assert not state.is_alive(ended.pid)
    assert state.is_alive(os.getpid())
