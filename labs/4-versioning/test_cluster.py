"""Lab 4 with real processes: siblings, contexts and carts as clients over HTTP see them.

The oracle knows no clocks: values are unique, and a check knows which ones each writer had read. No
answer, a 503 and a 504 are unknown: a read is asked again, a write may have happened or not.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from typing import Any

import pytest
from dynamolab.cart import Cart, View
from dynamolab.cluster import Cluster, listed
from dynamolab.cluster.keys import ABSENT, DONE, ONE, SIBLINGS, NodeKeys, Seen, wait_on_all_owners
from dynamolab.store import Client

MakeCluster = Callable[..., Cluster]

CONFIG: dict[str, Any] = {
    "q": 64,
    "retry_period_ms": 50,
    "modules": ["membership", "ring", "replication", "versioning"],
}
READ_S = 15.0


def read(cluster: Cluster, node: NodeKeys, key: str) -> Seen:
    """What the node says of the key, as soon as it says something."""
    return cluster.wait_for(
        f"{node.name} answers a read of {key}", lambda: node.get(key), lambda seen: not seen.unknown, READ_S
    )


def write(cluster: Cluster, node: NodeKeys, key: str, value: bytes, context: str | None) -> None:
    """A put that must be acknowledged: its node is an owner, and nothing ails it."""
    seen = node.put(key, value, context)
    assert seen.status == DONE, (
        f"expected: {node.name} acknowledges a put of {value.decode()!r} under {key}\nactual: {seen}"
    )
    knows = "a context" if context else "no context"
    cluster.story.tell(f"{node.name} acknowledges a put of {value.decode()!r} with {knows}")


def shows(*values: bytes) -> Callable[[Seen], bool]:
    status = {0: ABSENT, 1: ONE}.get(len(values), SIBLINGS)
    return lambda seen: seen.status == status and seen.values == frozenset(values)


def everywhere(cluster: Cluster, key: str, *values: bytes) -> None:
    told = listed(repr(value.decode()) for value in values) or "nothing"
    wait_on_all_owners(cluster, {key: shows(*values)}, f"that {key} is {told}", "n1", READ_S)


@pytest.mark.check("versioning.real_nodes_keep_siblings_through_a_partition")
def test_real_nodes_keep_siblings_through_a_partition(make_cluster: MakeCluster) -> None:
    cluster = make_cluster(3, config=CONFIG)
    cluster.form()
    with contextlib.ExitStack() as stack:
        n1, n2, n3 = (
            stack.enter_context(contextlib.closing(NodeKeys(cluster, name))) for name in cluster.names
        )
        write(cluster, n1, "cart", b"old", None)
        everywhere(cluster, "cart", b"old")
        seen = {node.name: read(cluster, node, "cart") for node in (n1, n3)}
        cluster.partition(["n1"], ["n2", "n3"])
        write(cluster, n1, "cart", b"left", seen["n1"].context)
        write(cluster, n3, "cart", b"right", seen["n3"].context)
        cluster.heal()
        everywhere(cluster, "cart", b"left", b"right")

        both = read(cluster, n2, "cart")
        write(cluster, n2, "cart", b"merged", both.context)
        everywhere(cluster, "cart", b"merged")

        old = read(cluster, n1, "cart")
        deleted = n1.delete("cart", old.context)
        assert deleted.status == DONE, f"expected: n1 acknowledges a delete\nactual: {deleted}"
        cluster.story.tell("n1 acknowledges a delete with a context")
        everywhere(cluster, "cart")
        gone = read(cluster, n3, "cart")
        assert gone.context, "expected: the 404 of a deleted key carries a context\nactual: it has none"
        write(cluster, n3, "cart", b"new", gone.context)
        # It had read 'merged', which nobody holds any more; the delete and 'new' it had not read.
        write(cluster, n3, "cart", b"late", old.context)
        everywhere(cluster, "cart", b"late", b"new")


@pytest.mark.check("versioning.real_nodes_refuse_contexts_that_are_none")
def test_real_nodes_refuse_contexts_that_are_none(make_cluster: MakeCluster) -> None:
    cluster = make_cluster(3, config={**CONFIG, "cluster_secret": "of this cluster alone"})
    cluster.form()
    with contextlib.ExitStack() as stack:
        n1, n2 = (stack.enter_context(contextlib.closing(NodeKeys(cluster, n))) for n in ("n1", "n2"))
        write(cluster, n1, "cart", b"one", None)
        write(cluster, n1, "other", b"two", None)
        everywhere(cluster, "cart", b"one")
        everywhere(cluster, "other", b"two")
        good, foreign = read(cluster, n1, "cart").context, read(cluster, n2, "other").context
        assert good and foreign, "expected: each read carries a context\nactual: one has none"
        middle = len(good) // 2
        forged = good[:middle] + ("A" if good[middle] != "A" else "B") + good[middle + 1 :]
        for what, context in [
            ("forged", forged), ("cut short", good[:-1]), ("another key's", foreign), ("no", "nonsense"),
        ]:
            for act in ("PUT", "DELETE"):
                seen = n2.ask(act, "cart", b"never" if act == "PUT" else None, context)
                assert seen.status == 400, (
                    f"expected: n2 answers a {act} with {what} context with 400\nactual: {seen}"
                )
        cluster.story.tell("n2 refuses puts and deletes with contexts that are none")
        everywhere(cluster, "cart", b"one")
        write(cluster, n2, "cart", b"three", good)
        everywhere(cluster, "cart", b"three")


@pytest.mark.check("versioning.real_carts_lose_nothing_that_nobody_removed")
def test_real_carts_lose_nothing_that_nobody_removed(make_cluster: MakeCluster) -> None:
    cluster = make_cluster(3, config=CONFIG)
    cluster.form()
    kept: dict[str, str] = {}
    with contextlib.ExitStack() as stack:
        carts = [
            (name, number, Cart(stack.enter_context(_client(cluster, name)), "alice"))
            for name in cluster.names
            for number in (1, 2)
        ]
        for round_ in range(3):
            cluster.partition([cluster.names[round_]], [n for n in cluster.names if n != cluster.names[round_]])
            added: list[tuple[str, str]] = []
            works = [
                threading.Thread(target=_shop, args=(cart, f"{name}.{number}.{round_}", added))
                for name, number, cart in carts
            ]
            for work in works:
                work.start()
            for work in works:
                work.join()
            assert len(added) == 2 * len(carts), (
                f"expected: each of {len(carts)} sessions adds two items, though there is a partition\n"
                f"actual: {len(added)} additions were acknowledged"
            )
            kept |= {tag: name for tag, name in added if name == "kept"}
            cluster.story.tell("two sessions at each node add two items each, and remove one of them")
            cluster.heal()
        view = _at_rest(cluster, carts[0][2])
    missing = sorted(set(kept) - set(view.items))
    assert not missing, (
        f"expected: the cart has all {len(kept)} items that no session removed\n"
        f"actual: {len(missing)} of them are gone: {listed(missing[:5])}"
    )


def _client(cluster: Cluster, name: str) -> Client:
    return Client([cluster.process(name).http_port.address], timeout_s=READ_S)


def _shop(cart: Cart, label: str, added: list[tuple[str, str]]) -> None:
    added.append((cart.add("kept", tag=f"{label} kept"), "kept"))
    added.append((cart.add(label, tag=f"{label} removed"), "removed"))
    cart.remove(label)


def _at_rest(cluster: Cluster, cart: Cart) -> View:
    """When every node, by itself, holds the same siblings: their merge."""
    state: dict[str, frozenset[bytes]] = {}

    def same(seen: Seen) -> bool:
        return seen.status in (ONE, SIBLINGS) and seen.values == state.setdefault("values", seen.values)

    def looked() -> list[frozenset[bytes]]:
        return [NodeKeys(cluster, name).get(cart.key).values for name in cluster.names]

    cluster.wait_for("all nodes show the same siblings", looked, lambda seen: len(set(seen)) == 1, READ_S)
    wait_on_all_owners(cluster, {cart.key: same}, "the same siblings", "n1", READ_S)
    return cart.view()


@pytest.mark.check("versioning.real_read_modify_write_loops_stay_at_two_siblings")
def test_real_read_modify_write_loops_stay_at_two_siblings(make_cluster: MakeCluster) -> None:
    cluster = make_cluster(3, config={**CONFIG, "request_deadline_ms": 10_000})
    cluster.form()
    raised: list[BaseException] = []
    most = 0

    def loop(label: str) -> None:
        nonlocal most
        node = NodeKeys(cluster, "n2", 20.0)
        try:
            for number in range(40):
                seen = node.get("counter")
                most = max(most, len(seen.values))
                value = f"{label} {number} {'.' * 200}".encode()
                done = node.put("counter", value, seen.context)
                assert done.status == DONE, f"expected: n2 acknowledges a put\nactual: {done}"
        except BaseException as error:  # Told by the main thread.
            raised.append(error)

    works = [threading.Thread(target=loop, args=(label,)) for label in ("one", "other")]
    for work in works:
        work.start()
    for work in works:
        work.join()
    if raised:
        raise raised[0]
    cluster.story.tell("two clients at n2 read, and put with the context of what they read, 40 times each")
    assert most <= 2, (
        f"expected: two writers never see more than two siblings\nactual: one read saw {most}"
    )
    with contextlib.closing(NodeKeys(cluster, "n2")) as node:
        last = read(cluster, node, "counter")
        assert 1 <= len(last.values) <= 2, (
            f"expected: one or two versions are left\nactual: {len(last.values)}"
        )
        # Both read the same and both put, one after the other, through one coordinator.
        for label in ("one", "other"):
            write(cluster, node, "counter", label.encode(), last.context)
        everywhere(cluster, "counter", b"one", b"other")
