"""Plots and page of the ring experiment."""

from __future__ import annotations

import html
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dynamolab.errors import LabError

if TYPE_CHECKING:
    from dynamolab.experiments.ring import Point, Series

COLOURS = ("#b23a3a", "#c77d1a", "#2b6cb0")
MARKERS = ("o", "s", "^")
SHOWN_HOSTS = (2, 3, 4, 8, 16, 32, 64, 128, 256)

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; color: #1f2933; }
body { margin: 2rem auto; max-width: 60rem; padding: 0 1rem; }
table { border-collapse: collapse; margin: 1rem 0; }
th, td { border-bottom: 1px solid #cbd2d9; padding: .3rem .8rem; text-align: right; }
th:first-child, td:first-child { text-align: left; }
svg { max-width: 100%; height: auto; }
"""


def _plot(
    title: str, label: str, lines: Sequence[tuple[str, list[Point]]], ideal: str
) -> Any:
    """One picture with logarithmic axes. ``ideal`` is what a perfect scheme would reach: 1 or 1/S."""
    try:
        import matplotlib
    except ImportError:
        raise LabError(
            "the plots need matplotlib: apt install python3-matplotlib (or pip install matplotlib)"
        ) from None
    matplotlib.use("Agg")
    matplotlib.rcParams["svg.hashsalt"] = "dynamo labs"  # The same picture from the same numbers.
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(8, 4.6), layout="constrained")
    for (name, points), colour, marker in zip(lines, COLOURS, MARKERS, strict=False):
        hosts = [point.hosts for point in points]
        axes.fill_between(
            hosts,
            [point.least for point in points],
            [point.most for point in points],
            color=colour,
            alpha=0.15,
            linewidth=0,
        )
        axes.plot(
            hosts,
            [point.median for point in points],
            color=colour,
            marker=marker,
            markersize=3.5,
            linewidth=1.4,
            label=name,
        )
    hosts = [point.hosts for point in lines[0][1]]
    perfect = [1.0 if ideal == "1" else 1 / count for count in hosts]
    axes.plot(hosts, perfect, color="#1f2933", linestyle=":", linewidth=1.2, label=f"ideal: {ideal}")
    axes.set_title(title)
    axes.set_xlabel("hosts")
    axes.set_ylabel(label)
    axes.set_xscale("log", base=2)
    axes.set_yscale("log", base=2)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:.3g}")
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:.3g}" if ideal == "1" else f"{value:.1%}")
    if ideal != "1":  # A lucky token moves next to nothing: no reason to squeeze all the rest.
        axes.set_ylim(bottom=perfect[-1] / 4)
    axes.grid(alpha=0.3)
    axes.legend(frameon=False, loc="upper left" if ideal == "1" else "lower left")
    return figure


def _table(measured: Sequence[Series]) -> str:
    head = "".join(f"<th>{html.escape(one.scheme)}</th>" for one in measured)
    rows = []
    for index, point in enumerate(measured[0].imbalance):
        if point.hosts not in SHOWN_HOSTS:
            continue
        cells = "".join(f"<td>{one.imbalance[index].median:.2f}</td>" for one in measured)
        moved = "".join(f"<td>{one.moved[index].median:.1%}</td>" for one in measured)
        rows.append(f"<tr><td>{point.hosts}</td>{cells}{moved}<td>{1 / point.hosts:.1%}</td></tr>")
    return (
        f'<table><tr><th rowspan="2">hosts</th><th colspan="{len(measured)}">fullest host / mean</th>'
        f'<th colspan="{len(measured)}">moved by the last join</th><th rowspan="2">1/S</th></tr>'
        f"<tr>{head}{head}</tr>{''.join(rows)}</table>"
    )


def write(folder: Path, measured: Sequence[Series], trials: int) -> Path:
    """Writes imbalance and moved as SVG and PNG, and index.html with both; the page's path."""
    folder.mkdir(parents=True, exist_ok=True)
    plots = {
        "imbalance": _plot(
            "Load of the fullest host",
            "times the mean",
            [(one.scheme, one.imbalance) for one in measured],
            ideal="1",
        ),
        "moved": _plot(
            "Keys that move when one host joins",
            "share of all keys",
            [(one.scheme, one.moved) for one in measured],
            ideal="1/S",
        ),
    }
    pictures = []
    for name, figure in plots.items():
        figure.savefig(folder / f"{name}.png", dpi=120)
        figure.savefig(folder / f"{name}.svg", metadata={"Date": None})
        drawing = (folder / f"{name}.svg").read_text(encoding="utf-8")
        pictures.append(drawing[drawing.index("<svg") :])
    page = (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>Experiment: the ring</title>'
        f"<style>{_STYLE}</style><h1>The ring: load and movement</h1>"
        f"<p>Hosts join one by one. Tokens: median of {trials} choices of names, with the best and the "
        "worst shaded. Static vnodes: the ring of the solution. Both axes are logarithmic.</p>"
        + "".join(f"<figure>{picture}</figure>" for picture in pictures)
        + _table(measured)
        + "<p>One token: few, uneven arcs, and no remedy but luck. Many tokens: even on average, and each"
        " host's share is still random. Static vnodes: equal by construction, and a join moves whole"
        " vnodes, just as many as the newcomer should hold (P§6.2).</p></html>\n"
    )
    index = folder / "index.html"
    index.write_text(page, encoding="utf-8")
    return index


def summary(measured: Sequence[Series]) -> str:
    """A few rows for the terminal."""
    width = max(len(one.scheme) for one in measured)
    lines = [f"{'hosts':>5}  " + "  ".join(f"{one.scheme:>{width}}" for one in measured)]
    for index, point in enumerate(measured[0].imbalance):
        if point.hosts in SHOWN_HOSTS:
            cells = (
                f"{one.imbalance[index].median:.2f} × · {one.moved[index].median:5.1%}"
                for one in measured
            )
            lines.append(f"{point.hosts:>5}  " + "  ".join(f"{cell:>{width}}" for cell in cells))
    return "Load of the fullest host over the mean · keys moved by the last join\n" + "\n".join(lines)
