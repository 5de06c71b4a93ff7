"""What students read of a release: its README, and the docs as they fit there."""

from __future__ import annotations

import re
from collections.abc import Sequence

import jinja2

from dynamolab.cli import commands
from dynamolab.course.course import Course, date_words
from dynamolab.paths import PACKAGE
from dynamolab.reference import machine

TEMPLATE = "course/README.md.j2"
FOLDER = "solution"

_SKELETON_FOLDER = re.compile(r"\bskeleton/")
_SKELETON_OPTION = re.compile(r"--solution skeleton\b")
_PRIVATE_LINK = re.compile(r"\[([^\]]+)\]\((?:\.\./)*(?:grader/(?:mutants|right|hidden)|reference)\b[^)]*\)")


def for_students(text: str) -> str:
    """A page of the docs or a handout: their work is in solution/, and there is no link to what is not
    there. Of a line that was broken after an option nothing is lost."""
    text = _SKELETON_FOLDER.sub(f"{FOLDER}/", text)
    text = _SKELETON_OPTION.sub(f"--solution {FOLDER}", text)
    return _PRIVATE_LINK.sub(r"\1", text)


def readme(course: Course, given: Sequence[int], modules: Sequence[int]) -> str:
    """The students' README. ``given``: labs whose reference they have; ``modules``: labs that have one."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(PACKAGE),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    rows = []
    weights = sum(course.plans[lab.number].weight for lab in course.graded)
    for lab in course.labs:
        plan = course.plans[lab.number]
        hidden = sum(check.points for check in lab.checks if check.hidden)
        all_parts = next(known for known in course.known if known.number == lab.number).parts
        rows.append(
            {
                "lab": lab,
                "parts": "" if len(lab.parts) == len(all_parts) else ", ".join(lab.parts),
                "points": lab.points,
                "hidden": 0 if lab.number in course.disclosed else hidden,
                "weight": round(100 * plan.weight / weights) if weights and lab.points else 0,
                "opens": date_words(plan.opens, course.timezone) if plan.opens else "",
                "due": date_words(plan.due, course.timezone) if plan.due else "",
            }
        )
    return environment.get_template(TEMPLATE).render(
        course=course,
        rows=rows,
        given=[number for number in given if number in modules],
        withheld=[number for number in modules if number not in given],
        machine=machine(),
        commands=[command for command in commands(students=True)],
        left_out=course.parts_left_out,
    )
