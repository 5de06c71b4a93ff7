"""Hinted handoff (slide "Quorums", dealing with failures; P§4.6)."""

from __future__ import annotations

from ..show import WITHOUT_SYNC, Script, Stage, Step

OWNERS = ["n1", "n2", "n3"]


def _first(stage: Stage) -> None:
    stage.look_at(stage.key_on(OWNERS))
    stage.act("put", at="n1", key=stage.key, value="milk")
    stage.wait_held(OWNERS, stage.key, ["milk"])


def _kill(stage: Stage) -> None:
    stage.act("kill", node="n3")


def _second(stage: Stage) -> None:
    stage.act("get", at="n1", key=stage.key)
    stage.act("put", at="n1", key=stage.key, value="milk, bread", context=True)
    stage.wait("n4 keeps the key with a hint", lambda: stage.hints("n4") == [stage.key])


def _back(stage: Stage) -> None:
    for one, other in (("n1", "n3"), ("n2", "n3")):
        stage.act("cut", **{"from": one, "to": other, "both": True})
    stage.act("restart", node="n3")
    stage.wait("n4 has handed over what it kept", lambda: not stage.hints("n4"))
    stage.wait_held(["n3"], stage.key, ["milk, bread"])


HANDOFF = Script(
    "Hinted handoff: a replica dies, another node keeps its writes, and hands them over",
    [
        Step(
            "A client puts the cart at n1. N = 3 and W = 3: it is done when three hosts hold it. n1, n2 and "
            "n3 are its preference list, lit on the ring.",
            _first,
            "Who else holds the cart? Why not?",
        ),
        Step("n3 is killed (kill -9). Its disk stays.", _kill, "Can a put still succeed? W is 3."),
        Step(
            "A put of milk and bread. n4 is the next healthy host on the ring, and stands in for n3: it "
            "keeps the cart with a hint, apart from its own keys.",
            _second,
            "Is this still R + W > N? What may a reader with R = 1 miss?",
            "nodes",
        ),
        Step(
            "n3 comes back, and the network keeps it away from n1 and n2. Only n4 reaches it: what it kept "
            "arrives, n3 confirms, and only then is the hint gone.",
            _back,
            "Why does n4 wait for the confirmation before it forgets?",
            "key",
        ),
        Step("The network heals. Nothing is left to be done: all three hold the same.", Stage.heal),
    ],
    size=4,
    config={"w": 3, "r": 1, "mode": "sloppy", "modules": WITHOUT_SYNC},
)
