"""``./lab grade``"""

from __future__ import annotations

import argparse
from pathlib import Path

from dynamolab import grade, labs, results, ui
from dynamolab.commands import common
from dynamolab.course import variants
from dynamolab.errors import LabError
from dynamolab.paths import RESULTS, shown


def add(parser: argparse.ArgumentParser) -> None:
    parser.epilog = (
        f"{parser.epilog}. Logs, replays and traces of a run go to a folder of its own in"
        f" {shown(RESULTS)}/; the newest {grade.KEPT_RUNS} are kept, older ones are removed."
    )
    parser.add_argument(
        "labs", nargs="*", metavar="LAB", help="number or name; none: all that give points"
    )
    common.add_solution(parser)
    parser.add_argument(
        "--only",
        metavar="CHECK",
        action="append",
        default=[],
        help="only this check (may be repeated)",
    )
    common.add_seed(parser)
    parser.add_argument(
        *("--seeds",),
        metavar="N",
        type=common.whole_number(1, common.MOST_SEEDS),
        help="run each simulated check with at least N seeds, from --seed on; a check that needs more"
        " of them, for a statistic, takes what it needs (default: what each asks for)",
    )
    parser.add_argument(
        "--sanitize",
        action="store_true",
        help="with AddressSanitizer and UndefinedBehaviorSanitizer",
    )
    parser.add_argument(
        "--leaderboard",
        action="store_true",
        help="measure throughput and p99.9 of lab 7's store, if it passes every check of that lab",
    )
    parser.add_argument("--fast", action="store_true", help="without the checks on real processes")
    parser.add_argument(
        "--results", metavar="FILE", type=common.writable_file, help="write the results as JSON"
    )
    parser.add_argument(
        "--html",
        metavar="FILE",
        type=common.writable_file,
        default=RESULTS / "report.html",
        help="where the report goes (default: results/report.html)",
    )
    common.add_format(parser)
    common.add_course(parser)
    common.add_sandbox(parser, "off")
    common.add_jobs(parser)


def request_of(arguments: argparse.Namespace) -> grade.Request:
    """LabError for a lab, check or folder that is not there."""
    course = common.course_of(arguments)
    if course.path is not None:
        variants.refuse_other_rules(course.variants)
    known = course.everything
    chosen = common.chosen_labs(arguments.labs, course.labs)
    only: frozenset[str] = frozenset()
    if arguments.only:
        scope = chosen if arguments.labs else list(course.labs)
        found = [labs.find_check(scope, word) for word in arguments.only]
        only = frozenset(check.id for _, check in found)
        chosen = [lab for lab in scope if any(lab is owner for owner, _ in found)]
    if arguments.leaderboard and all(lab.has_module for lab in chosen):
        raise LabError("--leaderboard: measures the whole store; grade lab 7 with it")
    real = [] if arguments.fast else ["cluster"]
    return grade.Request(
        solution=common.open_solution(arguments, known, chosen),
        labs=chosen,
        only=only,
        kinds=frozenset({"unit", "sim", "explore", "plan", *real}),
        seed=arguments.seed,
        seeds=arguments.seeds,
        secret_seeds=course.secret_seeds(chosen),
        sanitize=arguments.sanitize,
        jobs=arguments.jobs,
        command=arguments.again,
        sandbox=arguments.sandbox,
        leaderboard=arguments.leaderboard,
        on_progress=common.format_writer(arguments),
    )


def run(arguments: argparse.Namespace) -> int:
    graded = grade.grade(request_of(arguments))
    show(graded, arguments.results, arguments.html)
    common.write_format(arguments, graded)
    return graded.exit_code


def show(graded: results.Results, json_file: Path | None, html_file: Path | None) -> None:
    """The files first, so that they are there whatever becomes of the terminal."""

    from dynamolab import render_html, render_terminal

    if json_file is not None:
        results.write_json(graded.document(), json_file)
    if html_file is not None:
        render_html.render(graded, html_file)
    console = ui.console()
    render_terminal.render(graded, console)
    if html_file is not None:
        print(f"Report: {shown(html_file)}")
