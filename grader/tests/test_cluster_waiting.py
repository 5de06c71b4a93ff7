"""Waiting with a deadline, and the story of a check."""

from __future__ import annotations

import pytest

from dynamolab.cluster import NodeDied, NodeSilent, WaitExpired, wait_for
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
    assert "n1: ['n1']" in told
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
        story.tell(f"step {number}")
    lines = story.lines()
    assert len(lines) == MOST_STEPS + 1
    assert lines[0] == "1. step 0" and lines[-1] == "1000. step 999"
