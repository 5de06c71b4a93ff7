"""What runs ``./lab grade-one`` for many submissions: GNU parallel on this machine or on others by ssh, or
a job array of Slurm. Both only start it; that nothing is graded twice, or half, is grade-one's own work."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from dynamolab import processes
from dynamolab.errors import GraderTrouble, LabError
from dynamolab.grade import RESULTS_FILE
from dynamolab.paths import ROOT
from dynamolab.submissions.batch import Batch, Item

POLL_S = 0.5
SECONDS_A_SUBMISSION = 3600.0  # Far more than one takes.
SLURM_POLL_S = 2.0
LARGEST_ARRAY = 1000  # Slurm's MaxArraySize is 1001 if nobody has changed it.
COMMAND_DEADLINE_S = 60.0

OnStep = Callable[[int], None]


class Engine(Protocol):
    """Runs grade-one for each of ``items``. ``alone``: one at a time, without neighbours, as a second run
    (``--rerun``). ``on_step`` hears how many have ended. GraderTrouble if the engine itself fails."""

    def run(self, batch: Batch, items: Sequence[Item], *, alone: bool, on_step: OnStep) -> None: ...


@dataclass(frozen=True)
class Parallel:
    """GNU parallel. ``jobs`` at once, on each host; ``hosts`` see the same checkout and folders under the
    same paths. ``resume``: go on with the log of jobs that is there."""

    jobs: int | None  # None: as many as cores.
    hosts: Sequence[str] = ()
    nice: int = 0
    resume: bool = False

    def run(self, batch: Batch, items: Sequence[Item], *, alone: bool, on_step: OnStep) -> None:
        if not shutil.which("parallel"):
            raise LabError("GNU parallel is missing: apt-get install parallel (or use --engine slurm)")
        joblog = batch.out / "joblog-alone" if alone else batch.joblog
        if alone or not self.resume:
            joblog.unlink(missing_ok=True)
        listed = batch.out / ("jobs-alone.txt" if alone else "jobs.txt")
        listed.write_text("".join(f"{item.name}\n" for item in items), encoding="utf-8")
        command = [*_dies_with_us(), "parallel", "--will-cite", "--no-run-if-empty"]
        command += ["--joblog", str(joblog), "--resume-failed", "--arg-file", str(listed)]
        at_once = 1 if alone else self.jobs or (len(processes.cpus()) if not self.hosts else "100%")
        command += ["--jobs", str(at_once), "--timeout", f"{SECONDS_A_SUBMISSION:.0f}"]
        for host in self.hosts:
            command += ["--sshlogin", host]
        command += ["--nice", str(self.nice)] if self.nice else []
        # exec: so that grade-one is parallel's own child, and ends with it.
        command += [f"exec {_grade_one(batch, alone, '{}', '{%}', with_parent=not self.hosts)}"]
        log = batch.log / ("parallel-alone.txt" if alone else "parallel.txt")
        deadline = time.monotonic() + SECONDS_A_SUBMISSION * len(items)
        # The lines are sh's. On a host without $SHELL parallel would run nothing, and say that all is well.
        env = {**os.environ, "PARALLEL_SHELL": "/bin/sh"}
        with log.open("ab") as said, processes.start(
            command, stdout=said, stderr=said, env=env
        ) as child:
            while child.running() and time.monotonic() < deadline:
                time.sleep(POLL_S)
                on_step(_lines(joblog))
            code = child.end()
        on_step(_lines(joblog))
        # Up to 101: so many jobs failed, which their results say. More: parallel itself.
        if code < 0 or code > 101 or _lines(joblog) < len(items):
            words = log.read_text(encoding="utf-8", errors="replace").splitlines()[-5:]
            raise GraderTrouble(f"parallel ended with {code}; {log}:\n" + "\n".join(words))


def _dies_with_us() -> list[str]:
    """parallel would go on after a kill -9 of this command, unseen."""
    return ["setpriv", "--pdeathsig", signal.SIGKILL.name[3:]] if shutil.which("setpriv") else []


def _grade_one(batch: Batch, alone: bool, name: str, slot: str, *, with_parent: bool) -> str:
    """A line of shell. ``name`` is a safe word, or what the engine puts one in for."""
    words = [str(ROOT / "lab"), "grade-one", *batch.words]
    words += ["--rerun"] if alone else ["--jobs", "1"]
    words += ["--with-parent"] if with_parent else []
    line = shlex.join(words)
    if slot and not alone:
        line += f" --slot {slot}"
    folders = (shlex.quote(str(batch.out / kind)) for kind in ("submissions", "results"))
    return line + "".join(f" {folder}/{name}" for folder in folders)


def _lines(joblog: Path) -> int:
    """Jobs that have ended; the first line is a head, and one that was run again stands there twice."""
    try:
        rows = joblog.read_text(encoding="utf-8", errors="replace").splitlines()[1:]
    except FileNotFoundError:
        return 0
    return len({row.split("\t", 1)[0] for row in rows})


@dataclass(frozen=True)
class Slurm:
    """A job array; the nodes see the same folders. ``jobs`` tasks at once (0: as many as there is room
    for). ``options`` go to sbatch as they are (partition, account, time)."""

    jobs: int = 0
    options: Sequence[str] = ()

    def run(self, batch: Batch, items: Sequence[Item], *, alone: bool, on_step: OnStep) -> None:
        if not shutil.which("sbatch"):
            raise LabError("Slurm is missing: there is no sbatch here (use --engine parallel)")
        ended = 0
        for start in range(0, len(items), LARGEST_ARRAY):
            part = items[start : start + LARGEST_ARRAY]
            begun = ended
            self._array(batch, part, alone, lambda done, begun=begun: on_step(begun + done))
            ended += len(part)
        on_step(ended)

    def _array(self, batch: Batch, items: Sequence[Item], alone: bool, on_step: OnStep) -> None:
        """One array to its end. A job that a command before this one left at work is ended first: what it
        has graded stays, what it was grading is graded again."""
        kept = batch.out / "slurm-job"
        if kept.is_file():
            _slurm(["scancel", "--quiet", kept.read_text(encoding="utf-8").strip()])
        names = batch.out / ("jobs-alone.txt" if alone else "jobs.txt")
        names.write_text("".join(f"{item.name}\n" for item in items), encoding="utf-8")
        at_once = "%1" if alone else f"%{self.jobs}" if self.jobs else ""
        script = batch.out / ("slurm-alone.sh" if alone else "slurm.sh")
        line = _grade_one(batch, alone, '"$name"', "", with_parent=False)
        script.write_text(
            "#!/bin/sh\n"
            f'name=$(sed -n "${{SLURM_ARRAY_TASK_ID}}p" {shlex.quote(str(names))})\n'
            f"exec {line}\n",
            encoding="utf-8",
        )
        command = ["sbatch", "--parsable", f"--array=1-{len(items)}{at_once}", "--requeue"]
        command += ["--job-name=dynamo-labs", f"--output={batch.log}/slurm-%A-%a.txt"]
        command += ["--exclusive"] if alone else ["--ntasks=1", "--cpus-per-task=1"]
        job = _slurm([*command, *self.options, str(script)]).split(";")[0].strip()
        kept.write_text(job + "\n", encoding="utf-8")
        try:
            _wait_for(job, len(items), on_step)
        except BaseException:
            _slurm(["scancel", "--quiet", job])
            raise
        kept.unlink()


def _wait_for(job: str, tasks: int, on_step: OnStep) -> None:
    deadline = time.monotonic() + SECONDS_A_SUBMISSION * tasks
    while True:
        listed = _slurm(["squeue", "--noheader", "--array", "--states=all", "-o", "%T", "--job", job])
        states = listed.split()
        left = [s for s in states if s in ("PENDING", "RUNNING", "COMPLETING", "CONFIGURING", "SUSPENDED")]
        on_step(tasks - len(left))
        if not left:
            return
        if time.monotonic() > deadline:
            raise GraderTrouble(f"Slurm: job {job} has not ended; see squeue --job {job}")
        time.sleep(SLURM_POLL_S)


def _slurm(command: Sequence[str]) -> str:
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=COMMAND_DEADLINE_S, env=os.environ, check=False
    )
    if done.returncode != 0:
        if command[0] == "squeue" and "Invalid job id" in done.stderr:
            return ""  # It ended, and Slurm has forgotten it.
        raise GraderTrouble(f"{command[0]}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


def without_result(batch: Batch, items: Sequence[Item]) -> list[Item]:
    return [item for item in items if not (batch.result(item) / RESULTS_FILE).is_file()]
