"""Checks of kind plan: a fault plan of the student's, on which a known-wrong store fails and the
reference does not. No code of the student's takes part."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from dynamolab import build, checks, mutants, reference
from dynamolab.errors import GraderTrouble
from dynamolab.labs import Check, Lab, load_all
from dynamolab.paths import RELEASED, working_folder
from dynamolab.results import Outcome


def judge(
    plans: Path,
    lab: Lab,
    wanted: Sequence[Check],
    framework: build.Framework,
    run: checks.Run,
) -> dict[str, checks.Verdict]:
    """A verdict for each of ``wanted``. ``plans``: the file with all of the student's plans. ``run.node``
    plays no part."""
    program = framework.checks_binary(lab.number)
    try:
        right = build.reference_node(framework)
    except reference.NotHere as error:
        told = checks.Verdict(Outcome.INCONCLUSIVE, message=str(error))
        return dict.fromkeys((check.id for check in wanted), told)
    verdicts: dict[str, checks.Verdict] = {}
    with working_folder(run.folder / "plans") as folder:
        quietly = replace(run, node=right, folder=folder, submission=plans, on_check=_silent)
        quietly = replace(quietly, sandbox=None)  # Stores of our own.
        on_right = checks.run_program(program, wanted, quietly)
        passed = [check for check in wanted if on_right[check.id].outcome is Outcome.PASS]
        wrong_nodes = _built([wrong_store(check) for check in passed], framework)
        for check in wanted:
            run.on_check(check.id, None)
            verdict = on_right[check.id]
            if verdict.outcome is Outcome.PASS:
                wrong, node = wrong_store(check), wrong_nodes[check.wrong]
                on_wrong = checks.run_program(program, [check], replace(quietly, node=node))
                verdict = _of_both(verdict.seconds, wrong, on_wrong[check.id])
            elif verdict.outcome is Outcome.FAIL:
                verdict = replace(verdict, message=_on_reference(verdict.message))
            # The run of the grader's own store is nothing to replay on the student's.
            verdicts[check.id] = replace(verdict, replay=None)
            run.on_check(check.id, verdicts[check.id])
    return verdicts


def prepare(labs: Iterable[Lab], framework: build.Framework) -> None:
    """Builds the wrong stores that plans of these labs run on, before a submission has to wait for them.
    GraderTrouble or LabError if one does not build: they are ours."""
    wrong = [wrong_store(check) for lab in labs for check in lab.checks if check.wrong]
    _built(wrong, framework)


Wrong = mutants.Mutant | reference.WrongStore


def _built(wrong: Sequence[Wrong], framework: build.Framework) -> dict[str, Path]:
    """By name, the nodes of these. Compiled side by side, the first time."""

    def node(one: Wrong) -> Path:
        if isinstance(one, mutants.Mutant):
            return mutants.build_mutant(one, framework, "plans").node
        return build.prebuilt_node(framework, one.name.rpartition("/")[2])

    with ThreadPoolExecutor(framework.jobs) as pool:
        nodes = list(pool.map(node, wrong))
    return {one.name: node for one, node in zip(wrong, nodes, strict=True)}


def _silent(_check: str, _verdict: checks.Verdict | None) -> None:
    """The bar counts a plan once, when both stores have run it."""


def _on_reference(message: str) -> str:
    """A plan that cannot be run (labs/7-capstone/plan_file.h) is for itself; else it is told where it ran."""
    unread = message.lstrip().startswith("expected: a fault plan that can be run")
    return message if unread else f"on the reference, which is right:\n{message}"


def _of_both(seconds: float, wrong: Wrong, on_wrong: checks.Verdict) -> checks.Verdict:
    """The verdict on a plan that the reference comes through."""
    seconds += on_wrong.seconds
    if on_wrong.outcome is Outcome.FAIL:
        told = f"as wanted, the wrong store ({wrong.title}) fails:\n{on_wrong.message}"
        return checks.Verdict(Outcome.PASS, seconds, told)
    if on_wrong.outcome is Outcome.PASS:
        # What the plan did, and why that was not enough: labs/7-capstone/plan_account.h.
        told = f"on the wrong store ({wrong.title}), your plan does this:\n{on_wrong.message}"
        return checks.Verdict(Outcome.FAIL, seconds, told)
    return replace(on_wrong, seconds=seconds)


def wrong_store(check: Check) -> Wrong:
    """The known-wrong solution that a plan is to find. GraderTrouble if there is none of that name."""
    if RELEASED:
        return reference.wrong_store(check.wrong)
    for mutant in mutants.load(load_all()):
        if mutant.name == check.wrong:
            return mutant
    raise GraderTrouble(f"lab.json: {check.id}: wrong: there is no grader/mutants/{check.wrong}")
