"""Golden stories: what a student reads of a known-wrong solution, kept beside its patch as story.txt.

A story is the message of the first check that is said to catch it, of those that run in one process:
what real processes do is told another way each time. Grading the known-wrong solutions compares them, so
that no change of the story teller goes unread. A known-wrong solution without one says why, as
``untold`` in its mutant.json."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from dynamolab.checks import Verdict
from dynamolab.labs import Check
from dynamolab.paths import ROOT
from dynamolab.results import Outcome

FILE = "story.txt"
KINDS = ("unit", "sim", "explore", "plan")
SEED = 1  # Another one begins elsewhere, and tells another run.
SHOWN_LINES = 12

# Of a death (grader/sim/death.cpp): what is the compiler's, the loader's and the machine's to say.
_PLACE = re.compile(r"(\.cpp):\d+(?:, in .*$)?", re.MULTILINE)
_ADDRESS = re.compile(r"\b0x[0-9a-f]+")


def story_of(verdicts: Mapping[str, Verdict], checks: Mapping[str, Check]) -> str:
    """The first failure's check and message; empty if there is none."""
    for name, verdict in verdicts.items():
        check = checks.get(name)
        if check is None or check.kind not in KINDS or verdict.outcome is not Outcome.FAIL:
            continue
        return f"{name}\n\n{_anywhere(verdict.message)}\n"
    return ""


def _anywhere(message: str) -> str:
    """As it is told on every machine: a death names a file, but no line or address there."""
    text = message.strip("\n").replace(f"{ROOT}/", "")
    return _ADDRESS.sub("0x…", _PLACE.sub(r"\1", text))


def write(folder: Path, told: Sequence[str]) -> bool:
    """Keeps what was told each time. Where that was not the same (a rank by address, a hash seeded anew in
    each process) none is kept. False: there was nothing to change."""
    path = folder / FILE
    story = told[0] if len(set(told)) == 1 else ""
    if story == (path.read_text(encoding="utf-8") if path.is_file() else ""):
        return False
    if story:
        path.write_text(story, encoding="utf-8")
    else:
        path.unlink()
    return True


def unkept(told: Sequence[str]) -> str:
    """Why none is kept, for who has to say it in mutant.json; empty: one is."""
    if not told:
        return "caught by real processes alone"
    if len(set(told)) > 1:
        return f"told another way the second time:\n{_changes(told[0], told[1], SHOWN_LINES)}"
    return ""


def problem(folder: Path, told: Sequence[str]) -> str:
    """How it differs from what is kept; empty: not, or none is kept."""
    path = folder / FILE
    if not path.is_file():
        return ""
    kept, story = path.read_text(encoding="utf-8"), told[0] if told else ""
    if kept == story:
        return ""
    changes = _changes(kept, story, SHOWN_LINES)
    return f"its story is another one (./lab mutants --write-stories keeps it):\n{changes}"


def _changes(kept: str, story: str, most: int) -> str:
    changes = difflib.unified_diff(
        kept.splitlines(), story.splitlines(), FILE, "now", "", "", 1, ""
    )
    return "\n".join(list(changes)[:most])
