"""The playground's parts: who may ask its server, what is told and recorded, what a session refuses."""

from __future__ import annotations

import argparse
import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from real_nodes import GONE_S, Programs, processes_that_mention, programs
from real_nodes import soon as gone
from viewer_samples import handoff_trace, ring_trace, small_trace

from dynamolab import plan_replay
from dynamolab.cluster.plan import read_plan
from dynamolab.commands import play
from dynamolab.errors import LabError
from dynamolab.paths import ROOT
from dynamolab.play import measuring, playground
from dynamolab.play.feed import Feed, read_recording
from dynamolab.play.server import PlayServer
from dynamolab.play.session import Refused

__all__ = ["programs"]

SETTLE_S = 30.0


@pytest.fixture
def server() -> Iterator[PlayServer]:
    def act(question: Mapping[str, Any]) -> dict[str, Any]:
        if question.get("act") == "wrong":
            raise Refused("that makes no sense")
        return {"done": f"did {question['act']}"}

    with Feed() as feed, PlayServer(feed, {"act": act}, {"plan": lambda query: {"asked": query}}) as serving:
        yield serving


def asked(
    server: PlayServer, path: str, question: bytes | None = None, **headers: str
) -> tuple[int, dict[str, str], bytes]:
    """With the cookie and the names of the page's own, unless `headers` say otherwise."""
    ours = f"http://127.0.0.1:{server.port}"
    sent = {"Cookie": f"{server.cookie}={server.token}", "Host": ours[7:]}
    if question is not None:
        sent["Origin"] = ours
    sent |= {name.replace("_", "-").title(): value for name, value in headers.items()}
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    connection.request("GET" if question is None else "POST", path, question, sent)
    response = connection.getresponse()
    got = response.status, {name.lower(): value for name, value in response.getheaders()}, response.read()
    connection.close()
    return got


def test_the_address_with_the_token_leads_in_and_sets_a_cookie_that_stays_here(server: PlayServer) -> None:
    status, headers, _ = asked(server, f"/?token={server.token}", cookie="")
    assert (status, headers["location"]) == (303, "/")
    assert server.token in headers["set-cookie"]
    for flag in ("HttpOnly", "SameSite=Strict"):
        assert flag in headers["set-cookie"]
    assert asked(server, "/?token=guessed", cookie="")[0] == 403
    status, headers, page = asked(server, "/")
    assert status == 200 and b"<title>Dynamo playground" in page
    assert "script-src 'self'" in headers["content-security-policy"]


@pytest.mark.parametrize(
    "headers",
    [
        {"cookie": ""},
        {"cookie": "play-1=x"},
        {"host": "evil.example"},
        {"host": "evil.example:80"},
        {"host": "127.0.0.1"},
    ],
)
def test_without_token_or_under_another_name_nothing_is_given(
    server: PlayServer, headers: dict[str, str]
) -> None:
    for path in ("/", "/main.js", "/plan", "/events"):
        assert asked(server, path, **headers)[0] == 403, path
    assert asked(server, "/act", b'{"act": "kill"}', **headers)[0] == 403


def test_another_page_may_not_ask(server: PlayServer) -> None:
    assert asked(server, "/act", b'{"act": "kill"}')[0] == 200
    others = [f"https://127.0.0.1:{server.port}", f"http://localhost:{server.port}", "http://evil.example"]
    for origin in ("", "null", *others):
        assert asked(server, "/act", b'{"act": "kill"}', origin=origin)[0] == 403, origin


def test_questions_that_are_none_are_refused_with_words(server: PlayServer) -> None:
    for path, question, status in [
        ("/act", b"{", 400),
        ("/act", b"[]", 400),
        ("/act", b'{"act": "wrong"}', 409),
        ("/nothing", b"{}", 404),
    ]:
        got, _, body = asked(server, path, question)
        assert got == status and json.loads(body)["error"], (path, question)
    assert asked(server, "/act", b"{}", content_length=str(2 << 20))[0] == 413
    assert asked(server, "/act", b"{}", content_length="x")[0] == 411


