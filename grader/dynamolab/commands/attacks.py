"""``./lab attacks``"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from dynamolab import attacks, build, ui
from dynamolab.commands import common
from dynamolab.errors import LabError
from dynamolab.sandbox import Sandbox, choose

NOT_SEEN = "–"


def add(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Hands in the hostile submissions of grader/attacks, with the rules for solutions switched off, and"
        " sees that none gains a point, reads a secret, harms a neighbour or hangs the run."
    )
    parser.add_argument("attacks", nargs="*", metavar="ATTACK", help="folders of grader/attacks; none: all")
    parser.add_argument("--tier", choices=("a", "b"), help="in this sandbox alone (default: in both)")
    parser.add_argument(
        "--prove",
        action="store_true",
        help="without a sandbox, those that are safe to run so: what each of them gets then",
    )
    common.add_jobs(parser)


def run(arguments: argparse.Namespace) -> int:
    chosen = attacks.load(arguments.attacks)
    framework = build.Framework("release", arguments.jobs)
    framework.build(["libraries", "faultnet", "lab1-checks", "lab7-checks"])
    if arguments.prove:
        return _prove(chosen, arguments.jobs)
    launcher = framework.sandbox_launcher_built()
    sandboxes: dict[str, Sandbox] = {}
    for tier in (arguments.tier,) if arguments.tier else ("a", "b"):
        try:
            found = choose(tier, launcher)
        except LabError as error:
            print(f"skipped: {ui.harmless(str(error))}")
            continue
        if found is not None:
            sandboxes[tier] = found
            print(f"sandbox: {found.words}")
    if not sandboxes:
        return 2
    broken = 0
    rows = []
    for number, attack in enumerate(chosen, 1):
        ui.say(f"{number}/{len(chosen)} {attack.name} …")
        trials = {tier: attacks.judge(attack, box, arguments.jobs) for tier, box in sandboxes.items()}
        rows.append(_row(attack, trials))
        for tier, trial in trials.items():
            broken += len(trial.broken)
            for line in trial.broken:
                print(f"BROKEN {attack.name} in tier {tier.upper()}: {ui.harmless(line)}", flush=True)
    _show(rows)
    held = sum(1 for row in rows if "BROKEN" not in row)
    print(f"{held} of {len(rows)} attacks held")
    return 1 if broken else 0


def _row(attack: attacks.Attack, trials: dict[str, attacks.Trial]) -> list[str]:
    refused = next((t.refused for t in trials.values() if t.refused is not None), None)
    rules = NOT_SEEN if refused is None else "refused" if refused else "nothing seen"
    cells = [_cell(trials[tier]) if tier in trials else "not here" for tier in ("a", "b")]
    first = next(iter(trials.values()))
    return [attack.name, attack.tries, rules, *cells, _outcome(first.message)]


def _cell(trial: attacks.Trial) -> str:
    return f"{'BROKEN' if trial.broken else 'held'} ({trial.seconds:.0f} s)"


def _outcome(message: str) -> str:
    """The line of a message that says what came of it."""
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    for mark in ("actual:", "error:", "fatal error:"):
        for line in lines:
            if mark in line:
                return line.partition("actual:")[2].strip() or line
    return lines[0] if lines else ""


def _show(rows: Sequence[Sequence[str]]) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table("attack", "tries", "rules", "tier A", "tier B", "outcome")
    for row in rows:
        table.add_row(*(Text(ui.harmless(cell)[:160]) for cell in row))
    ui.console().print(table)


def _prove(chosen: Sequence[attacks.Attack], jobs: int) -> int:
    """How each attack fares where nothing holds it: an attack that never gets anything proves nothing."""
    for attack in chosen:
        if attack.unsafe:
            print(f"{attack.name}: not run without a sandbox")
            continue
        trial = attacks.judge(attack, None, jobs)
        got = "; ".join(ui.harmless(line) for line in trial.broken) or "nothing, also without a sandbox"
        print(f"{attack.name}: {got}", flush=True)
    return 0
