"""``./lab experiment ring``: one token a host, T tokens a host, Q static virtual nodes.

For each scheme and number of hosts: the load of the fullest host over the mean, and the share of
the circle that moves when the last of them joins. Tokens are computed here; the vnodes are those
that the solution's own ring.cpp deals out, asked of its node process.
"""

from __future__ import annotations

import argparse
import bisect
import hashlib
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from dynamolab.commands import common
from dynamolab.experiments import _page, _ring_page
from dynamolab.experiments._table import Table
from dynamolab.paths import RESULTS

CIRCLE = 2**64
LAB = 2


@dataclass(frozen=True)
class Point:
    """One number of hosts: the median over all trials, and the worst and best of them."""

    hosts: int
    median: float
    least: float
    most: float


@dataclass(frozen=True)
class Series:
    scheme: str
    imbalance: list[Point]  # Fullest host over the mean; 1 is perfect.
    moved: list[Point]  # Share of the circle that changes its owner when this host joins.


def token(trial: int, host: int, number: int) -> int:
    """A place on the circle; the seed of a trial stands for another choice of host names."""
    digest = hashlib.blake2b(f"{trial}/{host}/{number}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big")


def join_by_tokens(trial: int, hosts: int, tokens: int) -> tuple[list[float], list[float]]:
    """Hosts join one by one with ``tokens`` each: imbalance and share moved after each join."""
    places: list[int] = []
    owner: dict[int, int] = {}
    owned = [0] * hosts
    imbalance: list[float] = []
    moved: list[float] = []
    for host in range(hosts):
        gained = 0
        for number in range(tokens):
            place = token(trial, host, number)
            if not places:
                taken, loser = CIRCLE, host
                owned[host] = CIRCLE
            else:
                at = bisect.bisect_left(places, place)
                loser = owner[places[at % len(places)]]  # Whoever had the arc that ends here.
                taken = (place - places[at - 1]) % CIRCLE
                owned[loser] -= taken
                owned[host] += taken
            gained += taken if loser != host else 0
            owner[place] = host
            bisect.insort(places, place)
        imbalance.append(max(owned) * (host + 1) / CIRCLE)
        moved.append(gained / CIRCLE)
    return imbalance, moved


def joined_vnodes(table: list[list[int]]) -> tuple[list[float], list[float]]:
    """The same from the rings of a solution: one row a number of hosts."""
    imbalance: list[float] = []
    moved: list[float] = []
    before: list[int] = []
    for row in table:
        loads = [0] * (len(imbalance) + 1)
        for host in row:
            loads[host] += 1
        imbalance.append(max(loads) * len(loads) / len(row))
        changed = sum(a != b for a, b in zip(before, row, strict=True)) if before else 0
        moved.append(changed / len(row))
        before = row
    return imbalance, moved


def series(
    scheme: str, trials: int, run: Callable[[int], tuple[list[float], list[float]]]
) -> Series:
    """Puts the trials of a scheme together. One host is no experiment: points begin at two."""
    runs = [run(trial) for trial in range(trials)]

    def points(values: list[list[float]]) -> list[Point]:
        columns = list(zip(*values, strict=True))
        return [
            Point(index + 1, statistics.median(column), min(column), max(column))
            for index, column in enumerate(columns)
            if index > 0
        ]

    return Series(scheme, points([one for one, _ in runs]), points([two for _, two in runs]))


def owners_of(arguments: argparse.Namespace) -> list[list[int]]:
    """The rings that the solution builds. LabError says why it builds none."""
    table = Table.of("ring", LAB, "B", arguments)
    return list(table.run(arguments.q, arguments.hosts)["owners"])


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="./lab experiment ring",
        description="Load imbalance and keys moved against the number of nodes, for one token a host, "
        "T tokens a host, and the Q static virtual nodes of your ring.cpp.",
    )
    common.add_solution(made)
    common.add_jobs(made)
    made.add_argument("--q", metavar="Q", type=common.whole_number(1, 65536), default=1024)
    made.add_argument("--hosts", metavar="S", type=common.whole_number(2, 256), default=64)
    made.add_argument("--tokens", metavar="T", type=common.whole_number(2, 1024), default=64)
    made.add_argument("--trials", metavar="N", type=common.whole_number(1, 1000), default=25)
    made.add_argument(
        "--out", metavar="DIR", type=Path, default=RESULTS / "ring", help="default: results/ring"
    )
    return made


def main(argv: Sequence[str]) -> int:
    arguments = parser().parse_args(list(argv))
    table = owners_of(arguments)
    hosts, tokens = arguments.hosts, arguments.tokens
    measured = [
        series("one token a host", arguments.trials, lambda t: join_by_tokens(t, hosts, 1)),
        series(
            f"{tokens} tokens a host", arguments.trials, lambda t: join_by_tokens(t, hosts, tokens)
        ),
        series(f"{arguments.q} static vnodes", 1, lambda _: joined_vnodes(table)),
    ]
    return _page.finish(_ring_page, arguments.out, measured, arguments.trials)
