"""Known-wrong solutions: each must be caught by a check that is said to catch it."""

from __future__ import annotations

import queue
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from dynamolab import build, checks, processes, stories
from dynamolab.errors import GraderTrouble, LabError
from dynamolab.labs import Check, Lab, read_json
from dynamolab.paths import BUILD, MUTANTS, REFERENCE, shown, working_folder
from dynamolab.results import Outcome

PATCH_DEADLINE_S = 20.0
CORE_DEADLINE_S = 60.0

Judged = TypeVar("Judged")


@dataclass(frozen=True)
class Mutant:
    """One folder of grader/mutants/."""

    folder: Path
    lab: Lab
    title: str
    why: str
    expected: tuple[str, ...]
    properties: tuple[str, ...]
    needs: str = ""  # What must come together before it shows; empty: nothing out of the ordinary.
    untold: str = ""  # Why no story of it can be kept; empty: one is.

    @property
    def name(self) -> str:
        return f"{self.folder.parent.name}/{self.folder.name}"


@dataclass
class Caught:
    """What came of a mutant. ``trouble``: it could not be judged."""

    mutant: Mutant
    caught_by: list[str] = field(default_factory=list)
    trouble: str = ""
    stories: list[str] = field(default_factory=list)  # What a student reads of it, grade by grade.

    @property
    def survived(self) -> bool:
        return not self.caught_by

    @property
    def as_expected(self) -> bool:
        """At least one of those that must see it does."""
        return bool(set(self.caught_by) & set(self.mutant.expected)) and not self.trouble

    def document(self) -> dict[str, Any]:
        told = {
            "name": self.mutant.name,
            "lab": self.mutant.lab.number,
            "title": self.mutant.title,
            "caught_by": self.caught_by,
            "expected": list(self.mutant.expected),
        }
        return told | ({"trouble": self.trouble} if self.trouble else {})


def load(labs: Sequence[Lab], chosen: Sequence[Lab] = ()) -> list[Mutant]:
    """All mutants, or those of some labs. LabError if one names a lab or a check that is not there."""
    found = []
    for path in sorted(MUTANTS.glob("*/*/mutant.json")):
        document = read_json(path, "mutant.schema.json")
        lab = next((lab for lab in labs if lab.number == document["lab"]), None)
        if lab is None:
            raise LabError(f"{shown(path)}: lab: there is no lab {document['lab']}")
        for check in document["expected"]:
            if lab.check(check) is None:
                raise LabError(f"{shown(path)}: expected: lab {lab.number} has no check {check}")
        if not path.with_name("change.patch").is_file():
            raise LabError(f"{shown(path.with_name('change.patch'))} is missing")
        expected, properties = tuple(document["expected"]), tuple(document["properties"])
        title, why = document["title"], document["why"]
        needs, untold = document.get("needs", ""), document.get("untold", "")
        found.append(Mutant(path.parent, lab, title, why, expected, properties, needs, untold))
    return [mutant for mutant in found if not chosen or mutant.lab in chosen]


def _patched(mutant: Mutant) -> Path:
    """The reference with the change in it, in a folder of its own. Written only where it differs from
    what lies there, so that an unchanged mutant is not compiled again. Two graders may do so at once."""
    folder = BUILD / "mutants" / mutant.name
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as made:
        fresh = Path(shutil.copytree(REFERENCE, Path(made) / "fresh"))
        patch = mutant.folder / "change.patch"
        command: list[str | Path] = ["patch", "-p1", "--batch", "--no-backup-if-mismatch"]
        command += ["-d", fresh, "-i", patch]
        done = processes.run(command, deadline_s=PATCH_DEADLINE_S)
        if done.code != 0:
            raise LabError(
                f"{shown(mutant.folder)}/change.patch does not apply to reference/:\n{done.out.strip()}"
            )
        files = list(fresh.glob("*.cpp"))
        if not [p for p in files if p.read_bytes() != (REFERENCE / p.name).read_bytes()]:
            raise LabError(f"{shown(mutant.folder)}/change.patch changes nothing")
        for path in files:
            there = folder / path.name
            if not there.exists() or there.read_bytes() != path.read_bytes():
                path.replace(there)
    return folder


