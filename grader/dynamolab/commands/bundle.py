"""``./lab bundle`` packs a graded run, ``./lab open`` replays one that somebody sent."""

from __future__ import annotations

import argparse
from pathlib import Path

from dynamolab import labs, ui
from dynamolab.commands import common, replay
from dynamolab.errors import LabError
from dynamolab.paths import RESULTS, shown
from dynamolab.semester import bundle, versions, why


def add(parser: argparse.ArgumentParser) -> None:
    if parser.get_default("command") == "bundle":
        parser.add_argument(
            "run", type=Path, nargs="?", metavar="RUN", help="a run's folder (default: the newest)"
        )
        parser.add_argument(
            "--out",
            type=common.writable_file,
            metavar="FILE",
            help="where it goes (default: the run's name, .zip, in the folder where you are)",
        )
        return
    parser.add_argument("file", type=Path, metavar="FILE", help="what ./lab bundle made")
    parser.add_argument(
        "check", nargs="?", metavar="CHECK", help="what to replay (default: the first that failed)"
    )
    parser.add_argument("--list", action="store_true", help="only say what is in it; run nothing of it")
    common.add_sandbox(parser, "auto")
    common.add_jobs(parser)


def run(arguments: argparse.Namespace) -> int:
    return _pack(arguments) if arguments.command == "bundle" else _open(arguments)


def _pack(arguments: argparse.Namespace) -> int:
    folder = arguments.run or bundle.newest_run()
    out = arguments.out or common.writable_file(f"{folder.resolve().name}.zip")
    packed = bundle.pack(folder, labs.load_all(), out)
    for name in packed.left_out:
        ui.say(f"left out, too large: {ui.harmless(name)}")
    print(f"{shown(out)}: {packed.files} files of {shown(folder)} and of its solution. Whoever has it says:")
    print(f"  ./lab open {out.name}")
    return 0


def _open(arguments: argparse.Namespace) -> int:
    opened = bundle.unpack(arguments.file, RESULTS / f"opened-{arguments.file.stem}")
    results, about = opened.results, opened.about
    told = f"{results['points']}/{results['max_points']} points, seed {results['seed']}"
    print(ui.harmless(f"{told}; {about.get('system')}, {about.get('compiler')}"))
    if about.get("grader") != versions.grader():
        print("Another version of the grader made it: a replay here may differ.")
    for check in opened.failed:
        print(ui.harmless(f"  FAIL  {check['id']}"))
    if arguments.list:
        return 0
    check = why.find(results, arguments.check).check if arguments.check else next(iter(opened.failed), None)
    if check is None:
        print("Nothing failed that could be replayed.")
        return 0
    if not check["replay"]:
        raise LabError(f"{check['id']}: {check['outcome']}, and nothing to replay")
    supplied = list(results.get("with", []))
    again = argparse.Namespace(
        **{"file": Path(check["replay"]), "solution": results["solution"], "supplied": supplied},
        **{"shiviz": None, "original": False, "jobs": arguments.jobs, "sandbox": arguments.sandbox},
    )
    return replay.run(again)
