"""PrairieLearn: ``/grade/results/results.json`` (docs.prairielearn.com, "External grading", "Grading
results"). ``score`` is a share, 0 to 1; the file may have 1 MB.

Inconclusive: ``gradable`` is false and there is no score, so no point is lost and the attempt is not
counted; ``format_errors`` says that it is the grader's trouble. What does not compile is not gradable
either, as its documentation has it: the student corrects it without losing an attempt. All tests are
shown to students there, so hidden checks are one line without names."""

from __future__ import annotations

import json
from typing import Any

from dynamolab.formats import View, again, graded, named, not_compiled, story
from dynamolab.results import CheckResult, LabResult, Outcome, Results
from dynamolab.ui import harmless

LARGEST_BYTES = 1_000_000
LONGEST = (20_000, 2_000, 200)  # Of one story; the next one if the file became too large.


def render(results: Results, view: View) -> str:
    text = ""
    for longest in LONGEST:
        text = json.dumps(document(results, view, longest), indent=1, ensure_ascii=False) + "\n"
        if len(text.encode()) < LARGEST_BYTES:
            break
    return text


def document(results: Results, view: View, longest: int = LONGEST[0]) -> dict[str, Any]:
    if not graded(results, view):
        return _not_gradable(again(results))
    if words := not_compiled(results):
        return _not_gradable(harmless(words)[:longest])
    share = results.points / results.max_points if results.max_points else 0.0
    return {
        "gradable": True,
        "score": round(share, 6),
        "message": f"{results.points} of {results.max_points} points",
        "tests": _tests(results, longest),
    }


def _not_gradable(words: str) -> dict[str, Any]:
    return {"gradable": False, "format_errors": [words], "message": words}


def _tests(results: Results, longest: int) -> list[dict[str, Any]]:
    tests = []
    for lab in results.labs:
        shown = [check for check in lab.checks if named(check)]
        tests += [_test(lab, check, longest) for check in shown]
        if hidden := [check for check in lab.checks if not named(check)]:
            tests.append(
                {
                    "name": f"Lab {lab.lab}: hidden checks",
                    "points": sum(check.points for check in hidden),
                    "max_points": sum(check.max_points for check in hidden),
                    "message": f"{len(hidden)} checks that are published later",
                }
            )
    return tests


def _test(lab: LabResult, check: CheckResult, longest: int) -> dict[str, Any]:
    passed = check.outcome is Outcome.PASS
    return {
        "name": f"Lab {lab.lab}{check.part}: {check.title}",
        "description": check.teaches,
        "points": check.points,
        "max_points": check.max_points,
        "message": "" if passed or check.void else check.outcome.value.upper(),
        "output": story(check, longest),
    }
