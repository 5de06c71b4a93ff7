"""Folders that are no solution are answered with the file and the cure."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from dynamolab import solutions
from dynamolab.errors import LabError
from dynamolab.labs import Lab
from dynamolab.paths import REFERENCE
from dynamolab.skeleton import skeleton_of


def lab_of(number: int, name: str) -> Lab:
    return Lab(
        number,
        name,
        name,
        name,
        f"{name}.cpp",
        100 if number else 0,
        {},
        (),
        Path(f"labs/{number}-{name}"),
    )


COURSE = [lab_of(0, "warmup"), lab_of(1, "membership"), lab_of(2, "ring")]
LAB3 = replace(lab_of(3, "replication"), part_modules={"C": "transfer"})


def own_of(modules: solutions.Modules) -> dict[str, Path]:
    """What is not the reference's."""
    return {name: path for name, path in modules.items() if path is not None}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "mine"
    made.mkdir()
    for name in ("membership.cpp", "ring.cpp"):
        (made / name).write_text("int x();\n")
    return made


def test_whole_folder_opens_and_the_warm_up_may_be_absent(folder: Path) -> None:
    solution = solutions.open_solution(folder, COURSE)
    assert own_of(solution.modules(COURSE[2])) == {
        "membership": folder / "membership.cpp",
        "ring": folder / "ring.cpp",
    }


def test_later_modules_are_given(folder: Path) -> None:
    modules = solutions.open_solution(folder, COURSE).modules(COURSE[1])
    assert own_of(modules) == {"membership": folder / "membership.cpp"}
    assert modules["ring"] is None


def test_lab_3_is_graded_among_modules_of_the_reference(folder: Path) -> None:
    (folder / "membership.cpp").unlink()
    (folder / "replication.cpp").write_text("int x();\n")
    solution = solutions.open_solution(folder, [*COURSE, LAB3], wanted=[LAB3])
    assert own_of(solution.modules(LAB3)).keys() == {"replication"}
    assert [lab.number for lab in solution.given] == [1]


def test_cluster_of_ones_own_runs_all_that_there_is(folder: Path) -> None:
    solution = solutions.open_solution(folder, [*COURSE, LAB3], wanted=[])
    assert own_of(solution.modules(None)).keys() == {"membership", "ring"}


def test_part_with_a_factory_of_its_own_comes_from_another_folder(folder: Path) -> None:
    (folder / "replication.cpp").write_text("int x();\n")
    course = [*COURSE, LAB3]
    supplied = solutions.parse_with(["reference:3C"], course)
    modules = solutions.open_solution(folder, course, supplied).modules(LAB3)
    assert modules["replication"] == folder / "replication.cpp"
    assert modules["transfer"] is None
    supplied = solutions.parse_with([f"{folder}:3C"], course)
    modules = solutions.open_solution(REFERENCE, course, supplied).modules(LAB3)
    assert modules["transfer"] == folder / "replication.cpp"


def test_another_folder_supplies_a_lab(folder: Path) -> None:
    (folder / "membership.cpp").unlink()
    supplied = solutions.parse_with(["reference:1"], COURSE)
    modules = solutions.open_solution(folder, COURSE, supplied).modules(COURSE[2])
    assert modules["membership"] == REFERENCE / "membership.cpp"


@pytest.mark.parametrize("name", ["notes.txt", "rign.cpp", "membership.h", "build"])
def test_stranger_is_named(folder: Path, name: str) -> None:
    (folder / name).write_text("x")
    with pytest.raises(LabError, match=name) as caught:
        solutions.open_solution(folder, COURSE)
    assert "Move it out" in str(caught.value)


@pytest.mark.parametrize("name", [".git", ".DS_Store", "ring.cpp~", ".ring.cpp.swp"])
def test_what_tools_leave_is_passed_over(folder: Path, name: str) -> None:
    (folder / name).write_text("x")
    solutions.open_solution(folder, COURSE)


def test_missing_file_is_named_with_a_cure(folder: Path) -> None:
    (folder / "ring.cpp").unlink()
    with pytest.raises(LabError, match="ring.cpp is missing") as caught:
        solutions.open_solution(folder, COURSE)
    assert "--with reference:2" in str(caught.value)


def test_file_of_a_later_lab_may_be_missing(folder: Path) -> None:
    (folder / "ring.cpp").unlink()
    solution = solutions.open_solution(folder, COURSE, wanted=[COURSE[1]])
    assert solution.given == (COURSE[2],)
    assert solution.modules(COURSE[1])["ring"] is None
    (folder / "membership.cpp").unlink()
    with pytest.raises(LabError, match=r"membership\.cpp is missing"):
        solutions.open_solution(folder, COURSE, wanted=[COURSE[1]])
    with pytest.raises(LabError, match=r"membership\.cpp is missing"):
        solutions.open_solution(folder, COURSE, wanted=[COURSE[2]])


