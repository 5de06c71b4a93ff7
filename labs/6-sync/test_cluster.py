"""Lab 6 with real processes: lost disks, cuts and pauses, repaired by sync alone, and the rate on the wire.

What a coordinator could not deliver at once it tries again in an hour: until then an owner lacks it,
unless sync finds it. Counts and states are judged, never milliseconds.
"""

from __future__ import annotations

import contextlib
import itertools
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import pytest
from dynamolab.cluster import Cluster
from dynamolab.cluster.keys import (
    DONE,
    SIBLINGS,
    NodeKeys,
    Seen,
    alone,
    deleted,
    holds,
    owners_of,
    wait_on_all_owners,
)

MakeCluster = Callable[..., Cluster]

CONFIG = {
    "modules": ["membership", "ring", "replication", "versioning", "sync"],
    "q": 64,
    "retry_period_ms": 3_600_000,
    "request_deadline_ms": 2000,
    "sync_period_ms": 50,
}
ANSWER_S = 15.0  # Milliseconds in peace.
RESTORED_S = 30.0  # A second or two in peace.
REQUESTS = itertools.count(1)
SYNC = ("CompareRoots", "AskNodes", "AskCopies", "Update")


def write(cluster: Cluster, via: str, key: str, value: bytes | None, context: str | None = None) -> None:
    """A put, or a delete without a value, until it is acknowledged."""
    node = NodeKeys(cluster, via)
    method = "DELETE" if value is None else "PUT"
    request = f"client:1:{next(REQUESTS)}"
    with contextlib.closing(node):
        cluster.wait_for(
            f"a {'delete' if value is None else 'put'} of {key} at {via} is acknowledged",
            lambda: node.ask(method, key, value, context, request),
            lambda seen: seen.status == DONE,
            ANSWER_S,
        )


def put_all(cluster: Cluster, via: str, values: Mapping[str, bytes]) -> None:
    for key, value in values.items():
        write(cluster, via, key, value)
    cluster.story.tell(f"{via} acknowledges puts of {len(values)} keys")


def expect_all(values: Mapping[str, bytes]) -> dict[str, Callable[[Seen], bool]]:
    return {key: holds(value) for key, value in values.items()}


def lose_disk(cluster: Cluster, name: str) -> None:
    cluster.kill(name)
    cluster.wipe(name)
    cluster.restart(name)


def passed(
    cluster: Cluster, types: Iterable[str], source: str = "", target: str = "", kind: str = ""
) -> tuple[int, int]:
    """Messages that were sent so far, and their bytes."""
    wanted = set(types)
    rows = [
        row
        for row in cluster.faultnet.counts()
        if row["fate"] == "sent"
        and row["type"] in wanted
        and source in ("", row["from"])
        and target in ("", row["to"])
        and kind in ("", row["kind"])
    ]
    return sum(row["messages"] for row in rows), sum(row["bytes"] for row in rows)


def falls_silent(cluster: Cluster) -> None:
    """Exchanges go on, and none goes further than roots. What is still under way may end first."""

    def look() -> tuple[int, int]:
        start = passed(cluster, ["CompareRoots"])[0]
        before = passed(cluster, SYNC[1:])[0]
        cluster.wait_for(
            "all nodes go on to compare roots",
            lambda: passed(cluster, ["CompareRoots"])[0],
            lambda now: now >= start + 24,
        )
        return before, passed(cluster, SYNC[1:])[0]

    cluster.wait_for(
        "all are equal, so only roots are compared: no nodes, no copies, no updates",
        look,
        lambda counts: counts[0] == counts[1],
        words=lambda counts: f"in a while there were {counts[1] - counts[0]} such messages",
    )


@pytest.mark.check("sync.a_real_lost_disk_is_restored_and_nobody_reads")
def test_a_real_lost_disk_is_restored_and_nobody_reads(make_cluster: MakeCluster) -> None:
    cluster = make_cluster(4, config=CONFIG)
    cluster.form()
    values = {f"item {number}": f"value {number} ".encode() * 30 for number in range(100)}
    put_all(cluster, "n1", values)
    wait_on_all_owners(cluster, expect_all(values), "each key that was put", "n1")
    lose_disk(cluster, "n2")
    cluster.wait_same_history()
    wait_on_all_owners(cluster, expect_all(values), "each key, though n2 has lost its disk", "n1")
    falls_silent(cluster)