def test_only_files_of_the_page_are_given(server: PlayServer) -> None:
    assert asked(server, "/drawing/rings.js")[0] == 200
    others = ("/server.py", "/../server.py", "/drawing/../play/server.py", "/drawing/__init__.py")
    for path in (*others, "//etc/passwd"):
        assert asked(server, path)[0] == 404, path


def test_who_listens_later_hears_the_last_of_each_state(tmp_path: Path) -> None:
    file = tmp_path / "session.jsonl"
    with Feed(file) as feed:
        feed.tell("hello", live=True)
        for number in (1, 1, 2):
            feed.tell("load", rate=number)
        feed.tell("flows", flows=[])
        with feed.listen() as following:
            heard = [following(1), following(1), following(0.01)]
            assert [message and message["kind"] for message in heard] == ["hello", "load", None]
            assert heard[1] is not None and heard[1]["rate"] == 2
            feed.tell("log", words="x", good=True)
            assert (following(1) or {})["words"] == "x"
    told = read_recording(file)
    kinds = [message["kind"] for message in told]
    assert kinds == ["hello", "load", "load", "flows", "log"], "no state twice"
    with file.open("a") as torn:
        torn.write('{"t": 1, "ki')
    assert len(read_recording(file)) == 5, "the harness was killed while it wrote"


def test_a_recording_that_is_none_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "session.jsonl"
    late = '{"t":1,"kind":"load"}\n'
    for text, told in [("x\n", ":1: is no line"), ("", "does not begin"), (late, "does not begin")]:
        file.write_text(text)
        with pytest.raises(LabError, match=told):
            read_recording(file)
    with pytest.raises(LabError, match="cannot be read"):
        read_recording(tmp_path / "absent")


def test_a_trace_and_a_failure_of_real_processes_become_sessions(tmp_path: Path) -> None:
    trace = tmp_path / "x.trace.jsonl"
    trace.write_text("".join(json.dumps(step) + "\n" for step in [*small_trace(), *ring_trace()[-3:]]))
    told = playground.session_in(trace).messages
    assert told[0]["kind"] == "hello" and told[0]["nodes"] == ["n1", "n2"]
    flows = [flow for message in told if message["kind"] == "flows" for flow in message["flows"]]
    assert ["n1", "n2", "Update", False, "send", 1] in flows
    assert ["n2", "n1", "Update", True, "drop", 1] in flows, "nobody received the answer"
    states = [row["state"] for row in next(m for m in reversed(told) if m["kind"] == "nodes")["nodes"]]
    assert states == ["down", "down"], "n1 was killed, n2 has not started"
    assert [ring["nodes"] for ring in told[-1]["rings"]] == [["n1", "n2"], ["n3"]]
    replay = tmp_path / "x.replay.json"
    replay.write_text("{}")
    assert playground.session_in(replay).messages == told
    trace.rename(tmp_path / "y")
    with pytest.raises(LabError, match=r"no trace beside it; ./lab replay"):
        playground.session_in(replay)


def test_of_a_trace_come_suspicions_whom_hints_are_for_rings_and_steps(tmp_path: Path) -> None:
    trace = tmp_path / "x.trace.jsonl"
    trace.write_text("".join(json.dumps(step) + "\n" for step in handoff_trace()))
    recorded = playground.session_in(trace)

    def at(t: int, kind: str) -> dict[str, Any]:
        return [one for one in recorded.messages if one["kind"] == kind and one["t"] <= t][-1]

    def row(t: int, name: str) -> dict[str, Any]:
        return next(one for one in at(t, "nodes")["nodes"] if one["name"] == name)

    assert row(20, "n2")["members"] == ["n1", "n2", "n3"], "in a space of the solution's own"
    assert [row(t, "n1")["suspects"] for t in (339, 340, 910)] == [[], ["n3"], []]
    assert row(500, "n2")["kept"] == [{"key": "cart", "owner": "n3"}]
    rings = [[(ring["nodes"], ring["owners"][:3]) for ring in at(t, "rings")["rings"]] for t in (1, 10, 20)]
    assert rings[:2] == [[(["n1"], ["n1"] * 3)], [(["n1"], ["n1", "n2", "n3"])]]
    assert rings[2] == [(["n1", "n2"], ["n1", "n2", "n3"])]
    assert at(30, "key")["list"] == ["n1", "n2", "n3"], "by the ring of then"
    look = recorded.steps.look(most=2, until_ms=361)
    assert [step["words"] for step in look["steps"]] == ["n2 gets it", "n2 writes"]
    assert recorded.steps.look(most=3, until_ms=361)["arrows"] == [[0, 1]]


