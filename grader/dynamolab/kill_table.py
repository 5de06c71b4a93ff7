"""The kill table: is each known-wrong solution caught in every grade, whatever the seed?"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dynamolab import build, mutants
from dynamolab.errors import LabError
from dynamolab.labs import read_json
from dynamolab.mutants import Mutant

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


def kill(
    mutant: Mutant,
    first_seed: int,
    grades: int,
    judge: Callable[[int], mutants.Caught],
) -> Kills:
    """Grades it so many times. A grade that has trouble of its own ends it: no catch, and no miss."""
    kills = Kills(mutant, first_seed)
    for seed in seeds(first_seed, grades):
        caught = judge(seed)
        by = [check for check in caught.caught_by if check in mutant.expected]
        if caught.trouble and not by and not caught.caught_by:
            kills.trouble = f"seed {seed}: {caught.trouble}"
            return kills
        kills.grades += 1
        if by:
            kills.caught[by[0]] += 1
        else:
            kills.missed.append(seed)
    return kills


def kill_all(
    chosen: Sequence[Mutant], framework: build.Framework, *, first_seed: int, grades: int
) -> Iterator[Kills]:
    """In the order in which they end."""

    def one(mutant: Mutant, node: Path, cpu: int) -> Kills:
        def judge(seed: int) -> mutants.Caught:
            return mutants.judge_expected(mutant, node, framework, seed=seed, cpus=(cpu,))

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
