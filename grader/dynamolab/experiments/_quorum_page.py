"""Plots and page of the quorum experiment."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dynamolab.experiments import _page as shared

if TYPE_CHECKING:
    from dynamolab.experiments.quorum import Row

HEADS = ("R, W", "put 50 %", "99 %", "get 50 %", "99 %", "stale", "bound", "puts done", "gets done")


def _name(row: Row) -> str:
    return f"{row.r}, {row.w}"


def _cells(row: Row) -> tuple[str, ...]:
    times = (*row.put_ms, *row.get_ms)
    shares = (row.stale, row.bound, row.puts_done, row.gets_done)
    return (_name(row), *(f"{ms:.1f} ms" for ms in times), *(f"{share:.1%}" for share in shares))


def _plot(rows: Sequence[Row]) -> Any:
    figure, (times, stale, done) = shared.pyplot().subplots(
        1, 3, figsize=(11.5, 4.4), layout="constrained"
    )
    places = range(len(rows))

    def pair(axes: Any, label: str, colour: str, values: Sequence[float], shift: float) -> None:
        axes.bar([at + shift for at in places], values, width=0.38, color=colour, label=label)

    pair(times, "put, 50 %", shared.GREEN, [row.put_ms[0] for row in rows], -0.2)
    pair(times, "get, 50 %", shared.BLUE, [row.get_ms[0] for row in rows], 0.2)
    times.plot(places, [row.put_ms[1] for row in rows], "v", color=shared.GREEN, label="put, 99 %")
    times.plot(places, [row.get_ms[1] for row in rows], "^", color=shared.BLUE, label="get, 99 %")
    times.set_title("Latency, ms")
    pair(stale, "measured", shared.RED, [row.stale for row in rows], -0.2)
    pair(stale, "bound", shared.ORANGE, [row.bound for row in rows], 0.2)
    stale.set_title("Gets that miss the put just before")
    pair(done, "puts", shared.GREEN, [row.puts_done for row in rows], -0.2)
    pair(done, "gets", shared.BLUE, [row.gets_done for row in rows], 0.2)
    done.set_title("Answered while nodes come and go")
    for axes in (times, stale, done):
        axes.set_xticks(list(places), [_name(row) for row in rows])
        axes.set_xlabel("R, W")
        axes.grid(axis="y", alpha=0.3)
        axes.set_ylim(0, axes.get_ylim()[1] * 1.2)  # Room for the legend above all bars.
        axes.legend(frameon=False, fontsize="small", loc="upper left", ncols=2)
    return figure


def write(folder: Path, rows: Sequence[Row], arguments: argparse.Namespace) -> Path:
    """Writes quorum.svg and .png, and index.html with plots and table; the page's path."""
    parts = (
        f"<p>A simulated store of five nodes, N = 3, strict. {arguments.operations} puts for each pair, each "
        "followed at once by a get of the same key at another node; messages take 1 to 20 ms. Then as many "
        "of each while nodes die and come back, each of them away for a fifth of the time.</p>",
        shared.drawn(_plot(rows), folder, "quorum"),
        shared.table(["".join(f"<th>{head}</th>" for head in HEADS)], [_cells(row) for row in rows]),
        "<p>The bound is C(N−W, R) / C(N, R): how likely R hosts, drawn at random, are none of the W that "
        "held the put when it was acknowledged. It is 0 where R + W &gt; N.</p>",
    )
    return shared.write(folder, "What R and W cost and buy", parts)


def summary(rows: Sequence[Row]) -> str:
    """The table for the terminal."""
    lines = ["".join(f"{cell:>11}" for cell in row) for row in (HEADS, *map(_cells, rows))]
    return "\n".join(lines)
