"""Runs a fault plan, the same file as the simulator's, on a cluster of real processes."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from ..errors import LabError
from .cluster import Cluster
from .errors import ClusterTrouble
from .process import State
from .requests import ACTS, KvClients

CHECK_S = 20.0
CLIENTS = 8  # That wait for their answers at a time.
# What only a simulated world can do; said before anything is started.
SIMULATED_ONLY = {
    "disk_full": "a process uses the machine's disk",
    "disk_freed": "a process uses the machine's disk",
}


def read_plan(path: Path, faultnet: Path) -> dict[str, Any]:
    """A plan that makes sense and that real processes can follow; else a LabError that names the
    file, the field and the cure. The rules are the simulator's own: faultnet holds them."""
    done = subprocess.run(
        [str(faultnet), "--check-plan", str(path)],
        capture_output=True,
        text=True,
        timeout=CHECK_S,
        stdin=subprocess.DEVNULL,
    )
    if done.returncode != 0:
        raise LabError(done.stderr.strip().removeprefix("faultnet: "))
    plan: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    for number, action in enumerate(plan.get("actions", [])):
        where = f"{path}.actions[{number}]"
        act = action["act"]
        if act in SIMULATED_ONLY:
            raise LabError(f"{where}.act: {act} needs the simulator: {SIMULATED_ONLY[act]}")
        if action.get("commit"):
            raise LabError(f"{where}.commit: only the simulator can crash a node at a commit")
    return plan


def cluster_of(plan: Mapping[str, Any], **options: Any) -> Cluster:
    """The cluster that a plan describes; `options` as Cluster takes them (node, faultnet, …)."""
    links = {"delay_min_ms": 1, "delay_max_ms": 5, **plan.get("links", {})}
    return Cluster(
        names=plan["nodes"],
        config={"seeds": [], **plan.get("config", {})},
        links=links,
        seed=plan.get("seed", 1),
        **options,
    )


def run_plan(
    plan: Mapping[str, Any],
    cluster: Cluster,
    deadline_s: float = 120.0,
    watch: Callable[[Cluster], None] = Cluster.must_live,
) -> None:
    """Carries out the actions, none before its time (`at_ms`); real time makes no finer promise.

    What console and clients hear is not judged: under faults a refusal may be right. A client does not
    wait for others' answers, as it did not when the plan was made. `watch` runs before each action and
    while waiting, to fail early. ClusterTrouble when the deadline passes."""
    began = time.monotonic()
    clients = KvClients()
    with ThreadPoolExecutor(CLIENTS) as pool:
        for action in plan.get("actions", []):
            due = began + action.get("at_ms", 0) / 1000
            while True:
                watch(cluster)
                left_s = due - time.monotonic()
                if left_s <= 0:
                    break
                time.sleep(min(left_s, 0.05))
            if time.monotonic() - began > deadline_s:
                raise ClusterTrouble(f"the plan did not come to its end within {deadline_s:g} s")
            if action["act"] in ACTS:
                for name in action.get("nodes", []):
                    address = cluster.process(name).http_port.address
                    cluster.note_request(name, action)
                    pool.submit(clients.ask, address, action)
            else:
                _carry_out(cluster, action)


def _carry_out(cluster: Cluster, action: Mapping[str, Any]) -> None:
    act = action["act"]
    nodes, peers = list(action.get("nodes", [])), list(action.get("peers", []))
    if act == "start":
        cluster.start(*nodes, bootstrap=bool(action.get("bootstrap")))
    elif act in ("add", "remove"):
        for name in nodes:
            for subject in peers:
                cluster.ask_console(act, subject, via=name)
    elif act == "crash":
        cluster.kill(*nodes)
    elif act in ("restart", "wipe"):
        if running := [name for name in nodes if cluster.state(name) is not State.DOWN]:
            cluster.kill(*running)
        for name in nodes:
            getattr(cluster, act)(name)
    elif act == "cut":
        cluster.cut(nodes, peers)
    elif act == "heal":
        cluster.heal(nodes, peers)
    elif act == "link":
        cluster.link(nodes, peers, **action.get("link", {}))
    elif act == "drop":
        for name in nodes:
            for peer in peers:
                cluster.drop(name, peer, action.get("message", ""), action.get("count", 1))
    elif act == "configure":
        cluster.configure(**action["settings"])
    elif act == "skew":
        for name in nodes:
            cluster.skew(name, int(action.get("skew", "0")))
    else:  # pause, resume
        for name in nodes:
            getattr(cluster, act)(name)
