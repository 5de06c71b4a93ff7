"""``./lab bench``"""

from __future__ import annotations

import argparse

from dynamolab import bench, build, labs, results, ui
from dynamolab.commands import common
from dynamolab.paths import BUILD, working_folder

STEPS = 4


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--results", metavar="FILE", type=common.writable_file, help="write the figures as JSON"
    )
    common.add_jobs(parser)


def run(arguments: argparse.Namespace) -> int:
    known = labs.load_all()
    framework = build.Framework("release", arguments.jobs)
    framework.build(["all"])
    with ui.bar("Measuring") as bar, working_folder(BUILD / "bench") as folder:
        done = iter(range(STEPS))
        figures = bench.measure(
            known, framework, folder, lambda text: bar.update(next(done), STEPS, text)
        )
    if arguments.results:
        document = {"benchmarks": [figure.document() for figure in figures]}
        results.write_json(document, arguments.results)
    _print(figures)
    return 0 if all(figure.met is not False for figure in figures) else 1


def _print(figures: list[bench.Figure]) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table(title="Benchmarks", title_justify="left", title_style="bold")
    table.add_column("what", overflow="fold")
    table.add_column("value", justify="right")
    table.add_column("unit")
    table.add_column("goal", justify="right")
    table.add_column("met")
    for figure in figures:
        goal = figure.goal
        value = "–" if figure.value is None else _number(figure.value)
        limit = f"{'≥' if goal.at_least else '≤'} {_number(goal.limit)}" if goal else ""
        met = (
            Text("")
            if figure.met is None
            else Text("yes", "green")
            if figure.met
            else Text("no", "bold red")
        )
        if figure.met is False and figure.value is not None and goal:
            met.append(f", by {abs(figure.value / goal.limit - 1):.0%}")
        name = Text(figure.name)
        if figure.note:
            name.append(f"\n{ui.harmless(figure.note)}", "magenta")
        table.add_row(name, value, figure.unit, limit, met)
    ui.console().print(table)


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"
