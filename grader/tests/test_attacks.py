"""The hostile submissions of grader/attacks. ``./lab attacks`` hands in all of them; here, all that can share
a program are run in one build, and of each other kind one or two are graded in full."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from test_sandbox import FRAMEWORK, sandbox_of

from dynamolab import attacks
from dynamolab.attacks import proof
from dynamolab.attacks.judge import places
from dynamolab.errors import LabError
from dynamolab.sandbox import Sandbox

ALL = attacks.load()
FEWEST = 25
JOBS = 2
SHARED = [attack for attack in proof.shareable(ALL) if attack.stage in ("host", "node")]


@pytest.fixture(scope="module")
def battery() -> Iterator[Path]:
    """A node with many payloads in it, built in a sandbox."""
    sandbox = next((box for tier in ("b", "a") if (box := _or_none(tier))), None)
    if sandbox is None:
        pytest.skip("no sandbox is to be had on this machine: see ./lab attacks")
    with places() as (where, _):
        node, chosen = proof.together(ALL, where, sandbox, JOBS)
        assert chosen == SHARED
        yield node


def _or_none(tier: str) -> Sandbox | None:
    from dynamolab.sandbox import choose

    try:
        return choose(tier, FRAMEWORK.sandbox_launcher)
    except LabError:
        return None


def test_there_are_enough_and_each_is_complete() -> None:
    assert len(ALL) >= FEWEST
    for attack in ALL:
        has_code = attack.stage != "submission"
        assert bool(attack.payload) == has_code, attack.name
        assert len(attack.words) <= 1, f"{attack.name}: one payload a submission"
        if attack.words:
            assert attack.words[0] == attack.name.replace("-", "_")


def test_a_name_that_is_not_there_is_suggested() -> None:
    with pytest.raises(LabError, match="fork-bomb"):
        attacks.load(["fork-bom"])


@pytest.mark.parametrize("tier", ["a", "b"])
def test_attacks_at_run_time_get_nothing(battery: Path, tier: str) -> None:
    sandbox = sandbox_of(tier)
    got = {}
    for attack in SHARED:
        evidence = proof.strike(attack, battery, sandbox)
        ended = evidence.code in (-signal.SIGSYS, -signal.SIGKILL)
        if evidence.loot:
            got[attack.name] = evidence.loot
        elif not ended and "held" not in evidence.words and attack.name != "fake-verdict":
            got[attack.name] = [f"exit code {evidence.code}: {evidence.words[-300:]}"]
        elif "system call" in attack.says and evidence.code != -signal.SIGSYS:
            got[attack.name] = ["the filter did not see it"]
    assert got == {}


# Of each other kind; ./lab attacks runs all, in both.
GRADED = [
    ("include-reference", "b"),
    ("incbin-secret", "a"),
    ("link-the-reference", "b"),
    ("shorten-the-mailbox", "a"),
    ("helper-answers-for-the-dead", "b"),
    ("detect-the-grader", "a"),
    ("fake-fsync", "b"),
    ("words-that-bite", "b"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "tier"), GRADED)
def test_attack_gains_nothing(name: str, tier: str) -> None:
    sandbox = sandbox_of(tier)
    [attack] = attacks.load([name])
    trial = attacks.judge(attack, sandbox, JOBS)
    assert trial.broken == []
    if trial.refused is not None:
        assert bool(trial.refused) == (attack.rules == "refuse"), trial.refused


@pytest.mark.parametrize("attack", [a for a in ALL if a.stage == "submission"], ids=lambda a: a.name)
def test_odd_submission_is_refused(attack: attacks.Attack) -> None:
    trial = attacks.judge(attack, None, JOBS)
    assert (trial.outcome, trial.broken) == ("refused", [])


@pytest.mark.slow
def test_without_a_sandbox_an_attack_gets_something() -> None:
    """What holds it is the sandbox: the judge sees it succeed where there is none."""
    [attack] = attacks.load(["read-hidden-checks"])
    trial = attacks.judge(attack, None, JOBS)
    assert any("the secret stands" in line for line in trial.broken), json.dumps(trial.broken)
