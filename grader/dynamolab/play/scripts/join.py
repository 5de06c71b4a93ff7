"""A node joins (slides "Membership" and "Node & Key Distribution"; P§4.2, P§6.2)."""

from __future__ import annotations

from ..show import Script, Stage, Step

KEYS = 12


def _fill(stage: Stage) -> None:
    stage.look_at("cart")
    for number in range(KEYS):
        stage.session.request_quietly("n1", {"act": "put", "key": f"k{number}", "value": f"v{number}"})
    stage.act("put", at="n1", key="cart", value="milk")


def _start(stage: Stage) -> None:
    stage.cluster.start("n4")
    stage.session.say("n4 starts, with an empty disk; nobody knows of it")


def _add(stage: Stage) -> None:
    stage.look_at("k0")
    stage.act("add", node="n4", via="n1")
    stage.cluster.wait_members(["n1", "n2", "n3", "n4"])


def _settled(stage: Stage) -> None:
    for number in range(KEYS):
        key = f"k{number}"
        owners = stage.owners(key)
        stage.wait_held(owners, key, [f"v{number}"])
        strays = [name for name in stage.cluster.names if name not in owners]
        stage.wait_held(strays, key, [])


def _leave(stage: Stage) -> None:
    stage.act("remove", node="n2", via="n1")
    stage.cluster.wait_members(["n1", "n3", "n4"])


JOIN = Script(
    "A node joins: gossip spreads it, virtual nodes move, and their keys with them",
    [
        Step(
            "Three nodes, 64 virtual nodes: about 21 each. N = 3, so that each key lies on all three.",
            _fill,
            "Which keys will move when a fourth one joins?",
        ),
        Step("n4 starts. It is no member: it knows nobody, and nobody knows of it.", _start),
        Step(
            "The operator adds n4 at n1. Gossip tells the others: watch each node's own view. The ring gives "
            "n4 a quarter, some of each.",
            _add,
            "Why does nothing move between n1, n2 and n3?",
            "nodes",
        ),
        Step(
            "The virtual nodes' keys are handed to n4; who is no owner any more lets go when all owners have "
            "confirmed.",
            _settled,
            "What if n4 is killed in the middle?",
            "key",
        ),
        Step("The operator removes n2: what it had goes to the others; nothing else moves.", _leave),
        Step("Quiet again: every key lies on its three owners.", _settled),
    ],
    size=4,
    members=3,
)
