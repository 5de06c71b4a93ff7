"""``./lab experiment gossip``: rounds of gossip until all know one new event, against the cluster's size.

Simulated nodes with membership alone, which begin with one image of a disk and so know the same history. One
change is made at one of them; every gossip period all are asked who knows it.
"""

from __future__ import annotations

import argparse
import math
import re
import resource
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from dynamolab.commands import common
from dynamolab.experiments import _gossip_page, _page
from dynamolab.experiments._table import Table
from dynamolab.paths import RESULTS

LAB = 1
SIZES = (4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096)
# Each node holds the whole history: n² events. Beyond TOGETHER, each has a process of its own, and pages
# that are equal are in memory once, which only Linux lets a process see to.
TOGETHER = 1024
MOST = 10_000 if sys.platform == "linux" else TOGETHER
MANY = (
    512  # Up to so many nodes, all events; with more, fewer: one costs time by the square of the nodes.
)
BYTES_A_NODE = 450_000  # With a process of its own, the kernel's tables for it included.
ROW_DEADLINE_S = 1800.0  # 10,000 nodes take minutes, on a busy machine many.


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


def events_of(size: int, events: int) -> int:
    """How many are measured with so many nodes, if `events` are asked for."""
    return max(1, min(events, events * MANY // size))


def words(arguments: argparse.Namespace) -> list[tuple[int, int, int]]:
    """Nodes, events and seed of each row; the largest first, since it takes longer than all others."""
    sizes = [size for size in SIZES if size < arguments.nodes] + [arguments.nodes]
    return [(size, events_of(size, arguments.events), arguments.seed) for size in reversed(sizes)]


def measure(arguments: argparse.Namespace) -> list[Row]:
    """A row for each size of the cluster."""
    table = replace(Table.of("gossip", LAB, "B", arguments), row_deadline_s=ROW_DEADLINE_S)
    documents = reversed(table.rows(words(arguments)))
    return [Row(one["members"], tuple(tuple(each) for each in one["knowers"])) for one in documents]


def most_here() -> int:
    """The largest cluster that this machine's memory and limits have room for."""
    processes, _ = resource.getrlimit(resource.RLIMIT_NPROC)
    if MOST == TOGETHER or 0 <= processes < 2 * MOST:
        return TOGETHER
    available = re.search(r"MemAvailable:\s+(\d+) kB", Path("/proc/meminfo").read_text(encoding="ascii"))
    enough = available is not None and int(available[1]) * 1024 > 2 * MOST * BYTES_A_NODE
    return MOST if enough else TOGETHER


def for_all() -> list[str]:
    """What ./lab experiment all asks for: its page shows how far it goes."""
    return ["--nodes", str(most_here())]


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
        help=f"at most (256; up to {MOST}, which takes minutes and some 4 GB of memory)",
    )
    made.add_argument(
        "--events",
        metavar="E",
        type=common.whole_number(1, 1000),
        default=20,
        help=f"for each size up to {MANY}, one after the other (20); with more nodes, fewer",
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
