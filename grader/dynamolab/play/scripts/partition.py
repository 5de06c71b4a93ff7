"""A partition (slides "Recap" and "Quorums"; P§4.5)."""

from __future__ import annotations

from ..session import Refused
from ..show import WITHOUT_SYNC, Script, Stage, Step

LEFT, RIGHT = ["n1", "n2"], ["n3", "n4", "n5"]


def _first(stage: Stage) -> None:
    stage.look_at(stage.key_on(["n1", "n3", "n4"]))
    stage.act("put", at="n1", key=stage.key, value="before")
    stage.wait_held(["n1", "n3", "n4"], stage.key, ["before"])


def _cut(stage: Stage) -> None:
    for one in LEFT:
        for other in RIGHT:
            stage.act("cut", **{"from": one, "to": other, "both": True})


def _minority(stage: Stage) -> None:
    try:
        stage.act("put", at="n1", key=stage.key, value="by the minority")
    except Refused:
        return
    raise AssertionError("expected: the minority refuses, since W = 2 of n1, n3, n4\nactual: it took the put")


def _majority(stage: Stage) -> None:
    stage.act("get", at="n4", key=stage.key)
    stage.act("put", at="n4", key=stage.key, value="by the majority", context=True)


def _lowered(stage: Stage) -> None:
    stage.act("get", at="n2", key=stage.key, hosts=1)


def _heal(stage: Stage) -> None:
    stage.heal()
    stage.wait("n1 has what the majority wrote", lambda: "by the majority" in stage.versions("n1", stage.key))
    stage.act("get", at="n1", key=stage.key)


PARTITION = Script(
    "A partition: what a strict quorum refuses, what it promises, and what a smaller one gives up",
    [
        Step("Five nodes; strict, N = 3, R = W = 2. A key of n1, n3 and n4 is put.", _first),
        Step(
            "The network parts: n1, n2 | n3, n4, n5. Each side comes to suspect the other.",
            _cut,
            "On which side can the key still be written?",
            "nodes",
        ),
        Step(
            "A put at n1 finds one owner, and W is 2: 503, quorum not met. It is not undone, either: what "
            "became of it is unknown until the network heals.",
            _minority,
            "Is a 503 a promise that nothing was written?",
            "key",
        ),
        Step("At n4 there are two owners: get and put succeed.", _majority, look="key"),
        Step(
            "A get at n2 with R = 1 is answered, by n1: with what the majority has replaced, and with the "
            "write that was refused.",
            _lowered,
            "Which did this reader give up, C or A?",
            "key",
        ),
        Step(
            "The network heals. n1 hears of the majority's version, and the majority of n1's: they are "
            "concurrent, so both are kept.",
            _heal,
            "Who has to reconcile them, and with what?",
            "key",
        ),
    ],
    config={"r": 2, "w": 2, "mode": "strict", "modules": WITHOUT_SYNC},
)
