"""A second run of what failed, alone on the machine, before points are taken.

Only checks on real processes can fail for the sake of a neighbour; the others are decided by their seed,
and would fail again. What had no verdict (inconclusive) is run again, too, and what was skipped because
of one of these."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from dynamolab import grade, results
from dynamolab.errors import LabError
from dynamolab.formats import NOT_COMPILED
from dynamolab.labs import Lab
from dynamolab.paths import shown
from dynamolab.results import CheckResult, Outcome, Results
from dynamolab.submissions import grade_one, place

PASSED_ALONE = "It failed beside others, and passed when it was run again, alone. At first: "
FAILED_TWICE = "It failed beside others, and failed again when it was run alone."
UNDECIDED_ONCE = "It had no verdict the first time, and was run again, alone. At first: "


def to_run_again(graded: Results, labs: Sequence[Lab]) -> frozenset[str]:
    """The checks that a second run could decide otherwise; none of those that had one."""
    wanted: set[str] = set()
    by_number = {lab.number: lab for lab in labs}
    for lab in graded.labs:
        for check in lab.checks:  # A need comes before what needs it.
            known = by_number[lab.lab].check(check.id) if lab.lab in by_number else None
            if known is None or check.void or check.rerun and check.outcome is not Outcome.INCONCLUSIVE:
                continue
            of_a_need = check.outcome is Outcome.SKIP and wanted.intersection(known.needs)
            if _may_differ(check) or of_a_need:
                wanted.add(check.id)
    return frozenset(wanted)


def _may_differ(check: CheckResult) -> bool:
    if check.outcome is Outcome.INCONCLUSIVE:
        return True
    ran = check.seconds > 0 and not check.message.startswith(NOT_COMPILED)
    return check.kind == "cluster" and check.outcome is Outcome.FAIL and ran


def rerun(out: Path, options: grade_one.Options) -> Results:
    """The results with what came of a second run; written only if there was one. LabError if there is no
    result."""
    with place.locked(out):
        if not (out / grade.RESULTS_FILE).is_file():
            raise LabError(f"{shown(out)}: has no result; grade it first")
        known = grade_one.with_course(results.read(out / grade.RESULTS_FILE), options.labs)
        wanted = to_run_again(known, options.labs)
        if not wanted or not (out / grade_one.SOLUTION).is_dir():
            return known
        labs = [lab for lab in options.labs if any(check.id in wanted for check in lab.checks)]
        with place.staged(out, begin_with=out) as folder:
            began = time.monotonic()
            request = grade_one.request_for(folder, out, replace(options, labs=labs, only=wanted))
            try:
                second = grade.grade(request)
            finally:
                grade_one.drop_builds(request)
            grade_one.move_paths(second, folder, out)
            merged = _merged(known, second)
            merged.seconds = known.seconds + time.monotonic() - began
            results.write_json(merged.document(), folder / grade.RESULTS_FILE)
            grade_one.write_reports(merged, folder, out)
            with (folder / grade_one.LOG).open("a", encoding="utf-8") as log:
                log.write(_log(known, merged, wanted))
            place.settle(folder, out)
        return merged


def _merged(known: Results, second: Results) -> Results:
    fresh = {check.id: check for lab in second.labs for check in lab.checks}
    labs = [
        replace(lab, checks=[_of_both(check, fresh.get(check.id)) for check in lab.checks])
        for lab in known.labs
    ]
    return replace(known, labs=labs)


def _of_both(first: CheckResult, second: CheckResult | None) -> CheckResult:
    """The second verdict, with what the first was. A failure that the second run could not confirm takes
    no points: it is inconclusive, for a person to look at."""
    if second is None:
        return first
    second = replace(second, max_points=first.max_points, void=first.void, show=first.show)
    if first.outcome is Outcome.INCONCLUSIVE:
        return replace(second, rerun=f"{UNDECIDED_ONCE}{first.message}")
    if first.outcome is Outcome.SKIP:
        return second
    if second.outcome is Outcome.FAIL:
        return replace(second, rerun=FAILED_TWICE)
    return replace(second, rerun=f"{PASSED_ALONE}{first.message}")


def _log(known: Results, merged: Results, wanted: frozenset[str]) -> str:
    before = {check.id: check for lab in known.labs for check in lab.checks}
    lines = [f"\nrun again, alone, {time.strftime('%Y-%m-%d %H:%M:%S %z')}"]
    for check in (check for lab in merged.labs for check in lab.checks if check.id in wanted):
        lines.append(f"  {before[check.id].outcome.value:<12} → {check.outcome.value:<12} {check.id}")
    return "\n".join(lines) + "\n"
