"""``./lab list``"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from dynamolab import labs, results, ui
from dynamolab.commands import common

if TYPE_CHECKING:
    from rich.console import Console

OTHER_COLUMNS = 36  # Of the table, besides the checks: part, kind, points, and the frame.


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("labs", nargs="*", metavar="LAB", help="number or name; none: all")
    common.add_course(parser)


def run(arguments: argparse.Namespace) -> int:
    known = common.course_of(arguments).labs
    console = ui.console()
    for lab in common.chosen_labs(arguments.labs, known) if arguments.labs else known:
        show(lab, console)
    return 0


def show(lab: labs.Lab, console: Console) -> None:
    """As a table where that has room for every id, else as lines."""
    longest = max((len(check.id) for check in lab.checks if check.visible), default=0)
    (_table if longest + OTHER_COLUMNS <= console.width else _lines)(lab, console)


def _title(lab: labs.Lab) -> str:
    points = f"{lab.points} points" if lab.points else "ungraded"
    return f"Lab {lab.number}: {lab.title} · {lab.file} · {points}"


def _table(lab: labs.Lab, console: Console) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table(title=_title(lab), title_justify="left", title_style="bold")
    table.add_column("part", justify="center")
    table.add_column("check and what it teaches", overflow="fold", ratio=1)
    table.add_column("kind")
    table.add_column("points", justify="right")
    for part, (title, points) in lab.parts.items():
        table.add_row(part, Text(title, "bold"), "", Text(results.points_words(points), "bold"))
        for check in lab.checks:
            if check.part == part and check.visible:
                told = Text.assemble(check.id, "\n", (check.teaches, "dim"))
                table.add_row(part, told, check.kind, results.points_words(check.points))
        table.add_section()
    console.print(table)


def _lines(lab: labs.Lab, console: Console) -> None:
    """For a narrow terminal: an id is to be copied, so it stands in one piece, alone on its line."""
    from rich.padding import Padding
    from rich.text import Text

    console.print(Text(_title(lab), "bold"))
    for part, (title, points) in lab.parts.items():
        console.print(Text(f"\nPart {part}: {title} · {results.points_words(points)}", "bold"))
        for check in lab.checks:
            if check.part == part and check.visible:
                console.print(Text(check.id), soft_wrap=True)
                told = f"{check.kind} · {results.points_words(check.points)} · {check.teaches}"
                console.print(Padding(Text(told, "dim"), (0, 0, 0, 2)))
    console.print()
