"""Runs a lab's checks: the check program in one process a core, then pytest with real processes.

Fails closed: every check that was asked for ends with a verdict of its own, or inconclusive with the
reason why there is none."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dynamolab import processes
from dynamolab.labs import Check
from dynamolab.paths import BUILD, PACKAGE, ROOT, shown
from dynamolab.results import Outcome
from dynamolab.sandbox import Sandbox, hosts_in

SECONDS_A_CHECK = 60.0  # Far more than any check takes; a run that needs longer hangs.
SECONDS_A_START = 60.0
POLL_S = 0.02
LAST_WORDS = 15  # Lines.
CLUSTER_WORKERS = 4


@dataclass
class Verdict:
    """What a check program said about one check."""

    outcome: Outcome
    seconds: float = 0.0
    message: str = ""
    replay: str | None = None
    finished: bool = True  # False: of an exploration that ended at its bound of states.


@dataclass
class Run:
    """What checks are run with."""

    node: Path
    folder: Path  # For logs, artifacts and replays.
    seed: int = 1
    submission: Path | None = None  # What the student hands in beside code: fault plans.
    seeds: int | None = None  # At least so many; None: what each check asks for.
    jobs: int = 1
    reference: Path | None = None  # Its node, for checks that set it beside the solution's.
    scope: str = ""  # What a hidden check widens an exploration by, as JSON.
    shrink: bool = True  # Look for a short run that fails in the same way; it may take a second.
    cpus: tuple[int, ...] = ()  # Cores to pin to, one a shard; empty: all that we may use.
    sandbox: Sandbox | None = None  # What the solution runs in; None: as it is.
    on_check: Callable[[str, Verdict | None], None] = field(default=lambda _id, _verdict: None)


class _Lines:
    """Reads a JSONL file as it grows."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._position = 0

    def new(self) -> Iterator[dict[str, object]]:
        with contextlib.suppress(FileNotFoundError), self._path.open("rb") as file:
            file.seek(self._position)
            while (line := file.readline()).endswith(b"\n"):
                self._position = file.tell()
                with contextlib.suppress(ValueError):
                    document = json.loads(line)
                    if isinstance(document, dict):
                        yield document


class _Verdicts:
    """Collects what programs report; the worse of two verdicts on one check stands."""

    _ORDER = (Outcome.PASS, Outcome.SKIP, Outcome.FAIL, Outcome.INCONCLUSIVE)

    def __init__(self, run: Run) -> None:
        self._run = run
        self.begun: set[str] = set()
        self.verdicts: dict[str, Verdict] = {}

    def take(self, line: dict[str, object]) -> None:
        if isinstance(begun := line.get("begin"), str):
            self.begun.add(begun)
            self._run.on_check(begun, None)
        elif isinstance(identifier := line.get("id"), str):
            verdict = _verdict(line)
            known = self.verdicts.get(identifier)
            if known is None or self._ORDER.index(verdict.outcome) > self._ORDER.index(
                known.outcome
            ):
                self.verdicts[identifier] = verdict
            self._run.on_check(identifier, verdict)


def _verdict(line: dict[str, object]) -> Verdict:
    try:
        outcome = Outcome(line.get("outcome"))
    except ValueError:
        return Verdict(
            Outcome.INCONCLUSIVE,
            message=f"the check program wrote the outcome {line.get('outcome')!r}",
        )
    seconds = line.get("seconds")
    replay = line.get("replay")
    explored = line.get("explored")
    explored = explored if isinstance(explored, dict) else {}
    return Verdict(
        outcome,
        float(seconds) if isinstance(seconds, int | float) else 0.0,
        str(line.get("message") or (outcome is Outcome.PASS and explored.get("text")) or ""),
        shown(Path(replay)) if isinstance(replay, str) and replay else None,
        finished=explored.get("all") is not False,
    )


def run_program(program: Path, checks: Sequence[Check], run: Run) -> dict[str, Verdict]:
    """Unit and simulator checks (contract C3). A program that dies loses one check, not the rest."""
    collected = _Verdicts(run)
    waiting = [check.id for check in checks]
    attempt = 0
    while waiting:
        attempt += 1
        died = _run_shards(program, waiting, run, collected, attempt)
        left = [check for check in waiting if check not in collected.verdicts]
        if not died:
            break
        for check, why in died.items():
            collected.verdicts.setdefault(check, Verdict(Outcome.INCONCLUSIVE, message=why))
        waiting = [check for check in left if check not in died]
    for check in waiting:
        collected.verdicts.setdefault(
            check,
            Verdict(
                Outcome.INCONCLUSIVE,
                message=f"{program.name} ended without a word about this check",
            ),
        )
    if run.seeds is None and not run.scope:
        _remember_seconds(collected.verdicts)
    return collected.verdicts


