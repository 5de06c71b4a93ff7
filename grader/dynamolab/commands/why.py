"""``./lab why RESULTS CHECK``"""

from __future__ import annotations

import argparse
from pathlib import Path

from dynamolab import labs, ui
from dynamolab.semester import why


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("results", type=Path, metavar="RESULTS", help="a results.json, or a run's folder")
    parser.add_argument("check", metavar="CHECK", help="its id, or the part after the dot")


def run(arguments: argparse.Namespace) -> int:
    verdict = why.find(why.read_results(arguments.results), arguments.check)
    told = why.explain(verdict, labs.load_all())
    print(ui.harmless("\n\n".join(paragraph for paragraph in told if paragraph)))
    return 0
