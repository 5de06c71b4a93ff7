"""The results of a graded run in the formats of other systems, all made from the one result model.

A verdict that is the grader's own trouble (inconclusive) never becomes a zero in any of them. What each
format does instead stands in its module; where a format has no way to say it, it is not written."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from dynamolab.errors import GraderTrouble, LabError
from dynamolab.results import CheckResult, LabResult, Outcome, Results, Show
from dynamolab.suggest import did_you_mean
from dynamolab.ui import harmless

AGAIN = (
    "Not graded yet: the grader itself had trouble with these checks. Nothing is lost and nothing is"
    " counted against the submission; it has to be graded again."
)
NOT_COMPILED = ("The solution does not compile", "The solution did not compile")


class NoGrade(GraderTrouble):
    """The format cannot say "not graded", and the results are that."""


@dataclass(frozen=True)
class View:
    """How results are to be seen. ``environment``: variables of the system that the format is for."""

    complete: bool = True  # False: grading is under way, or was cut off.
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Format:
    """One of them. ``render`` gives the file's text; NoGrade if there is nothing that it could say."""

    name: str
    help: str
    render: Callable[[Results, View], str]


# Name → module here, and what it is.
_MODULES = {
    "gradescope": ("gradescope", "Gradescope's results.json"),
    "prairielearn": ("prairielearn", "PrairieLearn's results/results.json"),
    "classroom50": ("classroom50", "Classroom 50's result.json"),
    "autolab": ("autolab", "Autolab: feedback, and the scores as JSON on the last line"),
    "junit": ("junit", "JUnit XML, for continuous integration"),
    "csv": ("table", "a table, one row a check"),
    "json": ("ours", "our own results.json"),
}
NAMES = tuple(_MODULES)


def find(name: str) -> Format:
    """By name. LabError if there is none."""
    if name not in _MODULES:
        raise LabError(f"there is no format '{name}'; {did_you_mean(name, list(NAMES))}")
    module, words = _MODULES[name]
    return Format(name, words, importlib.import_module(f"dynamolab.formats.{module}").render)


def words(name: str) -> str:
    """What it is, on one line."""
    return _MODULES[name][1]


def rendered(results: Results, name: str, *, complete: bool = True) -> str:
    """The file's text. NoGrade if the format cannot say that there is no grade, and there is none."""
    return find(name).render(results, View(complete, os.environ))


def write(text: str, path: Path) -> None:
    """As a whole: whoever reads it meanwhile sees the file before, or this one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    part.write_text(text, encoding="utf-8")
    part.replace(path)


def graded(results: Results, view: View) -> bool:
    """Whether the points are the last word."""
    return view.complete and results.outcome is not Outcome.INCONCLUSIVE


def lab_graded(lab: LabResult, view: View) -> bool:
    return view.complete and lab.outcome is not Outcome.INCONCLUSIVE


def not_compiled(results: Results) -> str | None:
    """What the compiler said, if nothing of the student's code could run."""
    checks = [c for lab in results.labs for c in lab.checks if c.kind != "plan"]
    if checks and all(c.message.startswith(NOT_COMPILED) for c in checks):
        return checks[0].message
    return None


def undecided(results: Results) -> list[CheckResult]:
    """The checks for whose sake there is no score. A void one decides nothing."""
    found = [check for lab in results.labs for check in lab.checks if not check.void]
    return [check for check in found if check.outcome is Outcome.INCONCLUSIVE]


def named(check: CheckResult) -> bool:
    """Whether students may know that there is such a check."""
    return check.show is not Show.NOTHING


def again(results: Results) -> str:
    """Why there is no score, for student and staff."""
    names = [check.id if named(check) else "a hidden check" for check in undecided(results)]
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return f"{AGAIN}\nWithout a verdict: {', '.join(names[:5])}{more}" if names else AGAIN


def story(check: CheckResult, longest: int = 20_000) -> str:
    """What a student reads of a check, as plain text for a page of somebody else's. Of one that
    students know nothing of: what staff reads."""
    check = check.for_students() or check
    if check.void and check.outcome is not Outcome.PASS:
        return "This check is void: everyone has its points."
    if check.outcome is Outcome.PASS:
        return harmless(f"{check.message}\n{check.rerun}".strip())
    lines = [check.message or "(no message)"]
    if check.outcome in (Outcome.FAIL, Outcome.INCONCLUSIVE):
        lines += [f"\nWhy it matters: {check.why}"] if check.why else []
        lines += [f"Where to look: {check.hint}"] if check.hint else []
    text = harmless("\n".join(lines))
    return text if len(text) <= longest else f"{text[:longest]}\n… ({len(text) - longest} characters more)"
