"""Checks of kind plan: a fault plan of the student's, on which a known-wrong store fails and the
reference does not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from dynamolab import build, checks, mutants
from dynamolab.errors import GraderTrouble
from dynamolab.labs import Check, Lab, load_all
from dynamolab.paths import REFERENCE, shown, working_folder
from dynamolab.results import Outcome


def judge(
    plans: Path,
    lab: Lab,
    wanted: Sequence[Check],
    framework: build.Framework,
    run: checks.Run,
) -> dict[str, checks.Verdict]:
    """A verdict for each of ``wanted``. ``plans``: the file with all of the student's plans."""
    if not plans.is_file():
        missing = f"{shown(plans)} is missing; skeleton/{plans.name} is the file to begin with"
        return {check.id: checks.Verdict(Outcome.FAIL, message=missing) for check in wanted}
    run = replace(run, submission=plans)
    right = build.build_node(framework, {path.stem: None for path in REFERENCE.glob("*.cpp")}, "plans")
    if right.error:
        raise GraderTrouble(right.error)
    program = framework.checks_binary(lab.number)
    verdicts: dict[str, checks.Verdict] = {}
    with working_folder(run.folder / "plans") as folder:
        on_right = checks.run_program(
            program, wanted, replace(run, node=right.node, folder=folder, on_check=_silent)
        )
        for check in wanted:
            run.on_check(check.id, None)
            verdicts[check.id] = _judged(check, on_right[check.id], program, framework, run, folder)
            run.on_check(check.id, verdicts[check.id])
    return verdicts


def _silent(_check: str, _verdict: checks.Verdict | None) -> None:
    """The bar counts a plan once, when both stores have run it."""


def _judged(
    check: Check,
    on_right: checks.Verdict,
    program: Path,
    framework: build.Framework,
    run: checks.Run,
    folder: Path,
) -> checks.Verdict:
    if on_right.outcome is Outcome.FAIL:
        told = f"the reference, which is right, fails on this plan as well:\n{on_right.message}"
        return replace(on_right, message=told, replay=None)
    if on_right.outcome is not Outcome.PASS:
        return replace(on_right, replay=None)
    wrong = wrong_store(check)
    node = mutants.build_mutant(wrong, framework).node
    on_wrong = checks.run_program(
        program, [check], replace(run, node=node, folder=folder, on_check=_silent)
    )[check.id]
    seconds = on_right.seconds + on_wrong.seconds
    if on_wrong.outcome is Outcome.FAIL:
        told = f"as wanted, the wrong store fails on this plan:\n{on_wrong.message}"
        return checks.Verdict(Outcome.PASS, seconds, told)
    if on_wrong.outcome is Outcome.PASS:
        told = (
            f"expected: the wrong store fails on this plan ({wrong.title})\n"
            "actual:   it comes through: what your plan does to it is not what it cannot take"
        )
        return checks.Verdict(Outcome.FAIL, seconds, told)
    return replace(on_wrong, replay=None)


def wrong_store(check: Check) -> mutants.Mutant:
    """The known-wrong solution that a plan is to find. GraderTrouble if there is none of that name."""
    for mutant in mutants.load(load_all()):
        if mutant.name == check.wrong:
            return mutant
    raise GraderTrouble(f"lab.json: {check.id}: wrong: there is no grader/mutants/{check.wrong}")
