"""``./lab experiment sync``: the bytes of an exchange of Merkle trees, against the keys that differ and
against all keys; beside shipping everything.

Two simulated nodes that hold the same keys; some are written while the network is cut; then one exchange.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dynamolab.commands import common
from dynamolab.experiments import _page, _sync_page
from dynamolab.experiments._table import Table
from dynamolab.paths import RESULTS

LAB = 6
DIFFERENCES = (0, 1, 3, 10, 30, 100, 300, 1000, 3000, 10_000, 30_000)
KEYS = (100, 300, 1000, 3000, 10_000, 30_000)
FEW = 10  # Differences, where the number of keys is what changes.


@dataclass(frozen=True)
class Row:
    """One exchange. All but the first two are bytes."""

    keys: int
    differences: int
    roots: int
    nodes: int
    states: int
    must: int  # The newer states, once.
    hashes: int  # All keys with their hashes,
    everything: int  # and with their states.

    @property
    def all(self) -> int:
        return self.roots + self.nodes + self.states


@dataclass(frozen=True)
class Measured:
    """Both series."""

    by_differences: list[Row]
    by_keys: list[Row]


def _row(document: Mapping[str, int]) -> Row:
    return Row(**document)


def measure(arguments: argparse.Namespace) -> Measured:
    """A row for each number of differences, then one for each number of keys."""
    table = Table.of("sync", LAB, "B", arguments)
    most, size = arguments.keys, arguments.value_bytes
    differences = [count for count in DIFFERENCES if count < most] + [most]
    keys = [count for count in KEYS if count < most] + [most]
    questions = [(most, count, size) for count in differences]
    questions += [(count, FEW, size) for count in keys]
    rows = [_row(document) for document in table.rows(questions)]
    return Measured(rows[: len(differences)], rows[len(differences) :])


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="./lab experiment sync",
        description="Bytes of one exchange of Merkle trees between two nodes, for your sync.cpp, against the "
        "keys that differ and against all keys; beside shipping everything.",
    )
    common.add_solution(made)
    common.add_jobs(made)
    made.add_argument(
        "--keys",
        metavar="K",
        type=common.whole_number(100, 100_000),
        default=10_000,
        help="that both nodes hold, at most (10000)",
    )
    made.add_argument(
        "--value-bytes",
        metavar="B",
        type=common.whole_number(0, 100_000),
        default=200,
        help="of each key's value (200)",
    )
    made.add_argument(
        "--out", metavar="DIR", type=Path, default=RESULTS / "sync", help="default: results/sync"
    )
    return made


def main(argv: Sequence[str]) -> int:
    arguments = parser().parse_args(list(argv))
    return _page.finish(_sync_page, arguments.out, measure(arguments), arguments)
