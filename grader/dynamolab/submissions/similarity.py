"""Who wrote alike? ``sim_c++`` (Dick Grune's similarity tester) compares tokens: layout, comments and names
play no part. What everybody was given does not count: lines of the skeleton are taken out first; a second
comparison takes out the reference's, too, so that what any solution must have in common stands apart.

A number says where to look, and proves nothing."""

from __future__ import annotations

import csv
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dynamolab import processes
from dynamolab.errors import GraderTrouble
from dynamolab.labs import Lab
from dynamolab.paths import REFERENCE, SKELETON
from dynamolab.submissions.batch import Batch, Item
from dynamolab.submissions.grade_one import SOLUTION

PROGRAM = "sim_c++"
DEADLINE_S = 3600.0
SHORTEST_RUN = 16  # Tokens; its own default is 24.
FEWEST_LINES = 8  # Fewer lines of one's own are too few to say anything.
LEAST_PERCENT = 20
OF_THE_REFERENCE = "(the reference)"
_FOUND = re.compile(r"^(\S+) consists for (\d+) % of (\S+) material$")


@dataclass(frozen=True)
class Pair:
    """Of two submissions, in one file: how much of the one is found in the other, in percent (the larger
    of both directions). ``beyond``: the same without what the reference has."""

    file: str
    one: str
    other: str
    percent: int
    beyond: int


def available() -> bool:
    return shutil.which(PROGRAM) is not None


def compare(batch: Batch, items: Sequence[Item], labs: Sequence[Lab]) -> list[Pair]:
    """Pairs above the threshold, the most alike first. GraderTrouble if the program fails."""
    found: list[Pair] = []
    work = batch.out / "similarity"
    for lab in (lab for lab in labs if lab.has_module and (SKELETON / lab.file).is_file()):
        base = _lines_of(SKELETON / lab.file)
        files = {
            item.name: batch.result(item) / SOLUTION / lab.file
            for item in items
            if (batch.result(item) / SOLUTION / lab.file).is_file()
        }
        reference = REFERENCE / lab.file
        if reference.is_file():
            files[OF_THE_REFERENCE] = reference
        alike = _percents(work, files, base)
        beyond = alike
        if reference.is_file():
            own = {name: path for name, path in files.items() if name != OF_THE_REFERENCE}
            beyond = _percents(work, own, base | _lines_of(reference))
        for (one, other), percent in alike.items():
            pair = Pair(lab.file, one, other, percent, beyond.get((one, other), 0))
            # Two that are alike only in what the reference has are told beside the reference, each.
            if pair.beyond or OF_THE_REFERENCE in (one, other):
                found.append(pair)
    shutil.rmtree(work, ignore_errors=True)
    return sorted(found, key=lambda p: (-p.beyond, -p.percent, p.file, p.one, p.other))


def _lines_of(path: Path) -> frozenset[str]:
    text = path.read_text(encoding="utf-8", errors="replace")
    return frozenset("".join(line.split()) for line in text.splitlines())


def _percents(work: Path, files: dict[str, Path], base: frozenset[str]) -> dict[tuple[str, str], int]:
    """Of each pair (in order of names) the larger percentage."""
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    names: dict[str, str] = {}
    for number, (name, path) in enumerate(sorted(files.items())):
        text = path.read_text(encoding="utf-8", errors="replace")
        own = [line for line in text.splitlines() if "".join(line.split()) not in base]
        if len(own) >= FEWEST_LINES:
            names[f"{number}.cpp"] = name
            (work / f"{number}.cpp").write_text("\n".join(own) + "\n", encoding="utf-8")
    if len(names) < 2:
        return {}
    command = [PROGRAM, "-e", "-a", "-p", "-T", "-r", str(SHORTEST_RUN), "-t", str(LEAST_PERCENT)]
    done = processes.run([*command, *names], cwd=work, deadline_s=DEADLINE_S)
    if done.code != 0 or done.timed_out:
        raise GraderTrouble(f"{PROGRAM} ended with {done.code}:\n{done.out[-500:]}")
    found: dict[tuple[str, str], int] = {}
    for line in done.out.splitlines():
        if match := _FOUND.match(line):
            one, other = sorted((names[match[1]], names[match[3]]))
            if one != other:
                found[one, other] = max(found.get((one, other), 0), int(match[2]))
    return found


def write(path: Path, pairs: Sequence[Pair]) -> None:
    part = path.with_name(path.name + ".part")
    with part.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["file", "one", "other", "percent", "percent_beyond_the_reference"])
        writer.writerows((p.file, p.one, p.other, p.percent, p.beyond) for p in pairs)
    part.replace(path)
