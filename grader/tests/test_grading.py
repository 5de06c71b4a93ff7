"""Grades for real: the reference, the skeleton, right-but-different and hostile solutions; and what is
left behind afterwards: nothing."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dynamolab import labs, processes
from dynamolab.paths import REFERENCE, RIGHT, ROOT, SKELETON

pytestmark = pytest.mark.slow

Lab = Callable[..., processes.Completed]
MOST_POINTS_OF_THE_SKELETON = 5
DEADLINE_S = 60.0
CHECKS = tuple(f"lab{lab.number}-checks" for lab in labs.load_all())
OURS = ("dynamo-node", "faultnet", *CHECKS, "ninja", "pytest")


@pytest.fixture
def report(tmp_path: Path) -> list[str | Path]:
    return ["--results", tmp_path / "results.json", "--html", tmp_path / "report.html"]


def results_of(tmp_path: Path) -> dict:  # type: ignore[type-arg]
    document = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))
    labs.validate(document, "results.schema.json", "results")
    return dict(document)


def copy(source: Path, tmp_path: Path) -> Path:
    target = tmp_path / "mine"
    shutil.copytree(source, target)
    return target


def _ours() -> set[str]:
    """Names and ids of the processes that a grade starts."""
    found = set()
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            words = entry.read_bytes().split(b"\0")
            name = Path(os.fsdecode(words[0])).name
            if name in OURS and str(ROOT).encode() in b" ".join(words):
                found.add(f"{name} {entry.parent.name}")
    return found


@pytest.fixture
def leaves_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[None]:
    """No process, temporary folder or shared memory more than before."""
    temporary = tmp_path_factory.mktemp("temporary")
    monkeypatch.setenv("TMPDIR", str(temporary))
    processes_before, shared_before = _ours(), _shared_memory()
    yield
    until = time.monotonic() + DEADLINE_S
    while (_ours() - processes_before) and time.monotonic() < until:
        time.sleep(0.1)
    assert _ours() - processes_before == set()
    assert list(temporary.iterdir()) == []
    assert _shared_memory() - shared_before == set()


def _shared_memory() -> set[str]:
    folder = Path("/dev/shm")
    return {str(path) for path in folder.glob("*dynamo*")} if folder.is_dir() else set()


def test_reference_has_full_points_in_all_labs(
    lab_command: Lab, tmp_path: Path, report: list[str | Path], leaves_nothing: None
) -> None:
    done = lab_command("grade", "--solution", "reference", *report)
    document = results_of(tmp_path)
    assert done.code == 0, done.out
    assert document["outcome"] == "pass"
    every_point = sum(lab.points for lab in labs.load_all())
    assert document["points"] == document["max_points"] == every_point
    assert all(c["outcome"] == "pass" for lab in document["labs"] for c in lab["checks"])
    assert f"{every_point}/{every_point}" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_warm_up_is_graded_without_points(
    lab_command: Lab, tmp_path: Path, report: list[str | Path]
) -> None:
    done = lab_command("grade", "0", "--solution", "reference", *report)
    assert done.code == 0, done.out
    assert results_of(tmp_path)["max_points"] == 0


def test_skeleton_scores_near_nothing_and_says_what_to_do(
    lab_command: Lab, tmp_path: Path, report: list[str | Path], leaves_nothing: None
) -> None:
    done = lab_command("grade", *report)
    document = results_of(tmp_path)
    assert done.code == 1, done.out
    assert document["outcome"] == "fail"
    for lab in document["labs"]:
        assert lab["points"] <= MOST_POINTS_OF_THE_SKELETON
    outcomes = {c["outcome"] for lab in document["labs"] for c in lab["checks"]}
    assert "inconclusive" not in outcomes
    assert "TODO(lab1" in done.out


# Right in these parts, and in no other: each check of another part must fail.
EARNS_ONLY = {"4-plain-clocks": ("A", "B")}
# Fault plans alone: test_fault_plans.py grades those.
WITH_CODE = sorted({path.parent for path in RIGHT.glob("*-*/*.cpp")})


@pytest.mark.parametrize("folder", WITH_CODE, ids=lambda path: path.name)
def test_right_but_different_solution_has_all_points_of_its_parts(
    lab_command: Lab, tmp_path: Path, report: list[str | Path], folder: Path
) -> None:
    number = folder.name.split("-")[0]
    absent = [path.stem for path in REFERENCE.glob("*.cpp") if not (folder / path.name).exists()]
    given = [str(lab.number) for lab in labs.load_all() if lab.module in absent]
    mix = ["--with", f"reference:{','.join(given)}"] if given else []
    done = lab_command("grade", number, "--solution", folder, *mix, *report)
    parts = EARNS_ONLY.get(folder.name)
    assert done.code == (1 if parts else 0), done.out
    for check in results_of(tmp_path)["labs"][0]["checks"]:
        earned = not parts or check["part"] in parts
        assert (check["outcome"] == "pass") == earned, check["id"]
        assert check["points"] == (check["max_points"] if earned else 0), check["id"]


def test_parts_that_are_earned_are_those_of_a_solution() -> None:
    assert set(EARNS_ONLY) <= {path.name for path in RIGHT.iterdir()}


HOSTILE = {
    "does not compile": "int f() { return 1 }",
    "includes what is not there": '#include "no_such.h"',
    "makes no module": "int unused() { return 1; }",
    "exits before main": "#include <unistd.h>\nstruct A { A() { _exit(0); } } a;",
    "uses a clock": "#include <chrono>\nauto f() { return std::chrono::steady_clock::now(); }",
}


@pytest.mark.parametrize("what", HOSTILE)
def test_broken_solution_fails_every_check_with_a_reason(
    lab_command: Lab, tmp_path: Path, report: list[str | Path], what: str
) -> None:
    mine = copy(REFERENCE, tmp_path)
    text = "" if what == "makes no module" else (mine / "ring.cpp").read_text(encoding="utf-8")
    (mine / "ring.cpp").write_text(f"{text}\n{HOSTILE[what]}\n", encoding="utf-8")
    done = lab_command("grade", "2", "--solution", mine, "--fast", *report)
    checks = results_of(tmp_path)["labs"][0]["checks"]
    assert done.code == 1, done.out
    assert {check["outcome"] for check in checks} <= {"fail", "skip"}
    assert all(check["message"] for check in checks)
    assert "ring.cpp" in done.out


STARTS = "void start(bool bootstrap) override {"
ACTS = {
    "loops for ever": "for (volatile bool on = true; on;) {}",
    "dereferences null": "*static_cast<volatile int*>(nullptr) = 1;",
    "throws": 'throw std::runtime_error("\\x1b[31mred <b>bold</b>");',
    "sleeps by itself": "for (volatile long n = 0; n < 4000000000000; n = n + 1) {}",
    "recurses for ever": "start(bootstrap);",
}


@pytest.mark.parametrize("what", ACTS)
def test_solution_that_misbehaves_at_work_fails_and_the_grader_goes_on(
    lab_command: Lab, tmp_path: Path, report: list[str | Path], what: str, leaves_nothing: None
) -> None:
    mine = copy(REFERENCE, tmp_path)
    text = (mine / "membership.cpp").read_text(encoding="utf-8")
    assert STARTS in text
    broken = text.replace(STARTS, f"{STARTS}\n{ACTS[what]}")
    (mine / "membership.cpp").write_text(f"#include <stdexcept>\n{broken}", encoding="utf-8")
    only = ["--only", "membership.the_first_node_is_bootstrapped"]
    done = lab_command("grade", "1", "--solution", mine, *only, *report)
    checks = results_of(tmp_path)["labs"][0]["checks"]
    assert done.code == 1, done.out
    assert [check["outcome"] for check in checks] == ["fail"]
    assert "\x1b" not in done.out
    assert "<b>bold</b>" not in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_failure_replays_and_says_the_same(
    lab_command: Lab, tmp_path: Path, report: list[str | Path]
) -> None:
    mine = copy(SKELETON, tmp_path)
    lab_command("grade", "1", "--fast", "--solution", mine, *report)
    checks = results_of(tmp_path)["labs"][0]["checks"]
    replays = [check for check in checks if check["replay"] and check["kind"] == "sim"]
    assert replays
    done = lab_command("replay", replays[0]["replay"])
    assert done.code == 1, done.out
    trace = next(line for line in done.out.splitlines() if line.startswith("trace: "))
    assert (ROOT / trace.removeprefix("trace: ")).is_file()
    assert replays[0]["message"].splitlines()[-1].strip() in done.out


def test_only_one_check_and_other_files_from_the_reference(
    lab_command: Lab, tmp_path: Path, report: list[str | Path]
) -> None:
    mine = copy(SKELETON, tmp_path)
    (mine / "membership.cpp").unlink()
    words = ["grade", "--solution", mine, "--with", "reference:1", "--only"]
    done = lab_command(*words, "membership.the_first_node_is_bootstrapped", *report)
    assert done.code == 0, done.out
    assert len(results_of(tmp_path)["labs"][0]["checks"]) == 1


@pytest.mark.parametrize(
    "check",
    ["warmup.a_ping_is_counted_and_answered", "membership.the_first_node_is_bootstrapped"],
)
def test_debugger_stops_in_the_solution_and_sees_its_variables(lab_command: Lab, check: str) -> None:
    words = ["debug", check, "--solution", "reference"]
    done = lab_command(*words, "--no-gdb", deadline_s=900.0)
    assert done.code == 0, done.out
    factory = f"dynamo::make_{check.partition('.')[0]}"
    assert f"break {factory}" in done.out
    program = done.out.split("--args ")[1].split()[0]
    again = processes.run([program, "--linked", "--only", check], deadline_s=DEADLINE_S)
    assert again.code == 0, again.out
    if shutil.which("gdb") is not None:
        command = ["gdb", "-batch", "-ex", f"info scope {factory}", program]
        assert "Symbol env" in processes.run(command, deadline_s=DEADLINE_S).out


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
@pytest.mark.parametrize("moment", ["checks", "cluster"])
def test_ctrl_c_ends_with_130_and_leaves_nothing(
    tmp_path: Path, leaves_nothing: None, moment: str
) -> None:
    kinds = {"checks": "lab1-checks", "cluster": "dynamo-node"}
    only = {"checks": [], "cluster": [w for check in _cluster_checks() for w in ("--only", check)]}
    command = [sys.executable, "-P", "-m", "dynamolab", "grade", "1", "--solution", "reference"]
    command += [*only[moment], "--seeds", "2000", "--html", str(tmp_path / "report.html")]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "grader")}
    before = _ours()
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        until = time.monotonic() + DEADLINE_S
        while not any(line.startswith(kinds[moment]) for line in _ours() - before):
            assert process.poll() is None and time.monotonic() < until
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        assert process.wait(DEADLINE_S) == 130


def _cluster_checks() -> list[str]:
    """All of lab 1's: one alone may have ended before its nodes are seen."""
    lab = next(lab for lab in labs.load_all() if lab.number == 1)
    return [check.id for check in lab.checks if check.kind == "cluster"]
