"""Grades a solution: builds its nodes, looks for what is not allowed, runs the checks, gives points."""

from __future__ import annotations

import contextlib
import datetime
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from dynamolab import build, checks, fault_plans, leaderboard, reference, rules, ui, viewer
from dynamolab.course import hidden
from dynamolab.errors import LabError
from dynamolab.labs import Check, Lab
from dynamolab.paths import RESULTS, shown, working_folder
from dynamolab.results import CheckResult, LabResult, Outcome, Results, write_json
from dynamolab.sandbox import Sandbox, choose
from dynamolab.semester import versions
from dynamolab.solutions import Modules, Solution

KEPT_RUNS = 20
RESULTS_FILE = "results.json"


@dataclass(frozen=True)
class Request:
    """What is asked for."""

    solution: Solution
    labs: Sequence[Lab]
    only: frozenset[str] = frozenset()  # Check ids; empty: all.
    kinds: frozenset[str] = frozenset({"unit", "sim", "explore", "cluster", "plan"})
    seed: int = 1
    seeds: int | None = None  # At least so many; None: what each check asks for.
    # Lab → the class's seeds, for its hidden checks, which are not run without.
    secret_seeds: Mapping[int, Sequence[int]] = field(default_factory=dict)
    sanitize: bool = False
    jobs: int = 1
    command: str = ""
    quiet: bool = False
    folder: Path | None = None  # Where artifacts go; None: a new one under results/.
    label: str = ""
    rules: bool = True  # False: for the attacks, which the sandbox alone must hold.
    sandbox: str = "off"  # auto, a, b or off: see dynamolab.sandbox.choose.
    leaderboard: bool = False  # Figures for it, of the lab without a module, if all of it passes.
    # Hears after each verdict how things stand: what has none yet is inconclusive there.
    on_progress: Callable[[Results], None] | None = None

    def chosen(self, lab: Lab) -> list[Check]:
        return [
            check
            for check in lab.checks
            if check.kind in self.kinds
            and (not self.only or check.id in self.only)
            and (check.hidden is None or self.secret_seeds.get(lab.number))
        ]


@dataclass(frozen=True)
class _Work:
    """What all labs of one request are graded with."""

    request: Request
    framework: build.Framework
    for_nodes: build.Framework  # The same, or the one that is built with sanitizers.
    sandbox: Sandbox | None
    folder: Path
    # What each lab's node was made of, and its objects: of those that could be built.
    built: list[tuple[Modules, build.NodeBuild]] = field(default_factory=list)

    def compiled(self, modules: Modules) -> dict[str, Path]:
        """Objects of modules that a lab before has compiled: the capstone's node has all labs' files."""
        found = {}
        for others, node in self.built:
            if ("transfer" in others) != ("transfer" in modules):
                continue  # One of two factories of a file has another name then.
            found |= {m: o for m, o in node.objects.items() if modules.get(m) == others.get(m)}
        return found


@dataclass
class _Tally:
    """How far a run is, for the bar."""

    total: int
    bar: ui.Bar
    tell: Callable[[dict[str, checks.Verdict]], None]
    done: dict[str, checks.Verdict] = field(default_factory=dict)

    def on_check(self, identifier: str, verdict: checks.Verdict | None) -> None:
        if verdict is not None:
            self.done[identifier] = verdict
            self.tell(dict(self.done))
        self.bar.update(len(self.done), self.total, identifier)


def run_folder(label: str) -> Path:
    """A new folder results/<when>-<label>; the oldest ones of many go."""
    RESULTS.mkdir(exist_ok=True)
    stamp = datetime.datetime.now().strftime("%Y%m%d-%H%M%S")
    number = 0
    while True:
        folder = RESULTS / (f"{stamp}-{label}" + (f"-{number}" if number else ""))
        with contextlib.suppress(FileExistsError):
            folder.mkdir()
            break
        number += 1
    runs = sorted(path for path in RESULTS.iterdir() if path.is_dir() and path.name[:8].isdigit())
    old = runs[: max(0, len(runs) - KEPT_RUNS)]
    for path in old:
        shutil.rmtree(path, ignore_errors=True)
    if old:
        runs_words = f"{old[0].name} is" if len(old) == 1 else f"{len(old)} older runs are"
        ui.say(f"{shown(RESULTS)}/: {runs_words} removed; the newest {KEPT_RUNS} runs are kept")
    return folder


