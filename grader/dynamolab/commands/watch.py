"""``./lab watch``"""

from __future__ import annotations

import argparse
import datetime
import shutil

from dynamolab import grade, labs, ui, watch
from dynamolab.commands import common
from dynamolab.errors import LabError
from dynamolab.paths import BUILD


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("lab", metavar="LAB", help="number or name")
    common.add_solution(parser)
    common.add_seed(parser)
    parser.add_argument(
        "--cluster", action="store_true", help="with the checks on real processes, too"
    )
    common.add_jobs(parser)


def run(arguments: argparse.Namespace) -> int:
    from dynamolab import render_terminal

    course = common.course_of(arguments)
    known = course.everything
    lab = labs.find_lab(course.labs, arguments.lab)
    console = ui.console()
    real = ["cluster"] if arguments.cluster else []
    kinds = frozenset({"unit", "sim", "explore", "plan", *real})

    def once() -> None:
        try:
            solution = common.open_solution(arguments, known, [lab])
            # The failures' replay files stay until the next save: their commands are on the screen.
            folder = BUILD / "watch"
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            request = grade.Request(
                solution,
                [lab],
                kinds=kinds,
                seed=arguments.seed,
                jobs=arguments.jobs,
                command=arguments.again,
                folder=folder,
            )
            if console.is_terminal:
                console.clear()
            render_terminal.render(grade.grade(request), console)
        except LabError as error:  # An editor has the file away, say: the next save tries again.
            ui.say(f"lab: {error}")
        print(
            f"{datetime.datetime.now():%H:%M:%S} waiting for you to save {lab.file} (Ctrl-C ends)",
            flush=True,
        )

    solution = common.open_solution(arguments, known, [lab])
    # Not those for which the reference stands in: the watch waits until all its files are there.
    files = {solution.file(other) for other in known}
    watch.watch(sorted(path for path in files if path.exists()), once)
    return 0