def run_grades(
    program: Path, check: Check, run: Run, seeds: Sequence[int]
) -> dict[int, Verdict]:
    """One unit or simulator check, once with each seed, in one process with fresh hosts for each. Every
    seed ends with a verdict; of a program that dies, those that are left are inconclusive."""
    base = run.folder / f"{program.name}-grades"
    results = base.with_suffix(".jsonl")
    results.unlink(missing_ok=True)
    command = [*_command(program, run), "--results", results, "--only", check.id]
    command += ["--cpu", str((run.cpus or processes.cpus())[0])]
    for seed in seeds:
        command += ["--seed", str(seed)]
    verdicts: dict[int, Verdict] = {}
    lines = _Lines(results)
    limit_s, silent_since = SECONDS_A_START, time.monotonic()
    expired = False
    with base.with_suffix(".log").open("wb") as log:
        with processes.start(command, cwd=ROOT, stdout=log, stderr=log) as child:
            while True:
                running = child.running()
                for line in lines.new():
                    limit_s, silent_since = SECONDS_A_CHECK, time.monotonic()
                    if isinstance(seed := line.get("seed"), int) and "id" in line:
                        verdicts[seed] = _verdict(line)
                expired = time.monotonic() > silent_since + limit_s
                if expired or not running:
                    break
                time.sleep(POLL_S)
            code = child.end()
    why = _why_no_word(program.name, code, expired, limit_s, base.with_suffix(".log"))
    return {seed: verdicts.get(seed) or Verdict(Outcome.INCONCLUSIVE, message=why) for seed in seeds}


def _command(program: Path, run: Run) -> list[str | Path]:
    """Without the seed, and what differs between the shards."""
    command: list[str | Path] = [program, "--node", run.node, "--artifacts", run.folder]
    if run.submission is not None:
        command += ["--submission", run.submission]
    if run.seeds is not None:
        command += ["--seeds", str(run.seeds)]
    if run.scope:
        command += ["--scope", run.scope]
    if not run.shrink:
        command.append("--no-shrink")
    return command


def _run_shards(
    program: Path, ids: Sequence[str], run: Run, collected: _Verdicts, attempt: int
) -> dict[str, str]:
    """One process a core. Returns the checks that a dying program took with it, and why."""
    shards = _balanced(ids, run.jobs)
    cpus = run.cpus or processes.cpus()
    died: dict[str, str] = {}
    with contextlib.ExitStack() as stack:
        running = []
        for number, shard in enumerate(shards):
            base = run.folder / f"{program.name}-{attempt}-{number}"
            command = [*_command(program, run), "--seed", str(run.seed)]
            command += ["--results", base.with_suffix(".jsonl")]
            command += ["--cpu", str(cpus[number % len(cpus)])]
            for identifier in shard:
                command += ["--only", identifier]
            shut_in = hosts_in(run.sandbox, run.node, base.with_suffix(".sandbox.json"))
            command += stack.enter_context(shut_in)
            log = stack.enter_context(base.with_suffix(".log").open("wb"))
            child = stack.enter_context(processes.start(command, cwd=ROOT, stdout=log, stderr=log))
            running.append(
                (shard, child, _Lines(base.with_suffix(".jsonl")), base.with_suffix(".log"))
            )
        limit = SECONDS_A_START + SECONDS_A_CHECK * max(map(len, shards)) * max(
            1, (run.seeds or 0) // 40
        )
        expired = _follow([(child, lines) for _, child, lines, _ in running], collected, limit)
        for shard, child, _, log_path in running:
            code = child.end()
            why = _why_no_word(program.name, code, child in expired, limit, log_path)
            missing = [check for check in shard if check not in collected.verdicts]
            # The one that was at work is lost; if none was, the program did not even begin: all are.
            at_work = [check for check in missing if check in collected.begun]
            for check in at_work or missing:
                died[check] = why
    return died


