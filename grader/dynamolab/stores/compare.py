"""dynamo-node, etcd and redis-server side by side: the same cores, payload, durability and copies."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dynamolab.errors import GraderTrouble

from .load import Generator, Load, Outcome, median
from .servers import TMPFS, System, file_system_of
from .systems import Dynamo, Etcd, Redis, node_defaults, quorums

SIZE = 3
KEYS = 10_000
ROUNDS = 3  # The systems take turns, so that a slow second of the machine hits all of them.
OPEN_SHARE = 0.5  # Of the slowest system's closed loop: a rate that all can bear.


@dataclass(frozen=True)
class Cell:
    """One thing that is asked of all systems."""

    operation: str
    durable: bool
    open_loop: bool = False

    @property
    def name(self) -> str:
        kept = "durable" if self.durable else "in memory"
        return f"{self.operation}, {kept}, {'open' if self.open_loop else 'closed'} loop"


@dataclass(frozen=True)
class Row:
    """How one system did. `outcome` is None if it could not be measured; `note` says why."""

    cell: Cell
    system: str
    outcome: Outcome | None
    note: str = ""


@dataclass
class Comparison:
    rows: list[Row] = field(default_factory=list)
    promises: dict[tuple[str, bool], str] = field(default_factory=dict)  # By system and durability.
    notes: list[str] = field(default_factory=list)
    copies: int = 1  # Disks that each waits for, as far as it can be told to.

    def row(self, cell: Cell, system: str) -> Row | None:
        return next((row for row in self.rows if (row.cell, row.system) == (cell, system)), None)

    def ratio(self, cell: Cell, system: str) -> float | None:
        """dynamo-node's throughput in parts of another's."""
        ours, other = self.row(cell, Dynamo.name), self.row(cell, system)
        if ours is None or other is None or ours.outcome is None or other.outcome is None:
            return None
        return ours.outcome.per_second / max(other.outcome.per_second, 1e-9)


def compare(
    node: Path,
    generator: Generator,
    folder: Path,
    on_step: Callable[[str], None],
    measured_s: float = 2.0,
    rounds: int = ROUNDS,
) -> Comparison:
    """All of it. `folder` is on the disk that durable stores write to."""
    result = Comparison(copies=quorums(node_defaults(node))[1])
    for durable in (True, False):
        where = folder if durable else TMPFS
        kind = file_system_of(where)
        if durable and kind in ("tmpfs", "ramfs"):
            result.notes.append(f"{where} is in memory ({kind}): nothing here was durable")
        if not durable and kind != "tmpfs":
            result.notes.append(f"{TMPFS} is no tmpfs here: what is in memory was not measured")
            continue
        systems: list[System] = [
            Dynamo(SIZE, where, durable, node),
            Etcd(SIZE, where, durable),
            Redis(SIZE, where, durable, result.copies),
        ]
        _compare(result, systems, durable, generator, on_step, measured_s, rounds)
    return result


def _compare(
    result: Comparison,
    systems: Sequence[System],
    durable: bool,
    generator: Generator,
    on_step: Callable[[str], None],
    measured_s: float,
    rounds: int,
) -> None:
    with contextlib.ExitStack() as stack:
        ready: list[System] = []
        absent: dict[str, str] = {}
        prefixes: dict[str, str] = {}
        for system in systems:
            on_step(f"{system.name} starts")
            result.promises[system.name, durable] = system.promise
            try:
                if missing := system.missing():
                    raise GraderTrouble(missing)
                stack.enter_context(system)
                prefixes[system.name] = generator.fill(system, KEYS, Load("get").value_bytes)
                ready.append(system)
            except GraderTrouble as trouble:
                absent[system.name] = str(trouble)
        for operation in ("put", "get"):
            rate = 0.0
            for open_loop in (False, True):
                cell = Cell(operation, durable, open_loop)
                load = Load(operation, measured_s=measured_s, per_second=rate if open_loop else 0.0)
                on_step(cell.name)
                outcomes = _take_turns(ready, load, generator, prefixes, rounds, absent)
                note = f"{rate:,.0f}/s offered" if open_loop else ""
                for system in systems:
                    got = outcomes.get(system.name)
                    why = absent.get(system.name, "") if got is None else _failures(got) or note
                    result.rows.append(Row(cell, system.name, got, why))
                rate = OPEN_SHARE * min((o.per_second for o in outcomes.values()), default=0.0)
                if rate == 0.0:
                    break


def _take_turns(
    ready: Sequence[System],
    load: Load,
    generator: Generator,
    prefixes: dict[str, str],
    rounds: int,
    absent: dict[str, str],
) -> dict[str, Outcome]:
    """A system that fails drops out, with the reason."""
    outcomes: dict[str, list[Outcome]] = {}
    for _ in range(rounds):
        for system in ready:
            if system.name in absent:
                continue
            prefix = prefixes[system.name] if load.operation == "get" else ""
            try:
                got = generator.run(system, load, KEYS, prefix)
            except GraderTrouble as trouble:
                absent[system.name] = str(trouble)
                outcomes.pop(system.name, None)
                continue
            outcomes.setdefault(system.name, []).append(got)
    return {name: median(all_of) for name, all_of in outcomes.items()}


def _failures(outcome: Outcome) -> str:
    return f"{outcome.failed} failed, first: {outcome.first_error}" if outcome.failed else ""
