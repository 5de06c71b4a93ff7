"""How short failures become, and how long that takes: measured on known-wrong solutions."""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dynamolab import bench, build, mutants, processes
from dynamolab.labs import Lab

RUN_DEADLINE_S = 300.0


@dataclass(frozen=True)
class Shrinking:
    """What became of one failure. ``original_events`` equals ``events`` if it was short enough."""

    mutant: str
    check: str
    events: int
    original_events: int
    seconds: float


def failures(
    known: Sequence[mutants.Mutant], framework: build.Framework, folder: Path, cpu: int | None
) -> Iterator[Shrinking]:
    """Of each mutant the first of its expected checks that is simulated and fails in a world."""
    for mutant in known:
        if simulated := _simulated(mutant):
            node = mutants.build_mutant(mutant, framework).node
            try:
                yield from _first_failure(mutant, simulated, node, framework, folder, cpu)
            finally:
                node.unlink(missing_ok=True)


def _simulated(mutant: mutants.Mutant) -> list[str]:
    return [
        check.id
        for check in mutant.lab.checks
        if check.kind == "sim" and check.id in mutant.expected
    ]


def _first_failure(
    mutant: mutants.Mutant,
    simulated: Sequence[str],
    node: Path,
    framework: build.Framework,
    folder: Path,
    cpu: int | None,
) -> Iterator[Shrinking]:
    results = folder / f"{mutant.folder.name}.jsonl"
    for check in simulated:
        command: list[str | Path] = [framework.checks_binary(mutant.lab.number), "--node", node]
        command += ["--only", check, "--results", results]
        if cpu is not None:
            command += ["--cpu", str(cpu)]
        processes.run(command, deadline_s=RUN_DEADLINE_S)
        lines = results.read_text(encoding="utf-8").splitlines() if results.exists() else []
        last: dict[str, Any] = json.loads(lines[-1]) if lines else {}
        if isinstance(shrunk := last.get("shrunk"), dict):
            yield Shrinking(
                mutant.name,
                check,
                int(shrunk["events"]),
                int(shrunk["original_events"]),
                float(shrunk["seconds"]),
            )
            return


def measure(
    labs: Sequence[Lab],
    framework: build.Framework,
    folder: Path,
    say: Callable[[str], None] = lambda _: None,
    every: int = 1,
) -> list[Shrinking]:
    """``every``: of the mutants that a simulated check catches each so-manieth one."""
    known = [mutant for mutant in mutants.load(labs) if _simulated(mutant)][::every]
    say(f"{len(known)} known-wrong solutions")
    cpus = processes.cpus()[: framework.jobs]
    shares = [known[number :: len(cpus)] for number in range(len(cpus))]
    with ThreadPoolExecutor(len(cpus)) as pool:
        found = pool.map(
            lambda share, cpu: list(failures(share, framework, folder, cpu)), shares, cpus
        )
        return sorted((one for some in found for one in some), key=lambda one: one.mutant)


def figures(found: Sequence[Shrinking]) -> list[bench.Figure]:
    """The medians, over all and over those that were worth shrinking."""
    events, seconds = "shrunk counterexample: events", "seconds to shrink"
    if not found:
        why = "no known-wrong solution failed in a world"
        return [
            bench.Figure(f"{events}, median", None, "", bench.SHRUNK_GOAL, why),
            bench.Figure(f"{seconds}, median", None, "s", bench.SHRINK_GOAL, why),
        ]
    long = [one for one in found if one.original_events > bench.SHRUNK_GOAL.limit]
    note = f"{len(found)} known-wrong solutions"
    told = [_median(f"{events}, median over known-wrong solutions", found, bench.SHRUNK_GOAL, note)]
    slow = f"{seconds}, median over known-wrong solutions"
    told.append(_seconds(slow, found, bench.SHRINK_GOAL, note))
    if long:
        before = statistics.median(one.original_events for one in long)
        note = f"{len(long)} of them, {before:.0f} events in the median before"
        told.append(
            _median(f"{events}, median of those that were longer", long, bench.SHRUNK_GOAL, note)
        )
        told.append(
            _seconds(f"{seconds}, median of those that were longer", long, bench.SHRINK_GOAL, note)
        )
    return told


def _median(name: str, found: Sequence[Shrinking], goal: bench.Goal, note: str) -> bench.Figure:
    return bench.Figure(name, statistics.median(one.events for one in found), "events", goal, note)


def _seconds(name: str, found: Sequence[Shrinking], goal: bench.Goal, note: str) -> bench.Figure:
    return bench.Figure(name, statistics.median(one.seconds for one in found), "s", goal, note)
