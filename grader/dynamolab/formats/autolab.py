"""Autolab: what an autograder prints (docs.autolabproject.com, "Guide for Lab Authors" and "Formatted
Feedback"): words for the student, a line of JSON that lays them out in stages, and on the last line
the scores, one a problem. The problems of the assessment are called "Lab 1", "Lab 2" … there.

Inconclusive: the lab's problem is left out of the scores. Autolab then leaves it ungraded, as it does
with a problem that somebody grades by hand."""

from __future__ import annotations

import json
from typing import Any

from dynamolab.formats import View, again, lab_graded, named, story, undecided
from dynamolab.results import CheckResult, LabResult, Outcome, Results


def problem(lab: LabResult) -> str:
    """What the lab is called in the assessment."""
    return f"Lab {lab.lab}"


def render(results: Results, view: View) -> str:
    lines = []
    if undecided(results) or not view.complete:
        lines += [again(results), ""]
    for lab in results.labs:
        lines.append(f"{problem(lab)}: {lab.title}, {_points(lab, view)}")
        for check in lab.checks:
            if named(check) and not check.void and check.outcome is not Outcome.PASS:
                lines += [f"\n{check.outcome.value.upper()} {check.title} ({check.id})"]
                # A line that begins with a brace is read as the autograder's own.
                lines += [f"  {line}" for line in story(check).splitlines()]
        lines.append("")
    lines.append(json.dumps(feedback(results), ensure_ascii=False))
    lines.append(json.dumps(autoresult(results, view), ensure_ascii=False))
    return "\n".join(lines) + "\n"


def _points(lab: LabResult, view: View) -> str:
    if not lab_graded(lab, view):
        return "not graded yet"
    return f"{lab.points} of {lab.max_points} points"


def feedback(results: Results) -> dict[str, Any]:
    """The line before the last: a stage a lab, with those tests that have a verdict."""
    told: dict[str, Any] = {"_presentation": "semantic", "stages": []}
    for lab in results.labs:
        told["stages"].append(problem(lab))
        told[problem(lab)] = {
            check.title: _test(check)
            for check in lab.checks
            if named(check) and (check.void or check.outcome is not Outcome.INCONCLUSIVE)
        }
    return told


def _test(check: CheckResult) -> dict[str, Any]:
    if check.void or check.outcome is Outcome.PASS:
        return {"passed": True}
    return {"passed": False} | ({"hint": check.hint} if check.hint else {})


def autoresult(results: Results, view: View) -> dict[str, Any]:
    """The last line."""
    graded = [lab for lab in results.labs if lab_graded(lab, view)]
    told: dict[str, Any] = {"scores": {problem(lab): lab.points for lab in graded}}
    if len(graded) == len(results.labs):
        told["scoreboard"] = [*(lab.points for lab in graded), results.points]
    return told
