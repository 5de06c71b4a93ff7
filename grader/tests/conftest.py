"""What the tests of the grader share. Tests marked `slow` build and grade for real."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from dynamolab import labs, processes
from dynamolab.paths import ROOT

DEADLINE_S = 300.0


@pytest.fixture(scope="session")
def course() -> list[labs.Lab]:
    return labs.load_all()


@pytest.fixture
def lab_command() -> Callable[..., processes.Completed]:
    """Runs ./lab as a person would, without a terminal."""

    def run(*words: str | Path, deadline_s: float = DEADLINE_S, **env: str) -> processes.Completed:
        command = [sys.executable, "-P", "-m", "dynamolab", *words]
        environment = {**os.environ, "PYTHONPATH": str(ROOT / "grader"), "COLUMNS": "120", **env}
        return processes.run(command, cwd=ROOT, env=environment, deadline_s=deadline_s)

    return run
