"""Golden stories: what a student reads of a known-wrong solution, kept beside its patch as story.txt.

A story is the message of the first check that is said to catch it, of those that run in one process:
what real processes do is told another way each time. Grading the known-wrong solutions compares them, so
that no change of the story teller goes unread."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path

from dynamolab.checks import Verdict
from dynamolab.labs import Check
from dynamolab.paths import ROOT
from dynamolab.results import Outcome

FILE = "story.txt"
KINDS = ("unit", "sim")
SEED = 1  # Another one begins elsewhere, and tells another run.
SHOWN_LINES = 12
DEATH = "the node's process goes on"  # What is expected of a node that died (grader/sim/story.cpp).


def story_of(verdicts: Mapping[str, Verdict], checks: Mapping[str, Check]) -> str:
    """The first failure's check and message. Empty if there is none, or if the solution died: how and where
    is for the compiler to say, and each says it in its own way."""
    for name, verdict in verdicts.items():
        check = checks.get(name)
        if check is None or check.kind not in KINDS or verdict.outcome is not Outcome.FAIL:
            continue
        text = f"{name}\n\n{verdict.message.strip()}\n"
        return "" if any(word in text for word in (".cpp:", DEATH, str(ROOT))) else text
    return ""


def write(folder: Path, *stories: str) -> bool:
    """Keeps what was told each time. Where that was not the same (a rank by address, a hash seeded anew in
    each process) none is kept. False: there was nothing to change."""
    path = folder / FILE
    told = set(stories)
    story = told.pop() if len(told) == 1 else ""
    if story == (path.read_text(encoding="utf-8") if path.is_file() else ""):
        return False
    if story:
        path.write_text(story, encoding="utf-8")
    else:
        path.unlink()
    return True


def problem(folder: Path, story: str) -> str:
    """How it differs from what is kept; empty: not, or none is kept."""
    path = folder / FILE
    if not path.is_file():
        return ""
    kept = path.read_text(encoding="utf-8")
    if kept == story:
        return ""
    changes = difflib.unified_diff(
        kept.splitlines(), story.splitlines(), FILE, "now", "", "", 1, ""
    )
    told = "\n".join(list(changes)[:SHOWN_LINES])
    return f"its story is another one (./lab mutants --write-stories keeps it):\n{told}"
