"""``./lab experiment versions``: how many versions reads see, against the number of clients that write.

Clients of a simulated store of three nodes share one key: each reads, thinks, puts with the context that
it read, and pauses. What Amazon counted in 24 hours stands beside what is measured.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dynamolab.commands import common
from dynamolab.experiments import _page, _versions_page
from dynamolab.experiments._table import Table
from dynamolab.paths import RESULTS

LAB = 4
CLIENTS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)
MOST_COUNTED = 5  # Versions: the last group is "5 or more".


@dataclass(frozen=True)
class Row:
    """One number of clients: ``saw[k]`` reads saw k versions (the last entry: or more)."""

    clients: int
    reads: int
    saw: tuple[int, ...]

    def fraction(self, versions: int) -> float:
        return self.saw[versions] / self.reads


def measure(arguments: argparse.Namespace) -> list[Row]:
    """A row for each number of clients."""
    table = Table.of("versions", LAB, "B", arguments)
    counts = [count for count in CLIENTS if count < arguments.clients] + [arguments.clients]
    shape = (arguments.nodes, arguments.reads, arguments.think_ms, arguments.pause_ms)
    documents = table.rows((count, *shape) for count in counts)
    return [Row(one["clients"], one["reads"], tuple(one["saw"])) for one in documents]


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="./lab experiment versions",
        description="Fraction of reads that saw 1, 2, 3, 4 and more versions of a key, against the number of "
        "clients that write it, for your versioning.cpp; beside what Amazon counted (P§6.3).",
    )
    common.add_solution(made)
    common.add_jobs(made)
    made.add_argument(
        "--clients", metavar="C", type=common.whole_number(1, 64), default=16, help="at most (16)"
    )
    made.add_argument(
        "--nodes", metavar="N", type=common.whole_number(1, 3), default=3, help="that they use (3)"
    )
    made.add_argument(
        "--reads",
        metavar="R",
        type=common.whole_number(100, 100_000),
        default=2000,
        help="a row (2000)",
    )
    made.add_argument(
        "--think-ms",
        metavar="MS",
        type=common.whole_number(0, 60_000),
        default=20,
        help="between a get and its put, on average (20)",
    )
    made.add_argument(
        "--pause-ms",
        metavar="MS",
        type=common.whole_number(0, 60_000),
        default=1000,
        help="between a put and the next get, on average (1000)",
    )
    made.add_argument(
        "--out",
        metavar="DIR",
        type=Path,
        default=RESULTS / "versions",
        help="default: results/versions",
    )
    return made


def main(argv: Sequence[str]) -> int:
    arguments = parser().parse_args(list(argv))
    return _page.finish(_versions_page, arguments.out, measure(arguments), arguments)
