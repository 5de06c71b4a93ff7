"""``./lab debug``: a check with the solution linked in, under gdb. Never for points: here a solution's
code runs in the check's own process."""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import subprocess
from pathlib import Path

from dynamolab import build, labs
from dynamolab.commands import common
from dynamolab.commands.replay import read_replay
from dynamolab.errors import LabError


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("check", metavar="CHECK", help="the check's id, as ./lab list prints it")
    common.add_solution(parser)
    common.add_seed(parser)
    parser.add_argument("--replay", type=Path, metavar="FILE", help="the very run that failed")
    parser.add_argument(
        "--no-gdb", action="store_true", help="build, and print the command instead of running it"
    )
    common.add_jobs(parser)


def run(arguments: argparse.Namespace) -> int:
    known = labs.load_all()
    lab, check = labs.find_check(known, arguments.check)
    if check.kind == "cluster":
        raise LabError(
            f"{check.id} runs real processes, which are not linked in. Its logs lie in the folder"
            " that the failure named; ./lab cluster up gives you nodes to attach gdb to"
        )
    if check.kind == "plan":
        raise LabError(
            f"{check.id} runs your plan on stores of the grader's, none of which has your code in it: there"
            f" is nothing to step through. ./lab grade {lab.number} --only {check.id} tells what happens"
        )
    if arguments.replay:
        saved = read_replay(arguments.replay)["check"]  # Before the build, which takes minutes.
        if saved != check.id:
            raise LabError(f"{arguments.replay}: is a failure of {saved}, not of {check.id}")
    solution = common.open_solution(arguments, known, [lab])
    framework = build.Framework("debug", arguments.jobs)
    framework.build(["debugging", f"lab{lab.number}_checks"])
    label = f"debug{lab.number}-{solution.folder.name}"
    modules = solution.modules(lab)
    built = build.build_node(framework, modules, label, "linked-checks", debug_lab=lab.number)
    if built.error:
        raise LabError(built.error)
    command = [str(built.node), "--linked", "--only", check.id, "--seed", str(arguments.seed)]
    if arguments.replay:
        command += ["--replay", str(arguments.replay.resolve())]
    # The factory is where the solution's code begins; what it makes can be stepped into from there.
    # The capstone has no module of its own; what clients ask comes to the quorums.
    stop = f"break dynamo::make_{lab.module if lab.has_module else 'quorum'}"
    debugger = ["gdb", "-q", "-ex", "set breakpoint pending on", "-ex", stop, "-ex", "run"]
    if arguments.no_gdb:
        print(shlex.join([*debugger, "--args", *command]))
        return 0
    if shutil.which("gdb") is None:
        raise LabError("gdb is not installed; ./lab debug --no-gdb prints what to run")
    # gdb takes Ctrl-C for itself and needs the terminal: no process group of its own.
    with subprocess.Popen([*debugger, "--args", *command], env=os.environ) as process:
        while True:
            try:
                return process.wait()
            except KeyboardInterrupt:
                continue
