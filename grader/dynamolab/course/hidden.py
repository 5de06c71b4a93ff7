"""Hidden checks (grader/hidden/N-name.json): data that widens a public check of the same lab. They add
seeds and scopes, never rules: what is run is the public check's own program."""

from __future__ import annotations

import json
import queue
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

from dynamolab import checks, processes
from dynamolab.errors import LabError
from dynamolab.labs import Check, Hidden, Lab, read_json
from dynamolab.paths import HIDDEN, shown
from dynamolab.results import Outcome, Show

SCHEMA = "course/hidden.schema.json"
KINDS = ("unit", "sim", "explore")  # What seeds and scopes decide, and what replays exactly.
CORE_DEADLINE_S = 600.0


@dataclass(frozen=True)
class HiddenCheck:
    """One entry of such a file."""

    id: str
    title: str
    widens: str
    points: int
    seeds: int | None = None  # Worlds from each of the class's seeds on; None: what the check asks for.
    scope: Mapping[str, int] = field(default_factory=dict)  # Of an exploration.
    catches: tuple[str, ...] = ()


def load(lab: Lab) -> list[HiddenCheck]:
    """The hidden checks of a lab; none where there is no file, as in a students' repository. LabError
    names the place of what is wrong with one."""
    path = HIDDEN / f"{lab.folder.name}.json"
    if not path.is_file():
        return []
    document = read_json(path, SCHEMA)
    found: list[HiddenCheck] = []
    for index, entry in enumerate(document["checks"]):
        place = f"{shown(path)}: checks[{index}]"
        public = lab.check(entry["widens"])
        if public is None or public.kind not in KINDS:
            raise LabError(
                f"{place}.widens: {entry['widens']} is no unit, simulated or explored check of lab"
                f" {lab.number}"
            )
        if entry.get("scope") and public.kind != "explore":
            raise LabError(f"{place}.scope: {public.id} is no exploration; only 'seeds' widen it")
        if not entry.get("scope") and not entry.get("seeds"):
            raise LabError(f"{place}: it widens nothing: give 'seeds', or the 'scope' of an exploration")
        if not entry["id"].startswith(f"{lab.module}.") or any(one.id == entry["id"] for one in found):
            raise LabError(f"{place}.id: must begin with '{lab.module}.hidden_', and stand once")
        found.append(HiddenCheck(**{**entry, "catches": tuple(entry.get("catches", ()))}))
    return found


def as_check(one: HiddenCheck, public: Check, show: Show) -> Check:
    """As a check of the lab, beside the public ones."""
    return replace(
        public,
        id=one.id,
        title=one.title,
        points=one.points,
        needs=(public.id,),
        show=show,
        hidden=Hidden(public.id, one.seeds, dict(one.scope)),
    )


def judge(
    program: Path, wanted: Sequence[Check], seeds: Sequence[int], run: checks.Run
) -> dict[str, checks.Verdict]:
    """A verdict for each hidden check: that of the first of the class's seeds with which it does not
    pass. Runs as many at a time as ``run.jobs`` says, one core each; what they leave behind goes to a
    folder of their own, hidden/, in ``run.folder``."""
    cores = run.cpus or processes.cpus()[: run.jobs]
    free: queue.SimpleQueue[int] = queue.SimpleQueue()
    for core in cores:
        free.put(core)

    def one(job: tuple[Check, int]) -> checks.Verdict:
        core = free.get(timeout=CORE_DEADLINE_S)  # As many workers as cores: there is one.
        try:
            return _with_seed(program, *job, replace(run, jobs=1, cpus=(core,)))
        finally:
            free.put(core)

    for check in wanted:
        run.on_check(check.id, None)
    jobs = [(check, seed) for check in wanted for seed in seeds]
    with ThreadPoolExecutor(len(cores)) as pool:
        ended = list(zip(jobs, pool.map(one, jobs), strict=True))
    verdicts = {}
    for check in wanted:
        of_check = [verdict for (judged, _), verdict in ended if judged is check]
        worst = next((v for v in of_check if v.outcome is not Outcome.PASS), of_check[0])
        seconds = sum(verdict.seconds for verdict in of_check)
        verdicts[check.id] = replace(worst, seconds=seconds)
        run.on_check(check.id, verdicts[check.id])
    return verdicts


def _with_seed(program: Path, check: Check, seed: int, run: checks.Run) -> checks.Verdict:
    assert check.hidden is not None
    folder = run.folder / "hidden" / check.id.partition(".")[2] / str(seed)
    folder.mkdir(parents=True, exist_ok=True)
    scope = json.dumps(dict(check.hidden.scope)) if check.hidden.scope else ""
    widened = replace(
        run,
        folder=folder,
        seed=seed,
        seeds=check.hidden.seeds,
        scope=scope,
        on_check=lambda _id, _verdict: None,
    )
    public = replace(check, id=check.hidden.widens)
    verdict = checks.run_program(program, [public], widened)[public.id]
    if verdict.outcome is Outcome.PASS:
        return verdict
    words = f"{public.id}, from the class's seed {seed} on"
    return replace(verdict, message=f"{words}:\n{verdict.message}")