@pytest.mark.check("sync.a_real_cut_is_mended_both_ways")
def test_a_real_cut_is_mended_both_ways(make_cluster: MakeCluster) -> None:
    cluster = make_cluster(3, config=CONFIG)
    cluster.form()
    old = {f"old {number}": b"old" for number in range(12)}
    put_all(cluster, "n1", old)
    wait_on_all_owners(cluster, expect_all(old), "each key that was put", "n1")
    node = NodeKeys(cluster, "n1")
    with contextlib.closing(node):
        contexts = {key: node.get(key).context for key in old}
    cluster.partition(["n1", "n2"], ["n3"])
    expected: dict[str, Callable[[Seen], bool]] = {}
    for number, key in enumerate(old):
        context = contexts[key]
        if number % 4 == 0:  # Both sides write what nobody on the other side has seen.
            write(cluster, "n1", key, b"left", context)
            write(cluster, "n3", key, b"right", context)
            expected[key] = lambda seen: seen.status == SIBLINGS and seen.values == {b"left", b"right"}
        elif number % 4 == 1:
            write(cluster, "n3", key, None, context)
            expected[key] = deleted
        elif number % 4 == 2:
            write(cluster, "n2", key, b"newer", context)
            expected[key] = holds(b"newer")
        else:
            expected[key] = holds(b"old")
    for number in range(20):
        for name in ("n2", "n3"):
            write(cluster, name, f"new {name} {number}", name.encode())
            expected[f"new {name} {number}"] = holds(name.encode())
    cluster.story.tell("n1 and n2 on one side, n3 on the other: both take puts and deletes")
    cluster.heal()
    wait_on_all_owners(cluster, expected, "what both sides wrote", "n1")
    falls_silent(cluster)


def wait_on_node(cluster: Cluster, name: str, values: Mapping[str, bytes], via: str) -> None:
    """Until the node, cut off from all others, answers with each value that it owns."""
    mine = [key for key in values if name in owners_of(cluster, key, via)]

    def lacking() -> str:
        node = NodeKeys(cluster, name)
        with alone(cluster, name), contextlib.closing(node):
            for key in mine:
                seen = node.ask("GET", key, hosts=1)
                if not holds(values[key])(seen):
                    return f"{name} alone says of {key}: {seen}"
        return ""

    cluster.wait_for(
        f"{name} holds all {len(mine)} keys that it owns",
        lacking,
        lambda wrong: not wrong,
        RESTORED_S,
        str,
    )
    cluster.story.tell(f"{name} holds all {len(mine)} keys that it owns")


@pytest.mark.check("sync.a_real_peer_that_stands_still_holds_up_nobody")
def test_a_real_peer_that_stands_still_holds_up_nobody(make_cluster: MakeCluster) -> None:
    cluster = make_cluster(4, config=CONFIG)
    cluster.form()
    values = {f"item {number}": f"value {number} ".encode() * 30 for number in range(80)}
    put_all(cluster, "n1", values)
    wait_on_all_owners(cluster, expect_all(values), "each key that was put", "n1")
    # Of three owners of a key one has lost it, one stands still, and the third one is there.
    cluster.pause("n3")
    lose_disk(cluster, "n2")
    cluster.wait_same_history(["n1", "n2", "n4"])
    wait_on_node(cluster, "n2", values, "n1")
    cluster.kill("n4")
    cluster.resume("n3")
    lose_disk(cluster, "n1")
    cluster.wait_same_history(["n1", "n2", "n3"])
    wait_on_node(cluster, "n1", values, "n2")
    cluster.restart("n4")
    wait_on_all_owners(cluster, expect_all(values), "each key, when all nodes are back", "n1")


