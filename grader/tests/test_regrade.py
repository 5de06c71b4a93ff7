"""A class graded again: each change has its cause, and no score falls until somebody says so."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import pytest

from dynamolab import labs
from dynamolab.course import course
from dynamolab.errors import LabError
from dynamolab.results import CheckResult, LabResult, Outcome, Results, Submission, write_json
from dynamolab.submissions import gradebook, regrade
from dynamolab.submissions.batch import Item
from dynamolab.submissions.grade_all import Regrade

RING = labs.find_lab(labs.load_all(), "ring")
PASS, FAIL = Outcome.PASS, Outcome.FAIL


def graded(
    *outcomes: Outcome, hash_: str = "a", digest: str = "d", seed: int = 1, void: bool = False
) -> Results:
    """Of the first checks of lab 2; ``void``: the first of them."""
    checks = [
        CheckResult(check.id, check.title, "unit", outcome, check.points, hash=hash_)
        for check, outcome in zip(RING.checks, outcomes, strict=False)
    ]
    checks[0].void = void
    told = Results("theirs", seed, [LabResult(2, "ring", "Ring", checks)], grader={"version": "1"})
    told.submission = Submission("ann", digest)
    return told


@pytest.mark.parametrize(
    ("before", "now", "cause"),
    [
        (graded(FAIL), graded(FAIL, void=True), "the check is void: everyone is credited"),
        (graded(FAIL), graded(PASS, hash_="b"), "the check was changed"),
        (graded(FAIL), graded(PASS, digest="e"), "another submission"),
        (graded(PASS), graded(FAIL, seed=2), "another seed"),
        (graded(PASS), graded(FAIL), "same check, submission and grader"),
        (graded(PASS), graded(PASS, PASS), "the check is new"),
    ],
)
def test_each_change_has_its_cause(before: Results, now: Results, cause: str) -> None:
    (change,) = regrade.changes("ann", before, now)
    assert change.why.startswith(cause)


def test_what_stayed_is_not_told() -> None:
    assert list(regrade.changes("ann", graded(PASS, FAIL), graded(PASS, FAIL))) == []


def rows(tmp_path: Path, confirmed: bool) -> tuple[dict[str, dict[str, str]], str]:
    """The gradebook after ann fell and bob rose."""
    old = {"ann": graded(PASS, PASS), "bob": graded(FAIL, FAIL)}
    now = {"ann": graded(PASS, FAIL, hash_="b"), "bob": graded(PASS, FAIL, hash_="b")}
    made = gradebook.matched(gradebook.Roster(), [(Item(n, tmp_path / n), r) for n, r in now.items()])
    held, told = Regrade(old, confirmed).applied(made, tmp_path)
    lab = replace(RING, checks=RING.checks[:2])
    gradebook.write_gradebook(tmp_path / "gradebook.csv", held, course.whole(), [lab])
    with (tmp_path / "gradebook.csv").open(encoding="utf-8") as file:
        return {row["Submission"]: row for row in csv.DictReader(file)}, told


def test_no_score_falls_until_it_is_confirmed(tmp_path: Path) -> None:
    first, second = (check.points for check in RING.checks[:2])
    book, told = rows(tmp_path, confirmed=False)
    assert book["ann"]["Lab 2"] == str(first + second)
    assert "kept" in book["ann"]["Notes"]
    assert book["bob"]["Lab 2"] == str(first)
    assert f"ann, lab 2: {first + second} would become {first}" in told
    book, _ = rows(tmp_path, confirmed=True)
    assert book["ann"]["Lab 2"] == str(first)
    assert book["ann"]["Notes"] == ""


def test_every_change_is_listed(tmp_path: Path) -> None:
    rows(tmp_path, confirmed=False)
    with (tmp_path / regrade.FILE).open(encoding="utf-8") as file:
        listed = [(row["Submission"], row["Before"], row["Now"], row["Why"]) for row in csv.DictReader(file)]
    assert listed == [
        ("ann", "pass", "fail", "the check was changed"),
        ("bob", "fail", "pass", "the check was changed"),
    ]


def test_old_results_are_read_with_the_points_that_were_given(tmp_path: Path) -> None:
    write_json(graded(FAIL, void=True).document(), tmp_path / "results" / "ann" / "results.json")
    assert regrade.read_old(tmp_path)["ann"].points == RING.checks[0].points
    with pytest.raises(LabError, match="holds no results/"):
        regrade.read_old(tmp_path / "results")
