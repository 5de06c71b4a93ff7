"""Rules that a course may turn: each patch fits, with any others, and comes off again."""

from __future__ import annotations

import itertools
import shutil
from pathlib import Path

import pytest

from dynamolab.course import variants
from dynamolab.errors import LabError
from dynamolab.paths import ROOT

RULES = variants.rules()
A_NUMBER = "2027"
FEWEST_RULES = 4


def other_values(rule: variants.Rule) -> list[str]:
    return [A_NUMBER if value == variants.NUMBER else value for value in rule.values[1:]]


def files_of(name: str, value: str) -> list[str]:
    return variants._TOUCHED.findall(RULES[name].patch(value))


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of the files that any rule touches, by the usual rules."""
    for name, rule in RULES.items():
        for value in other_values(rule):
            for file in files_of(name, value):
                (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / file, tmp_path / file)
    return tmp_path


def contents(tree: Path) -> dict[str, bytes]:
    return {str(path.relative_to(tree)): path.read_bytes() for path in tree.rglob("*") if path.is_file()}


def test_there_are_enough_of_them_and_each_is_told() -> None:
    assert len(RULES) >= FEWEST_RULES
    for rule in RULES.values():
        assert len(rule.values) >= 2
        assert rule.about


def test_every_choice_of_rules_fits_together_and_comes_off_again(tree: Path) -> None:
    usual = contents(tree)
    choices = [[rule.usual, *other_values(rule)] for rule in RULES.values()]
    for values in itertools.product(*choices):
        wanted = variants.checked(dict(zip(RULES, values, strict=True)))
        variants.turn(wanted, tree)
        assert variants.of_tree(tree) == wanted
    variants.turn({}, tree)
    assert contents(tree) == usual


@pytest.mark.parametrize("name", [name for name in RULES if name != "salt"])
def test_handout_and_checks_and_reference_follow(name: str) -> None:
    """The salt is in given code: a right solution stays right."""
    files = files_of(name, RULES[name].values[1])
    assert any(file.endswith("README.md") for file in files)
    assert any(file.startswith("reference/") for file in files)
    assert any(file.startswith("labs/") and file.endswith((".h", ".cpp")) for file in files)


def test_salt_is_the_number_that_was_chosen(tree: Path) -> None:
    variants.turn(variants.checked({"salt": A_NUMBER}), tree)
    assert A_NUMBER in (tree / "framework" / "core" / "core.cpp").read_text(encoding="utf-8")


def test_a_file_that_somebody_changed_stops_it_and_nothing_is_changed(tree: Path) -> None:
    ring = tree / "reference" / "ring.cpp"
    ring.write_text(ring.read_text(encoding="utf-8").replace("owners_[(v + step)", "owners_[(step + v)"))
    before = contents(tree)
    with pytest.raises(LabError, match="reference/ring.cpp: is not as the rule's patch"):
        variants.turn({"share": "ceil", "walk": "counter-clockwise"}, tree)
    assert contents(tree) == before


def test_a_students_repository_has_no_rules_to_turn(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(variants, "VARIANTS", tree / "no such folder")
    assert variants.checked({}) == {}
    assert variants.of_tree(tree) == {}


def test_a_course_of_other_rules_than_the_checkout_s_is_refused(tree: Path) -> None:
    wanted = variants.checked({"walk": "counter-clockwise"})
    with pytest.raises(LabError, match="plays by walk=counter-clockwise, and this checkout by the usual"):
        variants.refuse_other_rules(wanted, tree)
    variants.turn(wanted, tree)
    variants.refuse_other_rules(wanted, tree)
    with pytest.raises(LabError, match="plays by the usual rules, and this checkout by walk"):
        variants.refuse_other_rules({}, tree)


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ({"wlak": "clockwise"}, "there is no rule 'wlak'; did you mean walk"),
        ({"walk": "up"}, "'up' is none of clockwise, counter-clockwise"),
        ({"salt": "-1"}, "'-1' is no whole number"),
        ({"salt": 2**64}, "is no whole number from 0"),
    ],
)
def test_a_wrong_choice_is_named(wanted: dict[str, object], words: str) -> None:
    with pytest.raises(LabError, match=words):
        variants.checked(wanted)
