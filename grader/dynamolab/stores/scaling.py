"""How the reference's store changes with nodes, connections and the size of values."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from dynamolab.errors import GraderTrouble

from .load import Generator, Load, Outcome, median
from .systems import Dynamo

ROUNDS = 2
KEYS = 2_000
NODES = (3, 5, 9)
CONNECTIONS = (1, 4, 16, 64, 256)
VALUE_BYTES = (100, 1_000, 10_000, 100_000)
LARGE_BYTES = 10_000  # From here on fewer keys, so that a run fits the disk.


@dataclass(frozen=True)
class Point:
    """One setting and what was measured there, closed loop, durable. What is not varied: 3 nodes, 64
    connections, 100 bytes. `outcome` is None if it could not be measured; `note` says why."""

    operation: str
    nodes: int
    connections: int
    value_bytes: int
    outcome: Outcome | None
    note: str = ""

    @property
    def name(self) -> str:
        return (
            f"{self.operation}, durable, {self.nodes} nodes, {self.connections} connections, "
            f"{self.value_bytes} bytes"
        )


def settings() -> list[tuple[int, int, int]]:
    """Nodes, connections, bytes: one of them varies at a time."""
    varied = [(nodes, 64, 100) for nodes in NODES]
    varied += [(3, connections, 100) for connections in CONNECTIONS if connections != 64]
    return varied + [(3, 64, size) for size in VALUE_BYTES if size != 100]


def scale(
    node: Path,
    generator: Generator,
    folder: Path,
    on_step: Callable[[str], None],
    measured_s: float = 2.0,
    rounds: int = ROUNDS,
) -> list[Point]:
    """A cluster of its own for each setting, so that none pays for what another one stored."""
    points: list[Point] = []
    for nodes, connections, value_bytes in settings():
        on_step(f"{nodes} nodes, {connections} connections, {value_bytes} bytes")
        base = Load("put", connections, value_bytes, measured_s)
        try:
            with Dynamo(nodes, folder, True, node) as cluster:
                points += _measure(cluster, generator, base, rounds)
        except GraderTrouble as trouble:
            points += [
                Point(operation, nodes, connections, value_bytes, None, str(trouble))
                for operation in ("put", "get")
            ]
    return points


def _measure(cluster: Dynamo, generator: Generator, base: Load, rounds: int) -> list[Point]:
    points = []
    keys = KEYS if base.value_bytes < LARGE_BYTES else KEYS // 10
    prefix = generator.fill(cluster, keys, base.value_bytes)
    for operation in ("get", "put"):  # Gets first: puts make the disk larger.
        load = replace(base, operation=operation)
        got = median(
            [
                generator.run(cluster, load, keys, prefix if operation == "get" else "")
                for _ in range(rounds)
            ]
        )
        note = f"{got.failed} failed, first: {got.first_error}" if got.failed else ""
        points.append(Point(operation, cluster.size, load.connections, load.value_bytes, got, note))
    return points
