"""``./lab skeleton``"""

from __future__ import annotations

import argparse

from dynamolab import skeleton
from dynamolab.paths import shown


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--check",
        action="store_true",
        help="change nothing; fail if it has drifted from reference/",
    )


def run(arguments: argparse.Namespace) -> int:
    if arguments.check:
        drift = skeleton.drift()
        print(drift or "skeleton/ is what reference/ makes of it")
        return 1 if drift else 0
    for path in skeleton.write():
        print(shown(path))
    return 0
