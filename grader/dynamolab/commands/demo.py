"""``./lab demo``: the lecture's stories on a real cluster, told step by step."""

from __future__ import annotations

import argparse
from pathlib import Path

from dynamolab import build, labs, ui
from dynamolab.commands.common import add_jobs, add_with, open_solution
from dynamolab.demo_cart import tell_cart
from dynamolab.demo_handoff import tell_handoff
from dynamolab.demo_sync import tell_sync
from dynamolab.errors import LabError
from dynamolab.store import StoreError, Unknown

DEMOS = {
    "cart": ("siblings, their merge, and a deleted item that reappears", tell_cart),
    "handoff": ("a replica dies, another node keeps its writes, and hands them over", tell_handoff),
    "sync": ("a disk is lost, and trees of hashes find what is missing", tell_sync),
}


def add(parser: argparse.ArgumentParser) -> None:
    told = "; ".join(f"{name}: {words}" for name, (words, _) in DEMOS.items())
    parser.add_argument("demo", metavar="DEMO", choices=sorted(DEMOS), help=told)
    parser.add_argument(
        "--solution", metavar="DIR", default="reference", help="what the nodes run (default: reference)"
    )
    parser.add_argument("--node", metavar="PATH", type=Path, help="a dynamo-node that is built already")
    parser.add_argument("--faultnet", metavar="PATH", type=Path, help=argparse.SUPPRESS)
    add_with(parser)
    add_jobs(parser)


def print_line(line: str) -> None:
    print(ui.harmless(line), flush=True)


def run(arguments: argparse.Namespace) -> int:
    node, faultnet = _programs(arguments)
    try:
        DEMOS[arguments.demo][1](node, faultnet, print_line)
    except (AssertionError, StoreError, Unknown) as error:
        # The solution's: it did not do what the story needs.
        who = arguments.node or arguments.solution
        raise LabError(f"{who} does not get to the end of the story:\n{error}") from error
    return 0


def _programs(arguments: argparse.Namespace) -> tuple[Path, Path]:
    """dynamo-node and faultnet, built if need be."""
    framework = build.Framework("release", arguments.jobs)
    if arguments.faultnet is None:
        framework.build(["libraries", "faultnet"])
    faultnet = (arguments.faultnet or framework.faultnet).resolve()
    if arguments.node is not None:
        if not arguments.node.is_file():
            raise LabError(f"{arguments.node}: there is no such program")
        return arguments.node.resolve(), faultnet
    known = labs.load_all()
    solution = open_solution(arguments, known, [])
    built = build.build_node(framework, solution.modules(known[-1]), f"demo-{solution.folder.name}")
    if built.error is not None:
        raise LabError(built.error)
    return built.node, faultnet
