"""``./lab grade-all``: a class."""

from __future__ import annotations

import argparse
from pathlib import Path

from dynamolab import ui
from dynamolab.commands import common, grade_one
from dynamolab.errors import LabError
from dynamolab.submissions import batch, engines, gradebook, grade_all, regrade

MOST_NAMES_TOLD = 5


def add(parser: argparse.ArgumentParser) -> None:
    parser.epilog = (
        f"{parser.epilog}. Each entry of the folder is a submission, named after its student: a folder or an"
        " archive. Whatever ends the command, the same one again goes on where it was; nothing is graded"
        " twice. Failures on real processes are run once more, alone, before points are taken. Exit code 0:"
        " all are graded; 2: some are not, by the grader's own trouble."
    )
    parser.add_argument("submissions", type=Path, metavar="SUBMISSIONS", help="folder of them")
    parser.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="folder for results and reports"
    )
    parser.add_argument(
        "--roster", type=Path, metavar="CSV", help="the students: Canvas's export of its gradebook, say"
    )
    grade_one.add_options(parser)
    parser.set_defaults(jobs=None)
    parser.add_argument(
        "--engine", choices=("parallel", "slurm"), default="parallel", help="(default: parallel)"
    )
    parser.add_argument(
        "--sshlogin",
        metavar="HOST",
        action="append",
        default=[],
        help="grade on this host (parallel's words; ':' is this one; may be repeated). It must see the"
        " checkout and both folders under the same paths",
    )
    parser.add_argument(
        "--sbatch",
        metavar="OPTION",
        action="append",
        default=[],
        help="an option for sbatch, for example --sbatch=--partition=teaching (may be repeated)",
    )
    parser.add_argument(
        "--nice", metavar="N", type=common.whole_number(0, 19), default=0, help="leave others room"
    )
    parser.add_argument(
        "--no-second-run", action="store_true", help="take points after one run of each check"
    )
    parser.add_argument(
        "--no-similarity", action="store_true", help="do not compare the submissions"
    )
    parser.add_argument(
        "--regrade",
        type=Path,
        metavar="OLD",
        help="an earlier --out folder: list what changed since, and let no score fall",
    )
    parser.add_argument(
        "--confirm-falls", action="store_true", help="with --regrade: scores that fall may fall"
    )
    parser.add_argument(
        "--report-only", action="store_true", help="grade nothing; reports of what has results"
    )


def run(arguments: argparse.Namespace) -> int:
    options = grade_one.options_of(arguments)
    roster = gradebook.read_roster(arguments.roster) if arguments.roster else None
    if arguments.sshlogin and arguments.engine != "parallel":
        raise LabError("--sshlogin is for --engine parallel; Slurm has its own list of nodes")
    before = _before(arguments)
    items, others = batch.find(arguments.submissions)
    if others:
        more = f" and {len(others) - MOST_NAMES_TOLD} more" if len(others) > MOST_NAMES_TOLD else ""
        names = ", ".join(ui.harmless(name) for name in others[:MOST_NAMES_TOLD])
        ui.say(f"neither folder nor archive, so no submission: {names}{more}")
    one = batch.Batch(items, arguments.out.resolve(), _words(arguments))
    if not arguments.report_only:
        unchanged = one.prepare(options.asked(""))
        grade_all.prepare_framework(options)
        engine = _engine(arguments, unchanged)
        grade_all.grade_all(one, options, engine, second_run=not arguments.no_second_run)
    compare = not arguments.no_similarity
    summary = grade_all.report(one, options, roster, compare=compare, before=before)
    print(grade_all.told(summary, arguments.out))
    return 0 if summary.complete else grade_one.EXIT_NOT_GRADED


def _before(arguments: argparse.Namespace) -> grade_all.Regrade | None:
    if arguments.regrade is None:
        if arguments.confirm_falls:
            raise LabError("--confirm-falls goes with --regrade OLD")
        return None
    if arguments.regrade.resolve() == arguments.out.resolve():
        raise LabError("--regrade and --out name the same folder: the old results would be lost")
    return grade_all.Regrade(regrade.read_old(arguments.regrade), arguments.confirm_falls)


def _engine(arguments: argparse.Namespace, unchanged: bool) -> engines.Engine:
    if arguments.engine == "slurm":
        asked = [f"--nice={arguments.nice}"] if arguments.nice else []
        return engines.Slurm(arguments.jobs or 0, [*asked, *arguments.sbatch])
    return engines.Parallel(arguments.jobs, arguments.sshlogin, arguments.nice, resume=unchanged)


def _words(arguments: argparse.Namespace) -> list[str]:
    """The options that decide the results, for each grade-one."""
    words = ["--labs", ",".join(arguments.labs)] if arguments.labs else []
    words += ["--course", str(arguments.course.resolve())] if arguments.course else []
    for check in arguments.only:
        words += ["--only", check]
    for supplied in arguments.supplied:
        words += ["--with", supplied]
    words += ["--fast"] if arguments.fast else []
    return [*words, "--seed", str(arguments.seed), "--sandbox", arguments.sandbox]
