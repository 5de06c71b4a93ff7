"""Plots and page of the sync experiment."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dynamolab.experiments import _page as shared

if TYPE_CHECKING:
    from dynamolab.experiments.sync import Measured, Row

LINES = (
    ("everything", "shipping everything", shared.RED, "^"),
    ("hashes", "shipping all hashes", shared.ORANGE, "v"),
    ("all", "the exchange", shared.BLUE, "s"),
    ("must", "the states that differ, once", shared.GREEN, "o"),
)
HEADS = ("keys", "differ", "roots", "nodes", "states", "exchange", "must", "hashes", "everything", "share")


def _cells(row: Row) -> list[str]:
    numbers = (row.keys, row.differences, row.roots, row.nodes, row.states, row.all, row.must)
    counted = [f"{number:,}" for number in (*numbers, row.hashes, row.everything)]
    return [*counted, f"{row.all / row.everything:.1%}"]


def _lines(axes: Any, rows: Sequence[Row], place: Callable[[Row], int]) -> None:
    for name, label, colour, marker in LINES:
        points = [(place(row), getattr(row, name)) for row in rows if getattr(row, name)]
        axes.plot(
            [at for at, _ in points],
            [number for _, number in points],
            color=colour,
            marker=marker,
            markersize=4,
            linewidth=1.4,
            label=label,
        )
    axes.set_yscale("log")
    axes.grid(alpha=0.3)


def _plot(measured: Measured) -> Any:
    figure, (differences, keys) = shared.pyplot().subplots(
        1, 2, figsize=(10, 4.4), layout="constrained", sharey=True
    )
    _lines(differences, measured.by_differences, lambda row: row.differences)
    differences.set_xscale("symlog", linthresh=1)
    differences.set_xlim(left=0)
    differences.set_title(f"{measured.by_differences[0].keys:,} keys")
    differences.set_xlabel("keys that differ")
    differences.set_ylabel("bytes")
    _lines(keys, measured.by_keys, lambda row: row.keys)
    keys.set_xscale("log")
    keys.set_title(f"{measured.by_keys[0].differences} keys differ")
    keys.set_xlabel("keys")
    keys.legend(frameon=False, fontsize="small")
    return figure


def _tables(measured: Measured) -> list[str]:
    head = ["".join(f"<th>{name}</th>" for name in HEADS)]
    return [
        shared.table(head, [_cells(row) for row in rows])
        for rows in (measured.by_differences, measured.by_keys)
    ]


def write(folder: Path, measured: Measured, arguments: argparse.Namespace) -> Path:
    """Writes sync.svg and .png, and index.html with plots and tables; the page's path."""
    parts = (
        "<p>Two simulated nodes with 16 vnodes hold the same keys, with values of "
        f"{arguments.value_bytes} bytes. While the network is cut, each of them writes half of those that "
        "differ then. It heals, and one of them begins an exchange. All numbers are bytes.</p>",
        shared.drawn(_plot(measured), folder, "sync"),
        *_tables(measured),
        "<p><b>roots</b>, <b>nodes</b>: of CompareRoots and AskNodes, requests and replies. <b>states</b>: "
        "of AskCopies and Update. <b>must</b>: the newer states, once. <b>hashes</b>: all keys with their "
        "hashes. <b>everything</b>: all keys with their states. <b>share</b>: the exchange, of everything. "
        "A key that both hold, each in another version, may move both ways: no hash tells which is "
        "newer.</p>",
    )
    return shared.write(folder, "What an exchange of trees costs", parts)


def summary(measured: Measured) -> str:
    """The tables for the terminal."""
    rows = [HEADS, *map(_cells, measured.by_differences), [""], *map(_cells, measured.by_keys)]
    return "\n".join("".join(f"{cell:>12}" for cell in row).rstrip() for row in rows)
