"""``./lab test``"""

from __future__ import annotations

import argparse
import sys

from dynamolab import build, labs, selftest, ui
from dynamolab.commands import common
from dynamolab.paths import BUILD, working_folder


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--fast", action="store_true", help="without the tests that grade for real")
    common.add_jobs(parser)


def run(arguments: argparse.Namespace) -> int:
    known = labs.load_all()
    framework = build.Framework("release", arguments.jobs)
    framework.build(["all"])
    passed = failed = skipped = 0

    def say(line: str) -> None:
        if sys.stdout.isatty() or line.startswith(("FAILED", "ERROR")):
            print(f"  {ui.harmless(line)}", flush=True)

    with working_folder(BUILD / "test") as folder:
        for stage in selftest.stages(framework, known, folder, arguments.fast, say):
            passed += stage.passed
            failed += len(stage.failed)
            skipped += stage.skipped
            print(
                f"{stage.name}: {stage.passed} passed, {len(stage.failed)} failed,"
                f" {stage.skipped} skipped, {stage.seconds:.0f} s",
                flush=True,
            )
            for name, why in stage.failed:
                print(f"FAILED {name}\n{ui.harmless(why)}", flush=True)
    if skipped:
        print(f"{skipped} skipped")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0
