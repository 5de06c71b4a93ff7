"""The shopping cart (slide "Object Versioning"; P§4.4)."""

from __future__ import annotations

from ..show import WITHOUT_SYNC, Script, Stage, Step


def _first(stage: Stage) -> None:
    stage.look_at("cart")
    stage.act("put", at="n1", key="cart", value="milk, bread")
    stage.wait_held(["n1", "n2", "n3"], "cart", ["milk, bread"])


def _cut(stage: Stage) -> None:
    for other in ("n2", "n3"):
        stage.act("cut", **{"from": "n1", "to": other, "both": True})


def _remove(stage: Stage) -> None:
    stage.act("get", at="n1", key="cart", hosts=1)
    stage.act("put", at="n1", key="cart", value="bread", context=True)


def _add(stage: Stage) -> None:
    stage.act("get", at="n3", key="cart", hosts=1)
    stage.act("put", at="n3", key="cart", value="milk, bread, eggs", context=True)


def _heal(stage: Stage) -> None:
    stage.act("heal")
    stage.wait_held(["n1", "n2", "n3"], "cart", ["bread", "milk, bread, eggs"])


def _merge(stage: Stage) -> None:
    stage.act("get", at="n1", key="cart")
    stage.act("put", at="n1", key="cart", value="bread, eggs, milk", context=True)
    stage.wait_held(["n1", "n2", "n3"], "cart", ["bread, eggs, milk"])


CART = Script(
    "The shopping cart: two writes that do not know of each other, siblings, and their merge",
    [
        Step("Alice puts milk and bread into her cart, at n1. All three nodes come to hold it.", _first),
        Step("The network breaks: n1 on one side, n2 and n3 on the other.", _cut, "Who can still write?"),
        Step(
            "On her phone, at n1, she takes the milk out. W = 1: one host is enough.",
            _remove,
            "What is in the clock of the new version?",
            "key",
        ),
        Step(
            "On her laptop, at n3, she adds eggs. She still sees the milk there.",
            _add,
            "Which of the two versions is newer?",
            "key",
        ),
        Step(
            "The network heals. Neither clock covers the other, so every node keeps both: siblings.",
            _heal,
            "What would last-write-wins have lost?",
            "key",
        ),
        Step(
            "She looks: a get returns both, with one context. The application takes the union and puts it. "
            "One version again; the eggs were not lost, and the milk that she had taken out is back.",
            _merge,
            "Why is a deleted item that reappears the better mistake?",
            "key",
        ),
    ],
    size=3,
    config={"w": 1, "r": 1, "mode": "sloppy", "modules": WITHOUT_SYNC},
)