def test_nothing_stands_in_for_fault_plans_that_are_not_graded(folder: Path) -> None:
    plans = replace(lab_of(7, "capstone"), file="capstone.json")
    course = [*COURSE, plans]
    solution = solutions.open_solution(folder, course, wanted=[COURSE[2]])
    assert solution.given == ()
    assert "capstone" not in solution.modules(plans)
    with pytest.raises(LabError, match=r"capstone\.json is missing") as caught:
        solutions.open_solution(folder, course, wanted=[plans])
    assert "copy skeleton/capstone.json there" in str(caught.value)
    (folder / "capstone.jsn").write_text("{}")
    with pytest.raises(LabError, match=r"capstone\.jsn does not belong .*") as caught:
        solutions.open_solution(folder, course, wanted=[plans])
    assert "did you mean" in str(caught.value)


def test_odd_files_are_refused(folder: Path) -> None:
    path = folder / "ring.cpp"
    path.unlink()
    path.mkdir()
    with pytest.raises(LabError, match="no file"):
        solutions.open_solution(folder, COURSE)
    path.rmdir()
    path.symlink_to("absent.cpp")
    with pytest.raises(LabError, match="no file"):
        solutions.open_solution(folder, COURSE)
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(LabError, match="no file"):
        solutions.open_solution(folder, COURSE)
    path.unlink()
    path.write_text("")
    with pytest.raises(LabError, match="is empty"):
        solutions.open_solution(folder, COURSE)
    path.write_text("x" * (solutions.LARGEST_FILE_BYTES + 1))
    with pytest.raises(LabError, match="not compiled"):
        solutions.open_solution(folder, COURSE)


def test_folder_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="no such folder"):
        solutions.open_solution(tmp_path / "absent", COURSE)
    (tmp_path / "file").write_text("x")
    with pytest.raises(LabError, match="is a file"):
        solutions.open_solution(tmp_path / "file", COURSE)


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("reference", "write FOLDER:LABS"),
        (":1", "write FOLDER:LABS"),
        ("reference:", "write FOLDER:LABS"),
        ("absent:1", "no folder"),
        ("reference:9", "there is no lab '9'"),
        ("reference:1A", "by parts"),
        ("reference:3A", "only 3C"),
        ("reference:1,,2", "there is no lab ''"),
    ],
)
def test_with_is_checked(value: str, told: str) -> None:
    with pytest.raises(LabError, match=told):
        solutions.parse_with([value], [*COURSE, LAB3])


def test_a_solution_without_a_name_is_not_the_current_folder() -> None:
    with pytest.raises(LabError, match="the name is empty"):
        solutions.solution_folder("")


def test_options_give_the_same_solution_again(folder: Path) -> None:
    supplied = solutions.parse_with(["reference:1,2"], COURSE)
    solution = solutions.open_solution(folder, COURSE, supplied)
    assert solution.options == ["--solution", str(folder), "--with", "reference:1,2"]
    assert solutions.parse_with(solution.supplied_words, COURSE) == supplied


def test_reference_is_suggested_first_for_the_module_of_another_lab(folder: Path) -> None:
    (folder / "membership.cpp").unlink()
    with pytest.raises(LabError) as caught:
        solutions.open_solution(folder, COURSE, wanted=[COURSE[2]])
    cure = str(caught.value).splitlines()[1]
    assert cure == "Let the reference stand in: add --with reference:1"


def test_nobody_copies_a_file_onto_itself(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(solutions, "SKELETON", folder)
    (folder / "membership.cpp").unlink()
    with pytest.raises(LabError) as caught:
        solutions.open_solution(folder, COURSE, wanted=[COURSE[1]])
    assert "opy skeleton/" not in str(caught.value)
    assert "git checkout -- " in str(caught.value)


def test_cluster_of_ones_own_takes_what_is_not_begun_from_the_reference(folder: Path) -> None:
    for name in ("membership.cpp", "ring.cpp"):
        text = (REFERENCE / name).read_text(encoding="utf-8")
        (folder / name).write_text(skeleton_of(text, name), encoding="utf-8")
    with (folder / "ring.cpp").open("a", encoding="utf-8") as ring:
        ring.write("// begun\n")
    solution = solutions.open_solution(folder, [*COURSE, LAB3], wanted=[])
    assert [lab.file for lab in solution.not_begun()] == ["membership.cpp"]
    assert own_of(solution.modules(None)).keys() == {"ring"}
    assert own_of(solution.modules(COURSE[2])).keys() == {"membership", "ring"}


def test_a_courses_lab_is_graded_on_the_solutions_own_file(tmp_path: Path, course: list[Lab]) -> None:
    """A course has labs of its own (other points, other checks): the same lab is another object there."""
    for lab in course:
        (tmp_path / lab.file).write_text("// mine\n")
    wanted = [replace(lab, points=1) for lab in course if lab.has_module]
    solution = solutions.open_solution(tmp_path, course, None, wanted)
    for lab in wanted:
        assert solution.modules(lab)[lab.module] == tmp_path / lab.file