def _follow(
    running: Sequence[tuple[processes.Child, _Lines]], collected: _Verdicts, limit_s: float
) -> set[processes.Child]:
    """Takes in what the programs write until they end. Returns those that had to be stopped."""
    until = time.monotonic() + limit_s
    while True:
        alive = [child for child, _ in running if child.running()]
        for _, lines in running:
            for line in lines.new():
                collected.take(line)
        if not alive:
            return set()
        if time.monotonic() > until:
            for child in alive:
                child.end()
            return set(alive)
        time.sleep(POLL_S)


def _why_no_word(name: str, code: int, expired: bool, limit_s: float, log: Path) -> str:
    if expired:
        how = f"was stopped after {limit_s:.0f} s: it hung"
    elif code < 0:
        how = f"died of signal {-code}"
    else:
        how = f"ended with exit code {code} before this check had a verdict"
    words = log.read_text(encoding="utf-8", errors="replace").splitlines()[-LAST_WORDS:]
    said = "\nIts last words:\n" + "\n".join(words) if words else ""
    return f"The grader's own trouble: {name} {how}.{said}"


def run_pytest(file: Path, checks: Sequence[Check], faultnet: Path, run: Run) -> dict[str, Verdict]:
    """Checks with real processes (contract C5)."""
    collected = _Verdicts(run)
    results = run.folder / f"{file.parent.name}-cluster.jsonl"
    temporary = run.folder / f"{file.parent.name}-temporary"
    log_path = results.with_suffix(".log")
    command: list[str | Path] = [
        sys.executable,
        "-m",
        "pytest",
        file,
        "-q",
        "-p",
        "dynamolab.cluster.plugin",
    ]
    command += [
        "-p",
        "dynamolab.pytest_select",
        "-p",
        "no:cacheprovider",
        "-c",
        PACKAGE / "pytest.ini",
    ]
    command += ["--basetemp", temporary]
    command += ["--rootdir", ROOT, "-n", str(min(CLUSTER_WORKERS, len(checks)))]
    command += ["--node", run.node, "--faultnet", faultnet, "--check-results", results]
    command += ["--artifacts", run.folder, "--check-seed", str(run.seed)]
    if run.reference is not None:
        command += ["--reference-node", run.reference]
    if run.sandbox is not None:
        command += ["--sandbox", run.sandbox.document()]
    for check in checks:
        command += ["--check-only", check.id]
    limit = SECONDS_A_START + SECONDS_A_CHECK * len(checks)
    environment = {**os.environ, "PYTHONPATH": str(PACKAGE.parent), "PYTHONDONTWRITEBYTECODE": "1"}
    with contextlib.ExitStack() as stack:
        log = stack.enter_context(log_path.open("wb"))
        stack.callback(shutil.rmtree, temporary, ignore_errors=True)
        with processes.start(command, cwd=ROOT, env=environment, stdout=log, stderr=log) as child:
            expired = _follow([(child, _Lines(results))], collected, limit)
            code = child.end()
    why = _why_no_word("pytest", code, bool(expired), limit, log_path)
    for check in checks:
        collected.verdicts.setdefault(check.id, Verdict(Outcome.INCONCLUSIVE, message=why))
    return collected.verdicts


_SECONDS = BUILD / "check-seconds.json"


def _known_seconds() -> dict[str, float]:
    try:
        known = json.loads(_SECONDS.read_text(encoding="utf-8"))
        return {str(key): float(value) for key, value in known.items()}
    except (OSError, ValueError, AttributeError, TypeError):
        return {}


def _remember_seconds(verdicts: dict[str, Verdict]) -> None:
    known = _known_seconds()
    known.update({check: v.seconds for check, v in verdicts.items() if v.outcome is Outcome.PASS})
    with contextlib.suppress(OSError):
        part = _SECONDS.with_suffix(f".{os.getpid()}")
        part.write_text(json.dumps(known), encoding="utf-8")
        part.replace(_SECONDS)


def _balanced(ids: Sequence[str], shards: int) -> list[list[str]]:
    """Longest first, each to the shard with the least to do. Only how long a run takes hangs on it."""
    known = _known_seconds()
    loads = [0.0] * max(1, min(shards, len(ids)))
    parts: list[list[str]] = [[] for _ in loads]
    for check in sorted(ids, key=lambda c: -known.get(c, 1.0)):
        least = loads.index(min(loads))
        parts[least].append(check)
        loads[least] += known.get(check, 1.0) + 0.001
    return [[check for check in ids if check in set(part)] for part in parts]
