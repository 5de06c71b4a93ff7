"""``./lab play``: the playground. A cluster of real nodes on a page, to be watched and broken by hand."""

from __future__ import annotations

import argparse
import os
import sys
import time
import webbrowser
from pathlib import Path

from dynamolab import build, labs, plan_replay, ui
from dynamolab.commands import replay
from dynamolab.commands.common import (
    add_jobs,
    add_seed,
    add_with,
    open_solution,
    whole_number,
    writable_file,
)
from dynamolab.errors import LabError
from dynamolab.paths import shown
from dynamolab.play import playground
from dynamolab.play.scripts import SCRIPTS

MOST_NODES = 10


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "file",
        nargs="?",
        type=Path,
        metavar="FILE",
        help="instead of a cluster: a recorded session, a trace, or a failure's replay file, played back",
    )
    parser.add_argument(
        "--solution",
        metavar="DIR",
        help="what the nodes run (default: reference; of a failure: what failed)",
    )
    parser.add_argument(
        "-n", dest="size", metavar="N", type=whole_number(2, MOST_NODES), help="nodes (default: 5)"
    )
    stories = "; ".join(f"{name}: {script.title}" for name, script in SCRIPTS.items())
    parser.add_argument("--script", choices=SCRIPTS, help=f"a prepared demonstration: {stories}")
    parser.add_argument("--record", metavar="FILE", type=writable_file, help="what happens goes into FILE")
    parser.add_argument(
        "--port", metavar="PORT", type=whole_number(0, 65535), default=0, help="of the page (default: any)"
    )
    parser.add_argument("--no-browser", action="store_true", help="only print the page's address")
    parser.add_argument(
        "--stay", action="store_true", help="do not end when the page has been closed for a while"
    )
    parser.add_argument("--node", metavar="PATH", type=Path, help="a dynamo-node that is built already")
    parser.add_argument("--faultnet", metavar="PATH", type=Path, help=argparse.SUPPRESS)
    add_with(parser)
    add_seed(parser)
    add_jobs(parser)


def run(arguments: argparse.Namespace) -> int:
    if arguments.file is not None:
        if arguments.script or arguments.record or arguments.size:
            raise LabError("FILE plays back what was recorded; --script, --record and -n start a cluster")
        trace, failure = to_play_back(arguments)
        with playground.replayed(trace, arguments.port, failure) as place:
            return _attend(place, arguments, f"{shown(arguments.file)} plays back")
    arguments.solution = arguments.solution or "reference"
    if arguments.script and arguments.size:
        size = SCRIPTS[arguments.script].size
        raise LabError(f"--script {arguments.script} has {size} nodes; leave -n out")
    node, faultnet = _programs(arguments)
    wanted = playground.Wanted(
        node=node,
        faultnet=faultnet,
        solution=str(arguments.node or arguments.solution),
        size=arguments.size or 5,
        script=arguments.script or "",
        record=arguments.record,
        seed=arguments.seed,
        port=arguments.port,
    )
    try:
        with playground.live(wanted) as place:
            return _attend(place, arguments, "the cluster is running")
    except AssertionError as error:  # The solution's nodes do not come together, or one dies at its start.
        raise LabError(f"the cluster of {wanted.solution} does not come up:\n{error}") from error


def to_play_back(arguments: argparse.Namespace) -> tuple[Path, str]:
    """The file itself, or of a failure on real processes what its nodes did; and what failed."""
    document = plan_replay.document_of(arguments.file) if arguments.file.suffix == ".json" else None
    if plan_replay.is_plan(document):
        raise LabError(f"{arguments.file}: is a fault plan; ./lab replay carries it out")
    if not isinstance(document, dict):
        return arguments.file, ""
    failure = replay.end_of_story(str(document.get("message", "")))
    if document.get("kind") != "cluster":
        return arguments.file, failure
    arguments.sandbox = "off"  # As everything that is played with.
    trace = replay.trace_of_nodes(arguments)
    if trace is None:
        told = "what the nodes did was not recorded; ./lab replay runs its check again"
        raise LabError(f"{arguments.file}: {told}")
    return trace, failure


def _attend(place: playground.Place, arguments: argparse.Namespace, words: str) -> int:
    """Until Ctrl-C, or until the page has been closed for a while."""
    print(f"{words}. Open in a browser on this machine:\n\n  {place.address}\n", flush=True)
    print("To end: Ctrl-C" + ("." if arguments.stay else ", or close the page."), flush=True)
    if not arguments.no_browser and _has_screen():
        webbrowser.open(place.address)
    while arguments.stay or not place.left_alone():
        time.sleep(0.1)
    ui.say("The page was closed: everything is stopped and removed.")
    return 0


def _has_screen() -> bool:
    """Without one, a browser would take over the terminal."""
    return sys.platform == "darwin" or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def _programs(arguments: argparse.Namespace) -> tuple[Path, Path]:
    """dynamo-node and faultnet, built if need be."""
    framework = build.Framework("release", arguments.jobs)
    for program in (arguments.node, arguments.faultnet):
        if program is not None and not program.is_file():
            raise LabError(f"{program}: there is no such program")
    if arguments.node is None or arguments.faultnet is None:
        framework.build(["libraries", "faultnet"])
    faultnet = (arguments.faultnet or framework.faultnet).resolve()
    if arguments.node is not None:
        return arguments.node.resolve(), faultnet
    known = labs.load_all()
    solution = open_solution(arguments, known, [])
    missing = [lab.file for lab in solution.not_begun() if lab.points]
    if missing:
        print(f"not begun in {solution.name}: {', '.join(missing)}; the reference's is at work there")
    built = build.build_node(framework, solution.modules(None), f"play-{solution.folder.name}")
    if built.error is not None:
        raise LabError(built.error)
    return built.node, faultnet