def sources(mutant: Mutant) -> dict[str, Path | None]:
    """Module → its changed file; None: as the reference has it. LabError if the change does not apply."""
    return _modules(_patched(mutant))


def _modules(folder: Path) -> dict[str, Path | None]:
    """Only the patched module is compiled; the others are the prebuilt reference."""
    changed = {
        path.stem: (folder / path.name).read_bytes() != path.read_bytes()
        for path in REFERENCE.glob("*.cpp")
    }
    return {module: folder / f"{module}.cpp" if yes else None for module, yes in changed.items()}


def build_mutant(
    mutant: Mutant, framework: build.Framework, label: str = "mutant"
) -> build.NodeBuild:
    """LabError if it does not build: a mutant is wrong in what it does, never in its syntax. ``label``: for
    whom, so that nobody takes a node away that somebody else runs."""
    built = build.build_node(framework, sources(mutant), f"{label}-{mutant.folder.name}", jobs=1)
    if built.error:
        raise LabError(f"{mutant.name}: {built.error}")
    return built


def judge(
    mutant: Mutant,
    node: Path,
    framework: build.Framework,
    *,
    everything: bool,
    seed: int,
    cpus: tuple[int, ...],
) -> Caught:
    """The expected checks first, stopping at the first that catches; the other checks only if none
    of them did (to tell who else sees it), or if everything is asked for: then each expected check
    must catch it."""
    others = [check for check in mutant.lab.checks if check.id not in mutant.expected]
    if everything:
        caught = Caught(mutant)
        _judge_by(caught, [*_expected(mutant), *others], node, framework, seed, cpus)
    else:
        caught = judge_expected(mutant, node, framework, seed=seed, cpus=cpus)
        if caught.survived:
            _judge_by(caught, others, node, framework, seed, cpus)
    if not set(caught.caught_by) & set(mutant.expected) and caught.caught_by:
        caught.trouble = caught.trouble or "caught, but by none of the checks that are said to"
    if everything and not caught.survived:
        passed = [check for check in mutant.expected if check not in caught.caught_by]
        if passed and not caught.trouble:
            caught.trouble = f"passes {', '.join(passed)}, said to catch it"
    return caught


def judge_expected(
    mutant: Mutant, node: Path, framework: build.Framework, *, seed: int, cpus: tuple[int, ...]
) -> Caught:
    """The checks that are said to catch it, one by one, the cheapest first, until one does."""
    caught = Caught(mutant)
    for check in expected_checks(mutant):
        _judge_by(caught, [check], node, framework, seed, cpus)
        if not caught.survived:
            break
    return caught


def _judge_by(
    caught: Caught,
    by: Sequence[Check],
    node: Path,
    framework: build.Framework,
    seed: int,
    cpus: tuple[int, ...],
) -> None:
    """Runs these checks together, and notes down which of them catch it."""
    verdicts = _run(caught.mutant, by, node, framework, seed, cpus)
    expected = {check.id: check for check in by if check.id in caught.mutant.expected}
    if not caught.stories and (story := stories.story_of(verdicts, expected)):
        caught.stories.append(story)
    for check, verdict in verdicts.items():
        if verdict.outcome is Outcome.FAIL:
            caught.caught_by.append(check)
        elif verdict.outcome is Outcome.INCONCLUSIVE:
            caught.trouble = f"{check}: {verdict.message}"


def _expected(mutant: Mutant) -> list[Check]:
    return [check for check in mutant.lab.checks if check.id in mutant.expected]


def expected_checks(mutant: Mutant) -> list[Check]:
    """Those that are said to catch it, the cheapest first."""
    order = ("unit", "sim", "explore", "plan", "cluster")
    return sorted(_expected(mutant), key=lambda check: order.index(check.kind))


def judge_with_seeds(
    mutant: Mutant,
    check: Check,
    node: Path,
    framework: build.Framework,
    *,
    seeds: Sequence[int],
    cpus: tuple[int, ...],
) -> dict[int, checks.Verdict]:
    """One check with many seeds; failures are told as they are met, and none is shrunk. Real processes,
    which mostly wait, run with several seeds side by side."""
    if check.kind != "cluster":
        with working_folder(BUILD / "mutants" / mutant.name / "run") as folder:
            run = checks.Run(node, folder, submission=_plans(mutant), shrink=False, cpus=cpus)
            program = framework.checks_binary(mutant.lab.number)
            return checks.run_grades(program, check, run, seeds)

    def one(seed: int) -> checks.Verdict:
        run = _run(mutant, [check], node, framework, seed, cpus, f"run-{seed}")
        return run[check.id]

    with ThreadPoolExecutor(checks.CLUSTER_WORKERS) as pool:
        return dict(zip(seeds, pool.map(one, seeds), strict=True))


