"""course.json: what an instructor chooses becomes labs; what is wrong is said, with the place."""

from __future__ import annotations

import datetime
import json
from pathlib import Path
from typing import Any

import pytest

from dynamolab import labs
from dynamolab.course import course as courses
from dynamolab.course.course import Course, Ships
from dynamolab.errors import LabError

A, B = "ring.token_walk_goes_on_past_zero", "ring.every_process_builds_the_same_ring"
LONDON = {"name": "Ours", "timezone": "Europe/London", "labs": [{"lab": 2, "due": "2027-07-01T23:59"}]}
UTC = datetime.timezone.utc


def load(tmp_path: Path, document: object) -> Course:
    path = tmp_path / "course.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    return courses.load(path)


def with_lab(**changes: Any) -> dict[str, Any]:
    return {"name": "Ours", "labs": [{"lab": 2} | changes]}


def points(course: Course, number: int = 2) -> dict[str, int]:
    lab = course.lab(number)
    assert lab is not None
    return {check.id: check.points for check in lab.checks}


def test_without_a_course_all_labs_are_as_they_stand(course: list[labs.Lab]) -> None:
    assert list(courses.whole().labs) == course


def test_smallest_course_has_the_lab_as_it_stands(tmp_path: Path, course: list[labs.Lab]) -> None:
    ours = load(tmp_path, with_lab())
    assert list(ours.labs) == [lab for lab in course if lab.number == 2]
    assert ours.total({2: 50.0}) == 50.0


def test_parts_that_are_not_taken_leave_with_their_checks(tmp_path: Path) -> None:
    chosen = [{"lab": 3, "parts": ["A", "B"]}, {"lab": 2, "parts": ["B"]}]
    ours = load(tmp_path, {"name": "Ours", "labs": chosen})
    assert [(lab.number, lab.points, [*lab.parts]) for lab in ours.labs] == [
        *[(2, 50, ["B"]), (3, 75, ["A", "B"])]
    ]
    assert {check.part for lab in ours.labs for check in lab.checks} == {"A", "B"}
    assert ours.parts_left_out == ["3C"]


def test_points_are_overridden_and_then_scaled_to_the_labs(tmp_path: Path) -> None:
    plain = points(load(tmp_path, with_lab(checks={A: 9})))
    assert (plain[A], sum(plain.values())) == (9, 104)
    half = points(load(tmp_path, with_lab(parts=["A"], checks={A: 0}, points=50)))
    assert (half[A], sum(half.values())) == (0, 50)


@pytest.mark.parametrize("total", [7, 10, 99, 1000])
def test_scaled_points_keep_their_proportions_and_add_up(total: int) -> None:
    made = courses.scaled({"a": 3, "b": 3, "c": 1, "d": 0}, total)
    assert sum(made.values()) == total and made["d"] == 0
    assert all(abs(made[k] - total * v / 7) < 1 for k, v in (("a", 3), ("b", 3), ("c", 1)))


def test_weights_make_the_grade(tmp_path: Path) -> None:
    chosen = [{"lab": 1, "weight": 3}, {"lab": 2, "weight": 1, "points": 80}]
    ours = load(tmp_path, {"name": "Ours", "labs": chosen})
    assert ours.total({1: 50, 2: 80}) == pytest.approx(62.5)
    assert ours.total({2: 80}) == pytest.approx(25.0)


def test_dates_know_their_zone_also_in_summer(tmp_path: Path) -> None:
    ours = load(tmp_path, LONDON)
    due = ours.plans[2].due
    assert due == datetime.datetime(2027, 7, 1, 22, 59, tzinfo=UTC)
    words = courses.date_words(due, ours.timezone)
    assert words == "Thursday 1 July 2027, 23:59 (Europe/London)"
    given = load(tmp_path, with_lab(due="2027-07-01T23:59+02:00")).plans[2].due
    assert given == datetime.datetime(2027, 7, 1, 21, 59, tzinfo=UTC)


