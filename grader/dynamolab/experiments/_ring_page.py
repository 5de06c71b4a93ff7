"""Plots and page of the ring experiment."""

from __future__ import annotations

import html
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dynamolab.experiments import _page as shared

if TYPE_CHECKING:
    from dynamolab.experiments.ring import Point, Series

COLOURS = (shared.RED, shared.ORANGE, shared.BLUE)
MARKERS = ("o", "s", "^")
SHOWN_HOSTS = (2, 3, 4, 8, 16, 32, 64, 128, 256)


def _plot(title: str, label: str, lines: Sequence[tuple[str, list[Point]]], ideal: str) -> Any:
    """One picture with logarithmic axes. ``ideal`` is what a perfect scheme would reach: 1 or 1/S."""
    figure, axes = shared.pyplot().subplots(figsize=(8, 4.6), layout="constrained")
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
    axes.plot(
        hosts, perfect, color=shared.INK, linestyle=":", linewidth=1.2, label=f"ideal: {ideal}"
    )
    axes.set_title(title)
    axes.set_xlabel("hosts")
    axes.set_ylabel(label)
    axes.set_xscale("log", base=2)
    axes.set_yscale("log", base=2)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:.3g}")
    axes.yaxis.set_major_formatter(
        lambda value, _: f"{value:.3g}" if ideal == "1" else f"{value:.1%}"
    )
    if ideal != "1":  # A lucky token moves next to nothing: no reason to squeeze all the rest.
        axes.set_ylim(bottom=perfect[-1] / 4)
    axes.grid(alpha=0.3)
    axes.legend(frameon=False, loc="upper left" if ideal == "1" else "lower left")
    return figure


def _table(measured: Sequence[Series]) -> str:
    names = "".join(f"<th>{html.escape(one.scheme)}</th>" for one in measured)
    heads = (
        f'<th rowspan="2">hosts</th><th colspan="{len(measured)}">fullest host / mean</th>'
        f'<th colspan="{len(measured)}">moved by the last join</th><th rowspan="2">1/S</th>',
        names + names,
    )
    rows = [
        (
            str(point.hosts),
            *(f"{one.imbalance[index].median:.2f}" for one in measured),
            *(f"{one.moved[index].median:.1%}" for one in measured),
            f"{1 / point.hosts:.1%}",
        )
        for index, point in enumerate(measured[0].imbalance)
        if point.hosts in SHOWN_HOSTS
    ]
    return shared.table(heads, rows)


def write(folder: Path, measured: Sequence[Series], trials: int) -> Path:
    """Writes imbalance and moved as SVG and PNG, and index.html with both; the page's path."""
    imbalance = _plot(
        "Load of the fullest host",
        "times the mean",
        [(one.scheme, one.imbalance) for one in measured],
        ideal="1",
    )
    moved = _plot(
        "Keys that move when one host joins",
        "share of all keys",
        [(one.scheme, one.moved) for one in measured],
        ideal="1/S",
    )
    parts = (
        f"<p>Hosts join one by one. Tokens: median of {trials} choices of names, with the best and the "
        "worst shaded. Static vnodes: the ring of the solution. Both axes are logarithmic.</p>",
        shared.drawn(imbalance, folder, "imbalance"),
        shared.drawn(moved, folder, "moved"),
        _table(measured),
        "<p>One token: few, uneven arcs, and no remedy but luck. Many tokens: even on average, and each"
        " host's share is still random. Static vnodes: equal by construction, and a join moves whole"
        " vnodes, just as many as the newcomer should hold (P§6.2).</p>",
    )
    return shared.write(folder, "The ring: load and movement", parts)


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
    return "Load of the fullest host over the mean · keys moved by the last join\n" + "\n".join(
        lines
    )