def _plans(mutant: Mutant) -> Path | None:
    """A plan of the reference's must find the wrong store that it is made for."""
    return None if mutant.lab.has_module else REFERENCE / mutant.lab.file


def _run(
    mutant: Mutant,
    stage: Sequence[Check],
    node: Path,
    framework: build.Framework,
    seed: int,
    cpus: tuple[int, ...],
    folder_name: str = "run",
) -> dict[str, checks.Verdict]:
    verdicts: dict[str, checks.Verdict] = {}
    with working_folder(BUILD / "mutants" / mutant.name / folder_name) as folder:
        shrink = seed == stories.SEED
        run = checks.Run(
            node, folder, seed, _plans(mutant), jobs=len(cpus), shrink=shrink, cpus=cpus
        )
        if simulated := [check for check in stage if check.kind != "cluster"]:
            verdicts |= checks.run_program(
                framework.checks_binary(mutant.lab.number), simulated, run
            )
        if real := [check for check in stage if check.kind == "cluster"]:
            tests = mutant.lab.folder / "test_cluster.py"
            if any(check.mixed for check in real):
                run = replace(run, reference=build.reference_node(framework))
            verdicts |= checks.run_pytest(tests, real, framework.faultnet, run)
    return verdicts


def judge_all(
    mutants: Sequence[Mutant],
    framework: build.Framework,
    *,
    everything: bool,
    seed: int,
    on_step: Callable[[int, Caught], None],
    tellings: int = 1,
) -> list[Caught]:
    """Compiles and judges several at a time, one core each. In the order of ``mutants``. Each is graded
    until its story was told ``tellings`` times; ``on_step`` hears of each when it is done."""
    results: dict[str, Caught] = {}

    def one(mutant: Mutant, node: Path, cpu: int) -> Caught:
        caught = judge(mutant, node, framework, everything=everything, seed=seed, cpus=(cpu,))
        while 0 < len(caught.stories) < tellings:
            again = judge_expected(mutant, node, framework, seed=seed, cpus=(cpu,))
            caught.stories += again.stories or [""]
        return caught

    def trouble(mutant: Mutant, error: LabError) -> Caught:
        return Caught(mutant, trouble=str(error))

    for mutant, caught in each_built(mutants, framework, one, trouble):
        results[mutant.name] = caught
        on_step(len(results), caught)
    return [results[mutant.name] for mutant in mutants]


def each_built(
    mutants: Sequence[Mutant],
    framework: build.Framework,
    judge_one: Callable[[Mutant, Path, int], Judged],
    trouble: Callable[[Mutant, LabError], Judged],
) -> Iterator[tuple[Mutant, Judged]]:
    """Compiles each and gives it (its node, a core) to ``judge_one``, several at a time, one core each;
    what comes of them, in the order in which they end. A mutant's own trouble becomes ``trouble``'s.
    """
    free: queue.SimpleQueue[int] = queue.SimpleQueue()
    for cpu in processes.cpus()[: framework.jobs]:
        free.put(cpu)

    def one(mutant: Mutant) -> Judged:
        cpu = free.get(timeout=CORE_DEADLINE_S)  # As many workers as cores: there is one.
        try:
            # Another ./lab mutants may be at work here, too.
            with build.locked(BUILD / "judging" / mutant.name):
                node = build_mutant(mutant, framework).node
                try:
                    return judge_one(mutant, node, cpu)
                finally:
                    node.unlink(missing_ok=True)  # Large, and linked again in no time.
        except GraderTrouble:
            raise
        except LabError as error:
            return trouble(mutant, error)
        finally:
            free.put(cpu)

    pool = ThreadPoolExecutor(min(framework.jobs, len(processes.cpus())))
    try:
        waiting = {pool.submit(one, mutant): mutant for mutant in mutants}
        for done in as_completed(waiting):
            yield waiting[done], done.result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
