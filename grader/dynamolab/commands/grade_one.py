"""``./lab grade-one``: one submission, once."""

from __future__ import annotations

import argparse
import os
import shlex
from dataclasses import replace
from pathlib import Path

from dynamolab import labs, processes
from dynamolab.cluster.guard import die_with_parent
from dynamolab.commands import common
from dynamolab.course import course, variants
from dynamolab.results import Outcome, Results
from dynamolab.submissions import grade_one, rerun

EXIT_NOT_GRADED = 2


def add(parser: argparse.ArgumentParser) -> None:
    parser.epilog = (
        f"{parser.epilog}. A submission is a folder, a git bundle, a zip or a tar (gz, xz, zst). Of it only"
        " the files of a solution are taken; what is missing is the skeleton's. The folder has results.json,"
        " report.html, what was graded (solution/) and a log, and appears whole or not at all. Exit code 0:"
        " graded, whatever the points; 2: not graded, by the grader's own trouble."
    )
    parser.add_argument("submission", type=Path, metavar="SUBMISSION", help="what was handed in")
    parser.add_argument("out", type=Path, metavar="OUTDIR", help="folder for the result")
    add_options(parser)
    parser.add_argument(
        *("--again",),
        dest="anew",
        action="store_true",
        help="grade it though it has been graded already",
    )
    parser.add_argument(
        "--rerun",
        action="store_true",
        help="of a result that is there: run failures on real processes once more before points are taken,"
        " and what had no verdict. For a machine without neighbours",
    )
    common.add_format(parser)
    parser.add_argument("--slot", type=int, default=0, help=argparse.SUPPRESS)
    parser.add_argument("--with-parent", action="store_true", help=argparse.SUPPRESS)


def add_options(parser: argparse.ArgumentParser) -> None:
    """How it is graded; the same for one and for all."""
    parser.add_argument(
        *("--labs",),
        type=lambda word: word.split(","),
        default=[],
        metavar="LAB,LAB",
        help="only these (default: the course's)",
    )
    parser.add_argument(
        "--course", type=Path, metavar="FILE", help="course.json (default: all labs as they stand)"
    )
    parser.add_argument(
        "--only",
        metavar="CHECK",
        action="append",
        default=[],
        help="only this check (may be repeated)",
    )
    parser.add_argument("--fast", action="store_true", help="without the checks on real processes")
    common.add_with(parser)
    common.add_seed(parser)
    common.add_sandbox(parser, "auto")
    common.add_jobs(parser)


def options_of(arguments: argparse.Namespace) -> grade_one.Options:
    """LabError for a lab, check or course that is not there."""
    of = course.of_checkout(arguments.course)
    if of.path is not None:
        variants.refuse_other_rules(of.variants)
    chosen = common.chosen_labs(arguments.labs, list(of.labs))
    only: frozenset[str] = frozenset()
    if arguments.only:
        found = [labs.find_check(chosen, word) for word in arguments.only]
        only = frozenset(check.id for _, check in found)
        chosen = [lab for lab in chosen if any(lab is owner for owner, _ in found)]
    kinds = grade_one.ALL_KINDS - ({"cluster"} if arguments.fast else set())
    # What a student types to see the same.
    words = ["./lab", "grade", *(str(lab.number) for lab in chosen), "--seed", str(arguments.seed)]
    for supplied in arguments.supplied:
        words += ["--with", supplied]
    return grade_one.Options(
        course=of,
        labs=chosen,
        kinds=kinds,
        only=only,
        seed=arguments.seed,
        jobs=arguments.jobs or len(processes.cpus()),
        supplied=arguments.supplied,
        command=shlex.join(words),
        sandbox=arguments.sandbox,
    )


def run(arguments: argparse.Namespace) -> int:
    if arguments.with_parent:
        die_with_parent()
    if arguments.slot:
        _take_core(arguments.slot)
    arguments.jobs = min(arguments.jobs, len(processes.cpus()))
    options = replace(options_of(arguments), on_progress=common.format_writer(arguments))
    if arguments.rerun:
        graded = rerun.rerun(arguments.out, options)
    else:
        graded = grade_one.grade_one(
            arguments.submission, arguments.out, options, again=arguments.anew
        )
    print(_words(graded, arguments.out))
    common.write_format(arguments, graded)
    return EXIT_NOT_GRADED if graded.outcome is Outcome.INCONCLUSIVE else 0


def _take_core(slot: int) -> None:
    """A core of one's own, so that neighbours do not share one while another is idle."""
    cores = processes.cpus()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {cores[(slot - 1) % len(cores)]})


def _words(graded: Results, out: Path) -> str:
    told = graded.submission
    name = told.name if told else graded.solution
    if graded.outcome is Outcome.INCONCLUSIVE:
        return f"{name}: not graded: the grader had trouble; see {out}/{grade_one.LOG}"
    return f"{name}: {graded.points} of {graded.max_points} points; {out}/{grade_one.REPORT}"
