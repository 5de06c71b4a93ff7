"""The kill table: grades of one known-wrong solution with many seeds, and going on after a cut."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from dynamolab import kill_table, labs, mutants
from dynamolab.errors import LabError


@pytest.fixture(scope="module")
def some() -> list[mutants.Mutant]:
    return [mutant for mutant in mutants.load(labs.load_all()) if mutant.lab.number == 1][:3]


def caught_by(mutant: mutants.Mutant, *checks: str, trouble: str = "") -> mutants.Caught:
    return mutants.Caught(mutant, list(checks), trouble)


def test_each_grade_has_seeds_of_its_own(some: list[mutants.Mutant]) -> None:
    asked: list[int] = []

    def judge(seed: int) -> mutants.Caught:
        asked.append(seed)
        return caught_by(some[0], some[0].expected[0])

    kills = kill_table.kill(some[0], 7, 50, judge)
    assert len(set(asked)) == 50 and asked[0] == 7
    assert min(b - a for a, b in zip(asked, asked[1:], strict=False)) >= 1000
    assert kills.always and kills.caught == {some[0].expected[0]: 50}


def test_a_grade_without_a_catch_is_a_miss_with_its_seed(some: list[mutants.Mutant]) -> None:
    second = kill_table.seeds(1, 3)[1]

    def judge(seed: int) -> mutants.Caught:
        return caught_by(some[0], *(() if seed == second else some[0].expected[:1]))

    kills = kill_table.kill(some[0], 1, 3, judge)
    assert kills.missed == [second] and not kills.always
    assert sum(kills.caught.values()) == 2


def test_trouble_is_neither_a_catch_nor_a_miss(some: list[mutants.Mutant]) -> None:
    kills = kill_table.kill(some[0], 1, 3, lambda _: caught_by(some[0], trouble="no memory"))
    assert kills.grades == 0 and not kills.missed and not kills.always
    assert kills.trouble == "seed 1: no memory"


def test_a_cut_run_goes_on_where_it_was(some: list[mutants.Mutant], tmp_path: Path) -> None:
    file = tmp_path / "kills.json"
    assert kill_table.read(file, some, 1, 2) == []
    done = kill_table.kill(some[0], 1, 2, lambda _: caught_by(some[0], some[0].expected[0]))
    failed = kill_table.Kills(some[1], 1, trouble="no memory")
    kill_table.write(file, [failed, done])
    assert [kills.mutant.name for kills in kill_table.read(file, some, 1, 2)] == [some[0].name]
    assert kill_table.read(file, some, 2, 2) == [], "other seeds"
    assert kill_table.read(file, some, 1, 3) == [], "other grades"
    changed = [replace(some[0], expected=some[0].expected[:1] + ("another",))]
    assert kill_table.read(file, changed, 1, 2) == [], "another check must catch it now"


def test_another_file_is_refused_with_its_name(some: list[mutants.Mutant], tmp_path: Path) -> None:
    file = tmp_path / "kills.json"
    file.write_text(json.dumps({"mutants": []}))
    with pytest.raises(LabError, match=r"kills\.json.*kill_table\.schema\.json"):
        kill_table.read(file, some, 1, 2)
