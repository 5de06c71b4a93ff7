"""A trace, of real processes or simulated, as a session that the playground plays back."""

from __future__ import annotations

from collections import Counter, deque
from pathlib import Path
from typing import Any

from ..viewer import model
from .feed import Message
from .steps import Steps, hint_owners

MOST_WORDS = 90  # Of the step at hand.
FLOW_MS = 33  # Messages of so long go together, as a live session tells them.
LIVES = {"start": "running", "restart": "running", "crash": "down", "pause": "paused", "resume": "running"}
TOLD = {*LIVES, "client", "told", "console", "answer", "wipe", "cut", "heal", "phase"}

Step = dict[str, Any]


def session_of(trace: Path, failure: str = "") -> tuple[list[Message], Steps]:
    """The messages, and the steps. `failure`: what is told at the end. LabError if the file is no trace."""
    told = model.read_trace(trace)[0]
    steps, rings, places = model.parted(told)
    times = _times_ms(steps)
    drawn = Steps(model.lanes_of(steps))
    for t, step in zip(times, steps, strict=True):
        drawn.add(t, [step])
    teller = _Teller(steps, rings, model.rings_then(told), places or {}, trace.name)
    return teller.tell(times, failure), drawn


def _times_ms(steps: list[Step]) -> list[int]:
    """When each is played back: at its time since the first one, but at least a millisecond after the one
    before. In a simulated run many happen at once, and each is to be seen."""
    times: list[int] = []
    for step in steps:
        since_us = int(step.get("t_us", 0)) - int(steps[0].get("t_us", 0))
        times.append(max(since_us // 1000, times[-1] + 1 if times else 0))
    return times


class _Teller:
    """Goes through the steps, and tells what they change.

    Who suspects whom stands in no trace. But a node suspects those that left its last request unanswered
    (labs/1-membership), and how requests ended, it tells."""

    def __init__(
        self, steps: list[Step], rings: list[Step], rings_then: list[Step], places: Step, name: str
    ) -> None:
        self._steps = steps
        self._rings = model.rings_of(rings)
        self._rings_then = deque(rings_then)
        self._places = places
        self._name = name
        self._lanes = model.lanes_of(steps)
        self._lives = dict.fromkeys(self._lanes, "down")
        self._disks: dict[str, dict[str, Step]] = {lane: {} for lane in self._lanes}  # Node → space → key.
        self._events: dict[str, dict[tuple[str, str], Step]] = {lane: {} for lane in self._lanes}
        self._suspects: dict[str, set[str]] = {lane: set() for lane in self._lanes}
        self._hint_owners: dict[tuple[str, str], str] = {}  # (keeper, key) → for whom, as was asked.
        self._owners: dict[str, Step] = {}  # By node: the step that tells its ring,
        self._having: dict[str, int] = {}  # and of those that ran, which one was told last.
        self._cuts: set[tuple[str, str]] = set()
        self._key = ""
        self._told: dict[str, Step] = {}
        self._messages: list[Message] = []
        self._flows: Counter[tuple[str, str, str, bool, str]] = Counter()
        self._flow_ms = 0

    def tell(self, times: list[int], failure: str) -> list[Message]:
        n = int(self._places.get("n", 3))
        q = int(self._places.get("q", len(self._rings[0]["owners"]) if self._rings else 1))
        config = {"n": n, "q": q, "r": 0, "w": 0, "mode": ""}
        about = {"live": False, "solution": self._name, "nodes": self._lanes, "script": ""}
        self._say(0, "hello", config=config, of_trace=True, **about)
        lost = {arrow.sent for arrow in model.arrows_of(self._steps) if arrow.received is None}
        now_ms = 0
        for index, (now_ms, step) in enumerate(zip(times, self._steps, strict=True)):
            words = str(step.get("words") or step["event"])[:MOST_WORDS]
            where = f"step {index + 1} of {len(times)}"
            self._say(now_ms, "step", moment=str(step.get("moment", "")), where=where, words=words)
            self._step(now_ms, step, index in lost)
            self._tell_rings(now_ms, int(step.get("t_us", 0)))
        self._flush()
        if self._rings:
            self._say(now_ms, "rings", rings=self._rings)
        if failure:
            self._say(now_ms, "trouble", of="check", words=failure)
        return self._messages

    def _say(self, t: int, kind: str, **more: Any) -> None:
        """A state that is as it was is not told again."""
        if self._told.get(kind) != more or kind in ("flows", "log"):
            self._told[kind] = more
            self._messages.append({"t": t, "kind": kind, **more})

    def _step(self, t: int, step: Step, lost: bool) -> None:
        event, node = step["event"], str(step.get("node", ""))
        if t - self._flow_ms >= FLOW_MS:
            self._flush()
            self._flow_ms = t
        if event in ("send", "receive"):
            self._flow(step, lost)
        if event in LIVES and node in self._lives:
            self._lives[node] = LIVES[event]
        if event in ("start", "restart", "crash") and node in self._lives:
            self._suspects[node].clear()
        if event == "wipe" and node in self._disks:
            self._disks[node] = {}
            self._events[node] = {}
        self._learn(step)
        if event in ("start", "commit") and isinstance(step.get("data"), dict) and node in self._disks:
            self._write(node, step["data"])
        if event in ("cut", "heal"):
            self._network(t, step)
        if event == "client" and isinstance(step.get("data"), dict):
            self._key = str(step["data"].get("key", self._key))
        if event in TOLD:
            moment = str(step.get("moment", ""))
            self._say(t, "log", words=f"{moment}  {step.get('words') or event}".strip(), good=True)
        self._say(t, "nodes", nodes=[self._row(lane) for lane in self._lanes])
        if self._key:
            self._say(t, "key", **self._held())
        if event in ("client", "start", "commit", "wipe", "crash"):
            self._tell_trees(t)

    def _learn(self, step: Step) -> None:
        """Who left whose request unanswered, and for whom a hint is."""
        event, node, peer = step["event"], str(step.get("node", "")), str(step.get("peer", ""))
        if event in ("timeout", "refused"):
            self._suspects[node].add(peer)
        if event != "receive":
            return
        if step.get("reply"):
            self._suspects[node].discard(peer)
        elif isinstance(step.get("data"), dict):
            self._hint_owners.update(hint_owners(node, step["data"]))

    def _tell_rings(self, t: int, t_us: int) -> None:
        """Those of the nodes that run, when one of them is another one."""
        while self._rings_then and int(self._rings_then[0]["t_us"]) <= t_us:
            then = self._rings_then.popleft()
            self._owners[then["node"]] = then
        having = {name: then["id"] for name, then in self._owners.items() if self._lives[name] == "running"}
        if not having or having == self._having:
            return
        self._having = having
        told = [self._owners[name] for name in self._lanes if name in having]
        self._say(t, "rings", rings=model.rings_of(told))

    def _flow(self, step: Step, lost: bool) -> None:
        ends = (str(step["node"]), str(step.get("peer", "")))
        one, other = ends[::-1] if step["event"] == "receive" else ends
        key = (one, other, str(step.get("message", "")), bool(step.get("reply")))
        self._flows[(*key, step["event"])] += 1
        if lost:
            self._flows[(*key, "drop")] += 1

    def _flush(self) -> None:
        if self._flows:
            flows = [[*flow, count] for flow, count in self._flows.items()]
            self._say(self._flow_ms, "flows", flows=flows, missed=0)
            self._flows.clear()

    def _write(self, node: str, data: Step) -> None:
        for space, entries in data.items():
            held = self._disks[node].setdefault(space, {})
            for key, value in entries.items() if isinstance(entries, dict) else ():
                if value is None:
                    held.pop(key, None)
                    self._events[node].pop((space, key), None)
                else:
                    held[key] = value
                if isinstance(value, dict) and "subject" in value:  # In whichever space a solution has them.
                    self._events[node][space, key] = value

    def _network(self, t: int, step: Step) -> None:
        one, other = str(step.get("node", "")), str(step.get("peer", ""))
        if step["event"] == "cut":
            self._cuts.add((one, other))
        else:
            self._cuts = {
                (a, b) for a, b in self._cuts if (one and a != one) or (other and b != other)
            }
        self._say(t, "links", cuts=sorted(list(pair) for pair in self._cuts), models=[])

    def _row(self, name: str) -> Step:
        row: Step = {"name": name, "state": self._lives[name], "skew_ms": 0}
        if self._lives[name] != "running":
            return row
        newest: dict[str, Step] = {}
        for event in self._events[name].values():
            known = newest.get(event["subject"])
            if known is None or _version(known) < _version(event):
                newest[event["subject"]] = event
        members = sorted(subject for subject, event in newest.items() if event["change"] == "join")
        hints = list(self._disks[name].get("hints", {}))
        seen = {"member": name in members, "members": members, "suspects": sorted(self._suspects[name])}
        kept = [{"key": key, "owner": self._hint_owners.get((name, key), "")} for key in hints]
        return {**row, **seen, "hints": len(hints), "kept": kept}

    def _held(self) -> Step:
        ring = self._rings[0]["keys"].get(self._key, {}) if self._rings else {}
        held = {
            name: {
                "state": _state(self._disks[name].get("state", {}).get(self._key)),
                "hint": _state(self._disks[name].get("hints", {}).get(self._key)),
            }
            for name in self._lanes
            if self._lives[name] == "running"
        }
        place = self._places.get("keys", {}).get(self._key, {})
        vnode = ring.get("vnode", place.get("vnode", 0))
        about = {"vnode": vnode, "list": self._hosts(vnode) or ring.get("list", []), "active": []}
        return {"key": self._key, **about, "told_by": "", "held": held}

    def _tell_trees(self, t: int) -> None:
        """Of the first two owners of the key that run, or the first one and another that differs from it."""
        places = self._places.get("keys", {})
        if self._key not in places:
            return
        vnode = places[self._key]["vnode"]
        below = [(key, place["path"]) for key, place in places.items() if place["vnode"] == vnode]
        sides = []
        for name in self._hosts(vnode):
            held = self._disks[name].get("state", {})
            keys = [
                {"key": key, "path": path, "hash": state["hash"]}
                for key, path in below
                if (state := _state(held.get(key))) is not None
            ]
            if self._lives[name] == "running":
                sides.append({"name": name, "root": None, "keys": keys, "and": 0})
        others = sorted(sides[1:], key=lambda side: side["keys"] == sides[0]["keys"])
        if others:
            self._say(t, "trees", vnode=vnode, sides=[sides[0], others[0]])

    def _hosts(self, vnode: int) -> list[str]:
        """The preference list, as the first node that runs has its ring now."""
        first = next((name for name in self._lanes if name in self._having), "")
        owners = self._owners[first]["data"]["owners"] if first else []
        walk = dict.fromkeys([*owners[vnode:], *owners[:vnode]])
        return list(walk)[: int(self._places.get("n", 3))]


def _state(value: Any) -> Step | None:
    """What given code laid out; a student's own text is none."""
    return value if isinstance(value, dict) and "versions" in value else None


def _version(event: Step) -> tuple[int, str, int]:
    version = event["version"]
    return version["counter"], version["node"], version["incarnation"]