def test_a_failure_of_real_processes_opens_by_the_file_that_it_names(tmp_path: Path) -> None:
    file, trace = tmp_path / "replay.json", tmp_path / "trace-of-nodes.jsonl"
    story = "  1. n1 starts\n  expected: <milk>\n  actual:   nothing\n  last lines of n1:\n    ready"
    file.write_text(json.dumps({"check": "quorum.sample", "kind": "cluster", "message": story}))
    trace.write_text("".join(json.dumps(step) + "\n" for step in small_trace()))
    arguments = argparse.Namespace(file=file)
    told = "expected: <milk>\nactual:   nothing"
    assert play.to_play_back(arguments) == (trace, told)
    last = playground.session_in(trace, told).messages[-1]
    assert (last["kind"], last["words"]) == ("trouble", told), "at its end"
    file.write_text(json.dumps({"nodes": ["n1"], "actions": []}))
    with pytest.raises(LabError, match="is a fault plan; ./lab replay"):
        play.to_play_back(arguments)


def test_updates_are_counted_as_a_page_hears_them(programs: Programs) -> None:
    kept = measuring.keeps_up(programs.node, programs.faultnet, size=2, rate=20, seconds=1.0)
    assert 0 < kept.updates <= 40 and kept.messages > 0 and kept.forgotten == 0


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGHUP, signal.SIGKILL])
def test_nothing_stays_behind(programs: Programs, tmp_path: Path, how: signal.Signals) -> None:
    command = [sys.executable, "-P", "-m", "dynamolab", "play", "--no-browser", "-n", "2"]
    command += ["--node", str(programs.node), "--faultnet", str(programs.faultnet)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "grader"), "TMPDIR": str(tmp_path)}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    try:
        assert process.stdout is not None
        address = next(line.strip() for line in process.stdout if line.strip().startswith("http"))
        assert address.startswith("http://127.0.0.1:") and "?token=" in address
        assert any("--data" in line for line in processes_that_mention(str(tmp_path)))
        process.send_signal(how)  # Ctrl-C, a terminal that is closed, and kill -9.
        assert process.wait(GONE_S) == (128 + how if how != signal.SIGKILL else -how)
        process.stdout.close()
    finally:
        process.kill()
        process.wait()
    assert gone(lambda: not processes_that_mention(str(tmp_path)))
    assert gone(lambda: not list(tmp_path.iterdir()))


def soon(condition: Any) -> None:
    until = time.monotonic() + SETTLE_S
    while not condition():
        assert time.monotonic() < until, "it never came true"
        time.sleep(0.05)


