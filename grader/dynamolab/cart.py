"""A shopping cart on the store: the application that the lecture merges siblings with (P§4.4, P§6.1).

A cart is one key. Its value is the set of items in it, each with a tag of its own, so that two loaves
of bread are two items. Who changes a cart reads it, merges the siblings by *union*, changes the
result and puts it back with the context of what was read: the put replaces exactly those siblings.

Union keeps every item that anybody added: "add to cart" is never lost, nor refused. Its price is the
anomaly of the slide: an item that one session removed while another session, which still saw it, put
its own version, is in the union again. A deleted item may reappear; the customer removes it again.

It lives in this package, and not beside it, because the checks and `./lab demo cart` run this very code.

    PYTHONPATH=grader python3 -m dynamolab.cart 127.0.0.1:8001 alice add milk
"""

from __future__ import annotations

import json
import secrets
import sys
from collections.abc import Iterable
from dataclasses import dataclass

from .store import Client, StoreError, Unknown

Items = dict[str, str]  # Tag → what it is: {"9f3a": "milk"}


def encode(items: Items) -> bytes:
    """Equal carts have equal bytes, whoever wrote them."""
    return json.dumps(items, sort_keys=True, ensure_ascii=False).encode()


def decode(value: bytes) -> Items:
    items = json.loads(value)
    if not isinstance(items, dict):
        raise ValueError("this is no cart")
    return {str(tag): str(name) for tag, name in items.items()}


def merge(siblings: Iterable[bytes]) -> Items:
    """The union: what stands in any sibling stands in the result. No sibling at all: an empty cart."""
    merged: Items = {}
    for sibling in siblings:
        merged |= decode(sibling)
    return merged


@dataclass(frozen=True)
class View:
    """A cart as one read found it."""

    items: Items
    siblings: int  # How many versions there were; more than one: they were merged here.

    def names(self) -> list[str]:
        return sorted(self.items.values())


class Cart:
    """The cart of one customer in one session. An operation that raises Unknown may have been done; to
    add again under the same tag, or to remove again, does no harm."""

    def __init__(self, store: Client, owner: str) -> None:
        self._store = store
        self.key = self.key_of(owner)

    @staticmethod
    def key_of(owner: str) -> str:
        return f"cart of {owner}"

    def view(self) -> View:
        siblings = self._store.siblings(self.key)
        return View(merge(siblings), len(siblings))

    def add(self, name: str, tag: str = "") -> str:
        """Puts an item in; its tag."""
        tag = tag or secrets.token_hex(4)
        items = self.view().items
        items[tag] = name
        self._put(items)
        return tag

    def remove(self, name: str) -> int:
        """Takes all items of this name out that the cart shows now; how many there were."""
        items = self.view().items
        left = {tag: other for tag, other in items.items() if other != name}
        if len(left) < len(items):
            self._put(left)
        return len(items) - len(left)

    def checkout(self) -> Items:
        """What was in the cart, which is empty afterwards. Items that another session adds meanwhile
        are not in the context of this delete, so they stay."""
        items = self.view().items
        self._store.delete(self.key)
        return items

    def _put(self, items: Items) -> None:
        self._store.put(self.key, encode(items))


USAGE = """usage: python3 -m dynamolab.cart HOST:PORT CUSTOMER view
       python3 -m dynamolab.cart HOST:PORT CUSTOMER add ITEM
       python3 -m dynamolab.cart HOST:PORT CUSTOMER remove ITEM
       python3 -m dynamolab.cart HOST:PORT CUSTOMER checkout"""


def _run(cart: Cart, act: str, item: str) -> None:
    if act == "add":
        cart.add(item)
    elif act == "remove":
        print(f"{cart.remove(item)} removed")
    elif act == "checkout":
        print("bought:", ", ".join(sorted(cart.checkout().values())) or "nothing")
    view = cart.view()
    merged = f" (merged from {view.siblings} siblings)" if view.siblings > 1 else ""
    print(f"{cart.key}: {', '.join(view.names()) or 'empty'}{merged}")


def main(words: list[str]) -> int:
    takes_item = {"view": False, "checkout": False, "add": True, "remove": True}
    if len(words) < 3 or words[2] not in takes_item or len(words) != 3 + takes_item[words[2]]:
        print(USAGE, file=sys.stderr)
        return 2
    address, owner, act = words[:3]
    try:
        with Client([address]) as store:
            _run(Cart(store, owner), act, words[3] if takes_item[act] else "")
    except (StoreError, Unknown, ValueError) as error:
        print(f"cart: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
