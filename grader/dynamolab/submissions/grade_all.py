"""Grades the submissions of a class: side by side, then what failed on real processes once more and alone,
then gradebook and class report."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from dynamolab import build, fault_plans, ui
from dynamolab.results import Outcome, Results
from dynamolab.submissions import class_report, gradebook, grade_one, regrade, rerun, similarity
from dynamolab.submissions.batch import Batch, Item
from dynamolab.submissions.engines import Engine, without_result

WORD_EVERY_S = 60.0  # Where no bar is seen.


@dataclass(frozen=True)
class Summary:
    """How it went, for the person and for the exit code."""

    graded: int
    undecided: list[str]
    missing: list[str]  # Without a result at all.
    changed_alone: int
    regraded: str = ""  # What a regrade changed, in words.

    @property
    def complete(self) -> bool:
        return not self.undecided and not self.missing


class _Progress:
    """A bar on a terminal, elsewhere a line now and then."""

    def __init__(self, title: str, total: int, bar: ui.Bar) -> None:
        self._title, self._total, self._bar = title, total, bar
        self._began = self._told = time.monotonic()
        self._first: int | None = None

    def step(self, done: int) -> None:
        """``done`` of them have ended."""
        now = time.monotonic()
        if self._first is None:
            self._first = done
        fresh = done - self._first
        left = ""
        if fresh > 0 and done < self._total:
            seconds = (now - self._began) / fresh * (self._total - done)
            left = f"about {max(1, round(seconds / 60))} min left"
        self._bar.update(done, self._total, left)
        if type(self._bar) is ui.Bar and now - self._told > WORD_EVERY_S:
            self._told = now
            ui.say(f"{self._title}: {done} of {self._total}{', ' if left else ''}{left}")


def prepare_framework(options: grade_one.Options) -> None:
    """Everything but the students' files, built once before many need it. GraderTrouble if it fails."""
    framework = build.Framework("release", options.jobs)
    programs = [f"lab{lab.number}-checks" for lab in options.labs]
    framework.build(["libraries", "faultnet", *programs])
    build.reference_node(framework)
    fault_plans.prepare(options.labs, framework)


def grade_all(batch: Batch, options: grade_one.Options, engine: Engine, *, second_run: bool) -> None:
    """Every submission has a result then, unless the grader had trouble. What has one already is left."""
    _run(batch, batch.items, engine, alone=False, title="Submissions")
    again = [item for item in batch.items if _wants_second_run(batch, item, options)]
    if second_run and again:
        ui.say(f"{len(again)} have failures on real processes or none decided: once more, alone …")
        _run(batch, again, engine, alone=True, title="Alone")


def _run(batch: Batch, items: Sequence[Item], engine: Engine, *, alone: bool, title: str) -> None:
    with ui.bar(title) as bar:
        progress = _Progress(title, len(items), bar)
        engine.run(batch, items, alone=alone, on_step=progress.step)


def _wants_second_run(batch: Batch, item: Item, options: grade_one.Options) -> bool:
    graded = batch.read(item, options.labs)
    return graded is not None and bool(rerun.to_run_again(graded, options.labs))


@dataclass(frozen=True)
class Regrade:
    """How the class was graded before, and whether scores may fall."""

    old: Mapping[str, Results]
    confirmed: bool = False

    def applied(self, rows: Sequence[gradebook.Row], out: Path) -> tuple[list[gradebook.Row], str]:
        """The rows with the points that must be kept, and what changed, in words; regrade.csv tells each."""
        now = {row.item.name: row.graded for row in rows if row.item and row.graded}
        changed, fallen = regrade.compare(self.old, now)
        regrade.write(out / regrade.FILE, changed)
        floors = {} if self.confirmed else regrade.kept(fallen)
        held = [replace(row, kept=floors.get(row.item.name, {})) if row.item else row for row in rows]
        return held, regrade.told(changed, fallen, self.confirmed)


def report(
    batch: Batch,
    options: grade_one.Options,
    roster: gradebook.Roster | None,
    *,
    compare: bool,
    before: Regrade | None = None,
) -> Summary:
    """Writes gradebook.csv, canvas.csv (with a roster), similarity.csv, report.html; and, of a class that
    was graded ``before``, regrade.csv."""
    read = [(item, batch.read(item, options.labs)) for item in batch.items]
    rows = gradebook.matched(roster or gradebook.Roster(), read)
    regraded = ""
    if before is not None:
        rows, regraded = before.applied(rows, batch.out)
    gradebook.write_gradebook(batch.out / "gradebook.csv", rows, options.course, options.labs)
    if roster is not None:
        gradebook.write_canvas(batch.out / "canvas.csv", rows, roster, options.labs)
    pairs = None
    if compare and similarity.available():
        pairs = similarity.compare(batch, batch.items, options.labs)
        similarity.write(batch.out / "similarity.csv", pairs)
    class_report.render(batch.out / "report.html", options.course, options.labs, rows, pairs)
    results = [graded for _, graded in read if graded is not None]
    undecided = [
        item.name for item, graded in read if graded and graded.outcome is Outcome.INCONCLUSIVE
    ]
    alone = [check for one in results for lab in one.labs for check in lab.checks if check.rerun]
    return Summary(
        graded=len(results) - len(undecided),
        undecided=undecided,
        missing=[item.name for item in without_result(batch, batch.items)],
        changed_alone=sum(check.outcome is Outcome.PASS for check in alone),
        regraded=regraded,
    )


def told(summary: Summary, out: Path) -> str:
    lines = [f"{summary.graded} graded; {out}/report.html, {out}/gradebook.csv"]
    if summary.regraded:
        lines.append(summary.regraded)
    if summary.changed_alone:
        lines.append(
            f"{summary.changed_alone} checks failed beside others and passed alone: no point is taken"
        )
    for what, names in (("not decided", summary.undecided), ("without a result", summary.missing)):
        if names:
            more = f" and {len(names) - 10} more" if len(names) > 10 else ""
            lines.append(f"{len(names)} {what}: {', '.join(names[:10])}{more}")
    if not summary.complete:
        lines.append("The same command again grades these, and nothing else")
    return "\n".join(lines)
