"""``./lab experiment transfer``: the bytes that a join and a leave move, beside those that must move.

A simulated store at rest; one node joins, another one leaves. What must move follows from the ring: a copy
of each key for each owner that did not have it before. The rest is what the transfer costs.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from dynamolab import build, labs, processes, solutions, ui
from dynamolab.commands import common
from dynamolab.errors import GraderTrouble, LabError
from dynamolab.experiments import _transfer_page as page
from dynamolab.paths import RESULTS, shown

LAB = 3
ROW_DEADLINE_S = 120.0
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


def _row(program: Path, node: Path, members: int, arguments: argparse.Namespace) -> Row:
    """Raises what went wrong, by whose fault it was."""
    words = [members, arguments.keys, arguments.value_bytes]
    done = processes.run([program, node, *map(str, words)], deadline_s=ROW_DEADLINE_S)
    if done.timed_out:
        raise GraderTrouble(f"{members} members were not done within {ROW_DEADLINE_S:.0f} s")
    if done.code == 1:
        raise LabError(
            f"{arguments.solution}: its transfer cannot be measured: {done.out.strip()}\n"
            "Finish part C first, or measure the reference's: ./lab experiment transfer --solution reference"
        )
    if done.code != 0:
        raise GraderTrouble(f"transfer-table failed: {done.out.strip()}")
    document = json.loads(done.out)
    return Row(
        document["members"], document["held"], _moved(document["join"]), _moved(document["leave"])
    )


def measure(arguments: argparse.Namespace) -> list[Row]:
    """A row for each size of the cluster, several at a time."""
    known = labs.load_all()
    lab = next(lab for lab in known if lab.number == LAB)
    solution = solutions.open_solution(
        solutions.solution_folder(arguments.solution),
        [lab],
        solutions.parse_with(arguments.supplied, known),
    )
    framework = build.Framework("release", arguments.jobs)
    framework.build(["libraries", "transfer-table"])
    node = build.build_node(framework, solution.modules(lab), "experiment-transfer")
    if node.error:
        raise LabError(node.error)
    program = framework.folder / "grader" / "experiments" / "transfer-table"
    sizes = [size for size in MEMBERS if size < arguments.members] + [arguments.members]
    with ThreadPoolExecutor(framework.jobs) as pool:
        rows = [pool.submit(_row, program, node.node, size, arguments) for size in sizes]
        return [row.result() for row in rows]


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
        "--keys", metavar="K", type=common.whole_number(1, 5000), default=300, help="in the store (300)"
    )
    made.add_argument(
        "--value-bytes",
        metavar="B",
        type=common.whole_number(0, 100_000),
        default=1000,
        help="of each key's value (1000)",
    )
    made.add_argument(
        "--out", metavar="DIR", type=Path, default=RESULTS / "transfer", help="default: results/transfer"
    )
    return made


def main(argv: Sequence[str]) -> int:
    arguments = parser().parse_args(list(argv))
    rows = measure(arguments)
    try:
        index = page.write(arguments.out, rows, arguments)
    except OSError as error:
        raise LabError(f"--out {arguments.out}: {error.strerror}") from error
    ui.say(page.summary(rows))
    ui.say(f"Plot and table: {shown(index)}")
    return 0
