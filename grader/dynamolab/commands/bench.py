"""``./lab bench``"""

from __future__ import annotations

import argparse

from dynamolab import bench, build, labs, results, ui
from dynamolab.commands import common
from dynamolab.paths import BUILD, working_folder
from dynamolab.suggest import did_you_mean


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "parts",
        metavar="PART",
        nargs="*",
        type=_part,  # argparse would hold an empty list against the choices, too.
        help=f"only these: {', '.join(bench.PARTS)} (default: all of them)",
    )
    parser.add_argument(
        "--results", metavar="FILE", type=common.writable_file, help="write the figures as JSON"
    )
    common.add_jobs(parser)


def _part(word: str) -> str:
    if word not in bench.PARTS:
        raise argparse.ArgumentTypeError(f"'{word}' is none; {did_you_mean(word, bench.PARTS)}")
    return word


def run(arguments: argparse.Namespace) -> int:
    known = labs.load_all()
    parts = [part for part in bench.PARTS if part in (arguments.parts or bench.PARTS)]
    framework = build.Framework("release", arguments.jobs)
    framework.build(["all"] if parts != ["stores"] else ["reference-node", "store-load"])
    with ui.bar("Measuring") as bar, working_folder(BUILD / "bench") as folder:
        measured = bench.measure(
            parts,
            known,
            framework,
            folder,
            lambda done, text: bar.update(done, len(parts), text),
        )
    figures = [figure for part in measured for figure in part.figures]
    if arguments.results:
        document = {"benchmarks": [figure.document() for figure in figures]}
        results.write_json(document, arguments.results)
    for part in measured:
        if part.show:
            part.show()
    _print([figure for part in measured for figure in part.shown])
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
