"""The result model, its JSON and its exit codes."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from dynamolab import labs, render_html, render_terminal
from dynamolab.errors import LabError
from dynamolab.leaderboard import Figures, Leaderboard
from dynamolab.results import CheckResult, LabResult, Outcome, Results, Show, combined, write_json

HOSTILE = "<script>alert(1)</script> \x1b[31mred\x07 \u202egnp.exe & \"'` [bold]no markup[/bold] {{ 7 * 7 }}"


def results_of(*outcomes: Outcome, message: str = "") -> Results:
    checks = [
        CheckResult(
            f"ring.c{n}", f"check {n}", "unit", outcome, 10, 0.5, message, None, "A", "t", "w", "h"
        )
        for n, outcome in enumerate(outcomes)
    ]
    return Results("mine", 1, [LabResult(2, "ring", "Ring", checks, {"A": "One token"})])


def test_points_are_given_for_a_pass_alone() -> None:
    results = results_of(*Outcome)
    assert results.points == 10
    assert results.max_points == 40


@pytest.mark.parametrize(
    ("outcomes", "whole", "code"),
    [
        ([Outcome.PASS, Outcome.PASS], Outcome.PASS, 0),
        ([Outcome.PASS, Outcome.FAIL], Outcome.FAIL, 1),
        ([Outcome.PASS, Outcome.SKIP], Outcome.FAIL, 1),
        ([Outcome.FAIL, Outcome.INCONCLUSIVE], Outcome.INCONCLUSIVE, 2),
        ([], Outcome.INCONCLUSIVE, 2),
    ],
)
def test_outcome_and_exit_code(outcomes: list[Outcome], whole: Outcome, code: int) -> None:
    assert combined(outcomes) is whole
    assert results_of(*outcomes).exit_code == code


def test_void_check_credits_everyone_and_decides_nothing() -> None:
    results = results_of(Outcome.PASS, Outcome.FAIL, Outcome.INCONCLUSIVE)
    for check in results.labs[0].checks[1:]:
        check.void = True
    assert (results.points, results.outcome, results.exit_code) == (30, Outcome.PASS, 0)


def test_students_read_of_hidden_checks_what_the_course_shows() -> None:
    results = results_of(Outcome.FAIL, Outcome.FAIL, Outcome.FAIL, message="lost at seed 4711")
    for check, show in zip(results.labs[0].checks, Show, strict=True):
        check.show, check.replay = show, "x.replay.json"
    whole, outcome = results.for_students().labs[0].checks
    assert (whole.message, whole.replay) == ("lost at seed 4711", "x.replay.json")
    assert (outcome.outcome, outcome.replay) == (Outcome.FAIL, None)
    assert "4711" not in outcome.message
    assert results.labs[0].checks[2].message == "lost at seed 4711"


def test_document_fits_its_schema() -> None:
    labs.validate(
        results_of(*Outcome, message=HOSTILE).document(), "results.schema.json", "results"
    )


def test_leaderboard_is_in_every_report_and_in_none_without_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    results = results_of(Outcome.PASS)
    assert "leaderboard" not in results.document()["labs"][0]
    figures = Figures(1234.5, 1.5, 9.25, 0)
    results.labs[0].leaderboard = Leaderboard("5 nodes", figures, replace(figures, failed=3))
    document = results.document()
    labs.validate(document, "results.schema.json", "results")
    assert document["labs"][0]["leaderboard"]["puts"]["p99_9_ms"] == 9.25
    render_html.render(results, tmp_path / "report.html")
    render_terminal.render(results, Console(width=200))
    for told in (capsys.readouterr().out, (tmp_path / "report.html").read_text(encoding="utf-8")):
        assert "puts a second, p99.9 9.2 ms" in told and "(3 failed)" in told and "5 nodes" in told


def test_schema_refuses_an_unknown_outcome() -> None:
    document = results_of(Outcome.PASS).document()
    document["labs"][0]["checks"][0]["outcome"] = "splendid"
    with pytest.raises(LabError, match=r"labs\[0\]\.checks\[0\]\.outcome"):
        labs.validate(document, "results.schema.json", "results")


def test_written_json_is_whole_and_leaves_no_other_file(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "results.json"
    write_json(results_of(Outcome.FAIL, message=HOSTILE).document(), path)
    assert json.loads(path.read_text())["points"] == 0
    assert list(path.parent.iterdir()) == [path]


def test_html_report_is_one_file_and_escapes_what_a_solution_said(tmp_path: Path) -> None:
    results = results_of(*Outcome, message=HOSTILE)
    results.solution = HOSTILE
    render_html.render(results, tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "<script" not in page
    assert "{{ 7 * 7 }}" in page
    assert "http://" not in page and "https://" not in page
    assert not any(char in page for char in "\x1b\x07\u202e")
