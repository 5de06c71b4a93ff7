"""``./lab experiment``"""

from __future__ import annotations

import argparse
import importlib
import re

from dynamolab.errors import LabError
from dynamolab.paths import PACKAGE
from dynamolab.suggest import did_you_mean


def _names() -> list[str]:
    return sorted(path.stem for path in (PACKAGE / "experiments").glob("[a-z]*.py"))


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help=f"one of: {', '.join(_names()) or 'none yet'}")
    parser.add_argument(
        "rest", nargs=argparse.REMAINDER, metavar="…", help="what the experiment itself takes"
    )


def run(arguments: argparse.Namespace) -> int:
    if arguments.name not in _names() or not re.fullmatch("[a-z_]+", arguments.name):
        raise LabError(
            f"there is no experiment '{arguments.name}'; {did_you_mean(arguments.name, _names())}"
        )
    return int(
        importlib.import_module(f"dynamolab.experiments.{arguments.name}").main(arguments.rest)
    )
