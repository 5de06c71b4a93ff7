"""`./lab demo cart`: a customer's two sessions on both sides of a partition, told step by step."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path

from .cart import Cart, View
from .cluster import Cluster, listed
from .store import Client
from .teller import SESSION_S, Say, Teller, must_show, names

CONFIG = {
    "q": 64,
    "retry_period_ms": 50,
    "modules": ["membership", "ring", "replication", "transfer", "versioning"],
}


@dataclass
class Session:
    """The customer at one device, which talks to one node."""

    name: str
    node: str
    cart: Cart


def tell_cart(node: Path, faultnet: Path, say: Say) -> None:
    """Runs the story on a cluster of its own. AssertionError if the nodes do not do their part."""
    teller = Teller(say)
    say('The shopping cart (slides "Replication" and "Object Versioning"; P§4.4): three nodes, N = 3.')
    with contextlib.ExitStack() as stack:
        cluster = stack.enter_context(
            Cluster(node=node, faultnet=faultnet, size=3, config=CONFIG, label="demo")
        )
        cluster.form()

        def session(name: str, at: str) -> Session:
            address = cluster.process(at).http_port.address
            watch = teller.wire(name, at)
            client = Client([address], timeout_s=SESSION_S, watch=watch)
            return Session(name, at, Cart(stack.enter_context(client), "alice"))

        _tell(cluster, teller, session("phone ", "n1"), session("laptop", "n3"))
    say("\nThe cluster is gone again. The cart is grader/dynamolab/cart.py; your own: ./lab cluster up")


def _tell(cluster: Cluster, teller: Teller, phone: Session, laptop: Session) -> None:
    teller.step("Alice fills her cart on the phone, which talks to n1.")
    phone.cart.add("milk", tag="1")
    phone.cart.add("bread", tag="2")
    teller.tell("n1 answered when one disk, its own, had the cart; it tells n2 and n3 by and by (lazy).")
    _wait(cluster, "n3", ["bread", "milk"])
    teller.tell("By now n3 has it, too.")

    teller.step("The network breaks: n1 on one side, n2 and n3 on the other.")
    cluster.partition(["n1"], ["n2", "n3"])

    teller.step("On the phone Alice takes the milk out. One reachable node is enough.")
    removed = phone.cart.remove("milk")
    assert removed == 1, f"expected: the phone removes one item called milk\nactual: {removed}"

    teller.step("On the laptop, which talks to n3, she adds eggs. She still sees the milk there.")
    laptop.cart.add("eggs", tag="3")
    teller.tell("Both writes succeeded, and neither had seen the other: they are causally concurrent")
    teller.tell('(slide "Object Versioning").')

    teller.step("The network heals. The nodes exchange what they have, and keep both versions.")
    cluster.heal()
    _wait(cluster, "n1", ["bread", "eggs", "milk"], siblings=2)
    _wait(cluster, "n3", ["bread", "eggs", "milk"], siblings=2)
    teller.tell('A get answers 300 with both siblings (slide "Conflict Detection & Resolution").')

    teller.step("The phone looks at the cart. The application merges the siblings: their union.")
    merged = phone.cart.view()
    teller.tell(f"The cart shows {names(merged)}.")
    teller.tell("The eggs are there: what was added is never lost. But the milk, which she had deleted, is")
    teller.tell('back: "deleted items might reappear in the shopping cart" (slide "Object Versioning").')
    must_show(merged, ["bread", "eggs", "milk"])

    teller.step("She takes the milk out again. This put carries the context of both siblings.")
    phone.cart.remove("milk")
    _wait(cluster, "n3", ["bread", "eggs"], siblings=1)
    teller.tell("It replaced both: every node has one version again, and the milk stays away.")

    teller.step("The laptop looks, and checks out.")
    must_show(laptop.cart.view(), ["bread", "eggs"])
    laptop.cart.checkout()
    _wait(cluster, "n1", [], siblings=0)


def _wait(cluster: Cluster, node: str, items: list[str], siblings: int = 1) -> None:
    """Until this node answers with these items; the polling is not told."""
    with Client([cluster.process(node).http_port.address], timeout_s=SESSION_S) as client:
        cart = Cart(client, "alice")

        def right(view: View) -> bool:
            return view.names() == items and view.siblings == siblings

        def told(view: View) -> str:
            return f"{names(view)} in {view.siblings} version(s)"

        cluster.wait_for(
            f"{node} shows {listed(items) or 'an empty cart'} in {siblings} version(s)",
            cart.view,
            right,
            words=told,
        )
