"""Traces for the viewer's tests."""

from __future__ import annotations

from typing import Any

from dynamolab.viewer import Failure

FAILURE = Failure(
    "replication.sample",
    "A sample",
    "seed 1\n  1. t=0.300 s  n2 writes state: 1 put\n     … 1 message lost …\n  expected: <milk>\n",
    "why",
    "hint",
    "./lab replay x",
)


def step(t_ms: int, node: str, event: str, words: str, **more: Any) -> dict[str, Any]:
    moment = f"t={t_ms / 1000:.3f} s"
    return {"t_us": t_ms * 1000, "node": node, "event": event, "moment": moment, "words": words, **more}


def small_trace() -> list[dict[str, Any]]:
    """n1 sends n2 an Update, which n2 writes; its answer is lost, and n1 is killed."""
    update = {"peer": "n2", "message": "Update", "id": 1}
    dot = {"actor": {"node": "n1", "incarnation": 1, "epoch": 1}, "counter": 1}
    state = {"hash": "00", "versions": [{"dot": dot, "seen": {"entries": []}, "value": "milk"}]}
    answer = {"peer": "n1", "message": "Update", "id": 1, "reply": True}
    return [
        step(0, "n1", "start", "n1 starts"),
        step(100, "n1", "send", "n1 sends n2 an Update", **update),
        step(200, "n1", "timer", "a timer of n1", quiet=True),
        step(300, "n2", "receive", "n2 gets n1's Update", **(update | {"peer": "n1"})),
        step(300, "n2", "commit", "n2 writes state: 1 put", data={"state": {"cart": state}}),
        step(300, "n2", "send", "n2 sends n1 a reply to Update", quiet=True, **answer),
        step(500, "n1", "crash", "n1 is killed (kill -9); its disk stays"),
    ]


def long_trace(count: int) -> list[dict[str, Any]]:
    """Two nodes that send to and fro."""
    steps = []
    for number in range(count):
        nodes = ("n1", "n2") if number // 2 % 2 == 0 else ("n2", "n1")
        node, peer = nodes if number % 2 == 0 else nodes[::-1]
        event = "send" if number % 2 == 0 else "receive"
        more = {"peer": peer, "message": "Gossip", "id": number // 2 + 1}
        steps.append(step(number, node, event, f"step {number}", **more))
    return steps


def ring_trace() -> list[dict[str, Any]]:
    """Clients of n1 and n3, whose rings differ; n2's is that of n1."""
    keys = {"cart": {"vnode": 2, "list": ["n2", "n1"]}}
    one = {"owners": ["n1", "n2"] * 4, "keys": keys}
    other = {"owners": ["n1", "n2", "n3", "n3"] * 2, "keys": {"cart": {"vnode": 2, "list": ["n3", "n1"]}}}
    rings = [("n1", one), ("n2", {"same_as": "n1"}), ("n3", other)]
    return [
        step(0, "n1", "start", "n1 starts"),
        step(10, "n1", "client", "a client puts cart at n1", data={"key": "cart"}),
        step(20, "n3", "client", "a client puts cart at n3", data={"key": "cart"}),
        step(30, "n3", "client", "a client puts milk at n3", data={"key": "milk"}),
    ] + [{"t_us": 30_000, "node": node, "event": "ring", "data": data} for node, data in rings]


def handoff_trace() -> list[dict[str, Any]]:
    """n1 joins, n2 and n3 are added; n3 does not answer n1, and n2 keeps a hint for it; then n3 answers."""

    def joins(name: str, counter: int) -> dict[str, Any]:
        version = {"counter": counter, "node": "n1", "incarnation": 1}
        return {"subject": name, "change": "join", "version": version}

    events = {str(i): joins(f"n{i}", i) for i in (1, 2, 3)}
    hint = {"owner": "n3", "copy": {"key": "cart", "hash": "00", "state": None}}
    ask = {"peer": "n3", "message": "Update", "id": 1}
    store = {"peer": "n2", "message": "StoreHints", "id": 2}
    kept = {key: {"hash": "00", "versions": []} for key in ("cart", "milk", "tea")}
    rings = [(0, "n1", 1, ["n1"] * 6), (10, "n1", 2, ["n1", "n2", "n3"] * 2), (20, "n2", 2, [])]
    return [
        step(0, "n1", "start", "n1 starts", data={"mine": {"1": events["1"]}}),
        step(0, "n2", "start", "n2 starts"),
        step(10, "n1", "commit", "n1 writes", data={"mine": {i: events[i] for i in "23"}}),
        step(20, "n2", "commit", "n2 writes", data={"mine": events}),
        step(30, "n1", "client", "a client puts cart at n1", data={"key": "cart"}),
        step(40, "n1", "send", "n1 sends n3 an Update", **ask),
        step(340, "n1", "timeout", "n1 waits in vain for n3", **ask),
        step(350, "n1", "send", "n1 sends n2 a hint", **store),
        step(360, "n2", "receive", "n2 gets it", **(store | {"peer": "n1"}), data={"hints": [hint]}),
        step(360, "n2", "commit", "n2 writes", data={"hints": {"cart": kept["cart"]}}),
        step(800, "n2", "commit", "n2 writes", data={"hints": kept}),
        step(900, "n1", "send", "n1 sends n3 an Update", **(ask | {"id": 3})),
        step(910, "n1", "receive", "n3 answers", **(ask | {"id": 3}), reply=True),
    ] + [
        {"t_us": t * 1000, "node": node, "event": "ring_then", "id": ring}
        | ({"data": {"owners": owners}} if owners else {})
        for t, node, ring, owners in rings
    ]


def tree_trace(keys: int = 20) -> list[dict[str, Any]]:
    """n1 and n2 have the same keys in virtual node 1, all but k7, of which n2 has other versions, and k9,
    which n2 lacks; n3 has none, and is no owner."""
    names = [f"k{number}" for number in range(keys)]
    paths = [f"{number % 16:x}{number:014x}" for number in range(keys)]
    places = {name: {"vnode": 1, "path": path} for name, path in zip(names, paths, strict=True)}
    state = {name: {"hash": f"{number:032x}", "versions": []} for number, name in enumerate(names)}
    other = {**state, "k7": {"hash": "f" * 32, "versions": []}}
    del other["k9"]
    ask = {"peer": "n2", "message": "AskNodes", "id": 1, "data": {"vnode": 1}}
    ring = {"owners": ["n1", "n2", "n3"], "keys": {}}
    return [
        step(0, "n3", "start", "n3 starts"),
        step(5, "n1", "commit", "n1 writes", data={"state": state}),
        step(10, "n2", "commit", "n2 writes", data={"state": other}),
        step(20, "n1", "send", "n1 sends n2 AskNodes", **ask),
        {"t_us": 20_000, "node": "n1", "event": "ring", "data": ring | {"owners": ["n2", "n1", "n2", "n1"]}},
        {"t_us": 20_000, "event": "places", "data": {"q": 4, "n": 2, "keys": places}},
    ]
