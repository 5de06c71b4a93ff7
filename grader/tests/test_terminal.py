"""What the terminal shows."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from dynamolab import render_terminal, ui
from dynamolab.commands import list as list_command
from dynamolab.results import Outcome, Results
from test_results import HOSTILE, results_of


def rendered(*outcomes: Outcome, message: str = "") -> str:
    out = io.StringIO()
    render_terminal.render(results_of(*outcomes, message=message), Console(file=out, width=120))
    return out.getvalue()


def test_plain_where_there_is_no_terminal() -> None:
    assert "\x1b" not in rendered(*Outcome)


def test_points_and_outcomes_are_shown() -> None:
    text = rendered(Outcome.PASS, Outcome.FAIL)
    assert "10/20" in text
    assert "why it matters: w" in text
    assert "where to look: h" in text


def test_control_characters_of_a_solution_do_nothing() -> None:
    text = rendered(Outcome.FAIL, message=HOSTILE)
    assert not any(char in text for char in "\x1b\x07\u202e")
    assert "[bold]no markup[/bold]" in text


def test_one_message_for_many_checks_is_told_once() -> None:
    text = rendered(Outcome.FAIL, Outcome.FAIL, Outcome.FAIL, message="does not compile")
    assert text.count("does not compile") == 1
    assert "and 2 more" in text


@pytest.mark.parametrize("text", ["plain", "tab\tand\nnewline", "größer ≤"])
def test_harmless_text_stays(text: str) -> None:
    assert ui.harmless(text) == text


def lines_of(results: Results, width: int) -> list[str]:
    out = io.StringIO()
    render_terminal.render(results, Console(file=out, width=width))
    return out.getvalue().splitlines()


@pytest.mark.parametrize("width", [72, 80, 100, 120, 200])
def test_ids_stand_in_one_piece_at_every_width(width: int) -> None:
    results = results_of(*Outcome)
    for number, check in enumerate(results.labs[0].checks):
        check.id = f"ring.{'x' * 60}_{number}"
        check.title = "a title of many words " * 4
    lines = lines_of(results, width)
    for check in results.labs[0].checks:
        assert any(check.id in line for line in lines)
    assert all(len(line) <= width for line in lines)
    assert sum("10/10" in line for line in lines) == 1


def test_a_failed_check_is_named_though_its_story_is_another_s() -> None:
    text = rendered(Outcome.FAIL, Outcome.FAIL, Outcome.FAIL, message="does not compile")
    assert "and 2 more with the same story: ring.c1, ring.c2" in text


def test_a_skip_says_why() -> None:
    text = rendered(Outcome.PASS, Outcome.SKIP, message="skipped: it needs ring.z, which did not pass")
    assert "SKIP ring.c1: it needs ring.z, which did not pass" in text
    many = rendered(*[Outcome.SKIP] * 9, message="skipped: it needs ring.z, which did not pass")
    assert many.count("it needs ring.z") == 1
    assert "SKIP 9 checks" in many


def test_what_is_not_written_yet_is_one_group_at_the_end() -> None:
    results = results_of(*[Outcome.FAIL] * 9)
    for number, check in enumerate(results.labs[0].checks):
        function = "vnode_of" if number % 2 else "rebuild"
        check.message = f"  not written yet: ring.cpp:{number}, TODO(lab2 A): {function}: its work"
    results.labs[0].checks[4].message = "actual:   7"
    text = "\n".join(lines_of(results, 200))
    assert "not written yet: 8 checks wait for rebuild, vnode_of." in text
    assert text.index("actual:   7") < text.index("8 checks wait")
    assert text.count("TODO(lab2 A)") == 1


def test_the_printed_replay_line_names_the_solution() -> None:
    results = results_of(Outcome.FAIL)
    results.labs[0].checks[0].replay = "results/r/x.replay.json"
    results.options = ["--solution", "my lab", "--with", "reference:1"]
    text = "\n".join(lines_of(results, 200))
    line = "./lab replay results/r/x.replay.json --solution 'my lab' --with reference:1"
    assert line in text


def test_what_was_expected_and_what_is_are_never_cut() -> None:
    steps = [f"{n}. step {'x' * (n % 7)}" for n in range(1, 90)]
    judged = ["expected: all agree", "actual: after 9 tries:", *(f"  n{n} lacks much" for n in range(30))]
    logs = ["last lines of n1 (log):", *(f"  log {n}" for n in range(60))]
    text = rendered(Outcome.FAIL, message="\n".join([*steps, *judged, *logs]))
    assert all(line in text for line in judged)
    assert "1. step x" in text and steps[-1] in text and "  log 59" in text
    assert "lines more in the report" in text
    assert len(text.splitlines()) < 80


def test_a_lab_without_points_shows_none() -> None:
    results = results_of(Outcome.PASS)
    results.labs[0].checks[0].max_points = 0
    text = "\n".join(lines_of(results, 120))
    assert "0/0" not in text and "ungraded" in text


@pytest.mark.parametrize("columns", [40, 72, 80, 120])
def test_list_never_folds_an_id(columns: int, course: list) -> None:  # type: ignore[type-arg]
    out = io.StringIO()
    console = Console(file=out, width=columns)
    for lab in course:
        list_command.show(lab, console)
    words = out.getvalue().split()
    assert all(check.id in words for lab in course for check in lab.checks if check.visible)
