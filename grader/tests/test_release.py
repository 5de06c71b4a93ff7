"""./lab release: what students get, and that it stands on its own. The objects of the reference are made in
the slow tests alone; here stand-ins lie in their place."""

from __future__ import annotations

import datetime
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dynamolab import labs, processes, reference
from dynamolab.commands import release as command
from dynamolab.course import course as courses
from dynamolab.course import leaks, prebuilt, release
from dynamolab.course.course import Course
from dynamolab.errors import LabError
from dynamolab.paths import REFERENCE, ROOT

EXAMPLE = json.loads(command.EXAMPLE.read_text(encoding="utf-8"))
FEBRUARY = datetime.datetime(2027, 2, 20, tzinfo=datetime.timezone.utc)
DEADLINE_S = 600.0
CODE = re.compile(r"```.*?```|`[^`\n]*`", re.DOTALL)
LINK = re.compile(r"\]\((?!https?:|mailto:|#)([^)#\s]+)")


def write(folder: Path, document: dict[str, Any]) -> Course:
    path = folder / "course.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    course = courses.load(path)
    course.draw_seeds()
    return course


def checks_of(course: Course, number: int) -> list[labs.Check]:
    lab = course.lab(number)
    assert lab is not None
    return list(lab.checks)


def make_no_objects(folder: Path, course: Course, given: list[int], *_: object) -> list[str]:
    made = [lab.module for lab in course.known if lab.number in given and lab.has_module]
    (folder / "stores").mkdir(parents=True)
    for name in (*made, "stores/right"):
        (folder / f"{name}.o").write_bytes(b"\0object of make_it\0")
    return made


