"""Where things are in a checkout."""

from __future__ import annotations

from pathlib import Path

PACKAGE = Path(__file__).resolve().parent
ROOT = PACKAGE.parent.parent
LABS = ROOT / "labs"
REFERENCE = ROOT / "reference"
SKELETON = ROOT / "skeleton"
BUILD = ROOT / "build"
RESULTS = ROOT / "results"
MUTANTS = ROOT / "grader" / "mutants"
RIGHT = ROOT / "grader" / "right"
SOLUTION_PROJECT = ROOT / "cmake" / "solution"


def shown(path: Path) -> str:
    """A path as a person would type it: relative to the checkout where it lies within."""
    try:
        return str(path.resolve().relative_to(ROOT)) or "."
    except ValueError:
        return str(path)
