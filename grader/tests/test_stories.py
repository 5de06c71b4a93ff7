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


@pytest.mark.parametrize("words", ["died in ring.cpp:12", stories.DEATH, f"see {ROOT}/build"])
def test_story_names_no_line_and_no_path(words: str) -> None:
    assert stories.story_of({UNIT: Verdict(Outcome.FAIL, message=words)}, CHECKS) == ""


def test_another_story_is_a_problem_until_it_is_kept(tmp_path: Path) -> None:
    assert stories.problem(tmp_path, "a\n") == "", "none is kept"
    assert stories.write(tmp_path, "a\nb\n")
    assert not stories.write(tmp_path, "a\nb\n"), "nothing new"
    assert stories.problem(tmp_path, "a\nb\n") == ""
    told = stories.problem(tmp_path, "a\nc\n")
    assert "-b" in told and "+c" in told and "--write-stories" in told
    assert stories.problem(tmp_path, ""), "it has none any more"
    assert stories.write(tmp_path, "a\nc\n") and stories.problem(tmp_path, "a\nc\n") == ""
    assert stories.write(tmp_path, "") and stories.problem(tmp_path, "") == ""


def test_a_story_is_kept_only_if_it_is_the_same_each_time(tmp_path: Path) -> None:
    assert not stories.write(tmp_path, "by address 1", "by address 2"), "there was none"
    assert stories.write(tmp_path, "step 1", "step 1")
    assert stories.write(tmp_path, "by address 1", "by address 2"), "it goes"
    assert not (tmp_path / stories.FILE).exists()


KEPT = sorted(MUTANTS.glob(f"*/*/{stories.FILE}"))


def test_kept_stories_are_of_checks_that_must_catch_it() -> None:
    known = {mutant.folder: mutant for mutant in mutants.load(COURSE)}
    for path in KEPT:
        text = path.read_text(encoding="utf-8")
        assert path.parent in known, f"{path} lies beside no mutant"
        assert text.splitlines()[0] in known[path.parent].expected, path
        assert stories.DEATH not in text, path
        assert not re.search(r"/(?:tmp|home|usr)/|\.cpp:|0x[0-9a-f]{6}", text), path


def test_kept_stories_tell_what_was_expected_and_what_is() -> None:
    assert KEPT
    for path in KEPT:
        text = path.read_text(encoding="utf-8").lower()
        assert "expected" in text and "actual" in text, path


@pytest.mark.parametrize("kept", ["1. as it is\n", "1. as it was\n"])
def test_known_wrong_solutions_fail_on_another_story(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kept: str
) -> None:
    mutant = mutants.Mutant(tmp_path, COURSE[0], "wrong", "a slip", (UNIT,), ())
    caught = mutants.Caught(mutant, [UNIT], story="1. as it is\n")
    stories.write(tmp_path, kept)
    monkeypatch.setattr(mutants, "load", lambda *_: [mutant])
    monkeypatch.setattr(mutants, "judge_all", lambda *_, **__: [caught])
    stage = selftest.known_wrong(build.Framework("release", 1), COURSE, lambda _: None)
    assert (stage.passed == 1) == (kept == caught.story)
    assert bool(stage.failed) == (kept != caught.story)


def test_words_of_a_death_are_those_of_the_story_teller() -> None:
    assert stories.DEATH in (ROOT / "grader" / "sim" / "story.cpp").read_text(encoding="utf-8")
