"""A check is believed only once it has failed on something wrong.

Quick and static: whether what a known-wrong solution says of itself adds up. `./lab mutants` shows that
it is true.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from dynamolab import build, labs, mutants
from dynamolab.checks import Verdict
from dynamolab.results import Outcome

COURSE = labs.load_all()


def by_name(lab: labs.Lab) -> str:
    return lab.folder.name


@pytest.mark.parametrize("lab", COURSE, ids=by_name)
def test_every_check_is_failed_by_a_known_wrong_solution(lab: labs.Lab) -> None:
    caught = {check for mutant in mutants.load(COURSE, [lab]) for check in mutant.expected}
    never_failed = [check.id for check in lab.checks if check.id not in caught]
    assert never_failed == [], "no mutant expects to be caught by these checks"


@pytest.mark.parametrize("lab", COURSE, ids=by_name)
def test_mutants_lie_in_the_folder_of_their_lab(lab: labs.Lab) -> None:
    for mutant in mutants.load(COURSE, [lab]):
        assert mutant.folder.parent.name == lab.folder.name, mutant.name


@pytest.mark.parametrize("lab", COURSE, ids=by_name)
def test_mutants_name_each_check_and_rule_once(lab: labs.Lab) -> None:
    for mutant in mutants.load(COURSE, [lab]):
        for named in (mutant.expected, mutant.properties):
            assert len(set(named)) == len(named), mutant.name


@pytest.mark.parametrize("lab", COURSE, ids=by_name)
def test_no_two_mutants_make_the_same_change(lab: labs.Lab) -> None:
    changes: dict[str, str] = {}
    for mutant in mutants.load(COURSE, [lab]):
        patch = (mutant.folder / "change.patch").read_text(encoding="utf-8")
        changed = "\n".join(
            line for line in patch.splitlines() if line[:1] in "+-" and line[:3] not in ("+++", "---")
        )
        assert changed and changed not in changes, f"{mutant.name} and {changes.get(changed)}"
        changes[changed] = mutant.name


def test_graders_that_run_side_by_side_make_the_same_mutant() -> None:
    mutant = mutants.load(COURSE)[0]
    with ThreadPoolExecutor(8) as pool:
        folders = list(pool.map(lambda _: mutants._patched(mutant), range(8)))
    assert len(set(folders)) == 1
    assert not [entry for entry in folders[0].iterdir() if entry.name.startswith("tmp")]


# At least, in each lab: a suite of easy ones would say little about the checks.
MUTANTS = 20
HARD_MUTANTS = 2


@pytest.mark.parametrize("lab", COURSE, ids=by_name)
def test_lab_has_enough_mutants_and_some_that_seldom_show(lab: labs.Lab) -> None:
    found = mutants.load(COURSE, [lab])
    assert len(found) >= MUTANTS
    assert len([mutant for mutant in found if mutant.needs]) >= HARD_MUTANTS


@pytest.mark.parametrize("lab", COURSE, ids=by_name)
def test_no_check_of_fewer_faults_catches_what_needs_two(lab: labs.Lab) -> None:
    for mutant in mutants.load(COURSE, [lab]):
        if mutant.needs == "two faults":
            faults = {check: found.faults for check in mutant.expected if (found := lab.check(check))}
            assert min(faults.values()) == 2, f"{mutant.name}: {faults}"


@pytest.mark.parametrize("everything", [False, True])
def test_all_tells_of_an_expected_check_that_passes(
    monkeypatch: pytest.MonkeyPatch, everything: bool
) -> None:
    lab = COURSE[0]
    one, other, *_ = (check.id for check in lab.checks)
    mutant = mutants.Mutant(Path("wrong"), lab, "wrong", "a slip", (one, other), ())

    def only_one_catches(_mutant: object, stage: list[labs.Check], *_: object) -> dict[str, Verdict]:
        return {c.id: Verdict(Outcome.FAIL if c.id == one else Outcome.PASS) for c in stage}

    monkeypatch.setattr(mutants, "_run", only_one_catches)
    caught = mutants.judge(
        mutant, Path("node"), build.Framework("release", 1), everything=everything, seed=1, cpus=(0,)
    )
    assert caught.caught_by == [one]
    assert caught.as_expected is not everything
    assert (other in caught.trouble) is everything
