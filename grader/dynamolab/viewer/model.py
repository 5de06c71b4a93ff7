"""A trace as the viewer draws it: lanes, steps, and the arrows between sends and receives."""

from __future__ import annotations

import bisect
import json
import re
from collections import defaultdict, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dynamolab.errors import LabError

# Beyond, a page is a hundred megabytes; the last steps are those that a reader looks for.
MOST_STEPS = 50_000

_NUMBERED = re.compile(r"^\s*(?P<number>\d+)\. (?:(?P<moment>t=\d+\.\d+ s)  )?(?P<words>.*)$")


@dataclass(frozen=True)
class Arrow:
    """From a send to where its message was received, as indexes of steps; to None: nobody got it."""

    sent: int
    received: int | None


@dataclass(frozen=True)
class StoryLine:
    """A line of the story, and the step that it tells of, if one is known."""

    text: str
    step: int | None = None


def read_trace(path: Path) -> tuple[list[dict[str, Any]], int]:
    """The steps, and how many earlier ones were left out. LabError that names the file and the line."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise LabError(f"{path}: cannot be read: {error.strerror}") from error
    left_out = max(0, len(lines) - MOST_STEPS)
    steps = []
    for number, line in enumerate(lines[left_out:], start=left_out + 1):
        try:
            step = json.loads(line)
        except ValueError as error:
            raise LabError(f"{path}:{number}: is no JSON: {error}; give a .trace.jsonl file") from error
        if not isinstance(step, dict) or not isinstance(step.get("event"), str):
            raise LabError(f'{path}:{number}: is no step: it has no "event"; give a .trace.jsonl file')
        steps.append(step)
    return steps, left_out


def parted(
    steps: Iterable[dict[str, Any]],
) -> tuple[list[dict[str, Any]], list[dict[str, Any]], dict[str, Any] | None]:
    """The steps that happened; those in which nodes answered, after the end, who owns what; and where
    keys lie in the Merkle trees, if the trace says it (grader/sim/places.h). Which rings there were on
    the way, `rings_then` tells."""
    happened: list[dict[str, Any]] = []
    rings: list[dict[str, Any]] = []
    places: dict[str, Any] | None = None
    for step in steps:
        if step["event"] == "places":
            places = step.get("data")
        elif step["event"] != "ring_then":
            (rings if step["event"] == "ring" else happened).append(step)
    return happened, rings, places


def rings_then(steps: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """The steps that tell from when on a node has which ring, in order of time, each with its owners
    (grader/sim/rings.h)."""
    owners: dict[int, Any] = {}
    told = []
    for step in steps:
        if step["event"] == "ring_then":
            owners.setdefault(step["id"], step.get("data", {}).get("owners", []))
            told.append({**step, "data": {"owners": owners[step["id"]]}})
    return sorted(told, key=lambda step: int(step.get("t_us", 0)))


def rings_of(steps: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Each ring once, as {"nodes": those that have it, "owners": the host of each virtual node,
    "keys": {name: {"vnode", "list"}}}, in the order of their first nodes."""
    rings: list[dict[str, Any]] = []
    of_node: dict[str, dict[str, Any]] = {}
    for step in steps:
        data = step.get("data", {})
        ring = of_node.get(data.get("same_as", ""))
        if ring is None:
            told = {"owners": data.get("owners", []), "keys": data.get("keys", {})}
            ring = next((r for r in rings if {k: r[k] for k in told} == told), None)
        if ring is None:
            ring = {"nodes": [], **told}
            rings.append(ring)
        ring["nodes"].append(step.get("node"))
        of_node[str(step.get("node"))] = ring
    return rings


def lanes_of(steps: Sequence[dict[str, Any]]) -> list[str]:
    """All nodes, in the order of their names, n2 before n10."""
    names = {str(step[end]) for step in steps for end in ("node", "peer") if step.get(end)}
    return sorted(names, key=lambda name: [int(p) if p.isdigit() else p for p in re.split(r"(\d+)", name)])


def arrows_of(steps: Sequence[dict[str, Any]]) -> list[Arrow]:
    """A send and the receives of its message: the same two nodes, type, direction and number, in the
    order of sending. A message that the network doubled has several; a lost one has none."""
    under_way: dict[tuple[Any, ...], deque[int]] = defaultdict(deque)
    last: dict[tuple[Any, ...], int] = {}
    arrows: list[Arrow] = []
    for index, step in enumerate(steps):
        kind, id_, reply = step.get("message"), step.get("id", 0), bool(step.get("reply"))
        if step["event"] == "send":
            under_way[(step.get("node"), step.get("peer"), kind, id_, reply)].append(index)
        elif step["event"] == "receive":
            key = (step.get("peer"), step.get("node"), kind, id_, reply)
            if under_way[key]:
                last[key] = under_way[key].popleft()
            if key in last:
                arrows.append(Arrow(last[key], index))
    arrows += [Arrow(sent, None) for sends in under_way.values() for sent in sends]
    return sorted(arrows, key=lambda arrow: (arrow.sent, arrow.received or 0))


def linked_story(
    message: str, steps: Sequence[dict[str, Any]], told_ms: Sequence[int] = ()
) -> list[StoryLine]:
    """The lines of a failure's message; a numbered one finds the step with its moment and, if there is
    one, its words. A line that tells of several steps is linked to the last one of its moment.
    ``told_ms``: of lines without a moment, by number: the last step that had happened by then."""
    by_words: dict[tuple[str, str], list[int]] = defaultdict(list)
    by_moment: dict[str, list[int]] = defaultdict(list)
    for index, step in enumerate(steps):
        moment = str(step.get("moment", ""))
        by_moment[moment].append(index)
        by_words[(moment, str(step.get("words", "")))].append(index)
    times = [int(step.get("t_us", 0)) for step in steps]

    def by_number(line: StoryLine) -> StoryLine:
        match = _NUMBERED.match(line.text)
        if line.step is not None or match is None or not 0 < int(match["number"]) <= len(told_ms):
            return line
        until = bisect.bisect_right(times, told_ms[int(match["number"]) - 1] * 1000)
        return StoryLine(line.text, max(0, until - 1) if steps else None)

    return [by_number(_linked(line, by_words, by_moment)) for line in message.splitlines()]


def _linked(
    line: str, by_words: dict[tuple[str, str], list[int]], by_moment: dict[str, list[int]]
) -> StoryLine:
    match = _NUMBERED.match(line)
    if match is None or not match["moment"]:
        return StoryLine(line)
    moment, words = match["moment"], match["words"]
    exact = by_words.get((moment, words)) or by_words.get((moment, words.partition(";")[0]))
    found = exact or by_moment.get(moment)
    return StoryLine(line, found[-1] if found else None)


def quiet_steps(steps: Iterable[dict[str, Any]]) -> int:
    return sum(bool(step.get("quiet")) for step in steps)
