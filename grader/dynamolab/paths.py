"""Where things are in a checkout. In a students' repository (``./lab release``) there is no reference,
and their work is in solution/."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent
ROOT = PACKAGE.parent.parent
LABS = ROOT / "labs"
BUILD = ROOT / "build"
RESULTS = ROOT / "results"
COURSE = ROOT / "course.json"
SOLUTION_PROJECT = ROOT / "cmake" / "solution"

RELEASE = ROOT / "release.json"  # Only in a students' repository: what was made of what.
RELEASED = RELEASE.is_file()
PREBUILT = ROOT / "prebuilt"
SOLUTION = ROOT / ("solution" if RELEASED else "skeleton")  # What is graded if nothing else is named.
SKELETON = ROOT / ("grader/skeleton" if RELEASED else "skeleton")  # Each file as it is begun.

# What students must not see may lie in a private repository, laid over this one by one setting: its path
# in DYNAMO_OVERLAY, or as the only line of a file .lab-overlay.
OVERLAY_SETTING = "DYNAMO_OVERLAY"
OVERLAY_FILE = ROOT / ".lab-overlay"


def _overlay() -> Path | None:
    named = os.environ.get(OVERLAY_SETTING, "")
    if not named and OVERLAY_FILE.is_file():
        named = OVERLAY_FILE.read_text(encoding="utf-8").strip()
    return (ROOT / named).resolve() if named else None


OVERLAY = _overlay()


def _private(*parts: str) -> Path:
    """In the overlay, if it has it; else here."""
    if OVERLAY is not None and OVERLAY.joinpath(*parts).is_dir():
        return OVERLAY.joinpath(*parts)
    return ROOT.joinpath(*parts)


REFERENCE = _private("reference")
MUTANTS = _private("grader", "mutants")
RIGHT = _private("grader", "right")
HIDDEN = _private("grader", "hidden")
VARIANTS = _private("grader", "variants")


def shown(path: Path) -> str:
    """A path as a person would type it: relative to the checkout, or to what is laid over it, where it
    lies within."""
    for root in (ROOT, OVERLAY):
        with contextlib.suppress(ValueError):
            return str(path.resolve().relative_to(root or ROOT)) or "."
    return str(path)


@contextlib.contextmanager
def working_folder(folder: Path) -> Iterator[Path]:
    """A folder for artifacts that nobody wants to keep."""
    folder.mkdir(parents=True, exist_ok=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
