"""``./lab soak``: a grader that fails a right solution once in a while is worse than none."""

from __future__ import annotations

import argparse
import contextlib
import shutil

from dynamolab import grade, labs, processes, results, ui
from dynamolab.commands import common
from dynamolab.errors import LabError
from dynamolab.paths import RESULTS, working_folder
from dynamolab.results import Outcome


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "labs", nargs="*", metavar="LAB", help="number or name; none: all that give points"
    )
    parser.add_argument(
        "-n",
        metavar="N",
        type=common.whole_number(1, 100_000),
        default=10,
        dest="times",
        help="how many full grades (default: 10)",
    )
    parser.add_argument(
        "--load", action="store_true", help="with every core busy (needs stress-ng)"
    )
    parser.set_defaults(supplied=[], solution="reference")
    parser.add_argument(
        "--solution", metavar="DIR", default="reference", help="a right one (default: reference)"
    )
    common.add_seed(parser)
    common.add_jobs(parser)


def run(arguments: argparse.Namespace) -> int:
    known = labs.load_all()
    solution = common.open_solution(arguments, known)
    chosen = common.chosen_labs(arguments.labs, known)
    false: list[str] = []
    with _load(arguments.load), working_folder(RESULTS / "soak") as folder:
        for number in range(arguments.times):
            seed = arguments.seed + number  # Every grade meets other delays and crashes.
            request = grade.Request(
                solution,
                chosen,
                seed=seed,
                jobs=arguments.jobs,
                folder=folder / str(number),
                quiet=True,
            )
            (folder / str(number)).mkdir()
            graded = grade.grade(request)
            wrong = _not_passed(graded)
            false += wrong
            ui.say(
                f"{number + 1}/{arguments.times} seed {seed} {graded.seconds:.1f} s"
                f" {'; '.join(wrong) or 'all pass'}"
            )
            if wrong:
                results.write_json(graded.document(), RESULTS / f"soak-seed-{seed}.json")
            else:
                shutil.rmtree(folder / str(number))
    print(
        f"{arguments.times} full grades of {solution.name}, {len(false)} checks that did not pass"
    )
    return 1 if false else 0


def _not_passed(graded: results.Results) -> list[str]:
    checks = [check for lab in graded.labs for check in lab.checks]
    return [
        f"{check.id}: {check.outcome.value}"
        for check in checks
        if check.outcome is not Outcome.PASS
    ]


@contextlib.contextmanager
def _load(wanted: bool):  # type: ignore[no-untyped-def]
    if not wanted:
        yield
        return
    if shutil.which("stress-ng") is None:
        raise LabError("--load: stress-ng is not installed; apt-get install stress-ng")
    with processes.start(["stress-ng", "--quiet", "--cpu", str(len(processes.cpus()))]):
        yield
