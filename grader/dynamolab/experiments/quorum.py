"""``./lab experiment quorum``: what R and W cost and buy, with N = 3 in strict mode.

Latency, staleness right after a put, and availability while nodes die and come back, for each (R, W), in
a simulated store of five nodes; beside the staleness that theory allows.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from math import comb
from pathlib import Path

from dynamolab.commands import common
from dynamolab.experiments import _page, _quorum_page
from dynamolab.experiments._table import Table
from dynamolab.paths import RESULTS

LAB = 5
N = 3


@dataclass(frozen=True)
class Row:
    """One pair (R, W). Times are milliseconds: the median and the 99th percentile."""

    r: int
    w: int
    put_ms: tuple[float, float]
    get_ms: tuple[float, float]
    stale: float  # Of the gets right after a put.
    puts_done: float  # Of those asked while nodes die and come back,
    gets_done: float

    @property
    def bound(self) -> float:
        """How likely R hosts, drawn at random, are none of the W that hold the put; no more gets than
        that may be stale, since the put goes on to the others meanwhile."""
        return comb(N - self.w, self.r) / comb(N, self.r)


def measure(arguments: argparse.Namespace) -> list[Row]:
    """A row for each pair."""
    table = Table.of("quorum", LAB, "A", arguments)
    pairs = [(r, w, arguments.operations) for r in range(1, N + 1) for w in range(1, N + 1)]
    return [
        Row(
            one["r"],
            one["w"],
            (one["put_ms"][0], one["put_ms"][1]),
            (one["get_ms"][0], one["get_ms"][1]),
            one["stale"] / one["gets"],
            one["puts_done"] / one["asked"],
            one["gets_done"] / one["asked"],
        )
        for one in table.rows(pairs)
    ]


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="./lab experiment quorum",
        description="Latency, staleness and availability against (R, W), with N = 3, for your quorum.cpp; "
        "beside the staleness that theory allows (lecture, \"Quorums\"; P§4.5).",
    )
    common.add_solution(made)
    common.add_jobs(made)
    made.add_argument(
        "--operations",
        metavar="COUNT",
        type=common.whole_number(100, 100_000),
        default=1000,
        help="puts, and as many gets, a pair (1000)",
    )
    made.add_argument(
        "--out", metavar="DIR", type=Path, default=RESULTS / "quorum", help="default: results/quorum"
    )
    return made


def main(argv: Sequence[str]) -> int:
    arguments = parser().parse_args(list(argv))
    return _page.finish(_quorum_page, arguments.out, measure(arguments), arguments)
