"""gradebook.csv, one row a student, and canvas.csv, which Canvas takes in.

A roster is what Canvas exports of a course's gradebook, or any CSV with some of its columns: Student, ID,
SIS User ID, SIS Login ID, Section. A submission belongs to the student whose login, id or name it has; the
names that Canvas gives downloads (``name_ID_ATTEMPT_file.zip``) are known, too. What was not graded has no
number, in neither file: an empty cell changes nothing in Canvas."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from dynamolab import formats
from dynamolab.course.course import Course
from dynamolab.errors import LabError
from dynamolab.formats.table import cell
from dynamolab.labs import Lab
from dynamolab.results import Outcome, Results
from dynamolab.submissions.batch import Item

STUDENT, ID, SIS_USER, SIS_LOGIN, SECTION = (
    *("Student", "ID", "SIS User ID", "SIS Login ID"),
    "Section",
)
COLUMNS = (STUDENT, ID, SIS_USER, SIS_LOGIN, SECTION)
POINTS_POSSIBLE = "Points Possible"  # Canvas has a row of that name, with blanks before.
_CANVAS_DOWNLOAD = re.compile(r"^[^_]+_(?:LATE_)?(\d+)_\d+_")


@dataclass(frozen=True)
class Student:
    """A row of the roster."""

    row: Mapping[str, str]

    def keys(self) -> list[str]:
        """What a submission of theirs may be named after, the surest first."""
        told = [self.row.get(column, "") for column in (SIS_LOGIN, SIS_USER, ID, STUDENT)]
        login = told[0].partition("@")[0]
        return [_plain(word) for word in (*told, login) if word]


@dataclass
class Roster:
    """The students, and how Canvas names the labs' assignments (number → head of the column)."""

    students: list[Student] = field(default_factory=list)
    assignments: dict[int, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Row:
    """A student with a submission, one of both at least, and what came of it."""

    student: Student | None
    item: Item | None
    graded: Results | None
    kept: Mapping[int, int] = field(default_factory=dict)  # Lab → points that a regrade must not take.

    def points(self, lab: Lab) -> int | None:
        """What counts for the lab. None: there is no grade of it."""
        now = points_of(self.graded, lab)
        return now if now is None else max(now, self.kept.get(lab.number, 0))

    @property
    def notes(self) -> list[str]:
        """What a person should read beside the points."""
        told = list(self.graded.submission.notes) if self.graded and self.graded.submission else []
        held = [f"lab {lab}: kept at {points}, see regrade.csv" for lab, points in self.kept.items()]
        return told + held

    @property
    def outcome(self) -> str:
        if self.item is None:
            return "no submission"
        return self.graded.outcome.value if self.graded else "not graded"


def _plain(word: str) -> str:
    return re.sub(r"[^a-z0-9]", "", word.lower())


def read_roster(path: Path) -> Roster:
    """LabError if it is no CSV with at least one of the columns that name a student."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise LabError(f"{path}: cannot be read as CSV: {error}") from error
    columns = [name for name in (rows[0] if rows else {}) if name]
    if not set(columns) & {STUDENT, ID, SIS_USER, SIS_LOGIN}:
        raise LabError(
            f"{path}: has no column {STUDENT}, {ID}, {SIS_USER} or {SIS_LOGIN}; export the gradebook of"
            " Canvas, or name the columns so"
        )
    assignments: dict[int, str] = {}
    for name in columns:
        if found := re.match(r"Lab (\d+)\b", name):
            assignments.setdefault(int(found[1]), name)
    people = [row for row in rows if (row.get(STUDENT) or "").strip() != POINTS_POSSIBLE]
    return Roster([Student({k: v or "" for k, v in row.items() if k}) for row in people], assignments)


def matched(roster: Roster, graded: Sequence[tuple[Item, Results | None]]) -> list[Row]:
    """Each student's row in the roster's order, then submissions that belong to nobody in it. A second
    submission of one student is a row of its own: a person decides."""
    by_key: dict[str, Student | None] = {}
    for student in roster.students:
        for key in dict.fromkeys(student.keys()):
            # Two of a name: none of them is meant for certain.
            by_key[key] = None if key in by_key and by_key[key] is not student else student
    of_student: dict[int, list[Row]] = {}
    strangers = []
    for item, results in graded:
        student = next((by_key[key] for key in _keys(item) if by_key.get(key)), None)
        row = Row(student, item, results)
        if student is None:
            strangers.append(row)
        else:
            of_student.setdefault(id(student), []).append(row)
    rows = []
    for student in roster.students:
        rows += of_student.get(id(student), [Row(student, None, None)])
    return rows + strangers


def _keys(item: Item) -> list[str]:
    found = _CANVAS_DOWNLOAD.match(item.path.name)
    return [_plain(word) for word in ([found[1]] if found else []) + [item.name]]


def points_of(graded: Results | None, lab: Lab) -> int | None:
    """None: there is no grade of this lab."""
    for result in graded.labs if graded else ():
        if result.lab == lab.number:
            return result.points if formats.lab_graded(result, formats.View()) else None
    return None


def write_gradebook(path: Path, rows: Sequence[Row], course: Course, labs: Sequence[Lab]) -> None:
    """Total and percent are of these labs, which need not be all of the course's."""
    heads = [_head(lab, {}) for lab in labs]
    course = replace(course, labs=tuple(labs))
    columns = [*COLUMNS, "Submission", *heads, "Total", "Percent", "Outcome", "Notes"]
    lines = []
    for row in rows:
        points = {lab.number: row.points(lab) for lab in labs}
        known = {number: value for number, value in points.items() if value is not None}
        whole = len(known) == len(labs)
        line: dict[str, object] = _who(row)
        line |= {head: _blank(points[lab.number]) for head, lab in zip(heads, labs, strict=True)}
        line["Submission"] = cell(row.item.name) if row.item else ""
        line["Total"] = sum(known.values()) if whole else ""
        line["Percent"] = f"{course.total(known):.2f}" if whole else ""
        line["Outcome"] = row.outcome
        line["Notes"] = cell("; ".join(row.notes))
        lines.append(line)
    _write(path, columns, lines)


def write_canvas(path: Path, rows: Sequence[Row], roster: Roster, labs: Sequence[Lab]) -> None:
    """Only students of the roster; the one best graded of several submissions of a student."""
    heads = {lab.number: _head(lab, roster.assignments) for lab in labs}
    columns = [*COLUMNS, *heads.values()]
    possible: dict[str, object] = {STUDENT: f"    {POINTS_POSSIBLE}"}
    possible |= {heads[lab.number]: lab.points for lab in labs}
    lines = [possible]
    best: dict[int, Row] = {}
    for row in rows:
        if row.student is not None:
            before = best.get(id(row.student))
            if before is None or _worth(row) > _worth(before):
                best[id(row.student)] = row
    for row in best.values():
        line: dict[str, object] = _who(row)
        line |= {heads[lab.number]: _blank(row.points(lab)) for lab in labs}
        lines.append(line)
    _write(path, columns, lines)


def _worth(row: Row) -> tuple[bool, int]:
    decided = row.graded is not None and row.graded.outcome is not Outcome.INCONCLUSIVE
    return decided, row.graded.points if row.graded else -1


def _head(lab: Lab, assignments: Mapping[int, str]) -> str:
    return assignments.get(lab.number, f"Lab {lab.number}")


def _blank(points: int | None) -> int | str:
    return "" if points is None else points


def _who(row: Row) -> dict[str, object]:
    if row.student is None:
        return dict.fromkeys(COLUMNS, "") | {STUDENT: cell(row.item.name) if row.item else ""}
    return {column: cell(row.student.row.get(column, "")) for column in COLUMNS}


def _write(path: Path, columns: Sequence[str], lines: Sequence[Mapping[str, object]]) -> None:
    part = path.with_name(path.name + ".part")
    with part.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(lines)
    part.replace(path)
