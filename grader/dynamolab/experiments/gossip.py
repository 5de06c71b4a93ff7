"""``./lab experiment gossip``: rounds of gossip until all know one new event, against the cluster's size.

Simulated nodes with membership alone, which know the same history. One change is made at one of them; every
gossip period all are asked who knows it.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dynamolab.commands import common
from dynamolab.experiments import _gossip_page, _page
from dynamolab.experiments._table import Table
from dynamolab.paths import RESULTS

LAB = 1
SIZES = (4, 8, 16, 32, 64, 128, 256, 512, 1024)
MOST = 1024  # Each node holds the whole history: n² events, in one host of bounded memory.


@dataclass(frozen=True)
class Row:
    """One size of the cluster."""

    members: int
    knowers: tuple[tuple[int, ...], ...]  # Per event: how many knew it after 0, 1, 2 … rounds.

    @property
    def rounds(self) -> list[int]:
        """Per event, until all knew it."""
        return [len(one) - 1 for one in self.knowers]

    @property
    def mean(self) -> float:
        return sum(self.rounds) / len(self.rounds)

    @property
    def worst(self) -> int:
        return max(self.rounds)

    @property
    def both_ways(self) -> float:
        """log₃ n: each round, those who know tell one and are asked by one (Karp et al., FOCS 2000)."""
        return math.log(self.members, 3)

    @property
    def push_alone(self) -> float:
        """log₂ n + ln n: those who know tell, nobody asks (Pittel, 1987)."""
        return math.log2(self.members) + math.log(self.members)


def measure(arguments: argparse.Namespace) -> list[Row]:
    """A row for each size of the cluster."""
    table = Table.of("gossip", LAB, "B", arguments)
    sizes = [size for size in SIZES if size < arguments.nodes] + [arguments.nodes]
    documents = table.rows((size, arguments.events, arguments.seed) for size in sizes)
    return [Row(one["members"], tuple(tuple(each) for each in one["knowers"])) for one in documents]


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="./lab experiment gossip",
        description="Rounds of gossip until all nodes know one new event, for your membership, against the "
        "size of the cluster; beside what theory says.",
    )
    common.add_solution(made)
    common.add_jobs(made)
    made.add_argument(
        "--nodes",
        metavar="S",
        type=common.whole_number(4, MOST),
        default=256,
        help=f"at most (256; up to {MOST})",
    )
    made.add_argument(
        "--events",
        metavar="E",
        type=common.whole_number(1, 1000),
        default=20,
        help="for each size, one after the other (20)",
    )
    made.add_argument(
        "--seed",
        metavar="N",
        type=common.whole_number(1, 1_000_000),
        default=1,
        help="of the simulated worlds (1)",
    )
    made.add_argument(
        "--out",
        metavar="DIR",
        type=Path,
        default=RESULTS / "gossip",
        help="default: results/gossip",
    )
    return made


def main(argv: Sequence[str]) -> int:
    arguments = parser().parse_args(list(argv))
    return _page.finish(_gossip_page, arguments.out, measure(arguments), arguments)
