"""A recording is read while faultnet goes on writing it."""

from __future__ import annotations

from pathlib import Path

from dynamolab.cluster.faultnet import complete_lines


def test_line_without_an_end_is_left_for_the_next_time(tmp_path: Path) -> None:
    file = tmp_path / "trace.jsonl"
    file.write_text('{"a": 1}\n{"b": "\\u2028"}\n{"c": 3}', encoding="utf-8")
    assert complete_lines(file) == [{"a": 1}, {"b": "\u2028"}]
    with file.open("a", encoding="utf-8") as more:
        more.write("\n")
    assert complete_lines(file)[-1] == {"c": 3}


def test_empty_recording_has_no_lines(tmp_path: Path) -> None:
    file = tmp_path / "trace.jsonl"
    file.write_text("", encoding="utf-8")
    assert complete_lines(file) == []