@pytest.fixture
def no_objects(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prebuilt, "make", make_no_objects)


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the example course and, in students/, what is made of it. To be read."""
    folder = tmp_path_factory.mktemp("released")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(prebuilt, "make", make_no_objects)
        release.make(write(folder, EXAMPLE), folder / "students", FEBRUARY, 1)
    return folder


@pytest.fixture
def students(released: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return shutil.copytree(released / "students", tmp_path / "students")


def test_example_is_a_course(tmp_path: Path) -> None:
    course = write(tmp_path, EXAMPLE)
    assert course.parts_left_out == ["3C"]
    assert all(any(check.hidden for check in lab.checks) for lab in course.graded)


def test_students_get_their_skeleton_twice_and_nothing_private(released: Path) -> None:
    students = released / "students"
    skeleton = {path.name: path.read_text() for path in (ROOT / "skeleton").iterdir()}
    for folder in (students / "solution", students / "grader" / "skeleton"):
        assert {path.name: path.read_text() for path in folder.iterdir()} == skeleton
    for private in ("reference", "skeleton", ".git", "framework/tests", "grader/hidden"):
        assert not (students / private).exists(), private
    for private in ("tests", "right", "mutants", "bench"):
        assert not (students / "grader" / private).exists(), private
    assert not list(students.rglob("class-seeds*"))
    assert os.access(students / "lab", os.X_OK)


def test_everything_that_its_build_names_is_there(released: Path) -> None:
    """What stands within an if(EXISTS …) may be absent."""
    lists = list((released / "students").rglob("CMakeLists.txt"))
    assert len(lists) > 6
    for path in lists:
        for folder in re.findall(r"^add_subdirectory\((\S+?)[ )]", path.read_text(), re.MULTILINE):
            assert (path.parent / folder / "CMakeLists.txt").is_file(), f"{path}: {folder}"


def test_its_pages_say_solution_and_every_link_leads_somewhere(released: Path) -> None:
    students = released / "students"
    pages = list(students.rglob("*.md"))
    assert len(pages) > 8
    for page in pages:
        text = page.read_text(encoding="utf-8")
        assert "skeleton/" not in text and "--solution skeleton" not in text, page
        for link in LINK.findall(CODE.sub("", text)):
            assert (page.parent / link).exists(), f"{page}: {link}"
    assert "`solution/membership.cpp`" in (students / "README.md").read_text(encoding="utf-8")


def test_its_course_has_the_points_that_count_and_no_secret(released: Path) -> None:
    theirs = labs.read_json(released / "students" / "course.json", courses.SCHEMA)
    assert not {"hidden", "seeds", "disclosed"} & theirs.keys()
    ours = courses.load(released / "course.json")
    made = courses.load(released / "students" / "course.json")
    for lab in made.labs:
        public = [check for check in checks_of(ours, lab.number) if not check.hidden]
        assert [(c.id, c.points) for c in lab.checks] == [(c.id, c.points) for c in public]
        assert made.plans[lab.number].due == ours.plans[lab.number].due
    assert made.parts_left_out == ours.parts_left_out


def test_points_seeds_and_references_go_out_as_the_course_says(tmp_path: Path, no_objects: None) -> None:
    chosen: list[dict[str, Any]] = [
        {"lab": 1, "reference": "after_due", "due": "2027-02-12T23:59Z"},
        {"lab": 2, "reference": "after_due", "due": "2027-02-26T23:59Z", "points": 220},
        {"lab": 3, "reference": "never"},
    ]
    course = write(tmp_path, EXAMPLE | {"labs": chosen, "disclosed": [1]})
    released = release.make(course, tmp_path / "students", FEBRUARY, 1)
    assert released.given == [0, 1, 4, 5, 6, 7]
    names = {path.name for path in (tmp_path / "students" / "prebuilt").glob("*/*.o")}
    assert "membership.o" in names and not {"ring.o", "replication.o"} & names
    made = courses.load(tmp_path / "students" / "course.json")
    for lab in (1, 2):  # Scaled, and without the hidden ones that are not disclosed.
        wanted = [check for check in checks_of(course, lab) if lab == 1 or not check.hidden]
        assert [(c.id, c.points) for c in checks_of(made, lab)] == [(c.id, c.points) for c in wanted]
    assert made.seeds(1) == course.seeds(1)
    with pytest.raises(LabError, match="no seeds of lab 2"):
        made.seeds(2)
    (hidden,) = (tmp_path / "students" / "grader" / "hidden").iterdir()
    assert hidden.name == "1-membership.json" and "catches" not in hidden.read_text()


def test_disclosing_waits_for_the_deadline(tmp_path: Path, no_objects: None) -> None:
    path = tmp_path / "course.json"
    write(tmp_path, EXAMPLE)
    course = courses.load(path)
    with pytest.raises(LabError, match="lab 2 is due Friday 26 February 2027"):
        command._disclosed(path, course, ["2"], FEBRUARY, early=False)
    assert command._disclosed(path, course, ["1"], FEBRUARY, early=False).disclosed == {1}
    assert courses.load(path).disclosed == {1}


def test_a_second_release_replaces_the_first_and_keeps_its_history(
    released: Path, students: Path, tmp_path: Path, no_objects: None
) -> None:
    (students / ".git").mkdir()
    (students / "old.txt").write_text("x")
    release.make(courses.load(released / "course.json"), students, FEBRUARY, 1)
    assert (students / ".git").is_dir() and not (students / "old.txt").exists()
    assert not (tmp_path / "students.part").exists()


def test_foreign_folders_are_left_alone(tmp_path: Path, no_objects: None) -> None:
    course = write(tmp_path, EXAMPLE)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("x")
    for out, told in (
        *((tmp_path / "mine", "is not empty"), (tmp_path / "mine" / "thesis.tex", "is a file")),
        (ROOT / "students", "lies in this checkout"),
    ):
        with pytest.raises(LabError, match=told):
            release.make(course, out, FEBRUARY, 1)
    assert (tmp_path / "mine" / "thesis.tex").read_text() == "x"


def in_students(students: Path, *words: str | Path, **env: str) -> processes.Completed:
    environment = {**os.environ, "PYTHONPATH": str(students / "grader"), "COLUMNS": "120", **env}
    environment.pop("DYNAMO_OVERLAY", None)
    line = [sys.executable, "-P", "-m", "dynamolab", *words]
    return processes.run(line, cwd=students, env=environment, deadline_s=DEADLINE_S)


def test_it_has_the_commands_of_students_and_their_points(students: Path) -> None:
    told = in_students(students, "--help").out
    assert "./lab grade 1" in told and "mutants" not in told and "soak" not in told
    assert "there is no command 'release'" in in_students(students, "release", "--out", "x").out
    listed = in_students(students, "list", "3").out
    assert "75 points" in listed and "Part C" not in listed
    (students / "solution" / "ring.cpp").unlink()
    done = in_students(students, "grade", "2")
    assert done.code == 2 and "copy grader/skeleton/ring.cpp there" in done.out


def test_a_machine_without_objects_is_told_what_to_do(students: Path) -> None:
    shutil.move(students / "prebuilt" / reference.machine(), students / "prebuilt" / "plan9-mips")
    done = in_students(students, "cluster", "up")
    assert done.code == 2
    assert "ships for plan9-mips" in done.out and reference.machine() in done.out
    done = in_students(students, "grade", "3", "--with", "reference:1")
    assert done.code == 2 and "no prebuilt reference for this machine" in done.out


@pytest.mark.parametrize(
    ("words", "unfit"),
    [
        ("error: undefined symbol: __isoc23_strtol\n>>> referenced by prebuilt/linux-x86_64/ring.o", True),
        ("/usr/bin/ld: prebuilt/linux-x86_64/ring.o: in function `f': undefined reference to `g'", True),
        ("ld.lld: error: prebuilt/linux-x86_64/ring.o is incompatible with elf64-x86-64", True),
        ("ld.lld: error: undefined symbol: make_sync\n>>> referenced by node.cpp:9 (libnode.a)", False),
        ("ld.lld: error: duplicate symbol: f\n>>> defined in prebuilt/linux-x86_64/ring.o", False),
        ("solution/ring.cpp:7: error: 'x' is undefined", False),
    ],
)
def test_an_object_that_does_not_fit_is_not_the_students_fault(
    words: str, unfit: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not reference.does_not_link(words)
    monkeypatch.setattr(reference, "RELEASED", True)
    assert reference.does_not_link(words) is unfit


# Leaks.


@pytest.fixture(scope="module")
def secrets() -> leaks.Secrets:
    return leaks.of_checkout(seeds=[271828182845904])


def test_there_is_something_to_hide(secrets: leaks.Secrets) -> None:
    assert len(secrets.runs) > 3000 and len(secrets.words) > 200 and len(secrets.phrases) > 300


def right(name: str) -> str:
    return (ROOT / "grader" / "right" / name).read_text(encoding="utf-8")


def patch(name: str) -> str:
    text = (ROOT / "grader" / "mutants" / name / "mutant.json").read_text(encoding="utf-8")
    return str(json.loads(text)["title"])


PLANTED = {
    "the reference, indented": lambda: re.sub("(?m)^", "    ", (REFERENCE / "ring.cpp").read_text()),
    "the reference's fault plans": lambda: (REFERENCE / "capstone.json").read_text(),
    "a right solution": lambda: right("2-by-distance/ring.cpp"),
    "a known-wrong solution's title": lambda: patch("1-membership/answered-before-durable"),
    "a hidden check": lambda: "ring.hidden_members_agree_with_more_seeds",
    "a secret seed": lambda: '{"seeds": [271828182845904]}',
}


@pytest.mark.parametrize("what", PLANTED)
def test_planted_text_is_found(secrets: leaks.Secrets, what: str) -> None:
    assert leaks.in_text("Notes of the TA\n" + PLANTED[what](), secrets)


def test_planted_name_in_a_binary_is_found(secrets: leaks.Secrets, tmp_path: Path) -> None:
    word = sorted(secrets.words)[len(secrets.words) // 2]
    source = f"struct {word} {{ virtual ~{word}(); }};\n{word}::~{word}() = default;\n"
    (tmp_path / "x.cpp").write_text(source)
    subprocess.run(["g++", "-c", "x.cpp", "-o", "x.o"], cwd=tmp_path, check=True, timeout=60)
    (tmp_path / "x.cpp").unlink()
    assert leaks.found_in(tmp_path, secrets) == [f"x.o: the identifier {word}"]


def test_what_the_framework_makes_of_the_reference_would_be_found(secrets: leaks.Secrets) -> None:
    archive = ROOT / "build" / "release" / "reference" / "libreference_quorum.a"
    if not archive.exists():
        pytest.skip(f"{archive.name} is not built; ./lab test builds it first")
    assert len(leaks.in_binary(archive.read_bytes(), secrets)) > 10


def test_a_release_that_leaks_is_not_written(
    tmp_path: Path, no_objects: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    course = write(tmp_path, EXAMPLE)
    text = right("2-by-distance/ring.cpp")
    monkeypatch.setattr(release.pages, "readme", lambda *_: text)
    with pytest.raises(LabError, match=r"README.md: lines of grader/right/2-by-distance/ring.cpp"):
        release.make(course, tmp_path / "students", FEBRUARY, 1)
    assert not (tmp_path / "students").exists() and not (tmp_path / "students.part").exists()


# For real.


@pytest.mark.slow
def test_released_repository_grades_on_its_own(
    tmp_path: Path, lab_command: Callable[..., processes.Completed]
) -> None:
    """With nothing of this checkout but what was released: an empty skeleton, a right solution, the fault
    plans, the hidden checks once they are disclosed."""
    chosen = [{"lab": 1, "reference": "never"}, {"lab": 2, "reference": "never"}, {"lab": 7}]
    write(tmp_path, EXAMPLE | {"labs": chosen})
    students = tmp_path / "students"
    words = ["release", "--course", tmp_path / "course.json", "--out", students]
    done = lab_command(*words, "--disclose", "1", deadline_s=DEADLINE_S)
    assert done.code == 0, done.out
    (objects,) = (students / "prebuilt").iterdir()
    assert {path.stem for path in objects.glob("*.o")} >= {"sync", "quorum", "replication_alone"}
    assert not (objects / "ring.o").exists()
    shutil.copy(REFERENCE / "capstone.json", students / "solution")
    plan = "capstone.plan_finds_deletes_that_come_back"
    sample = ["--fast", "--results", "r.json"]
    done = in_students(students, "grade", "7", "--only", plan, *sample)
    assert done.code == 0, done.out
    first = "membership.an_old_join_never_resurrects"
    done = in_students(students, "grade", "1", "--only", first, *sample)
    assert done.code == 1 and "lab1" in done.out, done.out
    shutil.copy(REFERENCE / "membership.cpp", students / "solution")
    done = in_students(students, "grade", "1", *sample)
    assert done.code == 0, done.out
    graded = json.loads((students / "r.json").read_text())
    assert {c["id"] for c in graded["labs"][0]["checks"]} > {"membership.hidden_chaos_of_more_seeds"}
