"""What faultnet and the nodes record, and what it is good for."""

from __future__ import annotations

from pathlib import Path

from dynamolab import processes
from dynamolab.cluster import Cluster
from dynamolab.cluster.faultnet import complete_lines
from dynamolab.cluster.keys import NodeKeys
from dynamolab.viewer import model
from real_nodes import Programs, programs

__all__ = ["programs"]


def test_line_without_an_end_is_left_for_the_next_time(tmp_path: Path) -> None:
    file = tmp_path / "trace.jsonl"
    file.write_text('{"a": 1}\n{"b": "\\u2028"}\n{"c": 3}', encoding="utf-8")
    assert complete_lines(file) == [{"a": 1}, {"b": "\u2028"}]
    with file.open("a", encoding="utf-8") as more:
        more.write("\n")
    assert complete_lines(file)[-1] == {"c": 3}


def test_empty_recording_has_no_lines(tmp_path: Path) -> None:
    file = tmp_path / "trace.jsonl"
    file.write_text("", encoding="utf-8")
    assert complete_lines(file) == []


def test_what_real_nodes_took_makes_simulated_ones_do_the_same(programs: Programs, tmp_path: Path) -> None:
    with Cluster(node=programs.node, faultnet=programs.faultnet, size=3, record=True) as cluster:
        cluster.form()
        client = NodeKeys(cluster, "n1")
        for number in range(20):
            assert client.put(f"k{number}", b"milk").status == 204
        cluster.kill("n3")
        cluster.cut("n1", "n2")
        client.put("k0", b"bread")
        cluster.restart("n3")
        cluster.heal()
        client.close()
        cluster.wait_members(cluster.names)
        cluster.keep(tmp_path)
        plan, began_s = cluster.plan(), cluster.began_s
    recordings = sorted(tmp_path.glob("*.recording"))
    assert [file.name for file in recordings] == ["n1.recording", "n2.recording", "n3.recording"]
    trace = tmp_path / "all.jsonl"
    command = [programs.replay_recordings, "--node", programs.node, "--trace", trace]
    command += ["--plan", tmp_path / "plan.json", "--began-us", str(int(began_s * 1e6)), *recordings]
    done = processes.run(command, deadline_s=60)
    assert done.code == 0, done.out
    assert done.out.count("did the same again") == 4, done.out  # n3 has two starts.

    told_all = complete_lines(trace)
    rings = [step["data"]["owners"] for step in model.rings_then(told_all) if step["node"] == "n1"]
    assert set(rings[0]) == {"n1"} and set(rings[-1]) == {"n1", "n2", "n3"} and len(rings) == 3
    steps = [step for step in told_all if step["event"] != "ring_then"]
    assert [step["t_us"] for step in steps] == sorted(step["t_us"] for step in steps)
    sent = {
        (step["node"], step["peer"], step["message"], step["id"]) for step in steps if step["event"] == "send"
    }
    received = [step for step in steps if step["event"] == "receive"]
    assert received
    for step in received:
        assert (step["peer"], step["node"], step["message"], step["id"]) in sent, step
    events = [step["event"] for step in steps]
    for event, count in {"crash": 1, "restart": 1, "cut": 1, "heal": 1, "start": 3}.items():
        assert events.count(event) == count, event
    told = [step for step in steps if step["event"] == "told" and step["message"] == "put"]
    assert len(told) == 21 and all(step["text"] == "done" for step in told[:20])
    assert [action["at_ms"] for action in plan["actions"]] == sorted(
        action["at_ms"] for action in plan["actions"]
    )


def test_solution_that_does_something_else_is_told(programs: Programs, tmp_path: Path) -> None:
    """The reference's recording, fed to a program that has no such modules."""
    with Cluster(node=programs.node, faultnet=programs.faultnet, size=1, record=True) as cluster:
        cluster.form()
        cluster.keep(tmp_path)
    recording = tmp_path / "n1.recording"
    done = processes.run([programs.replay_recordings, "--node", "/bin/false", recording], deadline_s=60)
    assert done.code == 1
    assert "then it died; then, it had not died there" in done.out
    recording.write_bytes(b"\x07\x00" + recording.read_bytes())
    done = processes.run([programs.replay_recordings, "--node", programs.node, recording], deadline_s=60)
    assert done.code == 2
    assert "n1.recording: is damaged at byte 0: there is no such part" in done.out
