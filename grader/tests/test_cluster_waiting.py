"""Waiting with a deadline, and the story of a check."""

from __future__ import annotations

import pytest

from dynamolab.cluster import NodeDied, NodeSilent, WaitExpired, wait_for, words
from dynamolab.cluster.story import MOST_STEPS, Story


def test_returns_the_state_that_was_accepted() -> None:
    states = iter([1, 2, 3, 4])
    assert wait_for(lambda: next(states), 10, "three", lambda state: state == 3) == 3


def test_an_expired_wait_says_what_it_waited_for_how_often_and_what_it_saw_last() -> None:
    with pytest.raises(WaitExpired) as expired:
        wait_for(lambda: {"n1": ["n1"]}, 0, "n1 sees n2", lambda state: "n2" in state["n1"])
    told = str(expired.value)
    assert "expected: n1 sees n2" in told
    assert "after 2 tries" in told, "it looks again even when the deadline is long past"
    assert "n1: n1" in told
    assert isinstance(expired.value, AssertionError)


def test_silence_is_unknown_and_tried_again() -> None:
    answers = iter([NodeSilent("n1 gave no answer"), True])

    def probe() -> bool:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    assert wait_for(probe, 10, "an answer")


def test_a_death_ends_the_wait_at_once() -> None:
    def watch() -> None:
        raise NodeDied("n1 is gone")

    with pytest.raises(NodeDied):
        wait_for(lambda: False, 3600, "never", watch=watch)


def test_a_long_state_is_cut() -> None:
    with pytest.raises(WaitExpired) as expired:
        wait_for(lambda: "x" * 10**6, 0, "less", lambda _: False)
    assert len(str(expired.value)) < 2000


def test_story_numbers_steps_and_counts_repetitions() -> None:
    story = Story()
    for step in ["n1 starts", "add n2", "add n2", "n1 is killed"]:
        story.tell(step)
    assert story.lines() == ["1. n1 starts", "2. add n2 (2 times)", "3. n1 is killed"]


def test_a_long_story_keeps_its_beginning_and_its_end() -> None:
    story = Story()
    for number in range(1000):
        story.tell(f"{'odd' if number % 2 else 'even'} step {number}")
    lines = story.lines()
    assert len(lines) == MOST_STEPS + 1
    assert lines[0] == "1. even step 0" and lines[-1] == "1000. odd step 999"


def test_steps_that_are_alike_are_folded() -> None:
    story = Story()
    for step in ["begin", *(f"the console of n1: add n{n}" for n in range(2, 12)), "end"]:
        story.tell(step)
    assert story.lines() == [
        "1. begin",
        "2. the console of n1: add n2",
        "3. the console of n1: add n3",
        "   … 7 more like this …",
        "11. the console of n1: add n11",
        "12. end",
    ]


def event(subject: str, change: str, counter: int, node: str) -> dict[str, object]:
    version = {"counter": counter, "node": node, "incarnation": 5}
    return {"subject": subject, "change": change, "version": version}


def test_histories_that_differ_are_told_as_the_simulator_tells_them() -> None:
    first, add = event("n1", "join", 1, "n1"), event("n3", "join", 2, "n1")
    leave = event("n3", "leave", 3, "n4")
    told = words.histories_differ({"n1": [first, add], "n4": [first, leave], "n5": []})
    assert told == [
        "n1 lacks n4's remove of n3 (1 event)",
        "n4 lacks n1's add of n3 (1 event)",
        "n5 lacks n1's first join, n1's add of n3 and n4's remove of n3 (3 events)",
    ]
    assert words.histories_differ({"n1": [first], "n2": [first]}) == []


def test_members_that_differ_are_told_in_words() -> None:
    told = words.members_differ({"n1": ["n1", "n2"], "n2": ["n1", "n4"], "n3": []}, ["n1", "n2"])
    assert told == [
        "n2 does not see n2 and still sees n4: its members are n1 and n4",
        "n3 does not see n1 and n2: its members are none",
    ]
