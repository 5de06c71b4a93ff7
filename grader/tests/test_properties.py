"""Each property of a right solution is seen by a check, and has been seen broken."""

from __future__ import annotations

from dataclasses import replace

from dynamolab import labs, mutants, properties
from dynamolab.paths import ROOT


def test_each_property_is_seen_and_shown() -> None:
    known = labs.load_all()
    wrong = mutants.load(known)
    problems = [entry.problem for lab in known for entry in properties.of(lab, wrong) if entry.problem]
    assert not problems, "\n".join(problems)


def test_mutants_break_what_there_is() -> None:
    for mutant in mutants.load(labs.load_all()):
        unknown = set(mutant.properties) - set(mutant.lab.properties)
        assert not unknown, f"{mutant.name}: properties: lab {mutant.lab.number} has no {unknown}"
        assert mutant.lab.number == 0 or mutant.properties, f"{mutant.name} breaks no property"


def test_page_is_up_to_date() -> None:
    known = labs.load_all()
    written = (ROOT / "docs" / "properties.md").read_text(encoding="utf-8")
    assert written == properties.page(known, mutants.load(known)), (
        "./lab mutants --properties > docs/properties.md"
    )


def test_what_is_lacking_is_told() -> None:
    """A property that no check sees, and one whose mutants only other checks catch."""
    known = labs.load_all()
    wrong = mutants.load(known)
    lab = next(lab for lab in known if lab.number == 2)
    blind = replace(lab, checks=tuple(replace(check, properties=()) for check in lab.checks))
    assert all("no check sees it" in entry.problem for entry in properties.of(blind, wrong))
    seeing = {check.id for check in lab.checks if "2.7" in check.properties}
    others = [
        replace(mutant, expected=tuple(check for check in mutant.expected if check not in seeing))
        for mutant in wrong
    ]
    told = {entry.number: entry.problem for entry in properties.of(lab, others)}
    assert "2.7: no known-wrong solution" in told["2.7"]
    assert not told["2.1"]
