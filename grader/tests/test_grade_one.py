"""./lab grade-one: once, whole or not at all, and never a zero for the grader's own trouble."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from dynamolab import build, grade, labs, processes, results, solutions
from dynamolab.course import course as courses
from dynamolab.errors import GraderTrouble, LabError
from dynamolab.labs import Check, Lab
from dynamolab.paths import REFERENCE, ROOT, SKELETON
from dynamolab.results import CheckResult, LabResult, Outcome, Results, Show
from dynamolab.solutions import Modules
from dynamolab.submissions import grade_one, place, rerun
from dynamolab.submissions.grade_one import Options

CHECK = "ring.token_walk_visits_hosts_clockwise_from_the_key"
OPEN = ("--sandbox", "off")  # Whatever this machine can do.
DEADLINE_S = 120.0
Command = Callable[..., processes.Completed]


@pytest.fixture
def submission(tmp_path: Path) -> Path:
    folder = tmp_path / "alice"
    folder.mkdir()
    (folder / "ring.cpp").write_bytes((REFERENCE / "ring.cpp").read_bytes())
    return folder


@pytest.fixture
def options(course: list[Lab]) -> Options:
    return Options(courses.whole(course), [lab for lab in course if lab.number == 2])


@pytest.fixture
def graded(monkeypatch: pytest.MonkeyPatch) -> list[grade.Request]:
    """Grading as it were: nothing is built, every check passes. The requests that there were."""
    requests: list[grade.Request] = []

    def run(request: grade.Request) -> Results:
        requests.append(request)
        assert request.folder is not None
        told = Results(str(request.solution.folder), request.seed)
        for lab in request.labs:
            checks = [_passed(check, request.folder) for check in request.chosen(lab)]
            told.labs.append(LabResult(lab.number, lab.name, lab.title, checks))
        return told

    monkeypatch.setattr(grade, "grade", run)
    return requests


def _passed(check: Check, folder: Path) -> CheckResult:
    replay = folder / f"{check.id}.replay.json"
    replay.write_text(json.dumps({"node": str(folder)}))
    said = f"{folder}/solution/ring.cpp:7: well done"
    return CheckResult(
        *(check.id, check.title, check.kind, Outcome.PASS, check.points, 1.0, said, str(replay))
    )


def test_result_is_whole_and_names_no_place_but_its_own(
    submission: Path, tmp_path: Path, options: Options, graded: list[grade.Request]
) -> None:
    out = tmp_path / "out" / "alice"
    told = grade_one.grade_one(submission, out, options)
    assert told.points == 100 and [path.name for path in out.parent.iterdir()] == ["alice"]
    assert {"results.json", "report.html", "log.txt", "solution"} <= {p.name for p in out.iterdir()}
    labs.validate(json.loads((out / "results.json").read_text()), "results.schema.json", "results")
    assert results.read(out / "results.json").document() == told.document()
    check = told.labs[0].checks[0]
    assert check.message == "solution/ring.cpp:7: well done"
    assert check.replay == str(out / f"{check.id}.replay.json")
    assert not [path for path in out.rglob("*") if path.is_file() and ".part" in path.read_text()]
    assert (out / "solution" / "ring.cpp").read_bytes() == (submission / "ring.cpp").read_bytes()


def test_what_is_graded_is_not_graded_again_unless_something_is_new(
    submission: Path, tmp_path: Path, options: Options, graded: list[grade.Request]
) -> None:
    out = tmp_path / "out"
    for _ in range(2):
        grade_one.grade_one(submission, out, options)
    assert len(graded) == 1
    grade_one.grade_one(submission, out, replace(options, seed=2))
    (submission / "ring.cpp").write_text("// new\n")
    grade_one.grade_one(submission, out, replace(options, seed=2))
    grade_one.grade_one(submission, out, replace(options, seed=2), again=True)
    assert len(graded) == 4
    (submission / "notes.txt").write_text("not part of it")
    grade_one.grade_one(submission, out, replace(options, seed=2))
    assert len(graded) == 4


def test_points_of_today_are_put_on_verdicts_of_yesterday(
    submission: Path, tmp_path: Path, options: Options, graded: list[grade.Request]
) -> None:
    out = tmp_path / "out"
    grade_one.grade_one(submission, out, options)
    lab = options.labs[0]
    checks = [replace(check, points=1, show=Show.NOTHING) for check in lab.checks]
    today = replace(options, labs=[replace(lab, checks=tuple(checks), points=len(checks))])
    assert grade_one.grade_one(submission, out, today).points == len(checks)
    assert len(graded) == 1
    assert results.read(out / "results.json").max_points == len(checks)
    assert lab.checks[0].title not in (out / "student.html").read_text()


def test_what_cannot_be_opened_is_graded_and_says_why(
    tmp_path: Path, options: Options, graded: list[grade.Request]
) -> None:
    (tmp_path / "bad.zip").write_bytes(b"PK\x03\x04 no zip")
    told = grade_one.grade_one(tmp_path / "bad.zip", tmp_path / "out", options)
    assert told.outcome is Outcome.FAIL and told.points == 0 and not graded
    assert "could not be opened" in told.labs[0].checks[0].message
    assert "could not be opened" in (tmp_path / "out" / "report.html").read_text()


def test_the_graders_trouble_leaves_what_was_there(
    submission: Path,
    tmp_path: Path,
    options: Options,
    graded: list[grade.Request],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    out = tmp_path / "out"
    grade_one.grade_one(submission, out, options)
    before = (out / "results.json").read_bytes()
    kept = grade.grade

    def undecided(request: grade.Request) -> Results:
        told = kept(request)
        told.labs[0].checks[0].outcome = Outcome.INCONCLUSIVE
        return told

    def broken(_request: grade.Request) -> Results:
        raise GraderTrouble("no compiler")

    monkeypatch.setattr(grade, "grade", undecided)
    told = grade_one.grade_one(submission, out, options, again=True)
    assert told.outcome is Outcome.INCONCLUSIVE and (out / "results.json").read_bytes() == before
    monkeypatch.setattr(grade, "grade", broken)
    with pytest.raises(GraderTrouble):
        grade_one.grade_one(submission, out, options, again=True)
    assert (out / "results.json").read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["alice", "out"]
    # Without one before it is kept, for people; and is no grade: the next command grades again.
    monkeypatch.setattr(grade, "grade", undecided)
    other = tmp_path / "other"
    grade_one.grade_one(submission, other, options)
    assert (other / "results.json").is_file()
    monkeypatch.setattr(grade, "grade", kept)
    assert grade_one.grade_one(submission, other, options).outcome is Outcome.PASS


def test_after_a_kill_the_old_result_is_back_and_no_work_is_left(tmp_path: Path) -> None:
    out = tmp_path / "alice"
    (tmp_path / ".alice.old").mkdir()
    (tmp_path / ".alice.old" / "results.json").write_text("{}")
    (tmp_path / ".alice.77.part").mkdir()
    with place.locked(out):
        assert [path.name for path in tmp_path.iterdir() if ".lock" not in path.name] == ["alice"]
    assert (out / "results.json").read_text() == "{}"


def test_the_lock_is_for_one_and_hides_no_trouble(tmp_path: Path) -> None:
    out = tmp_path / "alice"
    with pytest.raises(OSError, match="disk full"), place.locked(out):
        raise OSError("disk full")
    with place.locked(out), (tmp_path / ".alice.lock").open("w") as file:
        assert not place._taken(file.fileno(), tmp_path / ".alice.lock")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_of_somebody_else_is_left_alone(submission: Path, options: Options) -> None:
    with pytest.raises(LabError, match="holds other things"):
        grade_one.grade_one(submission, submission, options)
    with pytest.raises(LabError, match="is a file"):
        grade_one.grade_one(submission, submission / "ring.cpp", options)


# A check that needs another one, both on real processes, and a simulated one.
def _lab(course: list[Lab]) -> Lab:
    lab = next(lab for lab in course if lab.number == 2)
    first, second, third, fourth = lab.checks[:4]
    of = [
        replace(first, kind="cluster"),
        replace(second, kind="cluster", needs=(first.id,)),
        replace(third, kind="sim", needs=()),
        replace(fourth, kind="cluster", needs=()),
    ]
    return replace(lab, checks=tuple(of))


def _results(lab: Lab, *outcomes: Outcome) -> Results:
    checks = [
        CheckResult(c.id, c.title, c.kind, outcome, c.points, 1.0, "it broke")
        for c, outcome in zip(lab.checks, outcomes, strict=True)
    ]
    return Results("mine", 1, [LabResult(2, "ring", "Ring", checks)])


def test_what_a_second_run_may_change_is_run_again(course: list[Lab]) -> None:
    lab = _lab(course)
    names = [check.id for check in lab.checks]
    told = _results(lab, Outcome.FAIL, Outcome.SKIP, Outcome.FAIL, Outcome.PASS)
    assert rerun.to_run_again(told, [lab]) == {names[0], names[1]}
    told.labs[0].checks[0].rerun = rerun.FAILED_TWICE
    assert rerun.to_run_again(told, [lab]) == frozenset()
    told.labs[0].checks[2].outcome = Outcome.INCONCLUSIVE
    assert rerun.to_run_again(told, [lab]) == {names[2]}
    uncompiled = _results(lab, *[Outcome.FAIL] * 4)
    for check in uncompiled.labs[0].checks:
        check.message = "The solution does not compile (ring.cpp)"
    assert rerun.to_run_again(uncompiled, [lab]) == frozenset()


@pytest.mark.parametrize(
    ("second", "points", "outcome"),
    [
        (Outcome.PASS, 100, Outcome.PASS),
        (Outcome.FAIL, 91, Outcome.FAIL),
        (Outcome.INCONCLUSIVE, 91, Outcome.INCONCLUSIVE),
    ],
)
def test_second_run_alone_decides(
    second: Outcome,
    points: int,
    outcome: Outcome,
    submission: Path,
    tmp_path: Path,
    options: Options,
    graded: list[grade.Request],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    out = tmp_path / "out"
    grade_one.grade_one(submission, out, options)
    told = results.read(out / "results.json")
    failed = next(c for c in told.labs[0].checks if c.kind == "cluster")
    of = told.points - failed.points
    failed.outcome, failed.message = Outcome.FAIL, "it broke"
    results.write_json(told.document(), out / "results.json")
    kept = grade.grade

    def again(request: grade.Request) -> Results:
        fresh = kept(request)
        fresh.labs[0].checks[0].outcome = second
        return fresh

    monkeypatch.setattr(grade, "grade", again)
    merged = rerun.rerun(out, options)
    assert graded[-1].only == {failed.id}
    assert merged.outcome is outcome
    assert merged.points == (100 if points == 100 else of)
    assert results.read(out / "results.json").document() == merged.document()
    assert failed.id in (out / "log.txt").read_text().rpartition("run again")[2]
    requests = len(graded)
    rerun.rerun(out, options)
    assert len(graded) == requests + (second is Outcome.INCONCLUSIVE)


@pytest.mark.slow
def test_a_killed_grading_leaves_nothing_and_the_next_one_grades(
    submission: Path, tmp_path: Path, lab_command: Command
) -> None:
    out = tmp_path / "graded" / "alice"
    words = ["grade-one", str(submission), str(out), "--labs", "2", "--only", CHECK, *OPEN]
    command = [sys.executable, "-P", "-m", "dynamolab", *words]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "grader")}
    with subprocess.Popen(command, env=environment, cwd=ROOT, stdout=subprocess.DEVNULL) as child:
        until = time.monotonic() + DEADLINE_S
        while not list(out.parent.glob(".alice.*.part/solution")) and time.monotonic() < until:
            time.sleep(0.01)
        child.send_signal(signal.SIGKILL)
    assert not out.exists()
    done = lab_command(*words)
    assert done.code == 0 and "6 of 6 points" in done.out, done.out
    assert [path.name for path in out.parent.iterdir()] == ["alice"]
    kept = (out / "results.json").stat().st_mtime_ns
    assert lab_command(*words).code == 0
    assert (out / "results.json").stat().st_mtime_ns == kept
    # The build of a submission goes with it.
    told = results.read(out / "results.json")
    assert told.labs[0].checks[0].outcome is Outcome.PASS
    assert not list((build.BUILD / "release" / "solutions").glob("lab2-solution-*"))


@pytest.mark.slow
def test_what_does_not_compile_is_graded(tmp_path: Path, lab_command: Command) -> None:
    (tmp_path / "bob").mkdir()
    (tmp_path / "bob" / "ring.cpp").write_text("this is no C++\n")
    out = tmp_path / "out"
    done = lab_command("grade-one", tmp_path / "bob", out, "--labs", "2", "--only", CHECK, *OPEN)
    assert done.code == 0 and "0 of 6 points" in done.out, done.out
    message = results.read(out / "results.json").labs[0].checks[0].message
    assert "does not compile" in message and "solution/ring.cpp:1" in message
    assert str(tmp_path) not in message


def test_a_build_follows_what_is_compiled_and_what_only_linked_and_goes_with_its_submission(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lab may link what a lab before has compiled, or compile it itself: in one folder."""
    configured: list[Path | None] = []

    def configure(_framework: object, modules: Modules, folder: Path, *_: object) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "objects.txt").touch()
        (folder / "build.ninja").touch()
        configured.append(modules["membership"])

    monkeypatch.setattr(build, "BUILD", tmp_path / "build")
    monkeypatch.setattr(build, "_configure_solution", configure)
    monkeypatch.setattr(build, "_ninja", lambda *_: processes.Completed(0, "", 0.0, False))
    known = labs.load_all()
    solution, ring = solutions.open_solution(SKELETON, known), labs.find_lab(known, "ring")
    framework, modules = build.Framework("release", 1), solution.modules(ring)
    label, obj = f"lab{ring.number}-{solution.folder.name}", tmp_path / "membership.o"
    for compiled in ({"membership": obj}, {"membership": obj}, None):
        build.build_node(framework, modules, label, compiled=compiled)
    assert configured == [obj, modules["membership"]]
    assert list((tmp_path / "build").rglob("modules.txt"))
    grade_one.drop_builds(grade.Request(solution, [ring]))
    assert not list((tmp_path / "build").rglob("modules.txt"))
