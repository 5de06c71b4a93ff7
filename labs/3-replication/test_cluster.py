"""Lab 3 with real processes: what only a process, a disk, a kill or a pause can show.

Counts and states are judged, never milliseconds. No answer, a 503 and a 504 are unknown: a read is
asked again until its deadline, and a write may have happened or not.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from dynamolab.cluster import Cluster, listed
from dynamolab.cluster.keys import (
    ABSENT,
    DONE,
    ONE,
    NodeKeys,
    Seen,
    deleted,
    holds,
    owners_of,
    wait_on_all_owners,
)

MakeCluster = Callable[..., Cluster]

STATIC = ["membership", "ring", "replication"]  # Nobody joins or leaves: no part C.
MOVING = [*STATIC, "transfer"]
CONFIG = {"q": 64, "retry_period_ms": 50, "request_deadline_ms": 2000}
READ_S = 15.0  # For a read that must come true, whatever goes on; milliseconds in peace.


def config(modules: list[str], **more: Any) -> dict[str, Any]:
    return {**CONFIG, "modules": modules, **more}


def done(cluster: Cluster, what: str, ask: Callable[[], Seen]) -> None:
    """Asks until it is acknowledged; what is unknown is asked again."""
    cluster.wait_for(f"{what} is acknowledged", ask, lambda seen: seen.status == DONE, READ_S)


def put_all(cluster: Cluster, via: str, values: Mapping[str, bytes]) -> None:
    node = NodeKeys(cluster, via)
    with contextlib.closing(node):
        for key, value in values.items():
            done(cluster, f"a put of {key} at {via}", lambda key=key, value=value: node.put(key, value))
    cluster.story.tell(f"{via} acknowledges puts of {len(values)} keys")


def expect_all(values: Mapping[str, bytes]) -> dict[str, Callable[[Seen], bool]]:
    return {key: holds(value) for key, value in values.items()}


def read(cluster: Cluster, via: str, key: str) -> Seen:
    """What `via` says of the key, as soon as it says something."""
    node = NodeKeys(cluster, via)
    with contextlib.closing(node):
        return cluster.wait_for(
            f"{via} answers a read of {key}", lambda: node.get(key), lambda seen: not seen.unknown, READ_S
        )


class Load:
    """Threads that ask until the block is left. What one of them raises is raised at its end."""

    def __init__(self, *works: Callable[[], None]) -> None:
        self._works = works
        self._stop = threading.Event()
        self._raised: list[BaseException] = []

    def __enter__(self) -> Load:
        self._threads = [threading.Thread(target=self._repeat, args=(one,)) for one in self._works]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()
        if self._raised and error is None:
            raise self._raised[0]

    def must_go_well(self) -> None:
        if self._raised:
            raise self._raised[0]

    def _repeat(self, work: Callable[[], None]) -> None:
        try:
            while not self._stop.is_set():
                work()
        except BaseException as error:  # Told by the main thread.
            self._raised.append(error)


@pytest.mark.check("replication.real_nodes_take_any_request")
def test_real_nodes_take_any_request(make_cluster: MakeCluster) -> None:
    cluster = make_cluster(5, config=config(STATIC))
    cluster.form()
    every = bytes(range(256))
    values = {f"key of {name}": name.encode() + every for name in cluster.names}
    for name, (key, value) in zip(cluster.names, values.items(), strict=True):
        put_all(cluster, name, {key: value})
    wait_on_all_owners(cluster, expect_all(values), "each key that was put", "n1")
    for name in cluster.names:
        for key, value in values.items():
            seen = read(cluster, name, key)
            assert seen.values == {value}, (
                f"expected: {name} gets what was put under {key}, its 256 bytes unchanged\nactual: {seen}"
            )


@pytest.mark.check("replication.paused_owner_neither_delays_nor_loses_a_put")
def test_paused_owner_neither_delays_nor_loses_a_put(make_cluster: MakeCluster) -> None:
    cluster = make_cluster(4, config=config(STATIC))
    cluster.form()
    keys = [f"k{number}" for number in range(12)]
    values: dict[str, bytes] = {}
    for paused in ["n2", "n3"]:
        cluster.pause(paused)
        for via in [name for name in cluster.names if name != paused]:
            node = NodeKeys(cluster, via)
            for key in keys:
                values[key] = f"{via} while {paused} is paused".encode()
                done(
                    cluster,
                    f"a put of {key} at {via}, while {paused} answers nothing,",
                    lambda node=node, key=key: node.put(key, values[key]),
                )
            node.close()
        cluster.story.tell(f"every node but {paused} acknowledges puts of {len(keys)} keys")
        cluster.resume(paused)
    wait_on_all_owners(cluster, expect_all(values), "the newest value of each key", "n1")


@pytest.mark.check("replication.writes_through_one_way_cuts_reach_all_owners")
def test_writes_through_one_way_cuts_reach_all_owners(make_cluster: MakeCluster) -> None:
    cluster = make_cluster(3, config=config(STATIC))
    cluster.form()
    values: dict[str, bytes] = {}
    # An owner that is not heard, or does not hear, still takes what clients give it.
    for deaf, mute in [("n2", "n1"), ("n1", "n3")]:
        cluster.cut(mute, [name for name in cluster.names if name != mute])
        cluster.cut([name for name in cluster.names if name != deaf], deaf)
        for name in cluster.names:
            new = {f"{mute} is not heard {number} {name}": name.encode() for number in range(4)}
            put_all(cluster, name, new)
            values |= new
        cluster.heal()
    wait_on_all_owners(cluster, expect_all(values), "each key that was put", "n1")


@pytest.mark.check("replication.doubled_late_and_reordered_messages_change_nothing")
def test_doubled_late_and_reordered_messages_change_nothing(make_cluster: MakeCluster) -> None:
    cluster = make_cluster(3, config=config(STATIC))
    cluster.form()
    cluster.link(duplicate_ppm=400_000, loss_ppm=100_000, delay_max_ms=40)
    accepted: dict[str, set[bytes]] = {}
    writers = {name: NodeKeys(cluster, name) for name in cluster.names}
    for number in range(15):
        for name, node in writers.items():
            for key in [f"{name} a", f"{name} b"]:
                value = f"{number}".encode()
                if node.put(key, value).status == DONE:
                    accepted[key] = set()  # It is newer than all before: the same node stamped them.
                accepted.setdefault(key, set()).add(value)
    for node in writers.values():
        node.close()
    cluster.story.tell("each node puts 15 values under two keys of its own, one after the other")
    expected = {key: holds(*values) for key, values in accepted.items()}
    wait_on_all_owners(cluster, expected, "the last value of each key that was acknowledged", "n1")
    cluster.link()
    wait_on_all_owners(cluster, expected, "the same, when the network is well", "n1")


@pytest.mark.check("replication.acknowledged_write_survives_a_kill_of_its_coordinator")
def test_acknowledged_write_survives_a_kill_of_its_coordinator(make_cluster: MakeCluster) -> None:
    cluster = make_cluster(3, config=config(STATIC))
    cluster.form()
    values: dict[str, bytes] = {}
    for number, name in enumerate([*cluster.names, *cluster.names]):
        # Cut off, so that what it has not sent yet stands nowhere else.
        others = [other for other in cluster.names if other != name]
        cluster.cut(name, others)
        new = {f"k{number}{letter}": f"{name} {letter}".encode() for letter in "abc"}
        put_all(cluster, name, new)
        values |= new
        cluster.kill(name)
        cluster.heal()
        cluster.restart(name)
    wait_on_all_owners(cluster, expect_all(values), "each write that was acknowledged", "n1")


@pytest.mark.check("replication.every_node_killed_in_the_middle_of_a_load")
def test_every_node_killed_in_the_middle_of_a_load(make_cluster: MakeCluster) -> None:
    cluster = make_cluster(3, config=config(STATIC))
    cluster.form()
    acknowledged: dict[str, bytes] = {}

    def writer(name: str, number: int) -> Callable[[], None]:
        node, count = NodeKeys(cluster, name), iter(range(10**9))

        def put_one() -> None:
            key = f"{name}/{number}/{next(count)}"
            if node.put(key, key.encode()).status == DONE:
                acknowledged[key] = key.encode()
            else:
                time.sleep(0.005)  # It is down; this is no spinning.

        return put_one

    for round_ in range(2):
        before = len(acknowledged)
        with Load(*[writer(name, round_) for name in cluster.names]) as load:
            cluster.wait_for(
                "60 more puts are acknowledged", lambda: len(acknowledged), lambda n: n >= before + 60
            )
            cluster.kill(*cluster.names)
            load.must_go_well()
        cluster.story.tell(f"{len(acknowledged) - before} puts were acknowledged before that")
        cluster.restart(*cluster.names)
    wait_on_all_owners(
        cluster, expect_all(dict(acknowledged)), "each write that was acknowledged", "n1"
    )


@pytest.mark.check("replication.repeated_request_is_executed_once_though_its_node_was_killed")
def test_repeated_request_is_executed_once_though_its_node_was_killed(
    make_cluster: MakeCluster,
) -> None:
    cluster = make_cluster(3, config=config(STATIC))
    cluster.form()
    with contextlib.ExitStack() as stack:
        node = stack.enter_context(contextlib.closing(NodeKeys(cluster, "n2")))

        def put(value: bytes, request_id: str) -> None:
            done(
                cluster,
                f"a put of {value.decode()!r} with the id {request_id}",
                lambda: node.put("cart", value, request_id=request_id),
            )
            cluster.story.tell(f"n2 acknowledges request {request_id}, a put of {value.decode()!r}")

        for number in range(2):
            first, second = f"client:1:{number}1", f"client:1:{number}2"
            put(b"milk", first)
            put(b"milk and eggs", second)
            if number == 1:
                cluster.kill("n2")
                cluster.restart("n2")
                node.close()
            put(b"milk", first)
            seen = read(cluster, "n2", "cart")
            assert seen.values == {b"milk and eggs"}, (
                f"expected: request {first} was executed before, so its repetition changes nothing, and "
                f"the newest value is 'milk and eggs'\nactual: {seen}"
            )
    expected = {"cart": holds(b"milk and eggs")}
    wait_on_all_owners(cluster, expected, "the newest value", "n1")


@pytest.mark.check("replication.deleted_keys_stay_deleted_though_a_real_replica_slept")
def test_deleted_keys_stay_deleted_though_a_real_replica_slept(make_cluster: MakeCluster) -> None:
    cluster = make_cluster(3, config=config(STATIC))
    cluster.form()
    values = {f"k{number}": b"to be deleted" for number in range(8)}
    put_all(cluster, "n1", values)
    wait_on_all_owners(cluster, expect_all(values), "each key that was put", "n1")
    cluster.kill("n3")
    node = NodeKeys(cluster, "n2")
    with contextlib.closing(node):
        for key in values:
            done(cluster, f"a delete of {key} at n2", lambda key=key: node.delete(key))
    cluster.story.tell(f"n2 acknowledges deletes of {len(values)} keys")
    cluster.kill("n1", "n2")
    cluster.restart("n3", "n2", "n1")
    wait_on_all_owners(cluster, dict.fromkeys(values, deleted), "that each key was deleted", "n3")
    for name in cluster.names:
        seen = read(cluster, name, "k0")
        assert seen.status == ABSENT, f"expected: {name} says that k0 is absent\nactual: {seen}"


@pytest.mark.check("replication.full_disk_refuses_and_loses_nothing")
def test_full_disk_refuses_and_loses_nothing(make_cluster: MakeCluster) -> None:
    # What is owed to a full disk may be offered to it, state and all, every retry_period: not so often
    # that a slow machine has no time for anything else.
    cluster = make_cluster(3, config=config(STATIC, disk_limit_bytes=3 << 19, retry_period_ms=500))
    cluster.form()
    acknowledged: dict[str, bytes] = {}
    # Each fills its disk with keys of its own, so what they owe each other finds no room.
    cluster.partition(*[[name] for name in cluster.names])
    for name in cluster.names:
        fill(cluster, name, acknowledged)
    cluster.heal()
    for name in cluster.names:
        seen = cluster.wait_for(
            f"{name} says that its disk of 1.5 MiB is full",
            lambda name=name: fill(cluster, name, acknowledged),
            lambda seen: not seen.unknown,
            READ_S,
        )
        assert seen.status == 507 and "no_room" in seen.told, (
            f"expected: {name}, whose disk is full, refuses a put with 507 no_room\nactual: {seen}"
        )
    cluster.story.tell(f"after {len(acknowledged)} puts the disks are full, and every node refuses")
    cluster.must_live()
    cluster.kill(*cluster.names)
    cluster.restart(*cluster.names)
    make_room(cluster, acknowledged)
    wait_on_all_owners(
        cluster, expect_all(acknowledged), "each acknowledged write that was not deleted", "n1"
    )
    put_all(cluster, "n1", {"new": bytes(60_000)})


def fill(cluster: Cluster, name: str, acknowledged: dict[str, bytes]) -> Seen:
    """Puts 60 kB under one key after the other, up to 6 MB of them, until one is not acknowledged."""
    with contextlib.closing(NodeKeys(cluster, name)) as node:
        for _ in range(100):
            key = f"k{len(acknowledged)} {name}"
            value = key.encode() + b"." * 60_000
            seen = node.put(key, value)
            if seen.status != DONE:
                break
            acknowledged[key] = value
    return seen


def make_room(cluster: Cluster, acknowledged: dict[str, bytes]) -> None:
    """Deletes five keys of six, which full disks take, too: then what is left fits on each."""
    for key in [key for number, key in enumerate(acknowledged) if number % 6]:
        owner = owners_of(cluster, key, "n1")[0]
        node = NodeKeys(cluster, owner)
        with contextlib.closing(node):
            done(
                cluster,
                f"a delete of {key} at {owner}, whose disk is full,",
                lambda node=node, key=key: node.delete(key),
            )
        del acknowledged[key]
    cluster.story.tell("five keys of six are deleted, which frees room")


@contextlib.contextmanager
def all_stay_readable(
    cluster: Cluster, values: Mapping[str, bytes], via: list[str]
) -> Iterator[Load]:
    """While the block runs each key is read over and over. It must never be absent, and no other
    value; an unknown answer is asked again until the deadline."""

    def reader(name: str, keys: list[str]) -> Callable[[], None]:
        node = NodeKeys(cluster, name)

        def read_all() -> None:
            for key in keys:
                asked = time.monotonic()
                # The check itself cuts off one node after the other for a moment, to look at it.
                while (seen := node.get(key)).unknown:
                    waited = time.monotonic() - asked
                    assert waited < READ_S, (
                        f"expected: {name} can read {key}, which two holders at least have\n"
                        f"actual: for {waited:.0f} s it could not: {seen}"
                    )
                    time.sleep(0.005)
                assert seen.status == ONE and seen.values == {values[key]}, (
                    f"expected: {name} reads {key} as it was put, whoever joins or leaves\nactual: {seen}"
                )

        return read_all

    keys = list(values)
    with Load(*[reader(name, keys[at :: len(via)]) for at, name in enumerate(via)]) as load:
        yield load


MANY = {f"item {number}": f"value {number} ".encode() * 50 for number in range(120)}


@pytest.mark.check("replication.joins_and_leaves_under_load_keep_all_keys_readable")
def test_joins_and_leaves_under_load_keep_all_keys_readable(make_cluster: MakeCluster) -> None:
    cluster = make_cluster(5, config=config(MOVING))
    cluster.form(["n1", "n2", "n3"])
    put_all(cluster, "n1", MANY)
    wait_on_all_owners(cluster, expect_all(MANY), "each key that was put", "n1")
    cluster.start("n4", "n5")
    with all_stay_readable(cluster, MANY, ["n1", "n3"]) as load:
        cluster.add("n4", via="n1")
        cluster.add("n5", via="n3")
        cluster.wait_members(cluster.names)
        wait_on_all_owners(cluster, expect_all(MANY), "each key, with five nodes", "n1")
        load.must_go_well()
        cluster.remove("n2", via="n1")
        members = ["n1", "n3", "n4", "n5"]
        cluster.wait_members(members, names=members)
        wait_on_all_owners(cluster, expect_all(MANY), "each key, without n2", "n1")
    cluster.kill("n2")
    for key in list(MANY)[::10]:
        seen = read(cluster, "n4", key)
        assert seen.values == {MANY[key]}, f"expected: n4 reads {key} as it was put\nactual: {seen}"


@pytest.mark.check("replication.kills_in_the_middle_of_transfers_lose_nothing")
def test_kills_in_the_middle_of_transfers_lose_nothing(make_cluster: MakeCluster) -> None:
    cluster = make_cluster(5, config=config(MOVING, batch_bytes=2000))
    cluster.form(["n1", "n2", "n3", "n4"])
    put_all(cluster, "n1", MANY)
    wait_on_all_owners(cluster, expect_all(MANY), "each key that was put", "n1")
    cluster.start("n5")
    cluster.link(delay_min_ms=2, delay_max_ms=10)  # So that there is a middle.
    with all_stay_readable(cluster, MANY, ["n1", "n3"]) as load:
        cluster.add("n5", via="n1")
        after_updates(cluster, "n5", 4)
        cluster.kill("n5")  # The one that receives …
        cluster.restart("n5")
        cluster.wait_members(cluster.names)
        load.must_go_well()
        cluster.remove("n2", via="n1")
        after_updates(cluster, "", 4)
        cluster.kill("n2")  # … and one that hands over.
        cluster.restart("n2")
        members = ["n1", "n3", "n4", "n5"]
        cluster.wait_members(members, names=members)
        wait_on_all_owners(cluster, expect_all(MANY), "each key, after joins, leaves and kills", "n1")


def after_updates(cluster: Cluster, to: str, count: int) -> None:
    """Until some messages of a transfer (to this node, or any) have come through from now on."""

    def passed() -> int:
        return sum(
            row["messages"]
            for row in cluster.faultnet.counts()
            if row["type"] == "Update" and row["to"] == (to or row["to"])
        )

    before = passed()
    cluster.wait_for(
        f"keys are on their way{' to ' + to if to else ''}", passed, lambda now: now >= before + count
    )
    cluster.story.tell(f"keys are on their way{' to ' + to if to else ''}")
