"""Measures what has a goal, and says how far from it we are. All goals stand here."""

from __future__ import annotations

import functools
import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dynamolab import build, processes
from dynamolab.errors import GraderTrouble
from dynamolab.labs import Lab
from dynamolab.paths import BUILD, REFERENCE, ROOT

PROGRAM_DEADLINE_S = 300.0
GRADE_DEADLINE_S = 300.0
BUILD_DEADLINE_S = build.FRAMEWORK_DEADLINE_S
EDITS = 5  # The median of that many is taken.


@dataclass(frozen=True)
class Goal:
    """What a figure is measured against."""

    limit: float
    at_least: bool = False  # Else at most.

    def met(self, value: float) -> bool:
        return value >= self.limit if self.at_least else value <= self.limit


@dataclass(frozen=True)
class Figure:
    """One measurement. ``value`` is None if it could not be taken; ``note`` says why."""

    name: str
    value: float | None
    unit: str
    goal: Goal | None = None
    note: str = ""

    @property
    def met(self) -> bool | None:
        if self.goal is None:
            return None
        return self.value is not None and self.goal.met(self.value)

    def document(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "value": None if self.value is None else round(self.value, 4),
            "unit": self.unit,
            "goal": self.goal.limit if self.goal else None,
            "met": self.met,
            "note": self.note,
        }


EDIT_GOAL = Goal(5.0)  # Seconds, from a saved file to the verdict of unit and simulated checks.
LAB_GOAL = Goal(15.0)  # Seconds, a lab in full, built.
ALL_GOAL = Goal(60.0)  # Seconds, all labs in full, built.
PAGE_GOAL = Goal(1.0)  # Seconds, until a failure of 2,000 steps is drawn.
COLD_GOAL = Goal(90.0)  # Seconds, everything, without a compiler cache.
SHRUNK_GOAL = Goal(20)  # Events (grader/sim/events.h) of a failure, as it is told.
SHRINK_GOAL = Goal(2.0)  # Seconds, to find it.
PLAY_GOAL = Goal(30, at_least=True)  # Updates a second of the playground's page,
PLAY_LOAD_GOAL = Goal(1000, at_least=True)  # with so many messages a second between ten nodes.
SHRUNK_EVERY = 4  # Of the known-wrong solutions that a simulated check catches: a minute's worth.


# Google Benchmarks of ours that have a goal and do not state it themselves (as counters `goal` and
# `at_least`): the figure, a counter or else the time in microseconds, and its goal.
ROWS: dict[str, tuple[str, Goal]] = {
    # LABS.md 2.8: a lookup does not allocate per virtual node. The list that it returns is one; the
    # rest is room for another way of doing it.
    "ring_lookup_allocations/q:1024/hosts:16": ("allocations", Goal(8)),
    "ring_lookup_allocations/q:65536/hosts:16": ("allocations", Goal(8)),
}

_SECONDS = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0}


def figures_of(document: dict[str, Any]) -> Iterator[Figure]:
    """From the JSON that a benchmark program wrote. Of repetitions the median counts."""
    for entry in document.get("benchmarks", []):
        if entry.get("run_type") == "aggregate" and entry.get("aggregate_name") != "median":
            continue
        name = str(entry.get("run_name", entry.get("name", "?"))).removesuffix("/real_time")
        if entry.get("error_occurred"):
            yield Figure(name, None, "", Goal(0), str(entry.get("error_message", "failed")))
        elif name in ROWS:
            counter, goal = ROWS[name]
            yield Figure(name, float(entry[counter]), counter, goal)
        else:
            yield _figure(name, entry)


def _figure(name: str, entry: dict[str, Any]) -> Figure:
    """Things a second if it counts any, and no goal is for the time; else the time in µs."""
    goal = None
    if "goal" in entry:
        goal = Goal(float(entry["goal"]), bool(entry.get("at_least", 0)))
    if "items_per_second" in entry and (goal is None or goal.at_least):
        return Figure(name, float(entry["items_per_second"]), "1/s", goal)
    seconds = float(entry["real_time"]) * _SECONDS[entry.get("time_unit", "ns")]
    return Figure(name, seconds * 1e6, "µs", goal)


def programs(framework: build.Framework, folder: Path) -> Iterator[Figure]:
    """Runs every Google Benchmark program that was built."""
    for program in sorted((framework.folder / "grader" / "bench").glob("*bench*")):
        if not program.is_file() or not os.access(program, os.X_OK):
            continue
        out = folder / f"{program.name}.json"
        command: list[str | Path] = [
            program,
            f"--benchmark_out={out}",
            "--benchmark_out_format=json",
        ]
        command += ["--benchmark_repetitions=3", "--benchmark_report_aggregates_only=true"]
        done = processes.run(command, deadline_s=PROGRAM_DEADLINE_S, cwd=ROOT)
        if done.code != 0 or not out.exists():
            why = "timed out" if done.timed_out else f"exit code {done.code}: {done.out[-300:]}"
            yield Figure(program.name, None, "", Goal(0), why)
            continue
        yield from figures_of(json.loads(out.read_text(encoding="utf-8")))


