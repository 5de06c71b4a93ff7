"""./lab release --gradescope: what is in the zip, and that Gradescope's own steps grade with it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from test_release import EXAMPLE, write

from dynamolab import labs, reference
from dynamolab.course import autograder
from dynamolab.course import course as courses
from dynamolab.errors import LabError
from dynamolab.paths import HIDDEN, REFERENCE, ROOT, SKELETON

DEADLINE_S = 60.0


def made(folder: Path, document: dict[str, Any], numbers: Sequence[int] = (2,)) -> Path:
    course = write(folder, document)
    chosen = [lab for lab in course.labs if lab.number in numbers]
    return autograder.make(course, chosen, folder / "lab.zip").file


def content(file: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(file) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_all_that_grades_is_in_it_and_nothing_that_does_not(tmp_path: Path) -> None:
    document = EXAMPLE | {"seeds": {"file": "private/seeds-of-2027.json"}}
    (tmp_path / "private").mkdir()
    file = made(tmp_path, document, (1, 2))
    there = content(file)
    assert there["options"] == b"--labs 1,2\n"
    for name in ("setup.sh", "run_autograder"):
        assert there[name] == (ROOT / "docker" / name).read_bytes()
    for folder, to in ((REFERENCE, "reference"), (SKELETON, "skeleton"), (HIDDEN, "grader/hidden")):
        for path in folder.iterdir():
            assert there[f"dynamo/{to}/{path.name}"] == path.read_bytes()
    wrong = {check.wrong for lab in labs.load_all() for check in lab.checks if check.wrong}
    kept = {name for name in there if name.startswith("dynamo/grader/mutants/")}
    assert {"/".join(name.split("/")[3:5]) for name in kept} == wrong
    for private in ("grader/tests", "grader/right", "grader/attacks", ".git/", "docs/instructor-guide.md"):
        assert not [name for name in there if name.startswith(f"dynamo/{private}")], private
    seeds = json.loads((tmp_path / "private" / "seeds-of-2027.json").read_text())
    assert json.loads(there["dynamo/class-seeds.json"]) == seeds
    assert json.loads(there["dynamo/course.json"])["seeds"] == {"file": "class-seeds.json"}
    assert file.stat().st_mode & 0o077 == 0, "others can read the class's secrets"


def test_programs_can_be_started_and_the_same_files_make_the_same_zip(tmp_path: Path) -> None:
    file = made(tmp_path, EXAMPLE)
    first = file.read_bytes()
    with zipfile.ZipFile(file) as archive:
        modes = {entry.filename: entry.external_attr >> 16 & 0o777 for entry in archive.infolist()}
    for name in ("setup.sh", "run_autograder", "dynamo/lab", "dynamo/docker/install.sh"):
        assert modes[name] == 0o755, name
    assert modes["dynamo/reference/ring.cpp"] == 0o644
    assert made(tmp_path, EXAMPLE).read_bytes() == first


def test_an_unpacked_zip_is_a_checkout_with_the_course_s_labs(tmp_path: Path) -> None:
    with zipfile.ZipFile(made(tmp_path, EXAMPLE)) as archive:
        archive.extractall(tmp_path / "source")
    done = subprocess.run(
        ["sh", "lab", "list", "2"],
        cwd=tmp_path / "source" / "dynamo",
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    ours = courses.load(tmp_path / "course.json").lab(2)
    assert ours is not None
    hidden = [check.id for check in ours.checks if check.hidden]
    assert hidden and all(identifier.partition(".")[2] in done.stdout for identifier in hidden)


@pytest.mark.parametrize(
    ("name", "told"),
    [("lab2", "name it lab2.zip"), (".", "is a folder"), (str(ROOT / "x.zip"), "lies in this checkout")],
)
def test_a_place_that_will_not_do_is_told_and_nothing_is_written(
    name: str, told: str, tmp_path: Path
) -> None:
    course = courses.whole()
    with pytest.raises(LabError, match=told):
        autograder.make(course, list(course.labs), tmp_path / name)
    assert list(tmp_path.iterdir()) == [] and not (ROOT / "x.zip").exists()


def test_without_the_reference_there_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reference, "modules", list)
    course = courses.whole()
    with pytest.raises(LabError, match="private repository"):
        autograder.make(course, list(course.labs), tmp_path / "lab.zip")


@pytest.mark.skipif(shutil.which("dpkg") is None, reason="dpkg compares the versions: Debian's, and others'")
@pytest.mark.parametrize(("candidate", "old"), [("3.22.1-1ubuntu1", True), ("3.25.1-1", False)])
def test_an_image_that_is_too_old_is_told_before_anything_is_installed(
    candidate: str, old: bool, tmp_path: Path
) -> None:
    with zipfile.ZipFile(made(tmp_path, EXAMPLE)) as archive:
        archive.extractall(tmp_path / "source")
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "apt-get").write_text(f'#!/bin/sh\necho "$*" >>{tmp_path}/asked\n[ "$1" = update ]\n')
    (programs / "apt-cache").write_text(f'#!/bin/sh\necho "  Candidate: {candidate}"\n')
    for program in programs.iterdir():
        program.chmod(0o755)
    done = subprocess.run(
        ["sh", tmp_path / "source" / "setup.sh"],
        env={**os.environ, "PATH": f"{programs}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    assert done.returncode != 0  # Nothing could be installed here.
    assert ("this system is too old: it has cmake 3.22.1" in done.stderr) == old
    assert (tmp_path / "asked").read_text().count("update") == (1 if old else 2)
