"""How experiments measure: a program of grader/experiments that asks a solution's node, row by row."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dynamolab import build, labs, processes, solutions
from dynamolab.errors import GraderTrouble, LabError
from dynamolab.paths import shown

ROW_DEADLINE_S = 120.0


@dataclass(frozen=True)
class Table:
    """``NAME-table``, built, and the node that it measures."""

    name: str  # The experiment's.
    part: str  # Of the lab, finished before there is anything to measure.
    program: Path
    node: Path
    file: Path  # The student's.
    jobs: int
    row_deadline_s: float = ROW_DEADLINE_S

    @classmethod
    def of(cls, name: str, lab_number: int, part: str, arguments: argparse.Namespace) -> Table:
        """Builds both for ``arguments.solution``, ``supplied`` and ``jobs``. LabError if the solution is
        none or does not compile."""
        known = labs.load_all()
        lab = next(lab for lab in known if lab.number == lab_number)
        solution = solutions.open_solution(
            solutions.solution_folder(arguments.solution),
            [lab],
            solutions.parse_with(arguments.supplied, known),
        )
        framework = build.Framework("release", arguments.jobs)
        framework.build(["libraries", f"{name}-table"])
        node = build.build_node(framework, solution.modules(lab), f"experiment-{name}")
        if node.error:
            raise LabError(node.error)
        program = framework.folder / "grader" / "experiments" / f"{name}-table"
        return cls(name, part, program, node.node, solution.file(lab), framework.jobs)

    def run(self, *words: int) -> Any:
        """The document that the program prints for these numbers. LabError if the solution failed,
        GraderTrouble if the program did."""
        command = [self.program, self.node, *map(str, words)]
        done = processes.run(command, deadline_s=self.row_deadline_s)
        if done.timed_out:
            raise GraderTrouble(
                f"{self.name}-table {' '.join(map(str, words))} was not done within "
                f"{self.row_deadline_s:.0f} s"
            )
        if done.code == 1:
            raise LabError(
                f"{shown(self.file)}: its {self.name} cannot be measured: {done.out.strip()}\n"
                f"Finish part {self.part} first, or measure the reference's: "
                f"./lab experiment {self.name} --solution reference"
            )
        if done.code != 0:
            raise GraderTrouble(f"{self.name}-table failed: {done.out.strip()}")
        return json.loads(done.out)

    def rows(self, each: Iterable[tuple[int, ...]]) -> list[Any]:
        """``run`` for each, several at a time, in their order. After a failure no further one begins."""
        with ThreadPoolExecutor(self.jobs) as pool:
            try:
                return list(pool.map(lambda words: self.run(*words), each))
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise
