"""The kill table: is each known-wrong solution caught in every grade, whatever the seed?"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dynamolab import build, mutants
from dynamolab.checks import Verdict
from dynamolab.errors import LabError
from dynamolab.labs import Check, read_json
from dynamolab.mutants import Mutant
from dynamolab.results import Outcome

# A check takes its seeds from the first on, at most some hundreds: so no two grades share one.
SEEDS_APART = 10_000


@dataclass
class Kills:
    """What came of grading one mutant again and again, each time with seeds of its own. A grade runs the
    checks that are said to catch it, the cheapest first, and ends with the first that does."""

    mutant: Mutant
    first_seed: int
    grades: int = 0
    caught: Counter[str] = field(default_factory=Counter)  # Check → how many grades it ended.
    missed: list[int] = field(default_factory=list)  # Seeds of the grades in which none did.
    trouble: str = ""  # It could not be judged to the end.

    @property
    def always(self) -> bool:
        return not self.missed and not self.trouble

    def document(self) -> dict[str, Any]:
        told = {
            "name": self.mutant.name,
            "change": change_of(self.mutant),
            "first_seed": self.first_seed,
            "grades": self.grades,
            "caught": dict(sorted(self.caught.items())),
            "missed": self.missed,
        }
        return told | ({"trouble": self.trouble} if self.trouble else {})


def change_of(mutant: Mutant) -> str:
    """Names what is wrong with it, and who must catch it: after a change of either it is graded anew."""
    patch = (mutant.folder / "change.patch").read_bytes()
    return hashlib.sha256(patch + repr(sorted(mutant.expected)).encode()).hexdigest()[:16]


def seeds(first: int, grades: int) -> list[int]:
    return [first + SEEDS_APART * grade for grade in range(grades)]


Judge = Callable[[Check, Sequence[int]], Mapping[int, Verdict]]


def kill(mutant: Mutant, first_seed: int, grades: int, judge: Judge) -> Kills:
    """Grades it so many times: each check with the seeds of all grades that no check before it ended. A
    grade that has trouble and no catch is neither a catch nor a miss."""
    kills = Kills(mutant, first_seed)
    left = seeds(first_seed, grades)
    trouble: dict[int, str] = {}
    for check in mutants.expected_checks(mutant):
        if not left:
            break
        verdicts = judge(check, left)
        for seed in left:
            if verdicts[seed].outcome is Outcome.FAIL:
                kills.caught[check.id] += 1
            elif verdicts[seed].outcome is Outcome.INCONCLUSIVE:
                trouble.setdefault(seed, f"{check.id}: {verdicts[seed].message}")
        left = [seed for seed in left if verdicts[seed].outcome is not Outcome.FAIL]
    kills.missed = [seed for seed in left if seed not in trouble]
    kills.grades = sum(kills.caught.values()) + len(kills.missed)
    if unjudged := [seed for seed in left if seed in trouble]:
        kills.trouble = f"seed {unjudged[0]}: {trouble[unjudged[0]]}"
    return kills


def kill_all(
    chosen: Sequence[Mutant], framework: build.Framework, *, first_seed: int, grades: int
) -> Iterator[Kills]:
    """In the order in which they end."""

    def one(mutant: Mutant, node: Path, cpu: int) -> Kills:
        def judge(check: Check, seeds: Sequence[int]) -> dict[int, Verdict]:
            return mutants.judge_with_seeds(
                mutant, check, node, framework, seeds=seeds, cpus=(cpu,)
            )

        return kill(mutant, first_seed, grades, judge)

    def trouble(mutant: Mutant, error: LabError) -> Kills:
        return Kills(mutant, first_seed, trouble=str(error))

    for _, kills in mutants.each_built(chosen, framework, one, trouble):
        yield kills


def read(path: Path, chosen: Sequence[Mutant], first_seed: int, grades: int) -> list[Kills]:
    """What an earlier run, which may have been cut off, wrote of these mutants: with the same seeds, and
    of the same change. The others, and those with trouble, are to be graded again."""
    if not path.is_file():
        return []
    known = {(mutant.name, change_of(mutant)): mutant for mutant in chosen}
    found = []
    for row in read_json(path, "kill_table.schema.json")["kills"]:
        mutant = known.get((row["name"], row["change"]))
        if mutant is None or "trouble" in row:
            continue
        if (row["first_seed"], row["grades"]) == (first_seed, grades):
            caught: Counter[str] = Counter(row["caught"])
            found.append(Kills(mutant, first_seed, grades, caught, list(row["missed"])))
    return found


def write(path: Path, table: Sequence[Kills]) -> None:
    """As a whole, so that a cut leaves the table before."""
    fresh = path.with_name(path.name + ".new")
    rows = [kills.document() for kills in sorted(table, key=lambda kills: kills.mutant.name)]
    fresh.write_text(json.dumps({"kills": rows}, indent=1) + "\n", encoding="utf-8")
    fresh.replace(path)
