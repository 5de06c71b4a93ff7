"""``./lab test``: runs the project's own tests, stage by stage, and counts."""

from __future__ import annotations

import os
import sys
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dynamolab import build, mutants, processes, stories
from dynamolab.labs import Lab
from dynamolab.paths import ROOT

CTEST_DEADLINE_S = 600.0
PYTEST_DEADLINE_S = 3000.0
ONE_TEST_DEADLINE_S = 120


@dataclass
class Stage:
    """What came of one stage: names of what passed, and of what failed with the reason."""

    name: str
    passed: int = 0
    skipped: int = 0
    failed: list[tuple[str, str]] = field(default_factory=list)
    seconds: float = 0.0


Say = Callable[[str], None]


def _from_junit(stage: Stage, report: Path, done: processes.Completed) -> Stage:
    """Fails closed: without a report, or with a bad exit code that no test explains, it has failed."""
    stage.seconds = done.seconds
    try:
        cases = list(ElementTree.parse(report).iter("testcase"))
    except (OSError, ElementTree.ParseError) as error:
        stage.failed.append((stage.name, f"no report ({error}):\n{done.out[-3000:]}"))
        return stage
    for case in cases:
        name = f"{case.get('classname', '')}.{case.get('name', '')}"
        trouble = next(
            (case.find(tag) for tag in ("failure", "error") if case.find(tag) is not None), None
        )
        if trouble is not None:
            stage.failed.append((name, trouble.text or case.findtext("system-out") or ""))
        elif case.find("skipped") is not None:
            stage.skipped += 1
        else:
            stage.passed += 1
    if not cases:
        stage.failed.append((stage.name, f"ran no test:\n{done.out[-3000:]}"))
    elif done.code != 0 and not stage.failed:
        stage.failed.append((stage.name, f"exit code {done.code}:\n{done.out[-3000:]}"))
    return stage


def cpp(framework: build.Framework, folder: Path, say: Say) -> Stage:
    """The C++ unit tests, by ctest."""
    report = folder / "ctest.xml"
    command: list[str | Path] = ["ctest", "--test-dir", framework.folder, "--output-junit", report]
    command += ["--timeout", str(ONE_TEST_DEADLINE_S), "-j", str(framework.jobs)]
    command += ["--output-on-failure"]
    done = processes.run(command, deadline_s=CTEST_DEADLINE_S, cwd=ROOT, on_line=say)
    return _from_junit(Stage("C++ tests"), report, done)


def python(folder: Path, marker: str, workers: int, say: Say) -> Stage:
    """grader/tests; ``marker`` chooses the quick or the slow ones. Slow ones grade, one at a time."""
    report = folder / f"pytest-{workers}.xml"
    command: list[str | Path] = [sys.executable, "-m", "pytest", ROOT / "grader" / "tests"]
    command += ["-q", "-m", marker, f"--junitxml={report}", "--durations=10"]
    command += ["-n", str(workers)] if workers > 1 else ["-x", "--maxfail=20"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "grader"), "PYTHONDONTWRITEBYTECODE": "1"}
    done = processes.run(
        command, deadline_s=PYTEST_DEADLINE_S, cwd=ROOT, env=environment, on_line=say
    )
    return _from_junit(Stage(f"Python tests ({marker})"), report, done)


def known_wrong(framework: build.Framework, labs: Sequence[Lab], say: Say) -> Stage:
    """Each mutant is a test: caught by a check that is said to catch it."""
    stage = Stage("known-wrong solutions")
    began = time.monotonic()
    found = mutants.load(labs)
    if not found:
        stage.failed.append((stage.name, "grader/mutants/ is empty"))
    caught = mutants.judge_all(
        found,
        framework,
        everything=False,
        seed=stories.SEED,
        on_step=lambda done, one: say(f"{done}/{len(found)} {one.mutant.name}"),
    )
    for one in caught:
        if one.as_expected:
            changed = stories.problem(one.mutant.folder, one.stories)
            if changed:
                stage.failed.append((f"mutant {one.mutant.name}", changed))
            else:
                stage.passed += 1
        else:
            why = (
                one.trouble
                or f"survived; expected to be caught by {', '.join(one.mutant.expected)}"
            )
            stage.failed.append((f"mutant {one.mutant.name}", why))
    stage.seconds = time.monotonic() - began
    return stage


def stages(
    framework: build.Framework, labs: Sequence[Lab], folder: Path, fast: bool, say: Say
) -> Iterator[Stage]:
    """The quick ones first."""
    yield python(folder, "not slow", framework.jobs, say)
    yield cpp(framework, folder, say)
    if not fast:
        yield python(folder, "slow", 1, say)
        yield known_wrong(framework, labs, say)
