"""What there is to see of a cluster: asked of its network thirty times a second, of its nodes four times."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ..cluster import ClusterTrouble, NodeClient, NodeDied, NodeSilent, State
from ..viewer import model
from .feed import Feed
from .session import Session
from .steps import hint_owners

FLOW_S = 1 / 32  # Between two looks at the network: a little more often than is promised,
LOOK_S = 0.25  # and at the nodes.
ANSWER_S = 0.4  # A node that takes longer is told as silent.
STOP_S = 20.0
HINT_MESSAGE = "StoreHints"

Look = dict[str, Any]


class Watcher:
    """A context manager: its threads end with the block. What it sees goes to the feed."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._cluster = session.cluster
        self._feed: Feed = session.feed
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []
        self._pool = ThreadPoolExecutor(8)
        self._hint_owners: dict[tuple[str, str], str] = {}  # (keeper, key) → for whom, as was asked.
        self._rings: dict[str, tuple[str, list[str]]] = {}  # By node: its view then, and its ring.
        self.flows_told = 0

    def __enter__(self) -> Watcher:
        self._cluster.faultnet.news(HINT_MESSAGE)
        for work, every_s in ((self._flow, FLOW_S), (self._look, LOOK_S)):
            thread = threading.Thread(target=self._repeat, args=(work, every_s), daemon=True)
            thread.start()
            self._threads.append(thread)
        return self

    def __exit__(self, *_error: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(STOP_S)
        self._pool.shutdown(cancel_futures=True)

    def _repeat(self, work: Callable[[], None], every_s: float) -> None:
        due_s = time.monotonic()
        while not self._stop.wait(max(0.0, due_s - time.monotonic())):
            due_s = max(due_s + every_s, time.monotonic())
            try:
                work()
                self._trouble_is_over(work.__name__)
            except Exception as error:  # Whatever it is: a page that stands still must say why.
                if self._stop.is_set():
                    return
                known = isinstance(error, (ClusterTrouble, NodeSilent, OSError))
                words = str(error) if known else f"the harness: {error!r}"
                self._feed.tell("trouble", of=work.__name__, words=words)
                due_s = time.monotonic() + 1.0  # Again, but not thirty times a second.

    # The network.

    def _flow(self) -> None:
        steps, missed = self._cluster.faultnet.news(HINT_MESSAGE)
        if not steps and not missed:
            return
        flows: Counter[tuple[str, str, str, bool, str]] = Counter()
        for step in steps:
            event = step["event"]
            if event not in ("send", "receive", "drop"):
                continue
            ends = (step["node"], step["peer"])
            one, other = ends[::-1] if event == "receive" else ends
            flows[one, other, step["message"], bool(step.get("reply")), event] += 1
            if step.get("message") == HINT_MESSAGE and "data" in step and not step.get("reply"):
                self._hint_owners.update(hint_owners(other, step["data"]))
        self._session.note_steps(*steps)
        self.flows_told += 1
        self._feed.tell("flows", flows=[[*flow, count] for flow, count in flows.items()], missed=missed)

    # The nodes.

    def _look(self) -> None:
        self._notice_deaths()
        rows = list(self._pool.map(self._row, self._cluster.names))
        self._feed.tell("nodes", nodes=rows)
        self._tell_rings(rows)
        self._tell_key(rows)
        self._session.workload.tell()

    def _notice_deaths(self) -> None:
        for name in self._cluster.names:
            try:
                self._cluster.process(name).must_live()
            except (NodeDied, ClusterTrouble) as died:
                self._feed.tell("trouble", of=name, words=str(died))
                self._session.say(f"{name} has died by itself", good=False)
        self._cluster.faultnet.must_live()
        for name in self._cluster.running():
            self._trouble_is_over(name)

    def _trouble_is_over(self, of: str) -> None:
        if self._feed.last("trouble").get("of") == of:
            self._feed.tell("trouble", of="", words="")

    def _at_work(self, module: str) -> bool:
        return module in self._cluster.config["modules"]

    def _client(self, name: str) -> NodeClient:
        return NodeClient(name, self._cluster.process(name).http_port.address, ANSWER_S)

    def _row(self, name: str) -> Look:
        process = self._cluster.process(name)
        row: Look = {"name": name, "state": process.state.value, "skew_ms": self._session.skews.get(name, 0)}
        if process.state is not State.RUNNING:
            return row
        client = self._client(name)
        try:
            view = client.view()
            hints = client.hints() if self._at_work("quorum") else {"count": 0, "keys": []}
            if (known := self._rings.get(name)) is None or known[0] != str(view["view"]):
                self._rings[name] = (str(view["view"]), client.ring()["owners"])
        except (NodeSilent, ClusterTrouble):
            return {**row, "silent": True}
        changes = {event["subject"]: _change(event) for event in view["view"]}
        return {
            **row,
            "member": view["member"],
            "members": view["members"],
            "suspects": view["suspects"],
            "changes": changes,
            "hints": hints["count"],
            "kept": [{"key": key, "owner": self._hint_owners.get((name, key), "")} for key in hints["keys"]],
        }

    def _tell_rings(self, rows: list[Look]) -> None:
        """Each ring once, with the nodes that have it, as the viewer has them."""
        names = [row["name"] for row in rows if row.get("member")]
        known = [name for name in names if name in self._rings]
        steps = [{"node": name, "data": {"owners": self._rings[name][1]}} for name in known]
        if steps:
            self._feed.tell("rings", rings=model.rings_of(steps))

    def _tell_key(self, rows: list[Look]) -> None:
        key = self._session.focus
        running = [row["name"] for row in rows if row["state"] == "running" and not row.get("silent")]
        members = [row["name"] for row in rows if row["name"] in running and row["member"]]
        if not key or not members:
            return
        try:
            place = self._client(members[0]).placement(key)
        except (NodeSilent, ClusterTrouble):
            return
        held = dict(zip(running, self._pool.map(lambda name: self._held(name, key), running), strict=True))
        self._feed.tell(
            "key",
            key=key,
            vnode=place["vnode"],
            list=place["preference_list"],
            active=place["active_list"],
            told_by=members[0],
            held={name: one for name, one in held.items() if one is not None},
        )
        if self._at_work("sync"):
            self._tell_trees(place, running)

    def _held(self, name: str, key: str) -> Look | None:
        try:
            held = self._client(name).held(key)
        except (NodeSilent, ClusterTrouble):
            return None
        return {"state": held["state"], "hint": held["hint"]}

    def _tell_trees(self, place: Look, running: list[str]) -> None:
        """Of two owners of the key's virtual node, or of those that were asked for."""
        owners = [name for name in place["preference_list"] if name in running]
        if self._session.tree is None and len(owners) < 2:
            return
        vnode, left, right = self._session.tree or (place["vnode"], *self._differing(place["vnode"], owners))
        sides = []
        for name in (left, right):
            try:
                tree = self._client(name).tree(vnode)
            except (NodeSilent, ClusterTrouble):
                return
            sides.append({"name": name, "root": tree["root"], "keys": tree["keys"], "and": tree["and"]})
        self._feed.tell("trees", vnode=vnode, sides=sides)

    def _differing(self, vnode: int, owners: list[str]) -> tuple[str, str]:
        """The first two whose trees differ; else the first two."""
        roots = {}
        for name in owners:
            try:
                roots[name] = self._client(name).tree(vnode)["keys"]
            except (NodeSilent, ClusterTrouble):
                continue
        for name in roots:
            if roots[name] != roots[next(iter(roots))]:
                return next(iter(roots)), name
        return owners[0], owners[1]


def _change(event: Look) -> str:
    """"join 7@n1"."""
    version = event["version"]
    return f"{event['change']} {version['counter']}@{version['node']}"
