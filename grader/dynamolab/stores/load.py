"""Runs the load generator (grader/bench/load) on a system, and reads what it says."""

from __future__ import annotations

import itertools
import json
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

from dynamolab import processes
from dynamolab.errors import GraderTrouble

from .servers import System

SLACK_S = 60.0  # Beyond the planned time, for a store that falls behind.

_runs = itertools.count(1)  # Each run of puts has keys of its own.


@dataclass(frozen=True)
class Load:
    """What is asked."""

    operation: str  # "put": each a new key. "get": of keys that are there.
    connections: int = 64
    value_bytes: int = 100
    measured_s: float = 2.0
    warm_up_s: float = 0.5
    per_second: float = 0.0  # Open loop; 0: closed.


@dataclass(frozen=True)
class Outcome:
    """What came of it. Latencies in milliseconds; those of an open loop count from the intended start."""

    per_second: float
    p50_ms: float
    p99_ms: float
    p99_9_ms: float
    cpu_us: float  # That all servers together used for one answer.
    failed: int = 0
    first_error: str = ""


class Generator:
    def __init__(self, program: Path) -> None:
        self._program = program

    def fill(self, system: System, keys: int, value_bytes: int) -> str:
        """Puts keys for gets; their prefix."""
        prefix = f"fill{next(_runs)}-"
        words = [
            "--operation",
            "put",
            "--keys",
            str(keys),
            "--prefix",
            prefix,
            "--connections",
            "64",
        ]
        told = self._run(system, [*words, "--value-bytes", str(value_bytes)], SLACK_S)
        if told["failed"]:
            raise GraderTrouble(
                f"{system.name}: {told['failed']} of {keys} puts failed: {told['first_error']}"
            )
        system.rest()
        return prefix

    def run(self, system: System, load: Load, keys: int = 0, prefix: str = "") -> Outcome:
        """One run; then the system rests. `keys` and `prefix`: what gets may ask for."""
        words = ["--operation", load.operation, "--connections", str(load.connections)]
        words += ["--value-bytes", str(load.value_bytes), "--keys", str(keys)]
        words += ["--prefix", prefix or f"run{next(_runs)}-", "--seed", str(next(_runs))]
        words += ["--measured-ms", str(round(load.measured_s * 1000))]
        words += ["--warm-up-ms", str(round(load.warm_up_s * 1000))]
        words += ["--per-second", str(load.per_second)]
        before = system.cpu_seconds()
        told = self._run(system, words, load.warm_up_s + load.measured_s + SLACK_S)
        system.rest()  # What it does later for these requests counts, too.
        used = system.cpu_seconds() - before
        whole = load.warm_up_s + load.measured_s
        answers = max(1.0, told["per_second"] * whole)
        return Outcome(
            per_second=told["per_second"],
            p50_ms=told["p50_us"] / 1e3,
            p99_ms=told["p99_us"] / 1e3,
            p99_9_ms=told["p99_9_us"] / 1e3,
            cpu_us=used / answers * 1e6,
            failed=told["failed"],
            first_error=told["first_error"],
        )

    def _run(self, system: System, words: Sequence[str], deadline_s: float) -> dict:
        command: list[str | Path] = [self._program, "--system", system.dialect, *words]
        command += ["--targets", ",".join(system.targets), *system.arguments]
        command += ["--deadline-ms", str(round(deadline_s * 1000))]
        done = processes.run(command, deadline_s=deadline_s + 10)
        system.must_live()
        try:
            told = json.loads(done.out)
        except ValueError:
            told = {"error": f"store-load ended with {done.code}: {done.out[-300:]}"}
        if "error" in told:
            raise GraderTrouble(f"{system.name}: {told['error']}")
        return told


def median(outcomes: Sequence[Outcome]) -> Outcome:
    """Of each figure by itself; failures add up."""
    figures = {
        field.name: statistics.median(getattr(outcome, field.name) for outcome in outcomes)
        for field in fields(Outcome)
        if field.name not in ("failed", "first_error")
    }
    errors = [outcome.first_error for outcome in outcomes if outcome.failed]
    return Outcome(
        **figures, failed=sum(o.failed for o in outcomes), first_error=errors[0] if errors else ""
    )