def grade(request: Request, sandbox: Sandbox | None = None) -> Results:
    """Runs all that is asked for. GraderTrouble if the framework does not build. ``sandbox``: one that was
    chosen before, in place of what the request asks for."""
    began = time.monotonic()
    framework = build.Framework("release", request.jobs)
    programs = [
        f"lab{lab.number}-checks"
        for lab in request.labs
        if _of_kind(request.chosen(lab), "unit", "sim", "explore", "plan")
    ]
    cluster = any(_of_kind(request.chosen(lab), "cluster") for lab in request.labs)
    framework.build(["libraries", *programs, *(["faultnet"] if cluster else [])])
    sandbox = sandbox or _sandbox(request, framework)
    for_nodes = framework
    if request.sanitize:
        for_nodes = build.Framework("asan", request.jobs)
        for_nodes.build(["libraries"])
    label = request.label or "lab" + "-".join(str(lab.number) for lab in request.labs)
    folder = request.folder or run_folder(label)
    results = Results(
        request.solution.name,
        request.seed,
        command=request.command,
        supplied=request.solution.supplied_words,
        options=request.solution.options,
        sandbox=sandbox.tier.value if sandbox is not None else "off",
        grader=versions.grader(),
    )
    work = _Work(request, framework, for_nodes, sandbox, folder)
    for lab in request.labs:
        results.labs.append(_grade_lab(work, lab, _teller(request, results, lab)))
    build.prune_solutions(for_nodes.preset)
    viewer.draw_failures(results)
    results.seconds = time.monotonic() - began
    write_json(
        results.document(), folder / RESULTS_FILE
    )  # ./lab replay looks here for the solution.
    return results


def _teller(
    request: Request, results: Results, lab: Lab
) -> Callable[[dict[str, checks.Verdict]], None]:
    """What tells ``on_progress`` how things stand, given the verdicts of this lab so far."""

    def tell(verdicts: dict[str, checks.Verdict]) -> None:
        if request.on_progress is None:
            return
        later = request.labs[request.labs.index(lab) + 1 :]
        labs = [*results.labs, _lab_result(request, lab, verdicts)]
        request.on_progress(
            replace(results, labs=labs + [_lab_result(request, other, {}) for other in later])
        )

    return tell


def _lab_result(request: Request, lab: Lab, verdicts: dict[str, checks.Verdict]) -> LabResult:
    parts = {part: title for part, (title, _) in lab.parts.items()}
    judged = [_judged(check, verdicts) for check in request.chosen(lab)]
    return LabResult(lab.number, lab.name, lab.title, judged, parts)


def _sandbox(request: Request, framework: build.Framework) -> Sandbox | None:
    if request.sandbox != "off" and request.sanitize:
        raise LabError("--sanitize: the sanitizers see nothing within a sandbox; add --sandbox off")
    return chosen_sandbox(request.sandbox, framework)


def chosen_sandbox(word: str, framework: build.Framework) -> Sandbox | None:
    """What was asked for (``--sandbox``), said in a line. LabError if that cannot be had."""
    if word == "off":
        return None
    sandbox = choose(word, framework.sandbox_launcher_built())
    if sandbox is not None:
        ui.say(f"sandbox: {sandbox.words}")
    return sandbox


def _of_kind(chosen: Sequence[Check], *kinds: str) -> list[Check]:
    return [check for check in chosen if check.kind in kinds]


def _grade_lab(
    work: _Work, lab: Lab, tell: Callable[[dict[str, checks.Verdict]], None]
) -> LabResult:
    request, sandbox = work.request, work.sandbox
    chosen = request.chosen(lab)
    modules = request.solution.modules(lab)
    label = f"lab{lab.number}-{request.solution.folder.name}"
    compiled = work.compiled(modules)
    built = build.build_node(work.for_nodes, modules, label, sandbox=sandbox, compiled=compiled)
    if not built.error:
        work.built.append((modules, built))
    problem = built.error or _violations(work, built, modules)
    verdicts = {}
    runnable = chosen
    if problem:
        verdicts = {check.id: checks.Verdict(Outcome.FAIL, message=problem) for check in chosen}
        # Fault plans run on stores of the grader's own, whatever the student's code is like.
        runnable = _of_kind(chosen, "plan")
    if runnable:
        verdicts |= _run(work, lab, runnable, built, tell)
    result = _lab_result(request, lab, verdicts)
    for check, judged in zip(chosen, result.checks, strict=True):
        judged.hash = versions.of_check(lab, check)
    if request.leaderboard and sandbox is not None and not lab.has_module:
        ui.say("no figures for the leaderboard: they are measured with --sandbox off alone")
    elif request.leaderboard and not lab.has_module:
        result.leaderboard = _leaderboard(work, lab, result, built.node)
    for check in result.checks:
        if check.outcome is Outcome.SKIP:
            _remove_artifacts(work.folder, check.id)
    return result


def _leaderboard(
    work: _Work, lab: Lab, result: LabResult, node: Path
) -> leaderboard.Leaderboard | None:
    """Speed counts only of a store that is right: nothing unless every check of the lab passed."""
    if len(result.checks) < len(lab.checks) or result.outcome is not Outcome.PASS:
        ui.say(f"no figures for the leaderboard: they need a pass in each check of lab {lab.number}")
        return None
    with working_folder(work.folder / "leaderboard") as place:
        return leaderboard.measure(node, work.framework, place)


