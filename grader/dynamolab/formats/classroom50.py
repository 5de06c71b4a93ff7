"""Classroom 50: ``./result.json`` (its wiki, "Advanced Autograding", "The result.json contract").

The runner gives who and what is graded in environment variables. Inconclusive: nothing is written. The
contract's own way to say "infrastructure error" is an exit code other than zero without that file; the
runner then publishes a result with status=error, and no score. A student sees every test of it, so
hidden checks have no names there."""

from __future__ import annotations

import datetime
import json
from typing import Any

from dynamolab.formats import NoGrade, View, again, graded, named, story
from dynamolab.results import CheckResult, LabResult, Outcome, Results

SCHEMA = "classroom50/result/v1"
# Field → the variable of the runner that says it.
FROM_RUNNER = {
    "classroom": "CLASSROOM",
    "assignment": "ASSIGNMENT",
    "submission": "SUBMISSION_TAG",
    "commit": "COMMIT_URL",
    "release": "RELEASE_URL",
    "review": "REVIEW_URL",
}
OF_THE_RUNNER = {"assignment_type": "ASSIGNMENT_TYPE", "owner": "OWNER"}  # It stamps them itself.
OUTSIDE = "none"  # Run by hand: no runner has said anything.


def render(results: Results, view: View) -> str:
    return json.dumps(document(results, view), indent=2, ensure_ascii=False) + "\n"


def document(results: Results, view: View) -> dict[str, Any]:
    if not graded(results, view):
        raise NoGrade(f"Classroom 50 gets no result.json: {again(results)}")
    said = view.environment
    told: dict[str, Any] = {"schema": SCHEMA}
    told |= {field: said.get(variable) or OUTSIDE for field, variable in FROM_RUNNER.items()}
    if "REVIEW_URL" not in said and "COMMIT_URL" in said:
        told["review"] = said["COMMIT_URL"]
    told |= {field: said[name] for field, name in OF_THE_RUNNER.items() if said.get(name)}
    now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    tests = [
        _test(lab, number, check)
        for lab in results.labs
        for number, check in enumerate(lab.checks, 1)
    ]
    return told | {
        "datetime": now,  # The runner puts the commit's own moment there.
        "score": sum(test["score"] for test in tests),
        "max-score": sum(test["max-score"] for test in tests),
        "tests": tests,
    }


def _test(lab: LabResult, number: int, check: CheckResult) -> dict[str, Any]:
    shown = named(check)
    title = f"Lab {lab.lab}{check.part}: {check.title}"
    told = {
        "test-name": title if shown else f"Lab {lab.lab}: hidden check {number}",
        "passed": check.void or check.outcome is Outcome.PASS,
        "score": check.points,
        "max-score": check.max_points,
    }
    return told | ({"id": check.id, "output": story(check, 4_000)} if shown else {})
