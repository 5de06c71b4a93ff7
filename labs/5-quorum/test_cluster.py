"""Lab 5 with real processes: what only a process, a disk, a kill or a pause can show.

Counts and states are judged, never milliseconds. No answer, a 503 and a 504 are unknown: a read is
asked again until its deadline, and a write may have happened or not.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import pytest
from dynamolab.cluster import Cluster
from dynamolab.cluster.client import NodeClient
from dynamolab.cluster.errors import ClusterTrouble
from dynamolab.cluster.keys import (
    ABSENT,
    DONE,
    SIBLINGS,
    NodeKeys,
    Seen,
    alone,
    holds,
    owners_differ,
    owners_of,
    wait_on_all_owners,
)

MakeCluster = Callable[..., Cluster]

CONFIG = {
    "modules": ["membership", "ring", "versioning", "quorum"],
    "q": 64,
    "retry_period_ms": 50,
    "call_timeout_ms": 150,
    "request_deadline_ms": 2000,
}
REQUESTS = itertools.count(1)
READ_S = 15.0  # For what must come true; milliseconds in peace.


def config(mode: str, **more: Any) -> dict[str, Any]:
    return {**CONFIG, "mode": mode, **more}


def ask(cluster: Cluster, via: str, question: Callable[[NodeKeys], Seen]) -> Seen:
    """Once, whatever the answer is."""
    with contextlib.closing(NodeKeys(cluster, via)) as node:
        return question(node)


def put_all(cluster: Cluster, via: str, values: Mapping[str, bytes], w: int) -> None:
    """Each until it is acknowledged."""
    with contextlib.closing(NodeKeys(cluster, via)) as node:
        for key, value in values.items():
            cluster.wait_for(
                f"a put of {key} at {via} with w={w} is acknowledged",
                lambda key=key, value=value: node.put(key, value, w=w),
                lambda seen: seen.status == DONE,
                READ_S,
            )
    cluster.story.tell(f"{via} acknowledges puts of {len(values)} keys with w={w}")


def put_with_hints(cluster: Cluster, via: str, values: Mapping[str, bytes], dead: str) -> None:
    """Puts with w=3 while `via` suspects `dead` and nobody else. If it took another owner for dead as
    well, that one's answer and the hint for it would make three hosts, and nothing would be kept
    for `dead`: right, but not what is to be looked at."""
    cluster.wait_suspects(via, [dead])

    def put(key: str, value: bytes, request: str) -> tuple[Seen, list[str]]:
        before = cluster.ask(via, NodeClient.suspects)
        seen = ask(cluster, via, lambda node: node.put(key, value, request_id=request, w=3))
        return seen, sorted({*before, *cluster.ask(via, NodeClient.suspects)})

    for key, value in values.items():
        request = f"client:1:{next(REQUESTS)}"
        cluster.wait_for(
            f"a put of {key} at {via} with w=3 is acknowledged while it suspects {dead} alone",
            lambda key=key, value=value, request=request: put(key, value, request),
            lambda seen: seen[0].status == DONE and seen[1] == [dead],
            READ_S,
            lambda seen: f"{seen[0]}; it suspects {', '.join(seen[1]) or 'nobody'}",
        )
    cluster.story.tell(f"{via} acknowledges puts of {len(values)} keys with w=3, with hints for {dead}")


def read(cluster: Cluster, via: str, key: str, r: int) -> Seen:
    """What `via` says of the key, as soon as it says something."""
    with contextlib.closing(NodeKeys(cluster, via)) as node:
        return cluster.wait_for(
            f"{via} answers a get of {key} with r={r}",
            lambda: node.get(key, r=r),
            lambda seen: not seen.unknown,
            READ_S,
        )


def must_show(cluster: Cluster, via: str, key: str, value: bytes, w: int, r: int) -> None:
    seen = read(cluster, via, key, r)
    assert seen.values == {value}, (
        f"expected: a get of {key} at {via} with r={r} shows what was put with w={w}, since r + w > 3\n"
        f"actual: {seen}"
    )


def wait_no_hints(cluster: Cluster, keys: Iterable[str]) -> None:
    """Until who is no owner of a key has nothing of it to tell, asked by itself."""

    def left() -> list[str]:
        strangers: dict[str, list[str]] = {}
        for key in keys:
            for name in cluster.names:
                if name not in owners_of(cluster, key, "n1"):
                    strangers.setdefault(name, []).append(key)
        for name, asked in sorted(strangers.items()):
            with alone(cluster, name), contextlib.closing(NodeKeys(cluster, name)) as node:
                for key in asked:
                    if (seen := node.get(key, r=1)).status != ABSENT:
                        return [f"{name} alone says of {key}, which it does not own: {seen}"]
        return []

    cluster.wait_for(
        "no hints are left", left, lambda wrong: not wrong, words="; ".join, deadline_s=30.0
    )
    cluster.story.tell("who is no owner of a key keeps nothing of it")


@pytest.mark.check("quorum.real_nodes_take_any_r_and_w")
def test_real_nodes_take_any_r_and_w(make_cluster: MakeCluster) -> None:
    cluster = make_cluster(4, config=config("strict"))
    cluster.form()
    for w in (1, 2, 3):
        for via in cluster.names:
            key, value = f"w={w} at {via}", via.encode()
            put_all(cluster, via, {key: value}, w)
            if w == 3:
                wrong = owners_differ(cluster, key, holds(value))
                assert not wrong, (
                    f"expected: a put with w=3 is acknowledged, so all three owners hold {key} at once\n"
                    f"actual: {wrong[0]}"
                )
            for r in range(4 - w, 4):
                for other in cluster.names:
                    must_show(cluster, other, key, value, w, r)
    for hosts in (0, 4):
        for kind, seen in [
            ("get with r", ask(cluster, "n1", lambda node, r=hosts: node.get("key", r=r))),
            ("put with w", ask(cluster, "n1", lambda node, w=hosts: node.put("key", b"", w=w))),
        ]:
            assert (
                seen.status == 400
            ), f"expected: a {kind}={hosts} is refused with 400\nactual: {seen}"


@pytest.mark.check("quorum.acknowledged_puts_survive_a_pause_and_a_kill_of_all_nodes")
def test_acknowledged_puts_survive_a_pause_and_a_kill_of_all_nodes(
    make_cluster: MakeCluster,
) -> None:
    cluster = make_cluster(3, config=config("strict"))
    cluster.form()
    values: dict[str, bytes] = {}
    for paused in ("n3", "n1"):
        cluster.pause(paused)
        vias = [name for name in cluster.names if name != paused]
        for via in vias:
            new = {f"{via} while {paused} is paused {n}": f"{n}".encode() for n in range(8)}
            put_all(cluster, via, new, 2)
            values |= new
        seen = ask(cluster, vias[0], lambda node: node.put("all three", b"", w=3))
        assert seen.status != DONE, (
            f"expected: {paused} is paused and can hold nothing new, so a put with w=3 is not done\n"
            f"actual: {seen}"
        )
        cluster.kill(*cluster.names)
        cluster.restart(*cluster.names)
        for key in new:
            must_show(cluster, paused, key, values[key], 2, 2)
    wait_on_all_owners(
        cluster, {key: holds(value) for key, value in values.items()}, "each put", "n1"
    )


@pytest.mark.check("quorum.gets_refill_a_replica_that_lost_its_disk")
def test_gets_refill_a_replica_that_lost_its_disk(make_cluster: MakeCluster) -> None:
    cluster = make_cluster(3, config=config("strict"))
    cluster.form()
    values = {f"k{number}": f"value {number}".encode() for number in range(12)}
    put_all(cluster, "n1", values, 3)
    cluster.kill("n3")
    cluster.wipe("n3")
    cluster.restart("n3")
    cluster.wait_members(cluster.names)

    def lacking() -> list[str]:
        with contextlib.closing(NodeKeys(cluster, "n2")) as node:
            for key in values:
                node.get(key, r=3)
        return [line for key in values for line in owners_differ(cluster, key, holds(values[key]))]

    cluster.wait_for(
        "a get of each key sends n3 what it lacks",
        lacking,
        lambda wrong: not wrong,
        READ_S,
        lambda wrong: "; ".join(wrong[:3]),
    )


def keys_of_one_list(cluster: Cluster, count: int) -> tuple[list[str], list[str]]:
    """Keys that have the same owners, and these."""
    owners = owners_of(cluster, "cart 0", "n1")
    keys: list[str] = []
    for number in range(1000):
        if sorted(owners_of(cluster, f"cart {number}", "n1")) == sorted(owners):
            keys.append(f"cart {number}")
        if len(keys) == count:
            break
    return keys, owners


def wait_until_shown(cluster: Cluster, via: str, values: Mapping[str, bytes]) -> None:
    """Until `via`, which was dead, shows what the strangers keep for it."""

    def lacking() -> list[str]:
        with contextlib.closing(NodeKeys(cluster, via)) as node:
            seen = {key: node.get(key, r=1) for key in values}
        return [f"{key}: {seen[key]}" for key in values if seen[key].values != {values[key]}]

    cluster.wait_for(
        f"{via} is sent what strangers keep for it, and shows it with r=1",
        lacking,
        lambda wrong: not wrong,
        READ_S,
        "; ".join,
    )


@pytest.mark.check("quorum.hints_outlive_kills_and_reach_their_owner")
def test_hints_outlive_kills_and_reach_their_owner(make_cluster: MakeCluster) -> None:
    cluster = make_cluster(5, config=config("sloppy"))
    cluster.form()
    keys, owners = keys_of_one_list(cluster, 4)
    values = {key: f"value of {key}".encode() for key in keys}
    dead, *others = owners
    strangers = [name for name in cluster.names if name not in owners]
    cluster.story.tell(f"owners of the keys are {', '.join(owners)}")
    cluster.kill(dead)
    put_with_hints(cluster, others[0], values, dead)
    cluster.kill(*others, *strangers)
    cluster.restart(*strangers, dead)  # Only hints can tell the owner now.

    wait_until_shown(cluster, dead, values)
    cluster.restart(*others)
    wait_on_all_owners(
        cluster, {key: holds(value) for key, value in values.items()}, "each put", dead
    )
    wait_no_hints(cluster, keys)


@pytest.mark.check("quorum.both_sides_of_a_real_partition_serve_and_meet")
def test_both_sides_of_a_real_partition_serve_and_meet(make_cluster: MakeCluster) -> None:
    cluster = make_cluster(5, config=config("sloppy"))
    cluster.form()
    keys = [f"cart {number}" for number in range(4)]
    sides = (["n1", "n2"], ["n3", "n4", "n5"])
    cluster.partition(*sides)
    for side in sides:
        for via in (side[0], side[-1]):
            put_all(cluster, via, {key: via.encode() for key in keys}, 2)
        for key in keys:
            read(cluster, side[0], key, 2)
        cluster.story.tell(f"{side[0]} answers gets of {len(keys)} keys with r=2")
    cluster.heal()
    all_four = {via.encode() for side in sides for via in (side[0], side[-1])}

    def right(seen: Seen) -> bool:
        return seen.status == SIBLINGS and seen.values == all_four

    wait_on_all_owners(
        cluster, dict.fromkeys(keys, right), "what four clients put, as siblings", "n1"
    )
    wait_no_hints(cluster, keys)


def keys_of(cluster: Cluster, owners: set[str], count: int) -> list[str]:
    """Keys of just these owners. There are some: 64 vnodes, and ten ways to choose three of five."""
    keys = (f"cart {number}" for number in range(1000))
    theirs = (key for key in keys if set(owners_of(cluster, key, "n1")) == owners)
    found = list(itertools.islice(theirs, count))
    if len(found) < count:
        raise ClusterTrouble(f"no {count} of 1,000 keys are owned by {', '.join(sorted(owners))}")
    return found


@pytest.mark.check("quorum.real_nodes_hand_over_hints_beside_the_reference")
def test_real_nodes_hand_over_hints_beside_the_reference(make_cluster: MakeCluster) -> None:
    cluster = make_cluster(5, reference=["n2", "n4"], config=config("sloppy"))
    cluster.form()
    # Who dies, and the other owners: both strangers, who keep the hints, are of the other kind.
    for dead, others in (("n2", ("n4", "n5")), ("n1", ("n3", "n5"))):
        keys = keys_of(cluster, {dead, *others}, 4)
        values = {key: f"value of {key}".encode() for key in keys}
        cluster.story.tell(f"owners of {len(keys)} keys are {dead}, {' and '.join(others)}")
        cluster.kill(dead)
        for via, half in zip(others, (keys[:2], keys[2:]), strict=True):
            put_with_hints(cluster, via, {key: values[key] for key in half}, dead)
        cluster.kill(*others)
        cluster.restart(dead)  # Only the hints of the strangers can tell it now.
        wait_until_shown(cluster, dead, values)
        cluster.restart(*others)
        wait_on_all_owners(
            cluster, {key: holds(value) for key, value in values.items()}, "each put", dead
        )
        wait_no_hints(cluster, keys)
