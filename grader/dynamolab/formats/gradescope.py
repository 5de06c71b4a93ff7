"""Gradescope: ``/autograder/results/results.json`` (gradescope-autograders.readthedocs.io, "Autograder
Specifications", "Output format").

Inconclusive: no score stands anywhere in the file, neither at the top nor at a test. Gradescope adds up
the tests' scores where the top has none, so a single undecided test among scored ones would count as a
zero. A file without scores is no grade there; its ``output`` says that it has to be run again."""

from __future__ import annotations

import json
from typing import Any

from dynamolab.formats import View, again, graded, named, story
from dynamolab.results import CheckResult, LabResult, Outcome, Results

CUT_OFF = (
    "Grading was cut off before the end; what has a verdict so far is below. Submit again, or ask staff."
)


def render(results: Results, view: View) -> str:
    return json.dumps(document(results, view), indent=1, ensure_ascii=False) + "\n"


def document(results: Results, view: View) -> dict[str, Any]:
    scored = graded(results, view)
    told: dict[str, Any] = {
        "output": _summary(results, view, scored),
        "output_format": "text",
        "visibility": "visible",
        "stdout_visibility": "hidden",
        "execution_time": round(results.seconds),
        "tests": [
            _test(lab, number, check, scored)
            for lab in results.labs
            for number, check in enumerate(lab.checks, 1)
        ],
        "extra_data": {"schema": "dynamo-labs/results/1", "seed": results.seed},
    }
    if scored:
        told["score"] = results.points
        if board := [entry for lab in results.labs for entry in _leaderboard(lab)]:
            told["leaderboard"] = board
    return told


def _summary(results: Results, view: View, scored: bool) -> str:
    if scored:
        return f"{results.points} of {results.max_points} points (seed {results.seed})"
    return again(results) if view.complete else CUT_OFF


def _test(lab: LabResult, number: int, check: CheckResult, scored: bool) -> dict[str, Any]:
    told: dict[str, Any] = {
        "name": f"Lab {lab.lab}{check.part}: {check.title}",
        "number": f"{lab.lab}.{number}",
        "output": story(check),
        "output_format": "text",
        "tags": [check.kind, f"lab{lab.lab}"],
        "visibility": "visible" if named(check) else "hidden",
        "extra_data": {"id": check.id, "outcome": check.outcome.value},
    }
    if check.outcome is not Outcome.INCONCLUSIVE:  # Without a status it is neither green nor red.
        told["status"] = "passed" if check.void or check.outcome is Outcome.PASS else "failed"
    if scored:
        told |= {"score": check.points, "max_score": check.max_points}
    return told


def _leaderboard(lab: LabResult) -> list[dict[str, Any]]:
    if lab.leaderboard is None:
        return []
    entries = []
    for what, figures in (("puts", lab.leaderboard.puts), ("gets", lab.leaderboard.gets)):
        entries += [
            {"name": f"{what} a second", "value": figures.per_second, "order": "desc"},
            {"name": f"p99.9 of {what} (ms)", "value": figures.p99_9_ms, "order": "asc"},
        ]
    return entries
