"""The pages of a graded run: one beside each replay file that has a trace."""

from __future__ import annotations

from pathlib import Path

from dynamolab import ui
from dynamolab.errors import LabError
from dynamolab.paths import ROOT, shown
from dynamolab.results import CheckResult, Outcome, Results
from dynamolab.viewer.page import Failure, write_page

REPLAY, TRACE, PAGE = ".replay.json", ".trace.jsonl", ".html"  # How the files of one failure end.


def draw_failures(results: Results) -> None:
    """Draws each failure that left a trace, and says so in its result. Never raises for a page that
    cannot be drawn: the verdict matters more."""
    for lab in results.labs:
        for check in lab.checks:
            if check.outcome is Outcome.FAIL and check.replay and check.replay.endswith(REPLAY):
                _draw(check, results)


def _draw(check: CheckResult, results: Results) -> None:
    replay = ROOT / str(check.replay)
    trace = beside(replay, TRACE)
    if not trace.is_file():
        return  # A unit check: its story is all there is.
    page = beside(replay, PAGE)
    failure = Failure(
        check.id, check.title, check.message, check.why, check.hint, results.replay_command(check)
    )
    try:
        write_page(trace, page, failure)
    except (LabError, OSError) as error:
        ui.say(f"{check.id} is not drawn: {error}")
        return
    check.view = shown(page)


def beside(replay: Path, ending: str) -> Path:
    """Another file of the same failure."""
    return replay.with_name(replay.name.removesuffix(REPLAY) + ending)
