"""``./lab release``"""

from __future__ import annotations

import argparse
import datetime
import json
from pathlib import Path

from dynamolab.commands import common
from dynamolab.course import course as courses
from dynamolab.errors import LabError
from dynamolab.paths import COURSE, PACKAGE, shown
from dynamolab.reference import machine
from dynamolab.results import write_json

EXAMPLE = PACKAGE / "course" / "example.json"


def add(parser: argparse.ArgumentParser) -> None:
    common.add_course(parser)
    parser.add_argument("--out", metavar="DIR", type=Path, help="the students' repository to write")
    parser.add_argument(
        "--disclose",
        metavar="LAB",
        action="append",
        default=[],
        help="note in the course that the hidden checks of this lab are disclosed, and give them out",
    )
    parser.add_argument("--early", action="store_true", help="disclose before the deadline all the same")
    parser.add_argument(
        "--add",
        action="store_true",
        help="add only this kind of machine's objects to a repository that another kind has made",
    )
    parser.add_argument(
        "--at",
        metavar="DATE",
        type=_date,
        help="give out the references that students have by then (default: now)",
    )
    parser.add_argument(
        "--gradescope",
        metavar="FILE.zip",
        type=Path,
        help="write an autograder for Gradescope, secrets included, and no students' repository; without a"
        " course, of the labs as they stand",
    )
    parser.add_argument(
        "--labs",
        type=lambda word: word.split(","),
        default=[],
        metavar="LAB,LAB",
        help="with --gradescope: what the assignment grades (default: all labs of the course)",
    )
    parser.add_argument("--example", action="store_true", help="print a course.json to begin with")
    common.add_jobs(parser)


def _date(word: str) -> datetime.datetime:
    try:
        date = datetime.datetime.fromisoformat(word)
    except ValueError:
        raise argparse.ArgumentTypeError(f"'{word}' is no date like 2027-02-12T23:59") from None
    return date if date.tzinfo else date.astimezone()


def run(arguments: argparse.Namespace) -> int:
    from dynamolab.course import release

    if arguments.example:
        print(EXAMPLE.read_text(encoding="utf-8"), end="")
        return 0
    if arguments.gradescope is not None:
        return _gradescope(arguments)
    if arguments.labs:
        raise LabError("--labs goes with --gradescope; a students' repository has the course's labs")
    if arguments.out is None:
        raise LabError("--out DIR is missing: where the students' repository goes")
    path = arguments.course or COURSE
    if not path.exists():
        raise LabError(
            f"{shown(path)}: there is no such course. To begin: ./lab release --example > course.json"
        )
    at = arguments.at or datetime.datetime.now(datetime.timezone.utc)
    course = courses.load(path)
    if arguments.disclose:
        course = _disclosed(path, course, arguments.disclose, at, arguments.early)
    _draw_seeds(course)
    if arguments.add:
        objects = release.add_machine(course, arguments.out, at, arguments.jobs)
        print(f"{arguments.out}: {len(objects)} objects for {machine()} added")
        return 0
    made = release.make(course, arguments.out, at, arguments.jobs)
    given = ", ".join(map(str, made.given)) or "none"
    print(
        f"{made.folder}: {made.files} files, looked through for leaks: none\n"
        f"The reference, prebuilt for {machine()}: of labs {given}\n"
        f"Try it as a student would: cd {made.folder} && ./lab grade 1"
    )
    return 0


def _draw_seeds(course: courses.Course) -> None:
    if drawn := course.draw_seeds():
        numbers = ", ".join(map(str, drawn))
        print(
            f"{shown(course.seeds_file or COURSE)}: the class's secret seeds of lab {numbers} are drawn;"
            " keep this file, and keep it to yourself"
        )


def _gradescope(arguments: argparse.Namespace) -> int:
    from dynamolab.course import autograder

    named = {"--out": arguments.out, "--disclose": arguments.disclose, "--add": arguments.add}
    for option, given in named.items():
        if given:
            raise LabError(f"--gradescope and {option} do not go together: run one after the other")
    course = courses.of_checkout(arguments.course)
    chosen = common.chosen_labs(arguments.labs, list(course.labs))
    _draw_seeds(course)
    made = autograder.make(course, chosen, arguments.gradescope)
    numbers = ", ".join(str(lab.number) for lab in chosen)
    print(
        f"{made.file}: {made.files} files; grades lab {numbers} of {course.name}. It holds the reference and"
        " the secret seeds: for staff alone\n"
        "Upload it at Gradescope: Configure Autograder, Zip file upload"
    )
    return 0


def _disclosed(
    path: Path,
    course: courses.Course,
    words: list[str],
    at: datetime.datetime,
    early: bool,
) -> courses.Course:
    """Notes it in course.json, too, so that grading and the next release know."""
    for lab in common.chosen_labs(words, course.labs):
        due = course.plans[lab.number].due
        if due is not None and at <= due and not early:
            raise LabError(
                f"lab {lab.number} is due {courses.date_words(due, course.timezone)}: whoever has its hidden"
                " checks and seeds before that can aim at them. --early does it all the same"
            )
    numbers = {lab.number for lab in common.chosen_labs(words, course.labs)} | course.disclosed
    document = json.loads(path.read_text(encoding="utf-8"))
    write_json(document | {"disclosed": sorted(numbers)}, path)
    print(f"{shown(path)}: disclosed: {', '.join(map(str, sorted(numbers)))}")
    return courses.load(path)
