"""Nothing of the solutions reaches what a student reads or what judges them: not as text in the
skeleton, the handouts and the docs, not as code in the programs of checks (a check must judge the
solution, never itself)."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from dynamolab.course.leaks import runs, solution_runs, squeezed
from dynamolab.paths import ROOT

REFERENCE = sorted((ROOT / "reference").glob("*.cpp"))
SECRET = {
    run: path.name for path in REFERENCE for run in solution_runs(path.read_text(encoding="utf-8"))
}
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
