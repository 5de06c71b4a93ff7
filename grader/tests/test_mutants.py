"""A check is believed only once it has failed on something wrong.

Quick and static: whether what a known-wrong solution says of itself adds up. `./lab mutants` shows that
it is true.
"""

from __future__ import annotations

import pytest

from dynamolab import labs, mutants

COURSE = labs.load_all()
GRADED = [lab for lab in COURSE if lab.points]  # The warm-up gives no points and has no mutants.


def by_name(lab: labs.Lab) -> str:
    return lab.folder.name


@pytest.mark.parametrize("lab", GRADED, ids=by_name)
def test_every_check_is_failed_by_a_known_wrong_solution(lab: labs.Lab) -> None:
    caught = {check for mutant in mutants.load(COURSE, [lab]) for check in mutant.expected}
    never_failed = [check.id for check in lab.checks if check.id not in caught]
    assert never_failed == [], "no mutant expects to be caught by these checks"


@pytest.mark.parametrize("lab", GRADED, ids=by_name)
def test_mutants_lie_in_the_folder_of_their_lab(lab: labs.Lab) -> None:
    for mutant in mutants.load(COURSE, [lab]):
        assert mutant.folder.parent.name == lab.folder.name, mutant.name


@pytest.mark.parametrize("lab", GRADED, ids=by_name)
def test_mutants_name_each_check_and_rule_once(lab: labs.Lab) -> None:
    for mutant in mutants.load(COURSE, [lab]):
        for named in (mutant.expected, mutant.properties):
            assert len(set(named)) == len(named), mutant.name


@pytest.mark.parametrize("lab", GRADED, ids=by_name)
def test_no_two_mutants_make_the_same_change(lab: labs.Lab) -> None:
    changes: dict[str, str] = {}
    for mutant in mutants.load(COURSE, [lab]):
        patch = (mutant.folder / "change.patch").read_text(encoding="utf-8")
        changed = "\n".join(
            line for line in patch.splitlines() if line[:1] in "+-" and line[:3] not in ("+++", "---")
        )
        assert changed and changed not in changes, f"{mutant.name} and {changes.get(changed)}"
        changes[changed] = mutant.name
