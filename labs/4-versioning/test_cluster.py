"""Lab 4 with real processes: siblings, contexts and carts as clients see them, over HTTP, a cut and a kill.

No answer, a 503 and a 504 are unknown: a put is then repeated at the same node with the same request
id, so that it is executed once.
"""

from __future__ import annotations

import contextlib
import itertools
import threading
from collections.abc import Callable

import pytest
from dynamolab.cart import Cart, View
from dynamolab.cluster import Cluster, listed
from dynamolab.cluster.keys import (
    ABSENT,
    DONE,
    ONE,
    SIBLINGS,
    NodeKeys,
    Seen,
    deleted,
    holds,
    owners_differ,
    wait_on_all_owners,
)
from dynamolab.store import Client

MakeCluster = Callable[..., Cluster]

CONFIG = {
    "modules": ["membership", "ring", "replication", "versioning"],
    "q": 64,
    "retry_period_ms": 50,
    "request_deadline_ms": 2000,
}
ANSWER_S = 15.0  # Milliseconds in peace.
KEY = "cart"


class Shop:
    """Clients of one key, who keep their contexts themselves."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self._requests = itertools.count(1)

    def write(self, via: str, value: bytes | None, context: str | None) -> None:
        """A put, or a delete without a value, until it is acknowledged."""
        request = f"client:1:{next(self._requests)}"
        told = f"a put of {value.decode()}" if value is not None else "a delete"
        method = "DELETE" if value is None else "PUT"
        node = NodeKeys(self.cluster, via)
        with contextlib.closing(node):
            self.cluster.wait_for(
                f"{told} at {via} is acknowledged",
                lambda: node.ask(method, KEY, value, context, request),
                lambda seen: seen.status == DONE,
                ANSWER_S,
            )
        self.cluster.story.tell(
            f"{via} acknowledges {told} {'with' if context else 'without'} a context"
        )

    def read(self, via: str) -> Seen:
        node = NodeKeys(self.cluster, via)
        with contextlib.closing(node):
            return self.cluster.wait_for(
                f"{via} answers a get", lambda: node.get(KEY), lambda seen: not seen.unknown, ANSWER_S
            )

    def all_hold(self, right: Callable[[Seen], bool], what: str) -> None:
        wait_on_all_owners(self.cluster, {KEY: right}, what, "n1")


def siblings(*values: bytes) -> Callable[[Seen], bool]:
    """Exactly these, as 300 Multiple Choices."""
    return lambda seen: seen.status == SIBLINGS and seen.values == set(values)


@pytest.mark.check("versioning.real_siblings_meet_when_a_cut_heals_and_a_delete_replaces_both")
def test_real_siblings_meet_when_a_cut_heals_and_a_delete_replaces_both(
    make_cluster: MakeCluster,
) -> None:
    cluster = make_cluster(3, config=CONFIG)
    cluster.form()
    shop = Shop(cluster)
    shop.write("n1", b"D1", None)
    shop.all_hold(holds(b"D1"), "D1")
    context = shop.read("n1").context
    cluster.partition(["n1", "n2"], ["n3"])
    shop.write("n1", b"D2", context)
    shop.write("n3", b"D3", context)
    cluster.heal()
    shop.all_hold(siblings(b"D2", b"D3"), "D2 and D3, neither of whose writers saw the other's")
    shop.write("n2", None, shop.read("n2").context)
    shop.all_hold(deleted, "the delete, whose writer had read both")
    seen = shop.read("n2")
    assert seen.status == ABSENT and seen.context, (
        "expected: the 404 of a deleted key carries a context, which covers the delete\n"
        f"actual: {seen}, {'with' if seen.context else 'without'} a context"
    )
    shop.write("n2", b"D4", seen.context)
    shop.all_hold(holds(b"D4"), "D4, whose writer had seen the delete")


@pytest.mark.check("versioning.real_siblings_of_one_coordinator_survive_a_kill_of_all")
def test_real_siblings_of_one_coordinator_survive_a_kill_of_all(make_cluster: MakeCluster) -> None:
    cluster = make_cluster(3, config=CONFIG)
    cluster.form()
    shop = Shop(cluster)
    shop.write("n1", b"D1", None)
    context = shop.read("n1").context
    shop.write("n1", b"D2", context)
    shop.write("n1", b"D3", context)
    cluster.kill(*cluster.names)
    cluster.restart(*cluster.names)
    shop.all_hold(siblings(b"D2", b"D3"), "D2 and D3, put with one context through one coordinator")
    shop.write("n1", b"D4", shop.read("n1").context)
    shop.all_hold(holds(b"D4"), "D4, whose writer had read both")


@pytest.mark.check("versioning.real_nodes_refuse_contexts_that_are_none")
def test_real_nodes_refuse_contexts_that_are_none(make_cluster: MakeCluster) -> None:
    cluster = make_cluster(3, config={**CONFIG, "cluster_secret": "of this cluster alone"})
    cluster.form()
    shop = Shop(cluster)
    shop.write("n1", b"D1", None)
    shop.all_hold(holds(b"D1"), "D1")
    good = shop.read("n1").context
    with contextlib.closing(NodeKeys(cluster, "n2")) as node:
        foreign = node.get("another key").context
        assert good and foreign, (
            "expected: every get carries a context, also that of a key that nobody put\n"
            f"actual: {'the second' if good else 'the first'} has none"
        )
        middle = len(good) // 2
        forged = good[:middle] + ("B" if good[middle] == "A" else "A") + good[middle + 1 :]
        wrong = {"a forged": forged, "a shortened": good[:-1], "another key's": foreign, "a senseless": "no"}
        for what, context in wrong.items():
            for method, value in [("PUT", b"never"), ("DELETE", None)]:
                seen = node.ask(method, KEY, value, context)
                assert seen.status == 400, (
                    f"expected: n2 answers a {method} with {what} context with 400\nactual: {seen}"
                )
    cluster.story.tell("n2 refuses puts and deletes with contexts that are none")
    shop.all_hold(holds(b"D1"), "D1, which nothing of this has changed,")
    shop.write("n2", b"D2", good)
    shop.all_hold(holds(b"D2"), "D2, put with the true context")


@pytest.mark.check("versioning.real_carts_lose_nothing_that_nobody_removed")
def test_real_carts_lose_nothing_that_nobody_removed(make_cluster: MakeCluster) -> None:
    cluster = make_cluster(3, config=CONFIG)
    cluster.form()
    kept: list[str] = []
    with contextlib.ExitStack() as stack:
        carts = {
            f"{name}.{number}": Cart(stack.enter_context(client_of(cluster, name)), "alice")
            for name in cluster.names
            for number in (1, 2)
        }
        for apart in cluster.names:
            cluster.partition([apart], [name for name in cluster.names if name != apart])
            added: list[str] = []
            sessions = [
                threading.Thread(target=shop_in, args=(cart, f"{label} while {apart} is apart", added))
                for label, cart in carts.items()
            ]
            run_all(sessions)
            assert len(added) == len(carts), (
                f"expected: {len(carts)} sessions add two items and remove one, though there is a "
                f"partition\nactual: {len(added)} did"
            )
            kept += added
            cluster.story.tell("two sessions at each node add two items each, and remove one of them")
            cluster.heal()
        view = at_rest(cluster, next(iter(carts.values())))
    missing = sorted(set(kept) - set(view.items))
    assert not missing, (
        f"expected: at rest the cart has all {len(kept)} items that no session removed\n"
        f"actual: {len(missing)} of them are gone: {listed(missing[:5])}"
    )


def client_of(cluster: Cluster, name: str) -> Client:
    return Client([cluster.process(name).http_port.address], timeout_s=ANSWER_S)


def run_all(threads: list[threading.Thread]) -> None:
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def shop_in(cart: Cart, label: str, added: list[str]) -> None:
    """Adds an item that stays and one that goes; `added` gets the former's tag if all was done."""
    tag = cart.add("kept", tag=f"{label}, kept")
    cart.add(label, tag=f"{label}, removed")
    cart.remove(label)
    added.append(tag)


