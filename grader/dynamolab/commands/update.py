"""``./lab update SOURCE``"""

from __future__ import annotations

import argparse

from dynamolab import ui
from dynamolab.semester import update


def add(parser: argparse.ArgumentParser) -> None:
    parser.epilog = (
        f"{parser.epilog}. Replaces grader, handouts and checks of this repository with those of a newer"
        f" release; {update.SOLUTION}/ is never touched. What was there before goes to {update.BACKUP}/."
    )
    parser.add_argument(
        "source", metavar="SOURCE", help="folder of the newer release, or what git clone takes"
    )


def run(arguments: argparse.Namespace) -> int:
    told = update.update(arguments.source)
    if not told.replaced:
        print(ui.harmless(f"This is {told.now} already; nothing changed."))
        return 0
    print(ui.harmless(f"{told.before} → {told.now}: {', '.join(told.replaced)}"))
    print(f"{update.SOLUTION}/ is as it was. What was replaced lies in {update.BACKUP}/.")
    for name in told.begin:
        print(ui.harmless(f"new: {update.SOLUTION}/{name}; to begin, copy grader/skeleton/{name} there"))
    return 0
