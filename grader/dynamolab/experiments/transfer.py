"""``./lab experiment transfer``: the bytes that a join and a leave move, beside those that must move.

A simulated store at rest; one node joins, another one leaves. What must move follows from the ring: a copy
of each key for each owner that did not have it before. The rest is what the transfer costs.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dynamolab.commands import common
from dynamolab.experiments import _page, _transfer_page
from dynamolab.experiments._table import Table
from dynamolab.paths import RESULTS

LAB = 3
MEMBERS = (3, 4, 5, 6, 8, 10, 12, 16, 24, 32)


@dataclass(frozen=True)
class Moved:
    """Bytes of one change."""

    must: int  # A copy, with its state, of each key for each owner that did not have it.
    states: int  # Copies with their states that were sent.
    all: int  # Every message of the transfer, hashes and confirmations too.


@dataclass(frozen=True)
class Row:
    """One size of the cluster, before the join."""

    members: int
    held: int  # Bytes of all copies before.
    join: Moved
    leave: Moved

    def share(self, moved: int) -> float:
        """Of all copies."""
        return moved / self.held


def _moved(document: Mapping[str, int]) -> Moved:
    return Moved(document["must"], document["states"], document["all"])


def measure(arguments: argparse.Namespace) -> list[Row]:
    """A row for each size of the cluster."""
    table = Table.of("transfer", LAB, "C", arguments)
    sizes = [size for size in MEMBERS if size < arguments.members] + [arguments.members]
    documents = table.rows((size, arguments.keys, arguments.value_bytes) for size in sizes)
    return [
        Row(one["members"], one["held"], _moved(one["join"]), _moved(one["leave"]))
        for one in documents
    ]


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="./lab experiment transfer",
        description="Bytes that move when one node joins a cluster, and when one leaves it, for your "
        "transfer; beside those that must move because keys got new owners.",
    )
    common.add_solution(made)
    common.add_jobs(made)
    made.add_argument(
        "--members", metavar="S", type=common.whole_number(3, 32), default=16, help="at most (16)"
    )
    made.add_argument(
        "--keys",
        metavar="K",
        type=common.whole_number(1, 5000),
        default=300,
        help="in the store (300)",
    )
    made.add_argument(
        "--value-bytes",
        metavar="B",
        type=common.whole_number(0, 100_000),
        default=1000,
        help="of each key's value (1000)",
    )
    made.add_argument(
        "--out",
        metavar="DIR",
        type=Path,
        default=RESULTS / "transfer",
        help="default: results/transfer",
    )
    return made


def main(argv: Sequence[str]) -> int:
    arguments = parser().parse_args(list(argv))
    return _page.finish(_transfer_page, arguments.out, measure(arguments), arguments)
