"""Figures for a leaderboard: what a store of lab 7 does in a few seconds of load, durably. They are
measured only if it passed every check of the lab, and never decide a verdict: machines differ."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from dynamolab.build import Framework
from dynamolab.stores.load import Generator, Load, Outcome
from dynamolab.stores.systems import Dynamo

NODES = 5
MODULES = ["membership", "ring", "transfer", "versioning", "quorum", "sync"]
KEYS = 2_000
LOAD = Load("put", connections=32, value_bytes=100, measured_s=2.0)  # Closed loop.


@dataclass(frozen=True)
class Figures:
    """Of one operation. Latencies are those of single requests, in milliseconds."""

    per_second: float
    p50_ms: float
    p99_9_ms: float
    failed: int


@dataclass(frozen=True)
class Leaderboard:
    """What one store did on one machine."""

    setting: str
    puts: Figures
    gets: Figures

    def document(self) -> dict[str, Any]:
        """As results.schema.json says."""
        return asdict(self)

    @property
    def words(self) -> str:
        """For people, on one line."""
        told = [
            f"{f.per_second:,.0f} {what} a second, p99.9 {f.p99_9_ms:.1f} ms"
            + (f" ({f.failed} failed)" if f.failed else "")
            for what, f in (("puts", self.puts), ("gets", self.gets))
        ]
        return f"{' · '.join(told)} ({self.setting})"


def of_document(document: dict[str, Any]) -> Leaderboard:
    """From what ``document`` gave."""
    return Leaderboard(
        document["setting"], Figures(**document["puts"]), Figures(**document["gets"])
    )


def measure(node: Path, framework: Framework, folder: Path, load: Load = LOAD) -> Leaderboard:
    """Takes some seconds. GraderTrouble if the store does not get to serve, or falls behind for a
    minute."""
    framework.build(["store-load"])
    generator = Generator(framework.folder / "grader" / "bench" / "store-load")
    with Dynamo(NODES, folder, True, node, {"modules": MODULES}) as cluster:
        prefix = generator.fill(cluster, KEYS, load.value_bytes)
        gets = generator.run(cluster, replace(load, operation="get"), KEYS, prefix)
        puts = generator.run(cluster, load)
        n, r, w = cluster.config["n"], cluster.read_quorum, cluster.write_quorum
    setting = (
        f"{NODES} nodes, N={n}, R={r}, W={w}, on disk; {load.connections} connections,"
        f" values of {load.value_bytes} bytes"
    )
    return Leaderboard(setting, _figures(puts), _figures(gets))


def _figures(outcome: Outcome) -> Figures:
    return Figures(
        round(outcome.per_second, 1), round(outcome.p50_ms, 3), round(outcome.p99_9_ms, 3), outcome.failed
    )
