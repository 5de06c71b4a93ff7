"""Plots and page of the gossip experiment."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dynamolab.experiments import _page as shared

if TYPE_CHECKING:
    from dynamolab.experiments.gossip import Row

LINES = (
    ("worst", "worst, measured", shared.RED, "^-"),
    ("mean", "mean, measured", shared.BLUE, "o-"),
    ("push_alone", "theory, push alone: log₂ n + ln n", shared.ORANGE, "--"),
    ("both_ways", "theory, both ways: log₃ n (leading term)", shared.GREEN, "--"),
)
HEADS = ("nodes", "events", "mean", "worst", "log₃ n", "log₂ n + ln n")


def _cells(row: Row) -> list[str]:
    return [
        str(row.members),
        str(len(row.rounds)),
        f"{row.mean:.1f}",
        str(row.worst),
        f"{row.both_ways:.1f}",
        f"{row.push_alone:.1f}",
    ]


def _plot(rows: Sequence[Row]) -> Any:
    figure, (sizes, spread) = shared.pyplot().subplots(1, 2, figsize=(9, 4.2), layout="constrained")
    for name, label, colour, style in LINES:
        sizes.plot(
            [row.members for row in rows],
            [getattr(row, name) for row in rows],
            style,
            color=colour,
            markersize=4,
            linewidth=1.4,
            label=label,
        )
    sizes.set_xscale("log", base=2)
    sizes.set_xlabel("nodes")
    sizes.set_ylabel("rounds until all know")
    sizes.set_ylim(bottom=0)
    sizes.legend(frameon=False, fontsize=8)
    largest = rows[-1]
    for one in largest.knowers:
        spread.plot(
            range(len(one)),
            [100 * knowing / largest.members for knowing in one],
            color=shared.BLUE,
            alpha=0.35,
            linewidth=1.0,
        )
    spread.set_title(f"{largest.members} nodes, a line for each event")
    spread.set_xlabel("round")
    spread.set_ylabel("nodes that know, in %")
    for axes in (sizes, spread):
        axes.grid(alpha=0.3)
    return figure


def write(folder: Path, rows: Sequence[Row], arguments: argparse.Namespace) -> Path:
    """Writes gossip.svg and .png, and index.html with plots and table; the page's path."""
    heads = "".join(f"<th>{head}</th>" for head in HEADS)
    parts = (
        "<p>Simulated nodes with membership alone, which begin with one image of a disk: as many joins as "
        f"there are nodes. {arguments.events} times (with more nodes fewer, see the table), one change is "
        "made at one of them, and all are asked once a gossip period who knows it.</p>",
        shared.drawn(_plot(rows), folder, "gossip"),
        shared.table((heads,), [_cells(row) for row in rows]),
        "<p><b>log₃ n</b>: news told both ways, where each round roughly triples the knowers; the "
        "leading term, to which O(log log n) rounds are added (Karp, Schindelhauer, Shenker, Vöcking: "
        "Randomized Rumor Spreading, FOCS 2000). <b>log₂ n + ln n</b>: news only pushed (Pittel: On "
        "Spreading a Rumor, 1987). Both speak of rounds in step. Here each node has a beat of its own, "
        "so that news can travel more than one hop in a round.</p>"
        "<p>Every node holds the whole history, n events for n nodes, so memory would grow with n²: the "
        "reference would need some 50 GB for 10,000 nodes. Beyond 1,024 nodes each has a process of its "
        "own, and what is the same in many of them, page by page, is in memory once: 10,000 take less than "
        "5 GB. The nodes are the same as ever, and so is every round of them.</p>",
    )
    return shared.write(folder, "Rounds of gossip", parts)


def summary(rows: Sequence[Row]) -> str:
    """The table for the terminal."""
    lines = ["".join(f"{head:>15}" for head in HEADS)]
    lines += ["".join(f"{cell:>15}" for cell in _cells(row)) for row in rows]
    return "Rounds of gossip until all know one new event\n" + "\n".join(lines)
