"""The kill table: grades of one known-wrong solution with many seeds, and going on after a cut."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from dynamolab import kill_table, labs, mutants
from dynamolab.checks import Verdict
from dynamolab.errors import LabError
from dynamolab.labs import Check
from dynamolab.results import Outcome


@pytest.fixture(scope="module")
def some() -> list[mutants.Mutant]:
    return [mutant for mutant in mutants.load(labs.load_all()) if mutant.lab.number == 1][:3]


def said(outcome: Outcome, seeds: Sequence[int], message: str = "") -> dict[int, Verdict]:
    return {seed: Verdict(outcome, message=message) for seed in seeds}


def always(_: Check, seeds: Sequence[int]) -> dict[int, Verdict]:
    return said(Outcome.FAIL, seeds)


def test_each_grade_has_seeds_of_its_own(some: list[mutants.Mutant]) -> None:
    asked: list[int] = []

    def judge(check: Check, seeds: Sequence[int]) -> dict[int, Verdict]:
        asked.extend(seeds)
        return always(check, seeds)

    kills = kill_table.kill(some[0], 7, 50, judge)
    assert len(set(asked)) == len(asked) == 50 and asked[0] == 7, "the first check ends all"
    assert min(b - a for a, b in zip(asked, asked[1:], strict=False)) >= 1000
    assert kills.always and kills.caught == {mutants.expected_checks(some[0])[0].id: 50}


def test_a_check_gets_the_grades_that_none_before_it_ended(some: list[mutants.Mutant]) -> None:
    mutant = next(mutant for mutant in some if len(mutant.expected) > 1)
    first, second = mutants.expected_checks(mutant)[:2]
    asked: dict[str, list[int]] = {}

    def judge(check: Check, seeds: Sequence[int]) -> dict[int, Verdict]:
        asked[check.id] = list(seeds)
        passed = seeds[1:3] if check == first else []
        return always(check, seeds) | said(Outcome.PASS, passed)

    kills = kill_table.kill(mutant, 1, 5, judge)
    assert asked == {first.id: kill_table.seeds(1, 5), second.id: kill_table.seeds(1, 5)[1:3]}
    assert kills.always and kills.caught == {first.id: 3, second.id: 2}


def test_a_grade_without_a_catch_is_a_miss_with_its_seed(some: list[mutants.Mutant]) -> None:
    second = kill_table.seeds(1, 3)[1]

    def judge(check: Check, seeds: Sequence[int]) -> dict[int, Verdict]:
        return always(check, seeds) | said(Outcome.PASS, [s for s in seeds if s == second])

    kills = kill_table.kill(some[0], 1, 3, judge)
    assert kills.missed == [second] and not kills.always
    assert sum(kills.caught.values()) == 2


def test_trouble_is_neither_a_catch_nor_a_miss(some: list[mutants.Mutant]) -> None:
    kills = kill_table.kill(
        some[0], 1, 3, lambda _, seeds: said(Outcome.INCONCLUSIVE, seeds, "no memory")
    )
    assert kills.grades == 0 and not kills.missed and not kills.always
    assert re.fullmatch(r"seed 1: .*no memory", kills.trouble)


def test_a_cut_run_goes_on_where_it_was(some: list[mutants.Mutant], tmp_path: Path) -> None:
    file = tmp_path / "kills.json"
    assert kill_table.read(file, some, 1, 2) == []
    done = kill_table.kill(some[0], 1, 2, always)
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
