"""The grader fails closed: whatever a check program does, each check has a verdict that is true."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from dynamolab import checks, grade
from dynamolab.labs import Check
from dynamolab.results import Outcome

FAKE = Path(__file__).with_name("fake_checks.py")

Grade = Callable[[dict[str, str]], dict[str, checks.Verdict]]


def check_named(identifier: str) -> Check:
    return Check(identifier, "t", "t", "w", "h", "unit", "A", 10, 0, (), (), True)


@pytest.fixture
def graded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Grade:
    monkeypatch.setattr(checks, "_SECONDS", tmp_path / "seconds.json")

    def grade(behaviours: dict[str, str]) -> dict[str, checks.Verdict]:
        plan = tmp_path / "plan.json"
        plan.write_text(json.dumps(behaviours))
        monkeypatch.setenv("FAKE_CHECKS", str(plan))
        run = checks.Run(node=tmp_path / "node", folder=tmp_path, jobs=2)
        return checks.run_program(FAKE, [check_named(name) for name in behaviours], run)

    return grade


def test_verdicts_are_what_the_program_says(graded: Grade) -> None:
    verdicts = graded({"ring.a": "pass", "ring.b": "fail", "ring.c": "inconclusive"})
    assert [verdicts[f"ring.{c}"].outcome for c in "abc"] == [
        Outcome.PASS,
        Outcome.FAIL,
        Outcome.INCONCLUSIVE,
    ]
    assert "expected: a" in verdicts["ring.b"].message
    assert verdicts["ring.a"].seconds == 0.25


def test_exploration_that_did_not_finish_is_no_silent_pass(graded: Grade) -> None:
    verdicts = graded({"ring.a": "explored all", "ring.b": "explored a part"})
    explored = replace(check_named("ring.a"), kind="explore")
    partly = replace(check_named("ring.b"), kind="explore")
    whole = grade._judged(explored, dict(verdicts))
    assert (whole.outcome, whole.message) == (Outcome.PASS, "explored all 7 states")
    part = grade._judged(partly, dict(verdicts))
    assert part.outcome is Outcome.INCONCLUSIVE
    assert "did not come to the end" in part.message and "a part 7 states" in part.message
    bounded = grade._judged(replace(partly, bounded=True), dict(verdicts))
    assert (bounded.outcome, bounded.message) == (Outcome.PASS, "explored a part 7 states")


def test_crash_costs_only_the_check_that_was_at_work(graded: Grade) -> None:
    verdicts = graded(
        {"ring.a": "pass", "ring.b": "crash", "ring.c": "pass", "ring.d": "crash", "ring.e": "pass"}
    )
    assert {name for name, v in verdicts.items() if v.outcome is Outcome.PASS} == {
        "ring.a",
        "ring.c",
        "ring.e",
    }
    assert verdicts["ring.b"].outcome is Outcome.INCONCLUSIVE
    assert "signal 11" in verdicts["ring.b"].message
    assert "about to crash" in verdicts["ring.b"].message


def test_exit_zero_without_a_verdict_is_no_pass(graded: Grade) -> None:
    verdicts = graded({"ring.a": "exit 0", "ring.b": "pass"})
    assert verdicts["ring.a"].outcome is Outcome.INCONCLUSIVE
    assert verdicts["ring.b"].outcome is Outcome.PASS


def test_check_that_never_ran_is_inconclusive(graded: Grade) -> None:
    verdicts = graded({"ring.a": "silent", "ring.b": "pass"})
    assert verdicts["ring.a"].outcome is Outcome.INCONCLUSIVE


def test_program_that_does_not_start_leaves_all_inconclusive_with_its_words(graded: Grade) -> None:
    verdicts = graded({"ring.a": "trouble at start"})
    assert verdicts["ring.a"].outcome is Outcome.INCONCLUSIVE
    assert "no memory to be had" in verdicts["ring.a"].message


def test_hanging_program_is_stopped(graded: Grade, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "SECONDS_A_CHECK", 0.5)
    monkeypatch.setattr(checks, "SECONDS_A_START", 0.5)
    verdicts = graded({"ring.a": "hang"})
    assert verdicts["ring.a"].outcome is Outcome.INCONCLUSIVE
    assert "it hung" in verdicts["ring.a"].message


def test_worse_of_two_verdicts_stands(graded: Grade) -> None:
    assert graded({"ring.a": "twice"})["ring.a"].outcome is Outcome.FAIL


def test_garbage_among_the_results_is_passed_over(graded: Grade) -> None:
    assert graded({"ring.a": "garbage"})["ring.a"].outcome is Outcome.PASS


def test_unknown_outcome_is_inconclusive(graded: Grade) -> None:
    assert graded({"ring.a": "splendid"})["ring.a"].outcome is Outcome.INCONCLUSIVE


def test_missing_program_is_an_error_not_a_pass(tmp_path: Path) -> None:
    run = checks.Run(node=tmp_path / "node", folder=tmp_path)
    with pytest.raises(FileNotFoundError):
        checks.run_program(tmp_path / "absent", [check_named("ring.a")], run)


@pytest.mark.parametrize("end", ["crash", "silent", "hang"])
def test_grades_of_a_check_have_each_a_verdict(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    behaviours = {"ring.a": "fail", "ring.a/2": "pass", "ring.a/4": end, "ring.a/5": end}
    plan = tmp_path / "plan.json"
    plan.write_text(json.dumps(behaviours))
    monkeypatch.setenv("FAKE_CHECKS", str(plan))
    if end == "hang":
        monkeypatch.setattr(checks, "SECONDS_A_CHECK", 3.0)
    run = checks.Run(node=tmp_path / "node", folder=tmp_path, shrink=False)
    verdicts = checks.run_grades(FAKE, check_named("ring.a"), run, [1, 2, 3, 4, 5])
    said = [verdicts[seed].outcome for seed in (1, 2, 3, 4, 5)]
    left = [Outcome.INCONCLUSIVE, Outcome.INCONCLUSIVE]
    assert said == [Outcome.FAIL, Outcome.PASS, Outcome.FAIL, *left]
    why = {"crash": "about to crash", "silent": "exit code 0", "hang": "it hung"}
    assert why[end] in verdicts[5].message


def test_shards_share_the_work_and_lose_nothing() -> None:
    ids = [f"ring.c{number}" for number in range(7)]
    shards = checks._balanced(ids, 3)
    assert sorted(check for shard in shards for check in shard) == sorted(ids)
    assert max(map(len, shards)) - min(map(len, shards)) <= 1
