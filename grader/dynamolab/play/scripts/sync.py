"""Merkle trees (slide "Replica Synchronization"; P§4.7)."""

from __future__ import annotations

from ...cluster import NodeClient
from ..show import Script, Stage, Step

KEYS = 75


def _fill(stage: Stage) -> None:
    keys = [f"k{number}" for number in range(KEYS)]
    for key in keys:
        stage.session.request_quietly("n1", {"act": "put", "key": key, "value": key.upper()})
    stage.look_at("k0")
    for key in keys:
        stage.wait_held(["n1", "n2", "n3"], key, [key.upper()])


def _away(stage: Stage) -> None:
    stage.act("kill", node="n3")
    stage.act("wipe", node="n3")


def _back(stage: Stage) -> None:
    """It is kept apart, so that there is time to look."""
    for other in ("n1", "n2"):
        stage.act("cut", **{"from": other, "to": "n3", "both": True})
    stage.act("restart", node="n3")


def _restored(stage: Stage) -> None:
    stage.act("heal")
    for number in range(KEYS):
        stage.wait_held(["n3"], f"k{number}", [f"K{number}"])


SYNC = Script(
    "Merkle trees: a disk is lost, and two nodes find what is missing without sending everything",
    [
        Step(
            f"{KEYS} keys are put. The trees of a virtual node are equal on two of its owners: one exchange "
            "of roots says so.",
            _fill,
            "How many bytes does it take to learn that nothing differs?",
            "merkle-trees",
        ),
        Step("n3 is killed, and its disk is lost.", _away),
        Step(
            "n3 is back with an empty disk, and the network still keeps it apart. The two trees differ from "
            "the root down.",
            _back,
            "What is compared next, if the roots differ?",
            "merkle-trees",
        ),
        Step(
            "The network heals. Sync has gone down to the leaves that differ, and moved their keys. No "
            "client has read.",
            _restored,
            "Why is this better than sending all keys? When is it not?",
            "merkle-trees",
        ),
    ],
    size=3,
    config={
        "w": 2,
        "r": 1,
        "q": 3,
        "mode": "strict",
        "modules": ["membership", "ring", "versioning", "quorum", "sync"],
    },
)