def _remove_artifacts(folder: Path, check: str) -> None:
    """What a check left that is then skipped: nobody is told of its failure, so nobody replays it."""
    for path in (folder / f"{check}.replay.json", folder / f"{check}.trace.jsonl"):
        path.unlink(missing_ok=True)
    shutil.rmtree(folder / check, ignore_errors=True)


def _violations(work: _Work, built: build.NodeBuild, modules: Modules) -> str | None:
    if not work.request.rules:
        return None
    sources = [(path, built.objects[name]) for name, path in modules.items() if path is not None]
    found = [violation for source, _ in sources for violation in rules.check_source(source)]
    if not work.request.sanitize:  # A sanitizer puts symbols of its own into the objects.
        found += rules.check_objects(sources, work.sandbox, work.for_nodes.folder)
    return rules.report(found) if found else None


def _run(
    work: _Work,
    lab: Lab,
    chosen: Sequence[Check],
    built: build.NodeBuild,
    tell: Callable[[dict[str, checks.Verdict]], None],
) -> dict[str, checks.Verdict]:
    request, framework = work.request, work.framework
    verdicts: dict[str, checks.Verdict] = {}
    bar: contextlib.AbstractContextManager[ui.Bar]
    bar = contextlib.nullcontext(ui.Bar()) if request.quiet else ui.bar(f"Lab {lab.number}")
    with bar as progress:
        tally = _Tally(len(chosen), progress, tell)
        run = checks.Run(
            built.node,
            work.folder,
            seed=request.seed,
            seeds=request.seeds,
            jobs=request.jobs,
            sandbox=work.sandbox,
            on_check=tally.on_check,
        )
        program = framework.checks_binary(lab.number)
        if program_checks := _of_kind(chosen, "unit", "sim", "explore"):
            public = [check for check in program_checks if not check.hidden]
            verdicts |= checks.run_program(program, public, run) if public else {}
            widened = [c for c in program_checks if c.hidden and not _failed_need(c, verdicts)]
            if widened:
                seeds = request.secret_seeds[lab.number]
                verdicts |= hidden.judge(program, widened, seeds, run)
        if plans := _of_kind(chosen, "plan"):
            verdicts |= fault_plans.judge(request.solution.file(lab), lab, plans, framework, run)
        # Real processes take their time; those whose dependency has failed already need not run.
        if waiting := [c for c in _of_kind(chosen, "cluster") if not _failed_need(c, verdicts)]:
            if mixed := [check for check in waiting if check.mixed]:
                try:
                    run = replace(run, reference=build.reference_node(work.for_nodes))
                except reference.NotHere as error:
                    told = checks.Verdict(Outcome.INCONCLUSIVE, message=str(error))
                    verdicts |= dict.fromkeys((check.id for check in mixed), told)
                    waiting = [check for check in waiting if not check.mixed]
            if waiting:
                verdicts |= checks.run_pytest(
                    lab.folder / "test_cluster.py", waiting, framework.faultnet, run
                )
    return verdicts


def _failed_need(check: Check, verdicts: dict[str, checks.Verdict]) -> str | None:
    """A dependency that ran (it was asked for) and did not pass."""
    for need in check.needs:
        if need in verdicts and verdicts[need].outcome is not Outcome.PASS:
            return need
    return None


def _judged(check: Check, verdicts: dict[str, checks.Verdict]) -> CheckResult:
    """A check with its verdict; SKIP if one of its dependencies did not pass."""
    failed = _failed_need(check, verdicts)
    verdict = verdicts.get(check.id) or checks.Verdict(
        Outcome.INCONCLUSIVE, message="the check did not run"
    )
    if failed and not _same_for_all(verdict, verdicts[failed]):
        verdict = checks.Verdict(
            Outcome.SKIP, message=f"skipped: it needs {failed}, which did not pass"
        )
        verdicts[check.id] = verdict  # So that what needs this one is skipped, too.
    if verdict.outcome is Outcome.PASS and not verdict.finished and not check.bounded:
        verdict = checks.Verdict(
            Outcome.INCONCLUSIVE,
            verdict.seconds,
            "the search did not come to the end of its scope; nothing wrong was found as far as it"
            f" got. {verdict.message}",
        )
        verdicts[check.id] = verdict
    return CheckResult(
        id=check.id,
        title=check.title,
        kind=check.kind,
        outcome=verdict.outcome,
        max_points=check.points,
        seconds=verdict.seconds,
        message=verdict.message,
        replay=verdict.replay,
        part=check.part,
        teaches=check.teaches,
        why=check.why,
        hint=check.hint,
        show=check.show,
        void=check.void,
    )


def _same_for_all(verdict: checks.Verdict, of_need: checks.Verdict) -> bool:
    """Nothing compiled, say: then each check fails for itself."""
    return verdict.outcome is Outcome.FAIL and verdict.message == of_need.message
