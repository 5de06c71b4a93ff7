"""``./lab setup``: the launcher has installed by now; what is left is to build."""

from __future__ import annotations

import argparse

from dynamolab import build, fault_plans, labs
from dynamolab.commands import common


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--grading", action="store_true", help="build what grading needs, and nothing else (an image, say)"
    )
    common.add_jobs(parser)


def run(arguments: argparse.Namespace) -> int:
    framework = build.Framework("release", arguments.jobs)
    if arguments.grading:
        framework.build(["grading"])
        fault_plans.prepare(labs.load_all(), framework)
        print(f"Grading can begin. A node of the reference: {build.reference_node(framework)}")
        return 0
    framework.build(["all"])
    print("Everything is installed and built. To begin: ./lab grade 1")
    return 0
