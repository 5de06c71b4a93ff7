"""CSV: one row a check. Inconclusive: the points stay empty, which no spreadsheet adds up as a zero
that somebody has given."""

from __future__ import annotations

import csv
import io

from dynamolab.formats import View, story
from dynamolab.results import Outcome, Results

COLUMNS = (
    *("submission", "lab", "part", "check", "title", "kind", "show", "void", "outcome", "points"),
    *("max_points", "seconds", "message"),
)
# A spreadsheet takes a cell that begins so for a formula; what a solution printed must not be one.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def cell(text: str) -> str:
    """Text that came from a submission, made safe for a spreadsheet."""
    return f"'{text}" if text.startswith(_FORMULA) else text


def render(results: Results, view: View) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    name = results.submission.name if results.submission else results.solution
    for lab in results.labs:
        for check in lab.checks:
            undecided = not view.complete or (
                check.outcome is Outcome.INCONCLUSIVE and not check.void
            )
            first = next(iter(story(check).splitlines()), "")
            writer.writerow(
                {
                    "submission": cell(name),
                    "lab": lab.lab,
                    "part": check.part,
                    "check": check.id,
                    "title": check.title,
                    "kind": check.kind,
                    "show": check.show.value,
                    "void": "yes" if check.void else "",
                    "outcome": check.outcome.value,
                    "points": "" if undecided else check.points,
                    "max_points": check.max_points,
                    "seconds": f"{check.seconds:.3f}",
                    "message": "" if check.outcome is Outcome.PASS else cell(first),
                }
            )
    return text.getvalue()
