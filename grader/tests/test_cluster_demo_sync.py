"""`./lab demo sync` on a real cluster."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from dynamolab import demo_sync, processes
from real_nodes import Programs, processes_that_mention, programs

__all__ = ["programs"]


def test_demo_tells_what_the_trees_find_and_what_it_costs(
    lab_command: Callable[..., processes.Completed], programs: Programs, tmp_path: Path
) -> None:
    told = lab_command(
        "demo",
        "sync",
        "--node",
        programs.node,
        "--faultnet",
        programs.faultnet,
        TMPDIR=str(tmp_path),
    )
    assert told.code == 0, told.out
    for words in (
        "one price changes meanwhile",
        "its disk is lost",
        "All 240 items are there.",
    ):
        assert words in told.out
    one, lost = (float(share) for share in re.findall(r"which is ([\d.]+)% of shipping", told.out))
    assert one < 10, f"one key costs little:\n{told.out}"
    assert lost > 95, f"an empty disk costs all that was on it:\n{told.out}"
    moved = [int(states) for states in re.findall(r"States moved: (\d+)", told.out)]
    assert 1 <= moved[0] <= 4, told.out
    assert moved[1] >= demo_sync.ITEMS, told.out
    assert not list(tmp_path.glob("dynamo-*"))
    assert not processes_that_mention(str(tmp_path))


def test_demo_says_what_a_wrong_node_did_not_do(programs: Programs, monkeypatch: pytest.MonkeyPatch) -> None:
    # Nodes that never compare anything.
    monkeypatch.setattr(demo_sync, "RESTORED_S", 0.5)
    monkeypatch.setitem(demo_sync.CONFIG, "modules", ["membership", "ring", "replication", "versioning"])
    with pytest.raises(AssertionError, match="all trees are equal"):
        demo_sync.tell_sync(programs.node, programs.faultnet, lambda line: None)
