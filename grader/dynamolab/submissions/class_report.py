"""The report of a class: one HTML page for staff that needs nothing else. How the points are spread, which
checks fail most and take longest, what was not decided, what a second run changed, who wrote alike."""

from __future__ import annotations

import datetime
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import jinja2

from dynamolab import formats
from dynamolab.course.course import Course
from dynamolab.labs import Lab
from dynamolab.paths import PACKAGE
from dynamolab.results import CheckResult, LabResult, Outcome, Results
from dynamolab.submissions.gradebook import Row
from dynamolab.submissions.similarity import Pair
from dynamolab.ui import harmless

TEMPLATE = "class_report.html.j2"
BINS = 10
SHOWN_CHECKS = 15
SHOWN_PAIRS = 40


@dataclass(frozen=True)
class Spread:
    """How the points of one lab, or of all, are spread. ``bins``: how many got less than the first tenth,
    the second …; a full score is in the last."""

    title: str
    of: int
    points: list[int]
    bins: list[int]

    @property
    def words(self) -> str:
        if not self.points:
            return "nobody is graded"
        return (
            f"{len(self.points)} graded; median {statistics.median(self.points):g} of {self.of}, mean"
            f" {statistics.mean(self.points):.1f}, from {min(self.points)} to {max(self.points)}"
        )

    def range_of(self, number: int) -> str:
        low, high = (round(self.of * n / BINS) for n in (number, number + 1))
        return f"{low} to {high if number == BINS - 1 else max(low, high - 1)} points"


@dataclass(frozen=True)
class CheckFigures:
    """One check over the class. Seconds are of those who ran it to a verdict."""

    lab: int
    id: str
    title: str
    ran: int
    failed: int
    undecided: int
    again: int
    median_s: float
    most_s: float

    @property
    def share(self) -> float:
        return self.failed / self.ran if self.ran else 0.0


def spread(title: str, of: int, points: Sequence[int]) -> Spread:
    bins = [0] * BINS
    for value in points:
        bins[min(BINS - 1, value * BINS // of if of else 0)] += 1
    return Spread(title, of, sorted(points), bins)


def spreads(graded: Sequence[Results], labs: Sequence[Lab]) -> list[Spread]:
    """Of each lab, then of all; only of what is graded."""
    view = formats.View()
    found = []
    for lab in labs:
        mine = [result for one in graded for result in one.labs if result.lab == lab.number]
        points = [result.points for result in mine if formats.lab_graded(result, view)]
        found.append(spread(f"Lab {lab.number}: {lab.title}", lab.points, points))
    if len(labs) > 1:
        whole = [one.points for one in graded if formats.graded(one, view)]
        found.append(spread("All labs", sum(lab.points for lab in labs), whole))
    return found


def figures(graded: Sequence[Results]) -> list[CheckFigures]:
    by_check: dict[str, list[tuple[LabResult, CheckResult]]] = {}
    for one in graded:
        for lab in one.labs:
            for check in lab.checks:
                by_check.setdefault(check.id, []).append((lab, check))
    found = []
    for identifier, results in by_check.items():
        lab, first = results[0]
        outcomes = [check.outcome for _, check in results]
        seconds = [check.seconds for _, check in results if check.seconds > 0] or [0.0]
        decided = [outcome for outcome in outcomes if outcome in (Outcome.PASS, Outcome.FAIL)]
        found.append(
            CheckFigures(
                lab.lab,
                identifier,
                first.title,
                len(decided),
                outcomes.count(Outcome.FAIL),
                outcomes.count(Outcome.INCONCLUSIVE),
                sum(bool(check.rerun) for _, check in results),
                statistics.median(seconds),
                max(seconds),
            )
        )
    return found


@dataclass(frozen=True)
class Told:
    """A submission and a check of it, for a list."""

    name: str
    link: str
    check: CheckResult


def _told(rows: Sequence[Row], which: str) -> list[Told]:
    found = []
    for row in rows:
        for check in (c for lab in (row.graded.labs if row.graded else ()) for c in lab.checks):
            undecided = check.outcome is Outcome.INCONCLUSIVE
            if undecided if which == "undecided" else bool(check.rerun):
                assert row.item is not None
                found.append(Told(row.item.name, link_to(row.item.name), check))
    return found


def link_to(name: str) -> str:
    """From the class report to a submission's."""
    return f"results/{quote(name)}/report.html"


def render(
    path: Path, course: Course, labs: Sequence[Lab], rows: Sequence[Row], pairs: Sequence[Pair] | None
) -> None:
    """``pairs``: None if nothing was compared. OSError if the file cannot be written."""
    graded = [row.graded for row in rows if row.graded is not None]
    checks = figures(graded)
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(PACKAGE / "submissions"),
        autoescape=True,  # Names and messages come from submissions.
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["harmless"] = harmless
    page = environment.get_template(TEMPLATE).render(
        course=course,
        rows=rows,
        graded=graded,
        spreads=spreads(graded, labs),
        failing=[c for c in sorted(checks, key=lambda c: (-c.share, c.id)) if c.failed][:SHOWN_CHECKS],
        slowest=sorted(checks, key=lambda c: (-c.median_s, c.id))[:SHOWN_CHECKS],
        undecided=_told(rows, "undecided"),
        again=_told(rows, "again"),
        pairs=None if pairs is None else pairs[:SHOWN_PAIRS],
        more_pairs=max(0, len(pairs or ()) - SHOWN_PAIRS),
        link_to=link_to,
        made=datetime.datetime.now().strftime("%Y-%m-%d %H:%M"),
    )
    part = path.with_name(path.name + ".part")
    part.write_text(page, encoding="utf-8", errors="backslashreplace")
    part.replace(path)
