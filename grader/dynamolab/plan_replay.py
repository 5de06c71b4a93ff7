"""A fault plan, as the playground saves it, once more on real processes: ``./lab replay plan.json``."""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dynamolab import build, labs, processes, ui, viewer
from dynamolab.cluster.assembly import RECORDING
from dynamolab.cluster.plan import cluster_of, read_plan, run_plan
from dynamolab.commands import common
from dynamolab.errors import LabError
from dynamolab.paths import RESULTS, shown

FOLDER = RESULTS / "replay"
GRACE_S = 60.0  # Beyond the plan's own time: starts, restarts, a slow machine.
TRACE_S = 300.0
SECRET = "of this replay alone"  # A saved plan has none; contexts need one.


def is_plan(document: Any) -> bool:
    """A fault plan, and no replay file of a check."""
    return isinstance(document, dict) and "check" not in document and {"nodes", "actions"} <= document.keys()


def replay_plan(file: Path, arguments: argparse.Namespace) -> int:
    """Carries out the plan on a cluster of the solution (the reference, if none is named), tells what was
    done, and draws it. 0 if it came to its end; LabError if the plan is none, or a node died by itself."""
    arguments.solution = arguments.solution or "reference"
    framework = build.Framework("release", arguments.jobs)
    framework.build(["libraries", "faultnet", "replay-recordings"])
    plan = read_plan(file, framework.faultnet)
    solution = common.open_solution(arguments, labs.load_all(), [])
    built = build.build_node(framework, solution.modules(None), f"plan-{solution.folder.name}")
    if built.error:
        raise LabError(built.error)
    print(f"{len(plan['actions'])} actions in {_length_s(plan):.1f} s, on {solution.name}", flush=True)
    programs = Programs(built.node, framework.faultnet, framework.replay_recordings)
    story, page = run_again(file.name, plan, programs, FOLDER)
    print(ui.harmless("\n".join(story)))
    print(ui.harmless(f"look at: {shown(page)}"), flush=True)
    return 0


@dataclass(frozen=True)
class Programs:
    """Built already."""

    node: Path
    faultnet: Path
    replay_recordings: Path


def run_again(
    name: str, plan: dict[str, Any], programs: Programs, folder: Path
) -> tuple[list[str], Path]:
    """Carries out the plan on a cluster of its own: the story of what was done, and the page of what the
    nodes did, which lies in ``folder``."""
    plan = {**plan, "config": {"cluster_secret": SECRET, **plan.get("config", {})}}
    options = {"node": programs.node, "faultnet": programs.faultnet, "label": "replay"}
    with cluster_of(plan, **options, record=True, network_trace=False) as cluster:
        run_plan(plan, cluster, _length_s(plan) + GRACE_S)
        folder.mkdir(parents=True, exist_ok=True)
        for old in folder.glob(f"*{RECORDING}"):
            old.unlink()
        cluster.keep(folder)
    story = cluster.story.lines()
    trace, page = folder / "plan.trace.jsonl", folder / "plan.html"
    command: list[str | Path] = [programs.replay_recordings, "--node", programs.node]
    command += ["--plan", folder / "plan.json", "--began-us", str(int(cluster.began_s * 1_000_000))]
    command += ["--trace", trace, *sorted(folder.glob(f"*{RECORDING}"))]
    done = processes.run(command, deadline_s=TRACE_S)
    if done.code not in (0, 1) or not trace.is_file():
        raise LabError(f"what the nodes did could not be read: {done.out.strip()[-500:]}")
    told_ms = tuple(cluster.story.told_ms(cluster.began_s))
    words = viewer.Failure(name, "A fault plan, once more", "\n".join(story), real=True, story_ms=told_ms)
    viewer.write_page(trace, page, words)
    return story, page


def _length_s(plan: dict[str, Any]) -> float:
    return max((action.get("at_ms", 0) for action in plan["actions"]), default=0) / 1000


def document_of(file: Path) -> Any:
    """The JSON of a file; nothing if it is none."""
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
