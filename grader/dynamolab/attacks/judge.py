"""Hands an attack in, grades it, and looks what has become of everything."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from dynamolab import build, grade, labs, render_html, render_terminal, rules, ui
from dynamolab.errors import LabError
from dynamolab.results import Outcome, Results
from dynamolab.sandbox import Sandbox
from dynamolab.sandbox.sandbox import BUILD
from dynamolab.solutions import Modules, open_solution

from .model import Attack, Places

LONGEST_S = 400.0  # A whole trial; most take a few seconds. Nothing may hang.
GONE_S = 10.0
BUILD_CPU_S = 8  # Enough for an honest file; what an attack on the compiler may use here.
LOOT = re.compile(r"LOOT: [^\n]*")
SECRET_IN_ENVIRONMENT = "DYNAMO_SECRET_OF_THE_CLASS"
_RAW = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")


@dataclass
class Trial:
    """What came of one attack. ``broken``: what must not be, each in a line; empty: it was held."""

    attack: Attack
    outcome: str = ""
    message: str = ""
    refused: str | None = None  # By the rules; None: they were not asked.
    seconds: float = 0.0
    broken: list[str] = field(default_factory=list)


@contextlib.contextmanager
def places() -> Iterator[tuple[Places, str]]:
    """A secret in a file that anybody on this machine could read, and in the environment; its text."""
    token = f"CANARY-{secrets.token_hex(12)}"
    with tempfile.TemporaryDirectory(prefix="dynamo-attack-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        canary = folder / "hidden_test.cpp"
        canary.write_text(f"EXPECT_EQ({token.replace('-', '_')}, answer);\n", encoding="utf-8")
        (folder / "run").mkdir()
        os.environ[SECRET_IN_ENVIRONMENT] = token
        try:
            yield Places(canary, folder / "run"), token
        finally:
            os.environ.pop(SECRET_IN_ENVIRONMENT, None)


def judge(attack: Attack, sandbox: Sandbox | None, jobs: int) -> Trial:
    """One trial. Without a sandbox it shows what an attack would do; never ask that of an unsafe one."""
    if sandbox is None and attack.unsafe:
        raise LabError(f"{attack.name} is not to be run without a sandbox")
    if sandbox is not None:
        sandbox = replace(sandbox, build_limits=replace(BUILD, cpu_s=BUILD_CPU_S))
    trial = Trial(attack)
    began = time.monotonic()
    with places() as (where, token), _neighbour(sandbox) as neighbour:
        folder = where.run.parent / f"attack-{attack.name}-{secrets.token_hex(4)}"
        attack.hand_in(folder, where)
        results = _graded(trial, folder, where, sandbox, jobs)
        told = _everything_told(trial, results, where)
        trial.broken += _gained(results)
        trial.broken += [f"it got at {loot}" for loot in sorted(set(LOOT.findall(told)))[:5]]
        if token in told or token.replace("-", "_") in told:
            trial.broken.append("the secret stands in what is reported")
        if (where.run / "LOOT").exists():
            trial.broken.append("a command of the submission's was run")
        trial.broken += [f"process {left} outlives the run" for left in _left(folder.name)]
        trial.broken += neighbour()
    trial.seconds = time.monotonic() - began
    if trial.seconds > LONGEST_S:
        trial.broken.append(f"it took {trial.seconds:.0f} s")
    if attack.says and not re.search(attack.says, trial.message):
        trial.broken.append(f"expected to hear '{attack.says}', heard '{trial.message[:300]}'")
    return trial


def _graded(
    trial: Trial, folder: Path, where: Places, sandbox: Sandbox | None, jobs: int
) -> Results | None:
    """None if the submission was refused as it stands."""
    known = labs.load_all()
    lab = next(lab for lab in known if lab.number == trial.attack.lab)
    try:
        solution = open_solution(folder, known, wanted=[lab])
    except LabError as error:
        trial.outcome, trial.message, trial.refused = "refused", str(error), str(error)
        return None
    request = grade.Request(
        solution=solution,
        labs=[lab],
        only=frozenset(trial.attack.checked),
        jobs=jobs,
        quiet=True,
        folder=where.run,
        rules=trial.attack.rules_only,
        sandbox=sandbox.tier.value if sandbox else "off",
    )
    results = grade.grade(request, sandbox)
    trial.outcome = results.outcome.value
    trial.message = "\n".join(check.message for lab in results.labs for check in lab.checks)
    if sandbox is not None and trial.attack.stage in ("host", "node", "report"):
        trial.refused = _refused(solution.modules(lab), folder, lab.number, sandbox, jobs)
    return results


def _refused(modules: Modules, folder: Path, lab: int, sandbox: Sandbox, jobs: int) -> str:
    """What the rules say, of the program that was built; empty: nothing."""
    framework = build.Framework("release", jobs)
    built = build.build_node(framework, modules, f"lab{lab}-{folder.name}", sandbox=sandbox)
    sources = [(path, built.objects[name]) for name, path in modules.items() if path]
    found = [violation for source, _ in sources for violation in rules.check_source(source)]
    found += rules.check_objects(sources, sandbox, framework.folder)
    return rules.report(found) if found else ""


def _gained(results: Results | None) -> Iterator[str]:
    for lab in results.labs if results else ():
        for check in lab.checks:
            if check.points or check.outcome is Outcome.PASS:
                yield f"{check.id} passed: {check.points} points"
            if check.outcome is Outcome.INCONCLUSIVE:
                yield f"{check.id} is inconclusive: {check.message[:300]}"


def _everything_told(trial: Trial, results: Results | None, where: Places) -> str:
    """All that a reader could see, also what the reports make of it."""
    told = [trial.message]
    if results is not None:
        page = where.run / "report.html"
        render_html.render(results, page)
        console = ui.console()
        with console.capture() as captured:
            render_terminal.render(results, console)
        told.append(captured.get())
        if raw := _RAW.search(re.sub(r"\x1b\[[0-9;]*m", "", captured.get())):
            trial.broken.append(f"the terminal gets {raw[0]!r}")
    for file in sorted(where.run.rglob("*")):
        if file.is_file() and not file.is_symlink():
            text = file.read_bytes().decode("utf-8", "replace")
            told.append(text)
            if file.suffix == ".html" and re.search(r"<script>alert|<img src=x", text):
                trial.broken.append(f"{file.name} holds what the solution wrote as HTML")
    return "\n".join(told)


def _left(name: str) -> list[int]:
    """Processes of this submission's that still run, and go on: their command names its folder. One that was
    killed may take a moment to be gone."""
    until = time.monotonic() + GONE_S
    while (left := _of_submission(name)) and time.monotonic() < until:
        time.sleep(0.05)
    return left


def _of_submission(name: str) -> list[int]:
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if name.encode() in (entry / "cmdline").read_bytes():
                found.append(int(entry.name))
    return [pid for pid in found if pid != os.getpid()]


@contextlib.contextmanager
def _neighbour(sandbox: Sandbox | None) -> Iterator[Callable[[], list[str]]]:
    """Another submission that is at work meanwhile, in a slot of its own: a process and its file."""
    with contextlib.ExitStack() as stack:
        options: dict[str, Any] = {}
        if sandbox is not None and sandbox.own_users:
            slot = stack.enter_context(sandbox.slot())
            options = {"user": slot.uid, "group": slot.uid, "extra_groups": []}
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="dynamo-neighbour-")))
        file = folder / "state"
        file.write_text("as it was\n", encoding="utf-8")
        process = subprocess.Popen(["sleep", str(10 * LONGEST_S)], cwd="/", **options)
        stack.callback(process.wait)
        stack.callback(process.kill)

        def look() -> list[str]:
            broken = []
            state = Path(f"/proc/{process.pid}/stat").read_text(encoding="utf-8")
            if process.poll() is not None or state.rpartition(")")[2].split()[0] not in "SR":
                broken.append("a neighbour's process was ended or stopped")
            if file.read_text(encoding="utf-8") != "as it was\n":
                broken.append("a neighbour's file was changed")
            return broken

        yield look

