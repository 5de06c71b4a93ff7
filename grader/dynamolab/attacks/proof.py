"""Many attacks in one program: each is started by its name, so that one build serves for all."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dynamolab import build, labs
from dynamolab.errors import LabError
from dynamolab.sandbox import Sandbox
from dynamolab.sandbox.sandbox import HOST, NODE, View, joined, libraries
from dynamolab.solutions import open_solution

from .judge import LOOT
from .model import MODULE_FILE, Attack, Places, module_text

ONE_S = 30.0


@dataclass(frozen=True)
class Evidence:
    """Of one attack in one sandbox. ``code``: of its process, negative for a signal."""

    attack: Attack
    code: int
    words: str

    @property
    def loot(self) -> list[str]:
        return LOOT.findall(self.words)


def shareable(attacks: Sequence[Attack]) -> list[Attack]:
    return [attack for attack in attacks if attack.words and not attack.alone]


def together(
    attacks: Sequence[Attack], places: Places, sandbox: Sandbox, jobs: int
) -> tuple[Path, list[Attack]]:
    """The node of a solution with all these payloads; and those that are in it."""
    chosen = [one for one in shareable(attacks) if one.stage in ("host", "node")]
    folder = places.run.parent / "attack-together"
    folder.mkdir()
    text = module_text(chosen, places, "skeleton", "#define ATTACK_TOGETHER\n")
    (folder / MODULE_FILE).write_text(text, encoding="utf-8")
    known = labs.load_all()
    lab = next(lab for lab in known if lab.file == MODULE_FILE)
    modules = open_solution(folder, known, wanted=[lab]).modules(lab)
    framework = build.Framework("release", jobs)
    built = build.build_node(framework, modules, "attack-together", sandbox=sandbox)
    if built.error:
        raise LabError(f"grader/attacks: {built.error}")
    return built.node, chosen


def strike(attack: Attack, node: Path, sandbox: Sandbox) -> Evidence:
    """Runs it as a host, or as a real node that has a folder and nothing else."""
    with sandbox.slot() as slot:
        if attack.stage == "node":
            folder = node.parent / "data-of-attack"
            folder.mkdir(exist_ok=True)
            slot.give(folder)
            view, limits = View(run=[node], write=[folder]), NODE
            before = sandbox.before("node", slot, joined(libraries(), view), limits, folder=folder)
        else:
            before = sandbox.before("host", slot, joined(libraries(), View(run=[node])), HOST)
        done = subprocess.run(
            [*before, node, attack.words[0], "n1"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=ONE_S,
            check=False,
        )
    words = (done.stdout[-65536:] + done.stderr[-65536:]).decode("utf-8", "replace")
    code = done.returncode
    return Evidence(attack, 128 - code if code > 128 else code, words)
