"""`./lab demo handoff`: a replica dies, another node keeps its writes, and hands them over later."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .cart import Cart
from .cluster import Cluster, listed
from .cluster.client import NodeClient
from .store import Client
from .teller import SESSION_S, Say, Teller, must_show

CONFIG = {
    "q": 64,
    "n": 3,
    "w": 3,
    "r": 1,
    "mode": "sloppy",
    "retry_period_ms": 50,
    # Without lab 6's sync: what arrives was handed over.
    "modules": ["membership", "ring", "transfer", "versioning", "quorum"],
}
DELIVERY_S = 20.0  # Milliseconds on an idle machine.
OWNERS = ["n1", "n2", "n3"]  # Of the cart in the story; n4 is the one that stands in.
CUSTOMERS = [
    "alice", "bob", "carol", "dave", "eve", "frank", "grace", "heidi", "ivan", "judy", "mallory",
    "niaj", "olivia", "peggy", "rupert", "sybil", "trent", "victor", "walter", "zoe",
]  # fmt: skip


def tell_handoff(node: Path, faultnet: Path, say: Say) -> None:
    """Runs the story on a cluster of its own. AssertionError if the nodes do not do their part."""
    say('Hinted handoff (slides "Dealing with failures" and "Sloppy Quorum"; P§4.6): four nodes,')
    say("N = 3, W = 3, R = 1, sloppy: a put is done when three hosts hold it on their disks.")
    with Cluster(node=node, faultnet=faultnet, size=4, config=CONFIG, label="demo") as cluster:
        cluster.form()
        _Story(cluster, Teller(say), _customer(cluster)).run()
    say("\nThe cluster is gone again. Rules and figures: labs/5-quorum/README.md")


def _customer(cluster: Cluster) -> str:
    """The first one whose cart lies on n1, n2 and n3."""
    for name in CUSTOMERS:
        key = Cart.key_of(name)
        place = cluster.ask("n1", lambda client, key=key: client.placement(key))
        if sorted(place["preference_list"]) == OWNERS:
            return name
    raise AssertionError(f"expected: some cart lies on {listed(OWNERS)}\nactual: none of {CUSTOMERS}")


class _Story:
    def __init__(self, cluster: Cluster, teller: Teller, customer: str) -> None:
        self._cluster = cluster
        self._teller = teller
        self._customer = customer
        self._key = Cart.key_of(customer)

    def run(self) -> None:
        who = self._customer.capitalize()
        tell = self._teller.tell
        with self._session("n1") as cart:
            self._teller.step(f"{who} puts milk into the cart. Its owners are {listed(OWNERS)}.")
            cart.add("milk", tag="1")
            tell("All three hold it.")

            self._teller.step("n3 is killed (kill -9).")
            self._cluster.kill("n3")

            self._teller.step(f"{who} adds bread. Three hosts must hold it, and one owner is dead.")
            cart.add("bread", tag="2")
            self._wait_kept(1)
            tell(f"It was done all the same. n1 and n2 hold it, and {self._stand_in()}.")
            tell("It does so with a hint whose the cart is, apart from its own keys, and on its disk,")
            tell(f"or n1 would not have counted it. What /admin/hints says: {self._kept_words()}")

            self._teller.step(f"{who} adds eggs. n1 suspects n3 now, and asks n4 at once.")
            cart.add("eggs", tag="3")
            self._wait_kept(1)
            tell("n4 has merged it into what it keeps: still one key, with all of the cart in it.")

        self._teller.step("n3 comes back, but the network keeps it away from n1 and n2.")
        self._cluster.partition(["n3"], ["n1", "n2"])
        self._cluster.restart("n3")
        self._wait_kept(0)
        tell("n4 reached it, sent what it kept as an Update, and heard that it is on n3's disk.")
        tell(f"Only then did it let go of it: {self._kept_words()}")

        self._teller.step("A get at n3. R = 1: what n3 itself holds is the answer.")
        with self._session("n3") as cart:
            must_show(cart.view(), ["bread", "eggs", "milk"])
        tell("n3 slept through two puts, and has them, though it has not heard from n1 or n2 yet.")

        self._teller.step("The network heals. n1 owed n3 the puts, too, and offers their hash.")
        self._cluster.heal()
        self._wait_no_suspects()
        tell("n3 has that state already, and confirms it: nothing is sent twice, nothing is left.")
        with self._session("n2") as cart:
            must_show(cart.view(), ["bread", "eggs", "milk"])
        for name in self._cluster.names:
            kept = self._cluster.ask(name, NodeClient.hints)
            assert kept["count"] == 0, f"expected: {name} keeps no hints\nactual: {kept}"

    @contextlib.contextmanager
    def _session(self, node: str) -> Iterator[Cart]:
        address = self._cluster.process(node).http_port.address
        watch = self._teller.wire(self._customer, node)
        with Client([address], timeout_s=SESSION_S, watch=watch) as client:
            yield Cart(client, self._customer)

    def _kept(self) -> dict[str, Any]:
        return self._cluster.ask("n4", NodeClient.hints)

    def _kept_words(self) -> str:
        keys = self._kept()["keys"]
        return f"n4 keeps {listed([repr(key) for key in keys]) or 'nothing'}."

    def _wait_kept(self, count: int) -> None:
        self._cluster.wait_for(
            f"n4 keeps {count} key(s) for others",
            self._kept,
            lambda kept: kept["count"] == count,
            DELIVERY_S,
            words=lambda kept: f"it keeps {kept['count']}: {kept['keys']}",
        )

    def _stand_in(self) -> str:
        """As n1 sees it now."""
        place = self._cluster.ask("n1", lambda client: client.placement(self._key))
        for one in place["active_list"]:
            if one["stands_in_for"]:
                return f"{one['host']} stands in for {one['stands_in_for']}"
        raise AssertionError(
            f"expected: somebody stands in for n3 in n1's active list\nactual: {place['active_list']}"
        )

    def _wait_no_suspects(self) -> None:
        for name in OWNERS:
            self._cluster.wait_suspects(name, [])
