"""What the terminal shows."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from dynamolab import render_terminal, ui
from dynamolab.results import Outcome
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
