"""Plots and page of the transfer experiment."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dynamolab.experiments import _page as shared

if TYPE_CHECKING:
    from dynamolab.experiments.transfer import Moved, Row

LINES = (
    ("must", "what must move", shared.GREEN, "o"),
    ("states", "states that were sent", shared.BLUE, "s"),
    ("all", "every message", shared.RED, "^"),
)
CHANGES = (("join", "a node joins"), ("leave", "a node leaves"))


def _moved(row: Row, change: str) -> Moved:
    return row.join if change == "join" else row.leave


def _cells(row: Row) -> list[str]:
    """Shares of all copies; and what a byte that had to move cost."""
    cells = [str(row.members)]
    for change, _ in CHANGES:
        moved = _moved(row, change)
        cells += [f"{row.share(number):.1%}" for number in (moved.must, moved.states, moved.all)]
        cells.append(f"{moved.all / moved.must:.2f}" if moved.must else "–")
    return cells


def _plot(rows: Sequence[Row]) -> Any:
    figure, both = shared.pyplot().subplots(
        1, 2, figsize=(9, 4.2), layout="constrained", sharey=True
    )
    for axes, (change, title) in zip(both, CHANGES, strict=True):
        for name, label, colour, marker in LINES:
            axes.plot(
                [row.members for row in rows],
                [100 * row.share(getattr(_moved(row, change), name)) for row in rows],
                color=colour,
                marker=marker,
                markersize=4,
                linewidth=1.4,
                label=label,
            )
        axes.set_title(title)
        axes.set_xlabel("members without that node")
        axes.set_ylim(bottom=0)
        axes.grid(alpha=0.3)
    both[0].set_ylabel("bytes, in % of all copies")
    both[1].legend(frameon=False)
    return figure


def _table(rows: Sequence[Row]) -> str:
    titles = "".join(f'<th colspan="4">{title}</th>' for _, title in CHANGES)
    names = "<th>must</th><th>states</th><th>all</th><th>all / must</th>" * len(CHANGES)
    return shared.table(
        (f'<th rowspan="2">members</th>{titles}', names), [_cells(row) for row in rows]
    )


def write(folder: Path, rows: Sequence[Row], arguments: argparse.Namespace) -> Path:
    """Writes transfer.svg and .png, and index.html with plots and table; the page's path."""
    parts = (
        f"<p>A simulated store at rest, N = 3, holds {arguments.keys} keys with values of "
        f"{arguments.value_bytes} bytes. One node joins; then another one leaves. Bytes are given as a share "
        "of all copies that the store holds.</p>",
        shared.drawn(_plot(rows), folder, "transfer"),
        _table(rows),
        "<p><b>must</b>: a copy of each key for each owner that did not have it before. <b>states</b>: "
        "copies with their states that were sent. <b>all</b>: every Update, AskTransfer and SentAll, and "
        "their replies.</p>",
    )
    return shared.write(folder, "What a join and a leave move", parts)


def summary(rows: Sequence[Row]) -> str:
    """The table for the terminal."""
    lines = [" " * 8 + "".join(f"{title:^32}" for _, title in CHANGES).rstrip()]
    lines.append(
        f"{'members':>8}" + f"{'must':>8}{'states':>8}{'all':>8}{'cost':>8}" * len(CHANGES)
    )
    lines += ["".join(f"{cell:>8}" for cell in _cells(row)) for row in rows]
    return "Bytes moved, in % of all copies; cost: all / must\n" + "\n".join(lines)
