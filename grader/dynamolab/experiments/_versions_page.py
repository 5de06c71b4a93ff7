"""Plot and page of the versions experiment."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dynamolab.experiments import _page as shared

if TYPE_CHECKING:
    from dynamolab.experiments.versions import Row

COLOURS = {1: shared.GREEN, 2: shared.BLUE, 3: shared.ORANGE, 4: shared.RED, 5: shared.VIOLET}
MARKERS = {1: "o", 2: "s", 3: "^", 4: "D", 5: "v"}
# Of all requests in 24 hours (lecture, "Object Versioning Experience"; P§6.3); 99.941 % in all.
AMAZON = {1: 0.9994, 2: 0.0000057, 3: 0.0000047, 4: 0.0000009}
NAMES = {1: "1 version", 2: "2 versions", 3: "3 versions", 4: "4 versions", 5: "5 or more"}


def _percent(fraction: float) -> str:
    """Never "0.00 %" for what was seen."""
    return "–" if fraction == 0 else f"{fraction:.2%}" if fraction >= 0.0001 else f"{fraction:.5%}"


def _plot(rows: Sequence[Row]) -> Any:
    figure, axes = shared.pyplot().subplots(figsize=(8, 5.2), layout="constrained")
    for versions, name in NAMES.items():
        seen = [(row.clients, row.fraction(versions)) for row in rows if row.saw[versions]]
        if seen:
            axes.plot(
                [clients for clients, _ in seen],
                [fraction for _, fraction in seen],
                color=COLOURS[versions],
                marker=MARKERS[versions],
                markersize=4,
                linewidth=1.4,
                label=name,
            )
        if versions in AMAZON:
            axes.axhline(AMAZON[versions], color=COLOURS[versions], linestyle=":", linewidth=1)
    axes.plot([], [], color=shared.INK, linestyle=":", linewidth=1, label="Amazon, 24 hours")
    axes.set_title("How many versions a read sees")
    axes.set_xlabel("clients that read and write the key")
    axes.set_ylabel("fraction of the reads")
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.set_ylim(3e-7, 1.6)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:.3g}")
    axes.grid(alpha=0.3)
    axes.legend(frameon=False, loc="center right")
    return figure


def _table(rows: Sequence[Row]) -> str:
    head = "<th>clients</th>" + "".join(f"<th>{name}</th>" for name in NAMES.values())
    cells = [
        (str(row.clients), *(_percent(row.fraction(versions)) for versions in NAMES))
        for row in rows
    ]
    cells.append(("Amazon", *(f"{AMAZON[k]:.5%}" if k in AMAZON else "not told" for k in NAMES)))
    return shared.table((head,), cells)


def write(folder: Path, rows: Sequence[Row], arguments: argparse.Namespace) -> Path:
    """Writes versions.svg and .png, and index.html with plot and table; the page's path."""
    parts = (
        f"<p>Clients share one key of a simulated store of three nodes, and use {arguments.nodes} of them. "
        f"Each reads, thinks {arguments.think_ms} ms, puts with what it has read, and pauses "
        f"{arguments.pause_ms} ms, on average. {arguments.reads} reads a row. Both axes are logarithmic; "
        "what was never seen has no point.</p>",
        shared.drawn(_plot(rows), folder, "versions"),
        _table(rows),
        "<p>Amazon's four numbers add up to 99.941 %; what the rest saw is not told. They are of all "
        "keys, most of which nobody writes at the same time; here everybody wants the same one.</p>",
    )
    return shared.write(folder, "How many versions a read sees", parts)


def summary(rows: Sequence[Row]) -> str:
    """The table for the terminal."""
    lines = [f"{'clients':>8}" + "".join(f"{name:>12}" for name in NAMES.values())]
    for row in rows:
        cells = (f"{_percent(row.fraction(versions)):>12}" for versions in NAMES)
        lines.append(f"{row.clients:>8}" + "".join(cells))
    told = (f"{AMAZON[k]:.5%}" if k in AMAZON else "not told" for k in NAMES)
    lines.append(f"{'Amazon':>8}" + "".join(f"{one:>12}" for one in told))
    return "Reads that saw …\n" + "\n".join(lines)
