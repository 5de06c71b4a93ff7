"""Where things are in a checkout."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
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
VARIANTS = ROOT / "grader" / "variants"
HIDDEN = ROOT / "grader" / "hidden"
SOLUTION_PROJECT = ROOT / "cmake" / "solution"


def shown(path: Path) -> str:
    """A path as a person would type it: relative to the checkout where it lies within."""
    try:
        return str(path.resolve().relative_to(ROOT)) or "."
    except ValueError:
        return str(path)


@contextlib.contextmanager
def working_folder(folder: Path) -> Iterator[Path]:
    """A folder for artifacts that nobody wants to keep."""
    folder.mkdir(parents=True, exist_ok=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
