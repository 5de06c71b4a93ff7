"""Clusters of real processes: what Cluster, faultnet and fault plans really do to them."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from dynamolab.cluster import Cluster, ClusterTrouble, NodeClient, NodeDied, State
from dynamolab.cluster.plan import cluster_of, read_plan, run_plan
from dynamolab.errors import LabError
from real_nodes import Programs, processes_that_mention, programs, soon

__all__ = ["programs"]


def options(programs: Programs) -> dict[str, Any]:
    return {"node": programs.node, "faultnet": programs.faultnet}


def test_a_killed_node_comes_back_on_its_ports_with_its_disk(programs: Programs) -> None:
    with Cluster(**options(programs), size=3) as cluster:
        cluster.form()
        before = {name: cluster.process(name).http_port.port for name in cluster.names}
        incarnation = cluster.ask("n2", NodeClient.view)["incarnation"]
        for _ in range(3):
            cluster.kill("n2")
            assert cluster.state("n2") is State.DOWN
            cluster.restart("n2")
        assert {name: cluster.process(name).http_port.port for name in cluster.names} == before
        assert cluster.ask("n2", NodeClient.view)["incarnation"] == incarnation
        cluster.wait_members(cluster.names)
        folder = cluster.folder
        assert processes_that_mention(str(folder))
    assert not folder.exists()
    assert soon(lambda: not processes_that_mention(str(folder)))


def test_a_death_that_nobody_ordered_is_told_with_its_log(programs: Programs) -> None:
    with Cluster(**options(programs), size=2) as cluster:
        cluster.form()
        pid = cluster.process("n2").pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        with pytest.raises(NodeDied, match="ended by SIGKILL") as died:
            cluster.wait_for("never", lambda: False, deadline_s=3600)
        assert "ready n2 peer" in str(died.value)


def test_what_cannot_be_done_is_refused_and_changes_nothing(programs: Programs) -> None:
    with Cluster(**options(programs), size=2) as cluster:
        cluster.form()
        for attempt, told in [
            (lambda: cluster.kill("n9"), "no node is called 'n9'; there are n1 and n2"),
            (lambda: cluster.start("n1"), "n1 is running: it cannot be started"),
            (lambda: cluster.wipe("n1"), "a disk is wiped only while down"),
            (lambda: cluster.cut("n1", "n9"), "one of the plan's nodes"),
            (lambda: cluster.link(loss_ppm=2_000_000), "a share of a million"),
        ]:
            with pytest.raises(ClusterTrouble, match=told):
                attempt()
        cluster.wait_members(["n1", "n2"])


def test_an_error_keeps_logs_trace_and_plan(programs: Programs, tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        with Cluster(**options(programs), size=2, artifacts=tmp_path / "kept") as cluster:
            cluster.form()
            raise ZeroDivisionError
    kept = {path.name for path in (tmp_path / "kept").iterdir()}
    assert {"cluster.n1.log", "cluster.faultnet.log", "trace.jsonl", "plan.json"} <= kept
    assert not cluster.folder.exists()


def test_the_trace_is_the_simulators(programs: Programs) -> None:
    with Cluster(**options(programs), size=2) as cluster:
        cluster.form()
        cluster.cut("n1", "n2")
        cluster.wait_for(
            "a message is lost in the cut",
            lambda: [row["event"] for row in cluster.faultnet.records()],
            lambda events: "drop" in events and "cut" in events,
        )
        rows = cluster.faultnet.records()
    assert {row["event"] for row in rows} >= {"send", "receive", "drop", "cut"}
    sent = next(row for row in rows if row["event"] == "send" and row["data"]["events"])
    assert sent["message"] == "Gossip"
    assert {"node", "peer", "t_us", "id", "bytes"} <= sent.keys()
    assert sent["data"]["events"][0]["subject"] == "n1"
    assert [row["t_us"] for row in rows] == sorted(row["t_us"] for row in rows)


PLAN = {
    "seed": 3,
    "nodes": ["n1", "n2", "n3"],
    "config": {"gossip_period_ms": 50, "call_timeout_ms": 200, "seeds": ["n1"]},
    "links": {"delay_min_ms": 0, "delay_max_ms": 2, "loss_ppm": 50_000},
    "actions": [
        {"at_ms": 0, "act": "start", "nodes": ["n1"], "bootstrap": True},
        {"at_ms": 0, "act": "start", "nodes": ["n2", "n3"]},
        {"at_ms": 10, "act": "add", "nodes": ["n1"], "peers": ["n2", "n3"]},
        {"at_ms": 20, "act": "drop", "nodes": ["n1"], "peers": ["n2"], "message": "Gossip reply"},
        {"at_ms": 30, "act": "cut", "nodes": ["n1"], "peers": ["n3"]},
        {"at_ms": 40, "act": "put", "nodes": ["n1"], "key": "cart", "value": "milk"},
        {"at_ms": 50, "act": "skew", "nodes": ["n1"], "skew": "-500"},
        {"at_ms": 60, "act": "crash", "nodes": ["n2"]},
        {"at_ms": 70, "act": "restart", "nodes": ["n2"]},
        {"at_ms": 75, "act": "restart", "nodes": ["n2"]},  # It runs, and is killed before; so it is here:
        {"at_ms": 80, "act": "wipe", "nodes": ["n2"]},
        {"at_ms": 90, "act": "pause", "nodes": ["n3"]},
        {"at_ms": 120, "act": "resume", "nodes": ["n3"]},
        {"at_ms": 130, "act": "restart", "nodes": ["n2"]},
        {"at_ms": 150, "act": "heal"},
        {"at_ms": 150, "act": "get", "nodes": ["n1"], "key": "cart"},
        {"at_ms": 150, "act": "link", "link": {"delay_min_ms": 0, "delay_max_ms": 0}},
    ],
}


def test_a_fault_plan_runs_on_real_processes(programs: Programs, tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    path.write_text(json.dumps(PLAN), encoding="utf-8")
    plan = read_plan(path, programs.faultnet)
    with cluster_of(plan, **options(programs)) as cluster:
        run_plan(plan, cluster)
        cluster.wait_members(["n1", "n2", "n3"])
        held = cluster.ask("n1", lambda client: client.held("cart"))
        assert [version["value"] for version in held["state"]["versions"]] == ["milk"]
        done = [action["act"] for action in cluster.plan()["actions"]]
        again = tmp_path / "again.json"
        again.write_text(json.dumps(cluster.plan()), encoding="utf-8")
    assert sorted(set(done)) == sorted({action["act"] for action in PLAN["actions"]})
    assert read_plan(again, programs.faultnet)["seed"] == 3, "what was recorded is a plan itself"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"act": "explode", "nodes": ["n1"]}, "actions[0].act: expected one of"),
        ({"act": "crash", "nodes": ["n7"]}, "actions[0].nodes[0]: expected one of the plan's"),
        ({"act": "disk_full", "nodes": ["n1"]}, "disk_full needs the simulator"),
        ({"act": "crash", "nodes": ["n1"], "commit": "after"}, "only the simulator can crash"),
        ({"act": "cut", "nodes": ["n1"], "until": 3}, 'unknown field "until"'),
    ],
)
def test_a_wrong_plan_names_file_field_and_cure(
    programs: Programs, tmp_path: Path, change: dict[str, Any], told: str
) -> None:
    path = tmp_path / "plan.json"
    path.write_text(json.dumps({**PLAN, "actions": [change]}), encoding="utf-8")
    with pytest.raises(LabError) as error:
        read_plan(path, programs.faultnet)
    assert told in str(error.value)
    assert str(path) in str(error.value)
