"""What several commands share."""

from __future__ import annotations

import argparse
import contextlib
import functools
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from dynamolab import formats, labs, processes, sandbox, solutions, ui
from dynamolab.course.course import Course, of_checkout
from dynamolab.errors import LabError
from dynamolab.paths import REFERENCE
from dynamolab.results import Results

LARGEST_SEED = 2**63 - 1
MOST_SEEDS = 100_000


def whole_number(low: int, high: int):  # type: ignore[no-untyped-def]
    """An argparse type: an int within bounds."""

    def parse(word: str) -> int:
        try:
            number = int(word)
        except ValueError:
            raise argparse.ArgumentTypeError(f"'{word}' is not a whole number") from None
        if not low <= number <= high:
            raise argparse.ArgumentTypeError(f"{number} is not between {low} and {high}")
        return number

    return parse


def add_solution(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--solution",
        metavar="DIR",
        default=solutions.DEFAULT_SOLUTION,
        help=f"folder to grade (default: {solutions.DEFAULT_SOLUTION})",
    )
    add_with(parser)


def add_with(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--with",
        dest="supplied",
        metavar="FOLDER:LABS",
        action="append",
        default=[],
        help="take these labs' files from another folder, for example reference:1,2",
    )


def add_course(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--course",
        metavar="FILE",
        type=Path,
        help="its labs, points and hidden checks (default: course.json of this checkout, if there is one)",
    )


def course_of(arguments: argparse.Namespace) -> Course:
    """The one that --course names, or this checkout's; read once."""
    return _course(getattr(arguments, "course", None))


_course = functools.lru_cache(of_checkout)


def add_seed(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--seed",
        metavar="N",
        type=whole_number(0, LARGEST_SEED),
        default=1,
        help="what decides delays, losses and crashes (default: 1)",
    )


def add_jobs(parser: argparse.ArgumentParser) -> None:
    most = len(processes.cpus())
    parser.add_argument(
        "--jobs",
        metavar="N",
        type=whole_number(1, 1024),
        default=most,
        help=f"processes at once (default: {most}, the cores)",
    )


def add_format(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--format",
        choices=formats.NAMES,
        help="write the results for another system, too, to --output; as it goes: after each check",
    )
    parser.add_argument("--output", metavar="FILE", type=writable_file, help="where --format writes")


def format_writer(arguments: argparse.Namespace) -> Callable[[Results], None] | None:
    """What writes how things stand after each check, so that a run which is cut off leaves that. None: no
    format is asked for. LabError if only half of it is. A file of an earlier run goes now: nobody shall
    take it for this one's."""
    if bool(arguments.format) != bool(arguments.output):
        raise LabError("--format and --output go together: --format gradescope --output results.json")
    if arguments.format is None:
        return None
    arguments.output.unlink(missing_ok=True)

    def write(so_far: Results) -> None:
        with contextlib.suppress(formats.NoGrade):  # Some formats have nothing to say before the end.
            formats.write(formats.rendered(so_far, arguments.format, complete=False), arguments.output)

    return write


def write_format(arguments: argparse.Namespace, graded: Results) -> None:
    """The last word, if a format was asked for. NoGrade, and no file, if there is no grade and the format
    cannot say that."""
    if arguments.format is not None:
        formats.write(formats.rendered(graded, arguments.format), arguments.output)


def add_sandbox(parser: argparse.ArgumentParser, default: str) -> None:
    parser.add_argument(
        "--sandbox",
        choices=sandbox.NAMES,
        default=default,
        help="what the solution is built and run in: a, bubblewrap; b, where that is not allowed; auto, the"
        f" first of them that this machine can do, or an error; off, nothing (default: {default})",
    )


def open_solution(
    arguments: argparse.Namespace, known: list[labs.Lab], wanted: list[labs.Lab] | None = None
) -> solutions.Solution:
    # What the course leaves out, nobody is to have written.
    left_out = dict.fromkeys(course_of(arguments).parts_left_out, REFERENCE.resolve())
    named = solutions.parse_with(arguments.supplied, known)
    folder = solutions.solution_folder(arguments.solution)
    solution = solutions.open_solution(folder, known, left_out | named, wanted)
    if getattr(arguments, "course", None) is None:  # Else another command must be told of it.
        solution = replace(solution, implied=frozenset(left_out) - frozenset(named))
    if solution.given:
        files = ", ".join(lab.file for lab in solution.given)
        ui.say(f"{solution.name} has no {files}: the reference stands in")
    return solution


def writable_file(word: str) -> Path:
    """An argparse type: a file that we shall write, refused before the work rather than after it."""
    path = Path(word)
    if path.is_dir():
        raise argparse.ArgumentTypeError(f"{word} is a folder; name a file")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=path.parent).close()  # A folder may refuse even root.
    except OSError as error:
        raise argparse.ArgumentTypeError(f"{word}: {error.strerror}") from None
    return path


def chosen_labs(words: list[str], known: Sequence[labs.Lab]) -> list[labs.Lab]:
    """Those that are named, in their order; if none is, all that give points."""
    if not words:
        graded = [lab for lab in known if lab.points]
        if not graded:
            raise LabError("labs/: no lab gives points")
        return graded
    named = {labs.find_lab(known, word).number for word in words}
    return [lab for lab in known if lab.number in named]
