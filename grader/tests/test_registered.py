"""One list: what lab.json names is what the programs and the pytest files have, both ways."""

from __future__ import annotations

import ast
import json
import re

import pytest

from dynamolab import labs, mutants, processes, stories
from dynamolab.build import Framework
from dynamolab.paths import LABS, MUTANTS, RIGHT, SKELETON

DEADLINE_S = 30.0
COURSE = labs.load_all()
FEWEST_MUTANTS = 10


def by_name(lab: labs.Lab) -> str:
    return lab.folder.name


@pytest.mark.parametrize("lab", COURSE, ids=by_name)
def test_program_has_the_unit_and_simulated_checks(lab: labs.Lab) -> None:
    program = Framework("release", 1).checks_binary(lab.number)
    done = processes.run([program, "--list"], deadline_s=DEADLINE_S)
    assert done.code == 0, done.out
    registered = {line.split()[0] for line in done.out.splitlines() if line.strip()}
    assert registered == {check.id for check in lab.checks if check.kind != "cluster"}


@pytest.mark.parametrize("lab", COURSE, ids=by_name)
def test_pytest_file_has_the_checks_on_real_processes(lab: labs.Lab) -> None:
    marked = []
    path = lab.folder / "test_cluster.py"
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8") if path.exists() else "")):
        if isinstance(node, ast.FunctionDef):
            for mark in node.decorator_list:
                if isinstance(mark, ast.Call) and ast.unparse(mark.func) == "pytest.mark.check":
                    marked.append(ast.literal_eval(mark.args[0]))
    assert sorted(marked) == sorted(check.id for check in lab.checks if check.kind == "cluster")


def test_every_lab_folder_has_its_list() -> None:
    assert {lab.folder for lab in COURSE} == {path for path in LABS.iterdir() if path.is_dir()}


@pytest.mark.parametrize("lab", COURSE, ids=by_name)
def test_lab_has_all_its_pieces(lab: labs.Lab) -> None:
    assert (lab.folder / "README.md").is_file()
    assert (lab.folder / f"{lab.module}.h").is_file() or not lab.has_module
    assert (SKELETON / lab.file).is_file()


@pytest.mark.parametrize("lab", [lab for lab in COURSE if lab.points], ids=by_name)
def test_every_property_of_the_lab_is_seen_by_a_check_and_broken_by_a_mutant(lab: labs.Lab) -> None:
    seen = {number for check in lab.checks for number in check.properties}
    found = mutants.load(COURSE, [lab])
    broken = {number for mutant in found for number in mutant.properties}
    assert len(found) >= FEWEST_MUTANTS
    own = {number for number in seen | broken if number.startswith(f"{lab.number}.")}
    last = max(int(number.partition(".")[2]) for number in own)
    wanted = {f"{lab.number}.{number}" for number in range(1, last + 1)}
    assert wanted - seen == set(), "no check names these properties"
    assert wanted - broken == set(), "no mutant breaks these properties"


def test_mutants_are_well_formed() -> None:
    for path in MUTANTS.glob("*/*"):
        assert (path / "mutant.json").is_file() and (path / "change.patch").is_file(), path
        more = {entry.name for entry in path.iterdir()} - {"mutant.json", "change.patch"}
        assert more <= {stories.FILE}, path
        assert re.fullmatch(r"[a-z0-9_-]+", path.name)
    assert all(json.loads(path.read_text()) for path in MUTANTS.glob("*/*/mutant.json"))


def test_right_but_different_solutions_hand_in_what_their_lab_asks_for() -> None:
    files = {lab.number: lab.file for lab in COURSE}
    for path in RIGHT.iterdir():
        number = int(path.name.split("-")[0])
        assert number in files and (path / files[number]).is_file(), path