def test_reference_is_shipped_when_the_course_says(tmp_path: Path) -> None:
    due = {"due": "2027-07-01T12:00Z"}
    before, after = (datetime.datetime(2027, 7, day, tzinfo=UTC) for day in (1, 2))
    for said, wanted in (
        *(("always", (True, True)), ("never", (False, False)), ("after_due", (False, True))),
        ("2027-07-01T18:00Z", (False, True)),
    ):
        ours = load(tmp_path, with_lab(reference=said, **due))
        assert tuple(ours.ships_reference(2, at) for at in (before, after)) == wanted
        assert ours.ships_reference(1, before)  # Not in the course: nobody is to write it.
    assert ours.plans[2].ships is Ships.FROM


def test_void_checks_are_known_by_their_lab(tmp_path: Path) -> None:
    lab = load(tmp_path, with_lab() | {"void": [A]}).lab(2)
    assert lab is not None and [check.id for check in lab.checks if check.void] == [A]


def test_seeds_are_drawn_once_and_kept_from_others(tmp_path: Path) -> None:
    ours = load(tmp_path, with_lab() | {"seeds": {"file": "seeds.json", "count": 3}})
    with pytest.raises(LabError, match=r"seeds\.json: the class's secret seeds are not there"):
        ours.seeds(2)
    assert ours.draw_seeds() == [2]
    drawn = ours.seeds(2)
    assert len(set(drawn)) == 3
    assert ours.draw_seeds() == []
    more = {"name": "x", "labs": [{"lab": 1}, {"lab": 2}], "seeds": {"file": "seeds.json"}}
    assert load(tmp_path, more).draw_seeds() == [1]
    assert ours.seeds(2) == drawn
    assert (tmp_path / "seeds.json").stat().st_mode & 0o777 == 0o600
    (tmp_path / "seeds.json").write_text('{"labs": {"2": ["one"]}}')
    with pytest.raises(LabError, match=r"seeds\.json: labs\.2\[0\]"):
        ours.seeds(2)


@pytest.mark.parametrize(
    ("document", "told"),
    [
        ({"labs": [{"lab": 1}]}, "'name' is a required property"),
        (with_lab() | {"colour": "red"}, "colour"),
        (with_lab(lab=9), r"labs\[0\]\.lab: there is no lab 9; there are 0, 1, 2"),
        ({"name": "x", "labs": [{"lab": 2}, {"lab": 2}]}, r"labs\[1\]\.lab: lab 2 stands twice"),
        (with_lab(parts=["D"]), "lab 2: parts: there is no part D; there are A, B, C"),
        (with_lab(points=3), "lab 2: points: 3 are too few for 32 checks"),
        (with_lab(checks={"ring.token_walk_goes_on": 3}), f"did you mean {A}"),
        (with_lab(parts=["A"], checks={B: 3}), "is not among the checks taken"),
        (with_lab(checks={A: -1}), "labs.0..checks"),
        (with_lab(due="2027-02-12T23:59"), "is in no time zone"),
        (with_lab(due="2027-02-30T23:59Z"), "lab 2: due: 2027-02-30T23:59Z"),
        (with_lab(due="tomorrow"), r"labs\[0\]\.due"),
        (with_lab(opens="2027-02-12T23:59Z", due="2027-02-12T22:59Z"), "due before it opens"),
        (with_lab(reference="after_due"), "needs a date in 'due'"),
        (with_lab(reference="sometimes"), r"labs\[0\]\.reference"),
        (LONDON | {"timezone": "Europe/Londn"}, "did you mean Europe/London"),
        (
            LONDON | {"labs": [{"lab": 2, "due": "2027-03-28T01:30"}]},
            "an hour that the clock skips",
        ),
        (with_lab() | {"void": ["ring.nothing"]}, "void: ring.nothing is no check of this course"),
        (with_lab() | {"disclosed": [1]}, "disclosed: lab 1 is not among"),
        (with_lab() | {"hidden": {"show": "all"}}, r"hidden\.show"),
        (with_lab() | {"hidden": {"checks": ["ring.hidden_x"]}}, "hidden.checks: ring.hidden_x"),
    ],
)
def test_broken_one_is_refused_with_the_place(
    tmp_path: Path, document: dict[str, Any], told: str
) -> None:
    with pytest.raises(LabError, match=told) as caught:
        load(tmp_path, document)
    assert "course.json" in str(caught.value)
