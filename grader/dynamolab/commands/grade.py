"""``./lab grade``"""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Callable
from pathlib import Path

from dynamolab import formats, grade, labs, results, ui
from dynamolab.commands import common
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
    parser.add_argument(
        "--format",
        choices=formats.NAMES,
        help="write the results for another system, too, to --output; as it goes: after each check",
    )
    parser.add_argument(
        "--output", metavar="FILE", type=common.writable_file, help="where --format writes"
    )
    common.add_jobs(parser)


def request_of(arguments: argparse.Namespace) -> grade.Request:
    """LabError for a lab, check or folder that is not there."""
    known = labs.load_all()
    chosen = common.chosen_labs(arguments.labs, known)
    only: frozenset[str] = frozenset()
    if arguments.only:
        scope = chosen if arguments.labs else known
        found = [labs.find_check(scope, word) for word in arguments.only]
        only = frozenset(check.id for _, check in found)
        chosen = [lab for lab in scope if any(lab is owner for owner, _ in found)]
    if arguments.leaderboard and all(lab.has_module for lab in chosen):
        raise LabError("--leaderboard: measures the whole store; grade lab 7 with it")
    if bool(arguments.format) != bool(arguments.output):
        raise LabError("--format and --output go together: --format gradescope --output results.json")
    real = [] if arguments.fast else ["cluster"]
    return grade.Request(
        solution=common.open_solution(arguments, known, chosen),
        labs=chosen,
        only=only,
        kinds=frozenset({"unit", "sim", "explore", "plan", *real}),
        seed=arguments.seed,
        seeds=arguments.seeds,
        sanitize=arguments.sanitize,
        jobs=arguments.jobs,
        command=arguments.again,
        leaderboard=arguments.leaderboard,
        on_progress=_writer(arguments),
    )


def _writer(arguments: argparse.Namespace) -> Callable[[results.Results], None] | None:
    """What writes how things stand after each check, so that a run which is cut off leaves that."""
    if arguments.format is None:
        return None

    def write(so_far: results.Results) -> None:
        with contextlib.suppress(formats.NoGrade):  # Some formats have nothing to say before the end.
            formats.write(formats.rendered(so_far, arguments.format, complete=False), arguments.output)

    return write


def run(arguments: argparse.Namespace) -> int:
    graded = grade.grade(request_of(arguments))
    if arguments.format is not None:
        formats.write(formats.rendered(graded, arguments.format), arguments.output)
    show(graded, arguments.results, arguments.html)
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
