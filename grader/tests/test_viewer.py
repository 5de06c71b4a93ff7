"""What the viewer makes of a trace: arrows, lanes, links of the story, ShiViz's log."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from dynamolab.errors import LabError
from dynamolab.viewer import Failure, model, write_page
from dynamolab.viewer.shiviz import EXPRESSION, log_of
from viewer_samples import long_trace, ring_trace, small_trace, step


def test_arrows_join_both_ends_and_tell_what_was_lost() -> None:
    arrows = model.arrows_of(small_trace())
    assert [(arrow.sent, arrow.received) for arrow in arrows] == [(1, 3), (5, None)]


def test_a_message_that_came_twice_has_two_arrows() -> None:
    steps = small_trace()
    steps.insert(4, dict(steps[3]))
    assert [(a.sent, a.received) for a in model.arrows_of(steps)][:2] == [(1, 3), (1, 4)]


def test_lanes_are_in_the_order_of_people() -> None:
    steps = [step(0, name, "start", "") for name in ("n10", "n2", "n1", "x")]
    assert model.lanes_of(steps) == ["n1", "n2", "n10", "x"]


def test_story_lines_find_their_steps() -> None:
    story = "seed 1\n  1. t=0.000 s  n1 starts\n  2. t=0.300 s  n2 writes state: 1 put; and more\n"
    story += "  3. t=0.300 s  xyz"
    lines = model.linked_story(story, small_trace())
    assert [line.step for line in lines] == [None, 0, 4, 5]


def test_story_of_real_processes_finds_its_steps_by_when_it_was_told() -> None:
    lines = model.linked_story("1. n1 starts\n2. a put\n9. more\nactual: x", small_trace(), [50, 400])
    assert [line.step for line in lines] == [0, 5, None, None]


def test_shiviz_reads_each_event_and_its_clocks_follow_the_messages() -> None:
    steps = small_trace() + long_trace(60)
    log = log_of(steps)
    expression, delimiter, *rest = log.split("\n")
    assert expression == EXPRESSION and delimiter == ""
    # JavaScript's named groups, for Python.
    events = list(re.finditer(expression.replace("(?<", "(?P<"), "\n".join(rest)))
    assert len(events) == len(steps)
    clocks = [json.loads(event["clock"]) for event in events]
    counts: dict[str, int] = {}
    for event, clock in zip(events, clocks, strict=True):
        counts[event["host"]] = counts.get(event["host"], 0) + 1
        assert clock[event["host"]] == counts[event["host"]], "a host counts its events from 1, by one"
    for arrow in model.arrows_of(steps):
        if arrow.received is not None:
            before, after = clocks[arrow.sent], clocks[arrow.received]
            assert all(after[host] >= count for host, count in before.items())
    # n1's first step knows nothing of n2, which it has not heard of.
    assert set(clocks[1]) == {"n1"}


def test_page_of_a_trace_that_is_none_is_refused(tmp_path: Path) -> None:
    trace = tmp_path / "x.trace.jsonl"
    for text, told in [("{", "x.trace.jsonl:1: is no JSON"), ('{"a": 1}\n', "1: is no step")]:
        trace.write_text(text)
        with pytest.raises(LabError, match=told):
            write_page(trace, tmp_path / "x.html", Failure("a.b"))
    with pytest.raises(LabError, match="cannot be read"):
        write_page(tmp_path / "absent", tmp_path / "x.html", Failure("a.b"))
    assert not (tmp_path / "x.html").exists()


def test_of_a_very_long_trace_the_end_is_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model, "MOST_STEPS", 10)
    trace = tmp_path / "x.trace.jsonl"
    trace.write_text("".join(json.dumps(one) + "\n" for one in long_trace(25)))
    steps, left_out = model.read_trace(trace)
    assert left_out == 15 and steps[0]["words"] == "step 15"


def test_rings_are_told_once_each_and_are_no_steps() -> None:
    happened, told, places = model.parted(ring_trace())
    assert [step["event"] for step in happened] == ["start", "client", "client", "client"]
    assert places is None
    rings = model.rings_of(told)
    assert [ring["nodes"] for ring in rings] == [["n1", "n2"], ["n3"]]
    assert rings[0]["owners"] == ["n1", "n2"] * 4 and rings[1]["keys"]["cart"]["list"] == ["n3", "n1"]
    # As real nodes tell theirs: each in full.
    full = [{"node": node, "event": "ring", "data": {"owners": ["n1"]}} for node in ("n1", "n2")]
    assert [ring["nodes"] for ring in model.rings_of(full)] == [["n1", "n2"]]
