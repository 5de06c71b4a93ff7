"""``./lab experiment all``: every experiment, one after the other, and one page with all of them."""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Sequence
from pathlib import Path

from dynamolab import ui
from dynamolab.commands import common
from dynamolab.errors import LabError
from dynamolab.experiments import _page
from dynamolab.paths import PACKAGE, RESULTS, shown


def names() -> list[str]:
    """All experiments but this one."""
    found = (path.stem for path in (PACKAGE / "experiments").glob("[a-z]*.py"))
    return sorted(name for name in found if name != "all")


def body_of(page: str) -> str:
    """What an experiment's page shows, its title one level lower."""
    content = page[page.index("<h1>") : page.rindex("</html>")]
    return f"<section>{content.replace('<h1>', '<h2>').replace('</h1>', '</h2>')}</section>"


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="./lab experiment all",
        description=f"Runs {', '.join(names())}, each as it is by default (gossip: with as many nodes as "
        "this machine has room for, which takes minutes), and writes one page.",
    )
    common.add_solution(made)
    common.add_jobs(made)
    made.add_argument(
        "--out",
        metavar="DIR",
        type=Path,
        default=RESULTS / "all",
        help="default: results/all",
    )
    return made


def main(argv: Sequence[str]) -> int:
    arguments = parser().parse_args(list(argv))
    words = ["--solution", str(arguments.solution), "--jobs", str(arguments.jobs)]
    for supplied in arguments.supplied:
        words += ["--with", supplied]
    sections = []
    for name in names():
        ui.say(f"— {name} —")
        folder = arguments.out / name
        module = importlib.import_module(f"dynamolab.experiments.{name}")
        module.main([*words, *getattr(module, "for_all", list)(), "--out", str(folder)])
        sections.append(body_of((folder / "index.html").read_text(encoding="utf-8")))
    try:
        index = _page.write(arguments.out, "Experiments", sections)
    except OSError as error:
        raise LabError(f"--out {arguments.out}: {error.strerror}") from error
    ui.say(f"All of them on one page: {shown(index)}")
    return 0
