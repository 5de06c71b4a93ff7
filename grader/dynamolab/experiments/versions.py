"""``./lab experiment versions``: how many versions reads see, against the number of clients that write.

Clients of a simulated store of three nodes share one key: each reads, thinks, puts with the context that
it read, and pauses. What Amazon counted in 24 hours stands beside what is measured.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from dynamolab import build, labs, processes, solutions, ui
from dynamolab.commands import common
from dynamolab.errors import GraderTrouble, LabError
from dynamolab.experiments import _versions_page as page
from dynamolab.paths import RESULTS, shown

LAB = 4
ROW_DEADLINE_S = 120.0
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


def _row(program: Path, node: Path, clients: int, arguments: argparse.Namespace) -> Row:
    """Raises what went wrong, by whose fault it was."""
    words = [clients, arguments.nodes, arguments.reads, arguments.think_ms, arguments.pause_ms]
    done = processes.run([program, node, *map(str, words)], deadline_s=ROW_DEADLINE_S)
    if done.timed_out:
        raise GraderTrouble(f"{clients} clients were not done within {ROW_DEADLINE_S:.0f} s")
    if done.code == 1:
        raise LabError(
            f"{arguments.solution}: its versions cannot be measured: {done.out.strip()}\n"
            "Finish part B first, or measure the reference's: ./lab experiment versions --solution reference"
        )
    if done.code != 0:
        raise GraderTrouble(f"versions-table failed: {done.out.strip()}")
    document = json.loads(done.out)
    return Row(document["clients"], document["reads"], tuple(document["saw"]))


def measure(arguments: argparse.Namespace) -> list[Row]:
    """A row for each number of clients, several at a time."""
    known = labs.load_all()
    lab = next(lab for lab in known if lab.number == LAB)
    solution = solutions.open_solution(
        solutions.solution_folder(arguments.solution),
        [lab],
        solutions.parse_with(arguments.supplied, known),
    )
    framework = build.Framework("release", arguments.jobs)
    framework.build(["libraries", "versions-table"])
    node = build.build_node(framework, solution.modules(lab), "experiment-versions")
    if node.error:
        raise LabError(node.error)
    program = framework.folder / "grader" / "experiments" / "versions-table"
    counts = [count for count in CLIENTS if count < arguments.clients] + [arguments.clients]
    with ThreadPoolExecutor(framework.jobs) as pool:
        rows = [pool.submit(_row, program, node.node, count, arguments) for count in counts]
        return [row.result() for row in rows]


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
        "--reads", metavar="R", type=common.whole_number(100, 100_000), default=2000, help="a row (2000)"
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
        "--out", metavar="DIR", type=Path, default=RESULTS / "versions", help="default: results/versions"
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