@pytest.mark.check("sync.the_rate_on_the_wire_is_the_configured_one")
def test_the_rate_on_the_wire_is_the_configured_one(make_cluster: MakeCluster) -> None:
    rate, batch = 100_000, 4_000
    limits = {"sync_bytes_per_second": rate, "batch_bytes": batch}
    cluster = make_cluster(2, config={**CONFIG, **limits})
    cluster.form()
    values = {f"item {number}": b"x" * 3_000 for number in range(60)}
    put_all(cluster, "n1", values)
    wait_on_all_owners(cluster, expect_all(values), "each key that was put", "n1")
    # An exchange of the one or of the other moves a state, or both do.
    sent = {name: exchanges_of(cluster, name) for name in cluster.names}
    begin = time.monotonic()
    lose_disk(cluster, "n2")
    total = sum(map(len, values.values()))
    moved = to_n2(cluster)
    cluster.wait_for(
        f"the states of all keys, {total} bytes, are sent to n2",
        lambda: to_n2(cluster) - moved,
        lambda now: now >= total,
        RESTORED_S,
        lambda now: f"{now} bytes are",
    )
    # Asked before the clock: what comes between the two makes the time longer, not the count.
    spent = {name: exchanges_of(cluster, name) - sent[name] for name in cluster.names}
    seconds = time.monotonic() - begin
    cluster.story.tell(f"in {seconds:.1f} s exchanges of n1 took {spent['n1']} bytes, of n2 {spent['n2']}")
    most = int(rate * seconds * 1.2) + 4 * batch
    for name, count in spent.items():
        assert count <= most, (
            f"expected: the requests of {name}'s exchanges and their replies have at most {rate} bytes a "
            f"second, so about {rate * seconds:.0f} in {seconds:.1f} s, and a burst of a batch of {batch}\n"
            f"actual: {count} bytes"
        )
    wait_on_all_owners(cluster, expect_all(values), "each key", "n1")


def exchanges_of(cluster: Cluster, name: str) -> int:
    """Bytes of its requests, and of the replies to them."""
    return (
        passed(cluster, SYNC, source=name, kind="request")[1]
        + passed(cluster, SYNC, target=name, kind="reply")[1]
    )


def to_n2(cluster: Cluster) -> int:
    """Bytes of messages with states, from n1 to n2."""
    return (
        passed(cluster, ["Update"], source="n1", kind="request")[1]
        + passed(cluster, ["AskCopies"], source="n1", kind="reply")[1]
    )


@pytest.mark.check("sync.kills_of_all_during_a_sync_cost_nothing_but_time")
def test_kills_of_all_during_a_sync_cost_nothing_but_time(make_cluster: MakeCluster) -> None:
    limits: dict[str, Any] = {"sync_bytes_per_second": 200_000, "batch_bytes": 3_000}
    cluster = make_cluster(3, config={**CONFIG, **limits})
    cluster.form()
    values = {f"item {number}": f"{number} ".encode() * 600 for number in range(60)}
    put_all(cluster, "n1", values)
    wait_on_all_owners(cluster, expect_all(values), "each key that was put", "n1")
    lose_disk(cluster, "n2")
    for _ in range(3):
        before = passed(cluster, ["AskCopies", "Update"])[0]
        cluster.wait_for(
            "states are on their way",
            lambda: passed(cluster, ["AskCopies", "Update"])[0],
            lambda now, before=before: now >= before + 6,
        )
        cluster.kill(*cluster.names)
        cluster.restart(*cluster.names)
    wait_on_all_owners(cluster, expect_all(values), "each key, after all nodes were killed", "n1")
    falls_silent(cluster)


@pytest.mark.check("sync.lost_disks_are_restored_beside_the_reference")
def test_lost_disks_are_restored_beside_the_reference(make_cluster: MakeCluster) -> None:
    cluster = make_cluster(3, reference=["n2"], config=CONFIG)
    cluster.form()
    values = {f"item {number}": f"value {number} ".encode() * 10 for number in range(100)}
    put_all(cluster, "n1", values)
    wait_on_all_owners(cluster, expect_all(values), "each key that was put", "n1")
    # All three own each key. Who lost its disk can have it back only from a node of the other kind.
    cluster.kill("n3")
    for lost, giver in (("n2", "n1"), ("n1", "n2")):
        lose_disk(cluster, lost)
        cluster.wait_same_history(["n1", "n2"])
        wait_on_node(cluster, lost, values, giver)
    cluster.restart("n3")
    falls_silent(cluster)
