"""``./lab list``"""

from __future__ import annotations

import argparse

from dynamolab import labs, ui
from dynamolab.commands import common


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("labs", nargs="*", metavar="LAB", help="number or name; none: all")


def run(arguments: argparse.Namespace) -> int:
    from rich.table import Table
    from rich.text import Text

    known = labs.load_all()
    console = ui.console()
    for lab in common.chosen_labs(arguments.labs, known) if arguments.labs else known:
        title = f"Lab {lab.number}: {lab.title} · {lab.file} · {lab.points} points"
        table = Table(title=title, title_justify="left", title_style="bold")
        table.add_column("part", justify="center")
        table.add_column("check and what it teaches", overflow="fold", ratio=1)
        table.add_column("kind")
        table.add_column("points", justify="right")
        for part, (title, points) in lab.parts.items():
            table.add_row(part, Text(title, "bold"), "", Text(str(points), "bold"))
            for check in lab.checks:
                if check.part == part and check.visible:
                    told = Text.assemble(check.id, "\n", (check.teaches, "dim"))
                    table.add_row(part, told, check.kind, str(check.points))
            table.add_section()
        console.print(table)
    return 0