def _lab(*words: object) -> float:
    """Seconds of a command as a person types it, the start of Python included."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "grader")}
    command = [sys.executable, "-P", "-m", "dynamolab", *map(str, words)]
    done = processes.run(command, deadline_s=GRADE_DEADLINE_S, cwd=ROOT, env=environment)
    if done.code != 0:
        raise GraderTrouble(f"./lab {' '.join(map(str, words))} failed:\n{done.out[-2000:]}")
    return done.seconds


def edit_to_verdict(lab: Lab, folder: Path) -> Figure:
    """The reference, a line of it changed each time, so that no cache helps."""
    solution = folder / "edited"
    shutil.copytree(REFERENCE, solution)
    report = ["--html", str(folder / "report.html")]
    words = ["grade", str(lab.number), "--fast", "--solution", solution, *report]
    _lab(*words)  # Configured and built once; a student edits after that.
    source = solution / lab.file
    text = source.read_text(encoding="utf-8")
    seconds = []
    for _ in range(EDITS):
        # A declaration, not a comment: ccache sees through comments.
        edit = f"[[maybe_unused]] constexpr unsigned long edited_at = {time.time_ns()}u;"
        source.write_text(f"{text}\n{edit}\n", encoding="utf-8")
        seconds.append(_lab(*words))
    name = f"edit of {lab.file} → verdict of lab {lab.number}'s unit and simulated checks"
    return Figure(name, sorted(seconds)[EDITS // 2], "s", EDIT_GOAL)


def full_grades(labs: Sequence[Lab], folder: Path) -> Iterator[Figure]:
    report = ["--html", str(folder / "report.html")]
    graded = [lab for lab in labs if lab.points]
    for lab in graded:
        seconds = _lab("grade", str(lab.number), "--solution", "reference", *report)
        yield Figure(f"lab {lab.number} graded in full, built", seconds, "s", LAB_GOAL)
    seconds = _lab("grade", "--solution", "reference", *report)
    yield Figure(f"all {len(graded)} labs graded in full, built", seconds, "s", ALL_GOAL)


def page_opens() -> Figure:
    """The viewer's page of 2,000 steps, in Chromium."""
    from dynamolab.viewer import opening

    seconds = opening.seconds_to_open(2000)
    note = "" if seconds is not None else "chromium is not there, or did not draw the page"
    return Figure("a failure of 2,000 steps opens", seconds, "s", PAGE_GOAL, note)


def play_keeps_up(framework: build.Framework) -> Iterator[Figure]:
    """The playground with ten nodes under load."""
    from dynamolab.play import measuring

    node = framework.folder / "reference" / "reference-node"
    kept = measuring.keeps_up(node, framework.faultnet, 10, 350, 10.0)
    note = f"{kept.forgotten} messages were not told" if kept.forgotten else ""
    yield Figure("the playground with ten nodes: updates", kept.updates, "1/s", PLAY_GOAL, note)
    yield Figure("the same: messages between the nodes", kept.messages, "1/s", PLAY_LOAD_GOAL)


def cold_build(jobs: int) -> Figure:
    """Everything, in a new folder, without ccache."""
    folder = BUILD / "cold"
    shutil.rmtree(folder, ignore_errors=True)
    environment = {**os.environ, "CCACHE_DISABLE": "1"}
    began = time.monotonic()
    try:
        commands: tuple[list[str | Path], ...] = (
            ["cmake", "--preset", "release", "-B", folder],
            ["ninja", "-C", folder, "-j", str(jobs)],
        )
        for command in commands:
            done = processes.run(command, deadline_s=BUILD_DEADLINE_S, cwd=ROOT, env=environment)
            if done.code != 0:
                return Figure("cold build of everything", None, "s", COLD_GOAL, done.out[-300:])
        return Figure("cold build of everything", time.monotonic() - began, "s", COLD_GOAL)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@dataclass(frozen=True)
class Measured:
    """A part of the benchmarks. ``shown``: what goes into the common table; ``show`` prints more."""

    figures: list[Figure]
    shown: list[Figure]
    show: Callable[[], None] | None = None


PARTS = ("programs", "edit", "grades", "viewer", "play", "build", "shrink", "stores")


def measure(
    parts: Sequence[str],
    labs: Sequence[Lab],
    framework: build.Framework,
    folder: Path,
    on_step: Callable[[int, str], None],
) -> list[Measured]:
    """These parts, one thing at a time: nothing else of ours runs beside a measurement. ``on_step``
    hears how many parts are done, and what is at work."""
    first = next(lab for lab in labs if lab.points)
    take: dict[str, Callable[[Callable[[str], None]], Measured]] = {
        "programs": lambda _: _plain(programs(framework, folder)),
        "edit": lambda _: _plain([edit_to_verdict(first, folder)]),
        "grades": lambda _: _plain(full_grades(labs, folder)),
        "viewer": lambda _: _plain([page_opens()]),
        "play": lambda _: _plain(play_keeps_up(framework)),
        "build": lambda _: _plain([cold_build(framework.jobs)]),
        "shrink": lambda say: _shrink(labs, framework, folder, say),
        "stores": lambda say: _stores(framework, folder, say),
    }
    measured = []
    for done, part in enumerate(parts):
        on_step(done, part)
        measured.append(take[part](functools.partial(on_step, done)))
    return measured


def _plain(figures: Iterable[Figure]) -> Measured:
    listed = list(figures)
    return Measured(listed, listed)


def _shrink(
    labs: Sequence[Lab], framework: build.Framework, folder: Path, say: Callable[[str], None]
) -> Measured:
    from dynamolab import shrink_bench  # Which imports this file.

    return _plain(
        shrink_bench.figures(shrink_bench.measure(labs, framework, folder, say, SHRUNK_EVERY))
    )


def _stores(framework: build.Framework, folder: Path, say: Callable[[str], None]) -> Measured:
    from dynamolab import stores  # Which imports this file.

    node = framework.folder / "reference" / "reference-node"
    generator = stores.Generator(framework.folder / "grader" / "bench" / "store-load")
    comparison = stores.compare(node, generator, folder, say)
    points = stores.scale(node, generator, folder, say)
    ratios = [figure for figure in stores.ratios(comparison) if figure.goal or figure.value is None]
    return Measured(
        stores.figures(comparison, points), ratios, lambda: stores.show(comparison, points)
    )
