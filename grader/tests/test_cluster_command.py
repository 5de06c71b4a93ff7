"""`./lab cluster` and `./lab console` on a real cluster in the background."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dynamolab import processes
from real_nodes import Programs, processes_that_mention, programs, soon

__all__ = ["programs"]

Lab = Callable[..., processes.Completed]


@pytest.fixture
def lab(lab_command: Lab, tmp_path: Path) -> Iterator[Lab]:
    """./lab with a cluster folder of the test's own."""
    folder = tmp_path / "cluster"

    def run(*words: str | Path) -> processes.Completed:
        return lab_command(*words, DYNAMO_CLUSTER=str(folder), TMPDIR=str(tmp_path))

    yield run
    run("cluster", "down")
    assert not folder.exists()
    assert soon(lambda: not processes_that_mention(str(folder)))
    assert soon(lambda: not list(tmp_path.glob("dynamo-*")))


@pytest.fixture
def up(programs: Programs) -> list[str | Path]:
    paths: list[str | Path] = ["--node", programs.node, "--faultnet", programs.faultnet]
    return ["cluster", "up", "-n", "3", "--gossip-ms", "50", *paths]


def test_a_cluster_outlives_its_command_and_obeys(lab: Lab, up: list[str | Path]) -> None:
    started = lab(*up)
    assert started.code == 0, started.out
    assert "curl 127.0.0.1:" in started.out
    shown = lab("cluster", "status")
    assert shown.out.count("running") == 3
    assert "members n1 n2 n3" in shown.out

    console = lab("console", "-c", "remove n3", "-c", "members", "-c", "views")
    assert console.code == 0, console.out
    assert "remove n3 is done" in console.out
    refused = lab("console", "-c", "remove n3")
    assert refused.code == 1
    assert "404 not_found" in refused.out

    for words, state in [("kill", "down"), ("restart", "running"), ("pause", "paused")]:
        assert lab("cluster", words, "n2").code == 0
        lines = lab("cluster", "status").out.splitlines()
        row = next(line for line in lines if line.startswith("  n2 "))
        assert state in row
    for words in [["resume", "n2"], ["cut", "n1", "n2"], ["heal", "n1", "n2"], ["heal"]]:
        assert lab("cluster", *words).code == 0

    for words, told in [
        (["kill", "n9"], "no node is called 'n9'"),
        (["resume", "n1"], "n1 is running: it cannot be resumed"),
        (["wipe", "n1"], "kill it first"),
        (["heal", "n1"], "heal takes two nodes"),
    ]:
        wrong = lab("cluster", *words)
        assert (wrong.code, told in wrong.out) == (2, True), wrong.out
    again = lab(*up)
    assert again.code == 2
    assert "running already" in again.out
    assert "3 nodes were stopped" in lab("cluster", "down").out
    assert "No cluster was running" in lab("cluster", "down").out


def test_a_mixed_cluster_says_which_node_runs_what(
    lab: Lab, up: list[str | Path], programs: Programs
) -> None:
    refused = lab(*up, "--reference", "n2,n4")
    assert (refused.code, "--reference n4: no node is called so" in refused.out) == (2, True)
    started = lab(*up, "--reference", "n3", "--reference-node", programs.node)
    assert started.code == 0, started.out
    assert "n3: reference" in started.out
    rows = [line for line in lab("cluster", "status").out.splitlines() if "members n1 n2 n3" in line]
    assert ["   reference   " in row for row in rows] == [False, False, True]


def test_what_a_killed_cluster_left_is_no_hindrance(
    lab: Lab, up: list[str | Path], tmp_path: Path
) -> None:
    folder = tmp_path / "cluster"
    assert lab(*up).code == 0
    owner = json.loads((folder / "state.json").read_text(encoding="utf-8"))["pid"]
    assert lab("cluster", "pause", "n2").code == 0
    os.kill(owner, signal.SIGKILL)
    assert soon(lambda: not processes_that_mention(str(folder))), "its nodes die with it"
    gone = lab("cluster", "status")
    assert gone.code == 2
    assert "no cluster is running" in gone.out
    assert lab("console", "-c", "members").code == 2
    assert lab(*up).code == 0, "a stale state file stands in nobody's way"
    assert lab("cluster", "status").out.count("running") == 3


def test_a_node_that_does_not_start_is_told(lab: Lab, programs: Programs, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.write_text("#!/bin/sh\necho last words; exit 3\n", encoding="utf-8")
    broken.chmod(0o755)
    paths: list[str | Path] = ["--node", broken, "--faultnet", programs.faultnet]
    done = lab("cluster", "up", *paths)
    assert done.code == 2
    assert "exited with code 3" in done.out
    assert "last words" in done.out
    assert lab("cluster", "up", "-n", "99").code == 2
