"""lab.json: what is wrong with one is said, with the file and the field."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from dynamolab import labs
from dynamolab.errors import LabError

CHECK = {
    "id": "ring.a",
    "title": "t",
    "teaches": "t",
    "why": "w",
    "hint": "h",
    "kind": "unit",
    "part": "A",
    "points": 60,
    "faults": 0,
    "properties": ["2.1"],
}
GOOD: dict[str, Any] = {
    "lab": 2,
    "name": "ring",
    "title": "Ring",
    "module": "ring",
    "file": "ring.cpp",
    "points": 100,
    "parts": [{"part": "A", "title": "one token", "points": 100}],
    "properties": {"2.1": "the ring is a function of the events"},
    "checks": [CHECK, CHECK | {"id": "ring.b", "points": 40, "faults": 2, "needs": ["ring.a"]}],
}


def load(tmp_path: Path, document: object) -> labs.Lab:
    path = tmp_path / "lab.json"
    path.write_text(
        document if isinstance(document, str) else json.dumps(document), encoding="utf-8"
    )
    return labs.load(path)


def test_good_one_loads(tmp_path: Path) -> None:
    lab = load(tmp_path, GOOD)
    assert lab.parts == {"A": ("one token", 100)}
    assert lab.checks[1].needs == ("ring.a",)


def changed(**changes: Any) -> dict[str, Any]:
    return copy.deepcopy(GOOD) | changes


def with_check(**changes: Any) -> dict[str, Any]:
    return changed(checks=[CHECK, CHECK | {"id": "ring.b", "points": 40, "faults": 2} | changes])


@pytest.mark.parametrize(
    ("document", "told"),
    [
        ("{", "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        ([], "the document"),
        (changed(lab="two"), r"lab: 'two'"),
        (changed(colour="red"), "colour"),
        (with_check(kind="magic"), r"checks\[1\]\.kind"),
        (with_check(id="ring.a"), "stands twice"),
        (with_check(id="sync.b"), "must begin with 'ring.'"),
        (with_check(part="Z"), "part Z"),
        (with_check(properties=["2.9"]), r"ring.b: properties: 2\.9 is not among the lab's"),
        (changed(properties={"two": "x"}), "properties: 'two'"),
        (with_check(needs=["ring.x"]), "no check of this lab"),
        (with_check(needs=["ring.b"]), "must come before"),
        (with_check(points=41), "add up to 101"),
        (changed(points=99), "says 99"),
        (changed(checks=[CHECK | {"faults": 1, "points": 100}]), "at least 40 %"),
    ],
)
def test_broken_one_is_refused_with_the_place(tmp_path: Path, document: object, told: str) -> None:
    with pytest.raises(LabError, match=told) as caught:
        load(tmp_path, document)
    assert "lab.json" in str(caught.value)


def test_close_names_are_offered() -> None:
    lab = labs.Lab(2, "ring", "Ring", "ring", "ring.cpp", 0, {}, (), Path("labs/2-ring"))
    for word in ("2", "ring", "2-ring", "lab2"):
        assert labs.find_lab([lab], word) is lab
    with pytest.raises(LabError, match="did you mean ring"):
        labs.find_lab([lab], "rign")


@pytest.mark.parametrize("lab", labs.load_all(), ids=lambda lab: lab.name)
def test_checks_stand_by_parts_as_the_table_shows_them(lab: labs.Lab) -> None:
    parts = [check.part for check in lab.checks]
    assert parts == sorted(parts)
