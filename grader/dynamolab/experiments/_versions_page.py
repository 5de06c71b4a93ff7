"""Plot and page of the versions experiment."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dynamolab.errors import LabError

if TYPE_CHECKING:
    from dynamolab.experiments.versions import Row

COLOURS = {1: "#2f7d4f", 2: "#2b6cb0", 3: "#c77d1a", 4: "#b23a3a", 5: "#6b3a8c"}
MARKERS = {1: "o", 2: "s", 3: "^", 4: "D", 5: "v"}
# Of all requests in 24 hours (lecture, "Object Versioning Experience"; P§6.3); 99.941 % in all.
AMAZON = {1: 0.9994, 2: 0.0000057, 3: 0.0000047, 4: 0.0000009}
NAMES = {1: "1 version", 2: "2 versions", 3: "3 versions", 4: "4 versions", 5: "5 or more"}

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; color: #1f2933; }
body { margin: 2rem auto; max-width: 60rem; padding: 0 1rem; }
table { border-collapse: collapse; margin: 1rem 0; }
th, td { border-bottom: 1px solid #cbd2d9; padding: .3rem .8rem; text-align: right; }
th:first-child, td:first-child { text-align: left; }
svg { max-width: 100%; height: auto; }
"""


def _percent(fraction: float) -> str:
    """Never "0.00 %" for what was seen."""
    return "–" if fraction == 0 else f"{fraction:.2%}" if fraction >= 0.0001 else f"{fraction:.5%}"


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

    figure, axes = pyplot.subplots(figsize=(8, 5.2), layout="constrained")
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
    axes.plot([], [], color="#1f2933", linestyle=":", linewidth=1, label="Amazon, 24 hours")
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
    head = "".join(f"<th>{name}</th>" for name in NAMES.values())
    cells = [
        (str(row.clients), *(_percent(row.fraction(versions)) for versions in NAMES)) for row in rows
    ]
    cells.append(("Amazon", *(f"{AMAZON[k]:.5%}" if k in AMAZON else "not told" for k in NAMES)))
    body = "".join(f"<tr><td>{'</td><td>'.join(row)}</td></tr>" for row in cells)
    return f"<table><tr><th>clients</th>{head}</tr>{body}</table>"


def write(folder: Path, rows: Sequence[Row], arguments: argparse.Namespace) -> Path:
    """Writes versions.svg and .png, and index.html with plot and table; the page's path."""
    folder.mkdir(parents=True, exist_ok=True)
    figure = _plot(rows)
    figure.savefig(folder / "versions.png", dpi=120)
    figure.savefig(folder / "versions.svg", metadata={"Date": None})
    drawing = (folder / "versions.svg").read_text(encoding="utf-8")
    page = (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>Experiment: versions</title>'
        f"<style>{_STYLE}</style><h1>How many versions a read sees</h1>"
        f"<p>Clients share one key of a simulated store of three nodes, and use {arguments.nodes} of them. "
        f"Each reads, thinks {arguments.think_ms} ms, puts with what it has read, and pauses "
        f"{arguments.pause_ms} ms, on average. {arguments.reads} reads a row. Both axes are logarithmic; "
        "what was never seen has no point.</p>"
        f"<figure>{drawing[drawing.index('<svg') :]}</figure>{_table(rows)}"
        "<p>Amazon's four numbers add up to 99.941 %; what the rest saw is not told. They are of all "
        "keys, most of which nobody writes at the same time; here everybody wants the same one.</p>"
        "</html>\n"
    )
    index = folder / "index.html"
    index.write_text(page, encoding="utf-8")
    return index


def summary(rows: Sequence[Row]) -> str:
    """The table for the terminal."""
    lines = [f"{'clients':>8}" + "".join(f"{name:>12}" for name in NAMES.values())]
    for row in rows:
        cells = (f"{_percent(row.fraction(versions)):>12}" for versions in NAMES)
        lines.append(f"{row.clients:>8}" + "".join(cells))
    told = (f"{AMAZON[k]:.5%}" if k in AMAZON else "not told" for k in NAMES)
    lines.append(f"{'Amazon':>8}" + "".join(f"{one:>12}" for one in told))
    return "Reads that saw …\n" + "\n".join(lines)
