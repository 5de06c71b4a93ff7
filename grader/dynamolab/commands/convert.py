"""``./lab convert``: results that are there already, in another system's format."""

from __future__ import annotations

import argparse
from pathlib import Path

from dynamolab import formats, results
from dynamolab.commands import common


def add(parser: argparse.ArgumentParser) -> None:
    formats_help = "; ".join(f"{name}: {formats.words(name)}" for name in formats.NAMES)
    parser.epilog = (
        f"{parser.epilog}. Formats: {formats_help}. Where the grader had trouble of its own, no score is"
        " written, in none of them; where a format cannot say that, nothing is, and the exit code is 2."
    )
    parser.add_argument(
        "results", type=Path, metavar="RESULTS", help="results.json of a graded run"
    )
    parser.add_argument(
        "--to", required=True, choices=formats.NAMES, metavar="FORMAT", help=", ".join(formats.NAMES)
    )
    parser.add_argument(
        "--output", metavar="FILE", type=common.writable_file, help="(default: the terminal)"
    )


def run(arguments: argparse.Namespace) -> int:
    text = formats.rendered(results.read(arguments.results), arguments.to)
    if arguments.output is None:
        print(text, end="")
    else:
        formats.write(text, arguments.output)
    return 0
