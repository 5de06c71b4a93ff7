"""Plots and page of the transfer experiment."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dynamolab.errors import LabError

if TYPE_CHECKING:
    from dynamolab.experiments.transfer import Moved, Row

LINES = (
    ("must", "what must move", "#2f7d4f", "o"),
    ("states", "states that were sent", "#2b6cb0", "s"),
    ("all", "every message", "#b23a3a", "^"),
)
CHANGES = (("join", "a node joins"), ("leave", "a node leaves"))

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; color: #1f2933; }
body { margin: 2rem auto; max-width: 60rem; padding: 0 1rem; }
table { border-collapse: collapse; margin: 1rem 0; }
th, td { border-bottom: 1px solid #cbd2d9; padding: .3rem .8rem; text-align: right; }
svg { max-width: 100%; height: auto; }
"""


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
    try:
        import matplotlib
    except ImportError:
        raise LabError(
            "the plot needs matplotlib: apt install python3-matplotlib (or pip install matplotlib)"
        ) from None
    matplotlib.use("Agg")
    matplotlib.rcParams["svg.hashsalt"] = "dynamo labs"  # The same picture from the same numbers.
    from matplotlib import pyplot

    figure, both = pyplot.subplots(1, 2, figsize=(9, 4.2), layout="constrained", sharey=True)
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
    head = "".join(f"<th colspan=4>{title}</th>" for _, title in CHANGES)
    names = "".join("<th>must</th><th>states</th><th>all</th><th>all / must</th>" for _ in CHANGES)
    body = "".join(f"<tr><td>{'</td><td>'.join(_cells(row))}</td></tr>" for row in rows)
    return f"<table><tr><th></th>{head}</tr><tr><th>members</th>{names}</tr>{body}</table>"


def write(folder: Path, rows: Sequence[Row], arguments: argparse.Namespace) -> Path:
    """Writes transfer.svg and .png, and index.html with plots and table; the page's path."""
    folder.mkdir(parents=True, exist_ok=True)
    figure = _plot(rows)
    figure.savefig(folder / "transfer.png", dpi=120)
    figure.savefig(folder / "transfer.svg", metadata={"Date": None})
    drawing = (folder / "transfer.svg").read_text(encoding="utf-8")
    page = (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>Experiment: transfer</title>'
        f"<style>{_STYLE}</style><h1>What a join and a leave move</h1>"
        f"<p>A simulated store at rest, N = 3, holds {arguments.keys} keys with values of "
        f"{arguments.value_bytes} bytes. One node joins; then another one leaves. Bytes are given as a share "
        "of all copies that the store holds.</p>"
        f"<figure>{drawing[drawing.index('<svg') :]}</figure>{_table(rows)}"
        "<p><b>must</b>: a copy of each key for each owner that did not have it before. <b>states</b>: "
        "copies with their states that were sent. <b>all</b>: every Update, AskTransfer and SentAll, and "
        "their replies.</p></html>\n"
    )
    index = folder / "index.html"
    index.write_text(page, encoding="utf-8")
    return index


def summary(rows: Sequence[Row]) -> str:
    """The table for the terminal."""
    lines = [" " * 8 + "".join(f"{title:^32}" for _, title in CHANGES).rstrip()]
    lines.append(f"{'members':>8}" + f"{'must':>8}{'states':>8}{'all':>8}{'cost':>8}" * len(CHANGES))
    lines += ["".join(f"{cell:>8}" for cell in _cells(row)) for row in rows]
    return "Bytes moved, in % of all copies; cost: all / must\n" + "\n".join(lines)
