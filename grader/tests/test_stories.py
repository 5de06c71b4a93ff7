"""Golden stories: kept, compared, and free of what differs from one machine to the next."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dynamolab import build, labs, mutants, selftest, stories
from dynamolab.checks import Verdict
from dynamolab.labs import Check
from dynamolab.paths import MUTANTS, ROOT
from dynamolab.results import Outcome

COURSE = labs.load_all()
CHECKS: dict[str, Check] = {check.id: check for lab in COURSE for check in lab.checks}
UNIT = next(check.id for check in CHECKS.values() if check.kind == "unit")
REAL = next(check.id for check in CHECKS.values() if check.kind == "cluster")


def test_story_is_the_first_failure_in_one_process() -> None:
    said = Verdict(Outcome.FAIL, message="1. n1 starts\nexpected …")
    assert stories.story_of({UNIT: Verdict(Outcome.PASS)}, CHECKS) == ""
    assert stories.story_of({REAL: said}, CHECKS) == "", "told another way each time"
    assert stories.story_of({UNIT: said}, CHECKS) == f"{UNIT}\n\n1. n1 starts\nexpected …\n"
    assert stories.story_of({UNIT: said}, {}) == "", "a check that is not said to catch it"


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("  where: ring.cpp:12, in Ring::walk(a, b)\n  while: n1", "  where: ring.cpp\n  while: n1"),
        ("actual: 1\n(unit_test.cpp:7)", "actual: 1\n(unit_test.cpp)"),
        ("segmentation fault at address 0x7ffd2a10", "segmentation fault at address 0x…"),
        (f"see {ROOT}/build", "see build"),
    ],
)
def test_story_names_no_line_address_or_path(said: str, kept: str) -> None:
    told = stories.story_of({UNIT: Verdict(Outcome.FAIL, message=said)}, CHECKS)
    assert told == f"{UNIT}\n\n{kept}\n"


def test_another_story_is_a_problem_until_it_is_kept(tmp_path: Path) -> None:
    assert stories.problem(tmp_path, ["a\n"]) == "", "none is kept"
    assert stories.write(tmp_path, ["a\nb\n"])
    assert not stories.write(tmp_path, ["a\nb\n"]), "nothing new"
    assert stories.problem(tmp_path, ["a\nb\n"]) == ""
    told = stories.problem(tmp_path, ["a\nc\n"])
    assert "-b" in told and "+c" in told and "--write-stories" in told
    assert stories.problem(tmp_path, []), "it has none any more"
    assert stories.write(tmp_path, ["a\nc\n"]) and stories.problem(tmp_path, ["a\nc\n"]) == ""
    assert stories.write(tmp_path, []) and stories.problem(tmp_path, []) == ""


def test_a_story_is_kept_only_if_it_is_the_same_each_time(tmp_path: Path) -> None:
    other = ["by address 1", "by address 2"]
    assert not stories.write(tmp_path, other), "there was none"
    assert stories.write(tmp_path, ["step 1", "step 1"]) and not stories.unkept(["step 1"] * 2)
    assert stories.write(tmp_path, other), "it goes"
    assert not (tmp_path / stories.FILE).exists()
    assert "+by address 2" in stories.unkept(other)
    assert "real processes" in stories.unkept([])


KNOWN = {mutant.folder: mutant for mutant in mutants.load(COURSE)}
KEPT = {path.parent: path.read_text(encoding="utf-8") for path in MUTANTS.glob(f"*/*/{stories.FILE}")}

STEP = re.compile(r" *(\d+)\. (.+)")
MOST_STEPS = 25
MOST_LINES = 40
MOST_COLUMNS = 160


READ = (0, 1, 2, 3, 4, 5, 6, 7)  # Labs whose stories were all kept and read; add one when it is done.


def test_every_known_wrong_solution_has_a_story_or_says_why_not() -> None:
    for folder, mutant in KNOWN.items():
        if mutant.lab.number not in READ:
            continue
        assert (folder in KEPT) != bool(mutant.untold), (
            f"{mutant.name}: a story (./lab mutants --write-stories --only {folder.name}), or"
            ' "untold" in its mutant.json'
        )
    assert set(KEPT) <= set(KNOWN), "a story lies beside no mutant"


def test_kept_stories_are_of_checks_that_must_catch_it() -> None:
    for folder, text in KEPT.items():
        assert text.splitlines()[0] in KNOWN[folder].expected, folder


def test_kept_stories_are_the_same_on_every_machine() -> None:
    for folder, text in KEPT.items():
        assert not re.search(r"/(?:tmp|home|usr)/|\.cpp:|0x[0-9a-f]{2}", text), folder


def test_kept_stories_tell_numbered_steps_what_was_expected_and_what_is() -> None:
    assert KEPT
    for folder, text in KEPT.items():
        numbers = [int(found[1]) for line in text.splitlines() if (found := STEP.fullmatch(line))]
        over_many_worlds = "worlds" in text  # A statistic has no steps.
        assert (numbers or over_many_worlds) and numbers == sorted(set(numbers)), folder
        _, expected, judged = text.partition("\n  expected: ")
        wanted, actual, found = judged.partition("\n  actual:   ")
        assert expected and actual, f"{folder}: what was expected, and what is"
        assert wanted.strip() and found.strip() and wanted.strip() != found.strip(), folder


def test_kept_stories_fit_a_screen() -> None:
    for folder, text in KEPT.items():
        lines = text.splitlines()
        assert len(lines) <= MOST_LINES, folder
        assert sum(STEP.fullmatch(line) is not None for line in lines) <= MOST_STEPS, folder
        told = [line for line in lines if not line.startswith("seed ")]  # The knobs are as many as there are.
        assert max(map(len, told)) <= MOST_COLUMNS, f"{folder}: {max(told, key=len)}"


def test_kept_stories_are_words_for_a_reader() -> None:
    """No long hashes, no bytes, no words of the grader's own inside."""
    for folder, text in KEPT.items():
        raw = re.search(r"\b[0-9a-f]{32}\b|\\x[0-9a-f]{2}|[^\x20-\uffff\n]|[:→{(] ?malformed\b|nullptr", text)
        assert raw is None, f"{folder}: {raw and raw[0]!r}"


@pytest.mark.parametrize("kept", ["1. as it is\n", "1. as it was\n"])
def test_known_wrong_solutions_fail_on_another_story(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kept: str
) -> None:
    mutant = mutants.Mutant(tmp_path, COURSE[0], "wrong", "a slip", (UNIT,), ())
    caught = mutants.Caught(mutant, [UNIT], stories=["1. as it is\n"])
    stories.write(tmp_path, [kept])
    monkeypatch.setattr(mutants, "load", lambda *_: [mutant])
    monkeypatch.setattr(mutants, "judge_all", lambda *_, **__: [caught])
    stage = selftest.known_wrong(build.Framework("release", 1), COURSE, lambda _: None)
    assert (stage.passed == 1) == ([kept] == caught.stories)
    assert bool(stage.failed) == ([kept] != caught.stories)