def test_acts_are_done_and_told_and_make_a_plan(
    programs: Programs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = tmp_path / "session.jsonl"
    wanted = playground.Wanted(programs.node, programs.faultnet, size=3, record=record)
    with playground.live(wanted) as place:
        session, feed = place.session, place.feed
        assert session is not None
        soon(lambda: len(session.members_up()) == 3)
        session.act({"act": "watch", "key": "cart"})
        session.act({"act": "put", "key": "cart", "value": "milk", "at": "n1", "hosts": 3})
        assert "milk" in session.act({"act": "get", "key": "cart", "at": "n2"})
        session.act({"act": "put", "key": "cart", "value": "tea", "at": "n2", "context": True})
        assert session.act({"act": "get", "key": "cart", "at": "n3"}).endswith(": tea"), "it was replaced"
        session.act({"act": "cut", "from": "n1", "to": "n2", "both": True})
        session.act({"act": "link", "from": "n1", "to": "n3", "delay_ms": 20, "loss_percent": 5})
        session.act({"act": "drop", "from": "n2", "to": "n3", "message": "Gossip", "count": 2})
        assert feed.last("links")["cuts"] == [["n1", "n2"], ["n2", "n1"]]
        session.act({"act": "heal"})
        assert feed.last("links")["cuts"] == [] == feed.last("links")["models"]
        assert session.cluster.actions[-1]["link"] == session.cluster.links, "as at the beginning"
        session.act({"act": "skew", "node": "n1", "ms": -2000})
        session.act({"act": "kill", "node": "n3"})
        for wrong, told in [
            ({"act": "kill", "node": "n3"}, "n3 is down"),
            ({"act": "kill", "node": "n9"}, "no node is called"),
            ({"act": "put", "key": "", "at": "n1"}, "at least one character"),
            ({"act": "cut", "from": "n1", "to": "n1"}, "two ends"),
            ({"act": "link", "from": "n1", "to": "n2", "delay_ms": 99999}, "delay_ms is between"),
            ({"act": "skew", "node": "n1", "ms": "x"}, "whole number"),
            ({"act": "explode"}, "there is no act"),
        ]:
            with pytest.raises(Refused, match=told):
                session.act(wrong)
        session.act({"act": "skew", "node": "n2", "ms": 3000})
        session.act({"act": "pause", "node": "n2"})
        session.act({"act": "heal_all"})
        assert session.cluster.running() == ["n1", "n2", "n3"] and not any(session.skews.values())
        soon(lambda: feed.last("key").get("held", {}).get("n3", {}).get("state"))
        session.act({"act": "remove", "node": "n3"})
        session.act({"act": "add", "node": "n3"})
        for number in range(20):  # What somebody puts by hand is no trouble for the clients.
            session.act({"act": "put", "key": f"load-{number}", "value": "milk", "at": "n1"})
        session.act({"act": "load", "rate": 50})
        soon(lambda: feed.last("load").get("reads", 0) > 3)
        session.act({"act": "load", "rate": 0})
        with monkeypatch.context() as full:
            full.setattr("dynamolab.play.session.MOST_PLANNED", len(session.cluster.actions))
            for _ in range(2):
                session.act({"act": "get", "key": "cart", "at": "n1"})
        with feed.listen() as following:
            heard = iter(lambda: following(0.1), None)
            full_told = [one for one in heard if "to be saved is full" in str(one.get("words"))]
        assert len(full_told) == 1, "once"
        session.act({"act": "mode", "mode": "strict", "r": 1, "w": 3})
        plan = session.plan()
    assert (plan["config"]["mode"], plan["config"]["w"]) == ("sloppy", 2), "as it was at the beginning"
    assert plan_replay.is_plan(plan) and "cluster_secret" not in plan["config"]
    file = tmp_path / "plan.json"
    file.write_text(json.dumps(plan))
    again = read_plan(file, programs.faultnet)
    acts = {action["act"] for action in again["actions"]}
    assert {"put", "get", "cut", "heal", "link", "drop", "skew", "crash", "restart", "add", "remove"} <= acts
    settings = next(action for action in again["actions"] if action["act"] == "configure")
    assert settings["settings"] == {"mode": "strict", "r": 1, "w": 3}
    replayed = plan_replay.Programs(programs.node, programs.faultnet, programs.replay_recordings)
    story, page = plan_replay.run_again("plan.json", again, replayed, tmp_path / "again")
    assert any("n3 is killed" in line for line in story)
    held = (tmp_path / "again" / "plan.trace.jsonl").read_text()
    assert '"value":"milk"' in held and '"value":"tea"' in held, "the clients' requests, too"
    assert "A fault plan, once more" in page.read_text()
    now = json.loads((tmp_path / "again" / "config.json").read_text())
    assert (now["mode"], now["w"]) == ("strict", 3), "the settings changed there, too"
    recorded = playground.session_in(record)
    kinds = {message["kind"] for message in recorded.messages}
    assert {"hello", "nodes", "rings", "key", "trees", "flows", "links", "log"} <= kinds
    assert "steps" not in kinds
    cut = next(one["t"] for one in recorded.messages if one["kind"] == "links" and one["cuts"])
    look = recorded.steps.look(most=1500, until_ms=cut + 500)
    assert look["arrows"]
    assert {"send", "receive", "client", "told"} <= {step["event"] for step in look["steps"]}
    assert any(step["words"] == "what n1 sends to n2 is lost from now on" for step in look["steps"])
