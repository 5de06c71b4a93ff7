"""What was measured, as figures for the JSON document and as tables for a person."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from dynamolab import ui
from dynamolab.bench import Figure, Goal

from .compare import Cell, Comparison
from .load import Outcome
from .scaling import Point
from .systems import Dynamo, Etcd, Redis

# The aims. Redis answers gets from its primary's memory and has no quorum to ask: no aim.
RATIO_GOALS = {
    (Cell("put", durable=True), Etcd.name): Goal(3.0, at_least=True),
    (Cell("get", durable=True), Etcd.name): Goal(3.0, at_least=True),
    (Cell("put", durable=True), Redis.name): Goal(0.5, at_least=True),
}


def ratios(comparison: Comparison) -> Iterator[Figure]:
    """dynamo-node's throughput over the others', closed loop."""
    cells = {row.cell: None for row in comparison.rows if not row.cell.open_loop}
    for cell in cells:
        for other in (Etcd.name, Redis.name):
            value = comparison.ratio(cell, other)
            goal = RATIO_GOALS.get((cell, other)) if value is not None else None
            note = "" if value is not None else _why_not(comparison, cell, other)
            yield Figure(f"{cell.name}: dynamo-node over {other}", value, "×", goal, note)


def _why_not(comparison: Comparison, cell: Cell, other: str) -> str:
    rows = (comparison.row(cell, Dynamo.name), comparison.row(cell, other))
    return "; ".join(row.note for row in rows if row and row.outcome is None)


def figures(comparison: Comparison | None, points: Sequence[Point]) -> list[Figure]:
    """Everything, for the JSON document."""
    found: list[Figure] = []
    if comparison is not None:
        found += ratios(comparison)
        for row in comparison.rows:
            promise = comparison.promises.get((row.system, row.cell.durable), "")
            note = "; ".join(text for text in (row.note, promise) if text)
            found += _of_outcome(f"{row.cell.name}: {row.system}", row.outcome, note)
    for point in points:
        found += _of_outcome(point.name, point.outcome, point.note)
    return found


def _of_outcome(name: str, outcome: Outcome | None, note: str) -> Iterator[Figure]:
    yield Figure(name, outcome.per_second if outcome else None, "1/s", None, note)
    if outcome is not None:
        yield Figure(f"{name}, p50", outcome.p50_ms, "ms")
        yield Figure(f"{name}, p99", outcome.p99_ms, "ms")
        yield Figure(f"{name}, p99.9", outcome.p99_9_ms, "ms")
        yield Figure(f"{name}, cores' time an answer", outcome.cpu_us, "µs")


def show(comparison: Comparison | None, points: Sequence[Point]) -> None:
    console = ui.console()
    if comparison is not None:
        console.print(_comparison_table(comparison))
        for (system, durable), promise in comparison.promises.items():
            kept = "durable" if durable else "in memory"
            console.print(ui.harmless(f"  {system}, {kept}: {promise}"), markup=False)
        for note in comparison.notes:
            console.print(ui.harmless(f"  {note}"), markup=False, style="magenta")
    if points:
        console.print(_points_table(points))


def _table(title: str, columns: Sequence[str]):  # type: ignore[no-untyped-def]
    from rich.table import Table

    table = Table(title=title, title_justify="left", title_style="bold")
    for name in columns:
        table.add_column(name, overflow="fold")
    for name in ("1/s", "p50 ms", "p99 ms", "p99.9 ms", "CPU µs"):
        table.add_column(name, justify="right")
    return table


def _cells_of(outcome: Outcome | None) -> list[str]:
    if outcome is None:
        return ["–"] * 5
    latencies = (outcome.p50_ms, outcome.p99_ms, outcome.p99_9_ms)
    return [
        f"{outcome.per_second:,.0f}",
        *(f"{latency:.2f}" for latency in latencies),
        f"{outcome.cpu_us:.0f}",
    ]


def _comparison_table(comparison: Comparison):  # type: ignore[no-untyped-def]
    from rich.text import Text

    title = "Three nodes, 100-byte values, 64 connections, all on the same cores"
    table = _table(title, ["what", "system"])
    before = None
    for row in comparison.rows:
        if before is not None and before != row.cell:
            table.add_section()
        system = Text(row.system)
        if row.note and (row.outcome is None or row.outcome.failed):
            system.append(f"\n{ui.harmless(row.note)}", "magenta")
        what = row.cell.name if before != row.cell else ""
        if what and row.cell.open_loop and row.outcome is not None:
            what += f"\n{row.note}" if not row.outcome.failed else ""
        cells = _cells_of(row.outcome)
        if row.cell.open_loop:
            cells[-1] = ""  # At such a rate it is heartbeats more than answers.
        table.add_row(Text(what), system, *cells)
        before = row.cell
    return table


def _points_table(points: Sequence[Point]):  # type: ignore[no-untyped-def]
    from rich.text import Text

    title = "dynamo-node, durable, closed loop"
    table = _table(title, ["operation", "nodes", "connections", "bytes"])
    for point in sorted(points, key=lambda p: (p.operation != "put",)):
        operation = Text(point.operation)
        if point.note:
            operation.append(f"\n{ui.harmless(point.note)}", "magenta")
        setting = (point.nodes, point.connections, point.value_bytes)
        table.add_row(operation, *(f"{n:,}" for n in setting), *_cells_of(point.outcome))
    return table
