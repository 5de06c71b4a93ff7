"""Traces for ShiViz (https://bestchai.bitbucket.io/shiviz/): a log with vector clocks, and the regular
expression that reads it. Two lines an event: the event in words, then its host and its clock as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dynamolab.viewer import model

# On the log's first line, and ShiViz's own default; the second line, which parts executions, is empty.
EXPRESSION = r"(?<event>.*)\n(?<host>\S*) (?<clock>{.*})"
OUTSIDE = "cluster"  # The host of what happens to no node in particular.


def log_of(steps: Sequence[dict[str, Any]]) -> str:
    """The log. A host counts its own events; a receive joins the clock of its send; so one event is before
    another exactly if messages lead from it to the other."""
    sent_by = {arrow.received: arrow.sent for arrow in model.arrows_of(steps) if arrow.received is not None}
    clocks: dict[str, dict[str, int]] = {}
    at_send: dict[int, dict[str, int]] = {}
    lines = [EXPRESSION, ""]
    for index, step in enumerate(steps):
        host = _host(step)
        clock = clocks.setdefault(host, {})
        for other, count in at_send.get(sent_by.get(index, -1), {}).items():
            clock[other] = max(clock.get(other, 0), count)
        clock[host] = clock.get(host, 0) + 1
        if step["event"] == "send":
            at_send[index] = dict(clock)
        words = " ".join(str(step.get("words") or step["event"]).split())
        lines += [f"{step.get('moment', '')} {words}".strip(), f"{host} {json.dumps(clock)}"]
    return "\n".join(lines) + "\n"


def _host(step: dict[str, Any]) -> str:
    """ShiViz's hosts are words without a space."""
    return "".join(str(step.get("node") or OUTSIDE).split()) or OUTSIDE


def write_shiviz(trace: Path, out: Path) -> None:
    """LabError if the trace cannot be read, OSError if the log cannot be written."""
    steps, _, _ = model.parted(model.read_trace(trace)[0])
    out.write_text(log_of(steps), encoding="utf-8")
