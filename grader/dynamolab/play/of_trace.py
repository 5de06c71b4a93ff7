"""A trace, of real processes or simulated, as a session that the playground plays back."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from ..viewer import model
from .feed import Message

FLOW_MS = 33  # Messages of so long go together, as a live session tells them.
LIVES = {"start": "running", "restart": "running", "crash": "down", "pause": "paused", "resume": "running"}
TOLD = {*LIVES, "client", "told", "console", "answer", "wipe", "cut", "heal", "phase"}

Step = dict[str, Any]


def session_of(trace: Path) -> list[Message]:
    """The messages. LabError if the file is no trace."""
    steps, rings, places = model.parted(model.read_trace(trace)[0])
    return _Teller(steps, rings, places or {}, trace.name).tell()


class _Teller:
    """Goes through the steps, and tells what they change."""

    def __init__(self, steps: list[Step], rings: list[Step], places: Step, name: str) -> None:
        self._steps = steps
        self._rings = model.rings_of(rings)
        self._places = places
        self._name = name
        self._lanes = model.lanes_of(steps)
        self._lives = dict.fromkeys(self._lanes, "down")
        self._disks: dict[str, dict[str, Step]] = {lane: {} for lane in self._lanes}  # Node → space → key.
        self._cuts: set[tuple[str, str]] = set()
        self._key = ""
        self._told: dict[str, Step] = {}
        self._messages: list[Message] = []
        self._flows: Counter[tuple[str, str, str, bool, str]] = Counter()
        self._flow_ms = 0

    def tell(self) -> list[Message]:
        n = int(self._places.get("n", 3))
        q = int(self._places.get("q", len(self._rings[0]["owners"]) if self._rings else 1))
        config = {"n": n, "q": q, "r": 0, "w": 0, "mode": ""}
        about = {"live": False, "solution": self._name, "nodes": self._lanes, "script": ""}
        self._say(0, "hello", config=config, **about)
        lost = {arrow.sent for arrow in model.arrows_of(self._steps) if arrow.received is None}
        began_us = int(self._steps[0].get("t_us", 0)) if self._steps else 0
        now_ms = 0
        for index, step in enumerate(self._steps):
            now_ms = (int(step.get("t_us", 0)) - began_us) // 1000
            self._step(now_ms, step, index in lost)
        self._flush()
        if self._rings:
            self._say(now_ms, "rings", rings=self._rings)
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
        if event == "wipe" and node in self._disks:
            self._disks[node] = {}
        if event in ("start", "commit") and isinstance(step.get("data"), dict) and node in self._disks:
            self._write(node, step["data"])
        if event in ("cut", "heal"):
            self._network(t, step)
        if event == "client" and isinstance(step.get("data"), dict):
            self._key = str(step["data"].get("key", self._key))
        if event in TOLD:
            self._say(t, "log", words=str(step.get("words") or event), good=True)
        self._say(t, "nodes", nodes=[self._row(lane) for lane in self._lanes])
        if self._key:
            self._say(t, "key", **self._held())

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
                else:
                    held[key] = value

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
        for event in self._disks[name].get("history", {}).values():
            if isinstance(event, dict) and "subject" in event:
                known = newest.get(event["subject"])
                if known is None or _version(known) < _version(event):
                    newest[event["subject"]] = event
        members = sorted(subject for subject, event in newest.items() if event["change"] == "join")
        hints = list(self._disks[name].get("hints", {}))
        seen = {"member": name in members, "members": members, "suspects": []}
        return {**row, **seen, "hints": len(hints), "kept": [{"key": key, "owner": ""} for key in hints]}

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
        about = {"vnode": vnode, "list": ring.get("list", []), "active": [], "told_by": ""}
        return {"key": self._key, **about, "held": held}


def _state(value: Any) -> Step | None:
    """What given code laid out; a student's own text is none."""
    return value if isinstance(value, dict) and "versions" in value else None


def _version(event: Step) -> tuple[int, str, int]:
    version = event["version"]
    return version["counter"], version["node"], version["incarnation"]
