"""``./lab setup``: the launcher has installed by now; what is left is to build."""

from __future__ import annotations

import argparse

from dynamolab import build
from dynamolab.commands import common


def add(parser: argparse.ArgumentParser) -> None:
    common.add_jobs(parser)


def run(arguments: argparse.Namespace) -> int:
    build.Framework("release", arguments.jobs).build(["all"])
    print("Everything is installed and built. To begin: ./lab grade 1")
    return 0
