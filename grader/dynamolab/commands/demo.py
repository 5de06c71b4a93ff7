"""``./lab demo``: the lecture's stories on a real cluster, told step by step."""

from __future__ import annotations

import argparse

from dynamolab import build, labs, ui
from dynamolab.commands.common import add_jobs, add_with, open_solution
from dynamolab.demo_cart import tell_cart
from dynamolab.errors import LabError
from dynamolab.store import StoreError, Unknown

DEMOS = {"cart": "siblings, their merge, and a deleted item that reappears"}


def add(parser: argparse.ArgumentParser) -> None:
    told = "; ".join(f"{name}: {words}" for name, words in DEMOS.items())
    parser.add_argument("demo", metavar="DEMO", choices=sorted(DEMOS), help=told)
    parser.add_argument(
        "--solution", metavar="DIR", default="reference", help="what the nodes run (default: reference)"
    )
    add_with(parser)
    add_jobs(parser)


def print_line(line: str) -> None:
    print(ui.harmless(line), flush=True)


def run(arguments: argparse.Namespace) -> int:
    known = labs.load_all()
    solution = open_solution(arguments, known, [])
    framework = build.Framework("release", arguments.jobs)
    framework.build(["libraries", "faultnet"])
    built = build.build_node(framework, solution.modules(known[-1]), f"demo-{solution.folder.name}")
    if built.error is not None:
        raise LabError(built.error)
    try:
        tell_cart(built.node, framework.faultnet, print_line)
    except (AssertionError, StoreError, Unknown) as error:
        # The solution's: it did not do what the story needs.
        raise LabError(f"{solution.name} does not get to the end of the story:\n{error}") from error
    return 0
