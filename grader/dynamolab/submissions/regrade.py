"""A class graded again, beside how it was graded before: what changed and why, and that no score falls
until somebody has said so."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dynamolab import formats, results
from dynamolab.errors import LabError
from dynamolab.formats.table import cell
from dynamolab.grade import RESULTS_FILE
from dynamolab.paths import shown
from dynamolab.results import CheckResult, LabResult, Results

FILE = "regrade.csv"
COLUMNS = ("Submission", "Lab", "Check", "Before", "Now", "Points before", "Points now", "Why")


@dataclass(frozen=True)
class Change:
    """One check of one submission that came out otherwise, or counts otherwise."""

    name: str
    lab: int
    before: CheckResult | None
    now: CheckResult | None
    why: str

    @property
    def row(self) -> dict[str, object]:
        known = self.now or self.before
        assert known is not None
        told = [c.outcome.value if c else "" for c in (self.before, self.now)]
        points: list[object] = [c.points if c else "" for c in (self.before, self.now)]
        cells = [cell(self.name), self.lab, known.id, *told, *points, self.why]
        return dict(zip(COLUMNS, cells, strict=True))


@dataclass(frozen=True)
class Fall:
    """A lab that a submission has fewer points of than before."""

    name: str
    lab: int
    before: int
    now: int


def read_old(folder: Path) -> dict[str, Results]:
    """How it was graded then, points as they were given. LabError if it is no folder of ./lab grade-all."""
    there = folder / "results"
    if not there.is_dir():
        raise LabError(f"--regrade {folder}: holds no results/; give the --out folder of ./lab grade-all")
    found = {}
    for path in sorted(there.glob(f"*/{RESULTS_FILE}")):
        try:
            found[path.parent.name] = results.read(path)
        except LabError as error:
            raise LabError(f"--regrade {shown(folder)}: {error}") from error
    return found


def changes(name: str, before: Results, now: Results) -> Iterator[Change]:
    """In the order of the labs and their checks."""
    old = {lab.lab: {check.id: check for check in lab.checks} for lab in before.labs}
    for lab in now.labs:
        known = old.get(lab.lab, {})
        for check in lab.checks:
            was = known.pop(check.id, None)
            if was is None or (was.outcome, was.points) != (check.outcome, check.points):
                yield Change(name, lab.lab, was, check, _why(was, check, before, now))
        for gone in known.values():
            yield Change(name, lab.lab, gone, None, "the course has not got this check any more")


def _why(was: CheckResult | None, check: CheckResult, before: Results, now: Results) -> str:
    """The first cause that explains it; the last one is nobody's wish."""
    if was is None:
        return "the check is new"
    if was.void != check.void:
        return "the check is void: everyone is credited" if check.void else "the check is not void any more"
    if was.outcome is check.outcome:
        return "the check gives other points"
    if was.hash != check.hash:
        return "the check was changed"
    if _digest(before) != _digest(now):
        return "another submission"
    if before.seed != now.seed:
        return "another seed"
    if before.grader != now.grader:
        return "the grader was changed"
    return "same check, submission and grader: the solution or the machine decided; read both"


def _digest(graded: Results) -> str:
    return graded.submission.digest if graded.submission else ""


def falls(name: str, before: Results, now: Results) -> Iterator[Fall]:
    old = {lab.lab: lab for lab in before.labs}
    for lab in now.labs:
        was = old.get(lab.lab)
        if was is not None and _graded(was) and _graded(lab) and lab.points < was.points:
            yield Fall(name, lab.lab, was.points, lab.points)


def _graded(lab: LabResult) -> bool:
    return formats.lab_graded(lab, formats.View())


def kept(fallen: Sequence[Fall]) -> dict[str, dict[int, int]]:
    """The points that stand until the falls are confirmed: submission → lab → points."""
    floors: dict[str, dict[int, int]] = {}
    for fall in fallen:
        floors.setdefault(fall.name, {})[fall.lab] = fall.before
    return floors


def compare(old: Mapping[str, Results], now: Mapping[str, Results]) -> tuple[list[Change], list[Fall]]:
    """Of the submissions that were graded both times."""
    both = [name for name in now if name in old]
    changed = [change for name in both for change in changes(name, old[name], now[name])]
    return changed, [fall for name in both for fall in falls(name, old[name], now[name])]


def write(path: Path, changed: Sequence[Change]) -> None:
    part = path.with_name(path.name + ".part")
    with part.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(change.row for change in changed)
    part.replace(path)


def told(changed: Sequence[Change], fallen: Sequence[Fall], confirmed: bool) -> str:
    """For the terminal: how much changed, by cause; and the scores that would fall."""
    by_cause: dict[str, int] = {}
    for change in changed:
        by_cause[change.why] = by_cause.get(change.why, 0) + 1
    lines = [f"{len(changed)} verdicts changed ({FILE}):" if changed else "No verdict changed."]
    lines += [f"  {count}  {cause}" for cause, count in sorted(by_cause.items(), key=lambda c: -c[1])]
    if fallen and confirmed:
        lines.append(f"{len(fallen)} scores fall, as you confirmed.")
    elif fallen:
        lines += [f"  {f.name}, lab {f.lab}: {f.before} would become {f.now}" for f in fallen[:10]]
        lines.append(
            f"{len(fallen)} scores would fall: the gradebook keeps what was given. With --confirm-falls"
            " it takes the new ones"
        )
    return "\n".join(lines)
