"""Nothing of the solutions reaches what a student reads or what judges them: not as text in the
skeleton, the handouts and the docs, not as code in the programs of checks (a check must judge the
solution, never itself)."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from dynamolab.paths import ROOT

RUN = 3  # So many lines of a solution in a row are no coincidence; a handout may show a call or two.
EVERYWHERE = re.compile(r"#include <.*|(: )?(\w+)_\(\2\),?( \{\})?")
SHORT = 12  # Shorter lines (braces, returns) do not count.


def squeezed(lines: list[str]) -> list[str]:
    """Lines without their indentation, so that a copy at another depth is found, too. Headers that are
    included in alphabetical order are the same everywhere; so are members that keep what they are given."""
    texts = [" ".join(line.split()) for line in lines]
    return [text for text in texts if len(text) >= SHORT and not EVERYWHERE.fullmatch(text)]


def between(path: Path, marker: str) -> list[str]:
    """The lines between // BEGIN and // END of a marker."""
    inside, kept = False, []
    for line in path.read_text(encoding="utf-8").splitlines():
        if f"BEGIN {marker}" in line:
            inside = True
        elif f"END {marker}" in line:
            inside = False
        elif inside:
            kept.append(line)
    return kept


def secret_runs(path: Path) -> set[tuple[str, ...]]:
    """Of the solution, less what the skeleton is meant to show (the head of a class, say)."""
    shown = squeezed([line.removeprefix("// ") for line in between(path, "SKELETON")])
    return set(runs(squeezed(between(path, "SOLUTION")))) - set(runs(shown))


def runs(lines: list[str]) -> Iterator[tuple[str, ...]]:
    return (tuple(lines[i : i + RUN]) for i in range(len(lines) - RUN + 1))


REFERENCE = sorted((ROOT / "reference").glob("*.cpp"))
SECRET = {run: path.name for path in REFERENCE for run in secret_runs(path)}
READ_BY_STUDENTS = sorted(
    path
    for folder in ("skeleton", "labs", "docs", "framework")
    for path in (ROOT / folder).rglob("*")
    if path.suffix in {".cpp", ".h", ".md", ".json"}
)


def leaked(text: str) -> set[str]:
    return {f"{SECRET[run]}: {run[0]}" for run in runs(squeezed(text.splitlines())) if run in SECRET}


def test_the_reference_has_something_to_hide() -> None:
    assert len(SECRET) > 100
    assert leaked(REFERENCE[0].read_text(encoding="utf-8"))  # The test can fail.


@pytest.mark.parametrize("path", READ_BY_STUDENTS, ids=lambda p: str(p.relative_to(ROOT)))
def test_no_text_of_a_solution(path: Path) -> None:
    assert not leaked(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("lab", [0, 1, 2])
def test_no_solution_in_the_program_of_checks(lab: int) -> None:
    program = ROOT / "build" / "release" / "labs" / f"lab{lab}-checks"
    if not program.exists():
        pytest.skip(f"{program.name} is not built; ./lab test builds it first")
    symbols = subprocess.run(
        ["nm", "-C", program], capture_output=True, text=True, check=True, timeout=60
    ).stdout
    factories = ("make_membership(", "make_ring(", "make_warmup(")
    found = [line for line in symbols.splitlines() if any(name in line for name in factories)]
    assert not found
