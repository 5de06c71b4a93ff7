"""Runs for a viva: one plan a lab on a student's node in the simulator, as it is and with one thing
changed. The simulator draws each link's chance for itself, so what the change does not touch stays."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dynamolab import processes, viewer
from dynamolab.errors import GraderTrouble, LabError
from dynamolab.paths import PACKAGE
from dynamolab.sandbox import Sandbox, hosts_in
from dynamolab.viewer import model

DEADLINE_S = 120.0
REST_MS = 4000
PLANS = PACKAGE / "semester" / "viva_plans"

Step = dict[str, Any]
Action = dict[str, Any]


@dataclass(frozen=True)
class Run:
    """What one run left. ``steps``: those that happened; ``rings``: who owned what at the end."""

    steps: list[Step]
    rings: list[Step]
    began_us: int  # When the plan's first moment was; before it the cluster was formed.
    page: Path

    def ms_before(self, step: Step) -> int:
        """The plan's last whole millisecond at or before a step."""
        return (int(step["t_us"]) - self.began_us) // 1000

    def ms_after(self, step: Step) -> int:
        """The plan's first whole millisecond after a step."""
        return math.floor((int(step["t_us"]) - self.began_us) / 1000) + 1


@dataclass(frozen=True)
class Runner:
    """Runs a lab's plan, and draws what came of it."""

    program: Path  # run-plan
    node: Path
    lab: int
    seed: int
    folder: Path
    sandbox: Sandbox | None = None

    @property
    def plan(self) -> dict[str, Any]:
        """LabError if there is none for the lab."""
        path = PLANS / f"{self.lab}.json"
        if not path.is_file():
            known = ", ".join(sorted(p.stem for p in PLANS.glob("*.json")))
            raise LabError(f"there is no viva for lab {self.lab}; there is one for the labs {known}")
        document = json.loads(path.read_text(encoding="utf-8"))
        assert isinstance(document, dict)
        return document

    def run(self, name: str, *more: Action, without: str = "") -> Run:
        """The plan with further actions, or without those of one kind. LabError if the solution dies."""
        plan = self.plan
        about = plan.pop("about")
        kept = [action for action in plan["actions"] if action["act"] != without]
        plan |= {"seed": self.seed, "actions": sorted([*kept, *more], key=lambda a: a["at_ms"])}
        self.folder.mkdir(parents=True, exist_ok=True)
        file, trace = self.folder / f"{name}.plan.json", self.folder / f"{name}.trace.jsonl"
        file.write_text(json.dumps(plan, indent=1), encoding="utf-8")
        command: list[str | Path] = [self.program, "--node", self.node, "--plan", file, "--trace", trace]
        command += ["--rest-ms", str(REST_MS)]
        with hosts_in(self.sandbox, self.node, self.folder / "sandbox.json") as words:
            done = processes.run([*command, *words], deadline_s=DEADLINE_S)
        if done.code == 1:
            raise LabError(f"the solution does not come through the viva's plan:\n{done.out.strip()}")
        if done.code != 0 or done.timed_out:
            raise GraderTrouble(f"run-plan: {done.out.strip() or 'did not end in time'}")
        page = trace.with_name(f"{name}.html")
        viewer.write_page(trace, page, viewer.Failure(f"viva: lab {self.lab}", about))
        steps, rings, _ = model.parted(model.read_trace(trace)[0])
        return Run(steps, rings, int(done.out.split()[0]), page)
