"""Lab 4 with real processes: siblings and contexts as clients see them, over HTTP, a cut and a kill.

No answer, a 503 and a 504 are unknown: a put is then repeated at the same node with the same request
id, so that it is executed once.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable

import pytest
from dynamolab.cluster import Cluster
from dynamolab.cluster.keys import (
    ABSENT,
    DONE,
    SIBLINGS,
    NodeKeys,
    Seen,
    deleted,
    holds,
    wait_on_all_owners,
)

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