def at_rest(cluster: Cluster, cart: Cart) -> View:
    """The cart when every owner, by itself, holds the same siblings."""
    held: set[frozenset[bytes]] = set()

    def same(seen: Seen) -> bool:
        held.add(seen.values)
        return seen.status in (ONE, SIBLINGS) and len(held) == 1

    def begin() -> bool:
        held.clear()
        return True

    cluster.wait_for(
        "all owners hold the same siblings",
        lambda: begin() and owners_differ(cluster, cart.key, same),
        lambda wrong: not wrong,
        ANSWER_S,
        "; ".join,
    )
    return cart.view()


@pytest.mark.check("versioning.real_read_modify_write_loops_stay_at_two_siblings")
def test_real_read_modify_write_loops_stay_at_two_siblings(make_cluster: MakeCluster) -> None:
    cluster = make_cluster(3, config={**CONFIG, "request_deadline_ms": 10_000})
    cluster.form()
    ended: list[str] = []
    seen_at_once: list[int] = []

    def loop(label: str) -> None:
        node = NodeKeys(cluster, "n2", timeout_s=20.0)
        for number in range(40):
            seen = node.get(KEY)
            seen_at_once.append(len(seen.values))
            done = node.put(KEY, f"{label} {number}".encode(), seen.context)
            if done.status != DONE:
                return ended.append(f"put {number} of the {label} was answered with {done}")
        return ended.append("")

    run_all([threading.Thread(target=loop, args=(label,)) for label in ("first", "second")])
    assert ended == ["", ""], (
        "expected: n2 acknowledges 40 puts of each of two clients\n"
        f"actual: {'; '.join(filter(None, ended)) or 'a client broke off'}"
    )
    cluster.story.tell("two clients at n2 read, and put with the context of what they read, 40 times each")
    assert max(seen_at_once) <= 2, (
        "expected: two writers, each of which replaces what it has read, never see three siblings\n"
        f"actual: one read saw {max(seen_at_once)}"
    )
    shop = Shop(cluster)
    last = shop.read("n2")
    for value in (b"D1", b"D2"):
        shop.write("n2", value, last.context)
    shop.all_hold(siblings(b"D1", b"D2"), "D1 and D2, put with one context, and nothing else")
