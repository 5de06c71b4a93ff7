"""Figures for a leaderboard: only of a store that passed every check of the capstone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from real_nodes import Programs, processes_that_mention, programs, soon

from dynamolab import build, grade, labs, leaderboard, processes, solutions
from dynamolab.checks import Verdict
from dynamolab.labs import Check
from dynamolab.leaderboard import Figures, Leaderboard
from dynamolab.results import LabResult, Outcome

__all__ = ["programs"]

COURSE = labs.load_all()
CAPSTONE = next(lab for lab in COURSE if not lab.has_module)
FIGURES = Figures(1000.0, 1.0, 9.0, 0)


@pytest.fixture
def graded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., LabResult]:
    """A grade of the capstone in which these checks fail and all others pass."""
    built = build.NodeBuild(tmp_path / "node", tmp_path, {})
    monkeypatch.setattr(build, "build_node", lambda *_, **__: built)
    monkeypatch.setattr(grade, "_violations", lambda *_: None)
    monkeypatch.setattr(leaderboard, "measure", lambda *_: Leaderboard("x", FIGURES, FIGURES))

    def run(failing: tuple[str, ...] = (), **asked: Any) -> LabResult:
        def verdicts(_work: object, _lab: object, chosen: list[Check], *_: object) -> dict[str, Verdict]:
            return {c.id: Verdict(Outcome.FAIL if c.id in failing else Outcome.PASS) for c in chosen}

        monkeypatch.setattr(grade, "_run", verdicts)
        reference = solutions.open_solution(solutions.REFERENCE, COURSE)
        request = grade.Request(reference, [CAPSTONE], leaderboard=True)
        framework = build.Framework("release", 1)
        work = grade._Work(replace(request, **asked), framework, framework, None, tmp_path)
        return grade._grade_lab(work, CAPSTONE, lambda _: None)

    return run


def test_store_that_passes_everything_is_measured(graded: Callable[..., LabResult]) -> None:
    assert graded().leaderboard == Leaderboard("x", FIGURES, FIGURES)
    assert graded(leaderboard=False).leaderboard is None


@pytest.mark.parametrize("kind", ["sim", "cluster", "plan"])
def test_store_that_fails_a_check_is_not(
    graded: Callable[..., LabResult], capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    failing = next(check.id for check in CAPSTONE.checks if check.kind == kind)
    assert graded((failing,)).leaderboard is None
    assert "no figures for the leaderboard" in capsys.readouterr().err


def test_store_that_was_not_asked_for_every_check_is_not(graded: Callable[..., LabResult]) -> None:
    assert graded(only=frozenset({CAPSTONE.checks[0].id})).leaderboard is None
    assert graded(kinds=frozenset({"sim", "plan"})).leaderboard is None


def test_it_is_of_the_capstone_alone(lab_command: Callable[..., processes.Completed]) -> None:
    done = lab_command("grade", "1", "--leaderboard")
    assert done.code == 2
    assert "--leaderboard: measures the whole store; grade lab 7 with it" in done.out


def test_real_store_is_measured_and_gone(programs: Programs, tmp_path: Path) -> None:
    framework = build.Framework("release", len(processes.cpus()))
    short = replace(leaderboard.LOAD, measured_s=0.3, warm_up_s=0.1)
    measured = leaderboard.measure(programs.node, framework, tmp_path, short)
    for figures in (measured.puts, measured.gets):
        assert figures.failed == 0
        assert figures.per_second > 0
        assert 0 < figures.p50_ms <= figures.p99_9_ms
    assert "5 nodes, N=3, R=2, W=2" in measured.setting
    assert soon(lambda: not processes_that_mention(str(tmp_path)))
    assert list(tmp_path.iterdir()) == []
