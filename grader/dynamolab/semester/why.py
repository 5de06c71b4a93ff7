"""Why a check cost its points, from the results alone: what a teaching assistant tells the student."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dynamolab import grade, mutants
from dynamolab.errors import LabError
from dynamolab.labs import Check, Lab, read_json
from dynamolab.paths import shown
from dynamolab.results import Outcome, points_words
from dynamolab.semester import versions
from dynamolab.suggest import did_you_mean

MISTAKES = 5  # Known ones that are told.


@dataclass(frozen=True)
class Verdict:
    """One check of a results document."""

    results: dict[str, Any]
    lab: dict[str, Any]
    check: dict[str, Any]

    @property
    def outcome(self) -> Outcome:
        return Outcome(self.check["outcome"])


def read_results(path: Path) -> dict[str, Any]:
    """A results.json, or the folder of a run. LabError that names what is wrong with it."""
    file = path / grade.RESULTS_FILE if path.is_dir() else path
    if not file.is_file():
        raise LabError(f"{path}: holds no {grade.RESULTS_FILE}; give it, or the folder of a run")
    document = read_json(file, "results.schema.json")
    assert isinstance(document, dict)
    return document


def find(results: dict[str, Any], word: str) -> Verdict:
    """By id, or by the part after the dot. LabError if it is not among the results, or twice."""
    all_of_them = [(lab, check) for lab in results["labs"] for check in lab["checks"]]
    hits = [(lab, c) for lab, c in all_of_them if word in (c["id"], c["id"].partition(".")[2])]
    if len(hits) == 1:
        return Verdict(results, *hits[0])
    if hits:
        raise LabError(f"'{word}' is a check of several labs: {', '.join(c['id'] for _, c in hits)}")
    raise LabError(
        f"'{word}' is not among these results; {did_you_mean(word, [c['id'] for _, c in all_of_them])}"
    )


def root_of(verdict: Verdict, known: Sequence[Lab]) -> Verdict:
    """Of a skipped check: the one that it waited for, and that did not pass. ``known``: the labs of this
    checkout, whose checks name what they need."""
    lab = next((lab for lab in known if lab.number == verdict.lab["lab"]), None)
    judged = {check["id"]: check for check in verdict.lab["checks"]}
    while verdict.outcome is Outcome.SKIP:
        listed = lab.check(verdict.check["id"]) if lab else None
        waited_for = [judged[need] for need in (listed.needs if listed else ()) if need in judged]
        failed = next((check for check in waited_for if check["outcome"] != Outcome.PASS.value), None)
        if failed is None:
            break
        verdict = Verdict(verdict.results, verdict.lab, failed)
    return verdict


def explain(verdict: Verdict, known: Sequence[Lab]) -> Iterator[str]:
    """Paragraphs, in the order in which one would ask."""
    check, root = verdict.check, root_of(verdict, known)
    points = points_words(check["points"], check["max_points"])
    yield f"{check['id']}: {check['outcome'].upper()}, {points} points\n{check['title']}"
    if root.check is not check:
        yield (
            f"It was not judged: it needs {root.check['id']} ({root.check['title']}), which came to"
            f" {root.check['outcome'].upper()}. Mend that one first."
        )
    lab = next((lab for lab in known if lab.number == root.lab["lab"]), None)
    listed = lab.check(root.check["id"]) if lab else None
    if lab and listed:
        yield "\n".join(f"Rule {number}: {lab.properties[number]}" for number in listed.properties)
    yield from _what_happened(root)
    yield _sameness(root, lab, listed)
    yield from _again(root)
    if root.outcome is Outcome.FAIL and lab and (mistakes := _mistakes(known, lab, root.check["id"])):
        yield mistakes


def _what_happened(root: Verdict) -> Iterator[str]:
    if root.outcome is Outcome.PASS:
        yield "It passed; no points were lost here."
        return
    if root.outcome is Outcome.INCONCLUSIVE:
        yield "The grader itself had trouble: this is no zero. Grade again before points are taken."
    if root.check["message"]:
        yield f"What happened:\n{root.check['message'].strip()}"
    for name, title in (("why", "Why it matters"), ("hint", "Where to look")):
        if root.check.get(name) and root.outcome is Outcome.FAIL:
            yield f"{title}: {root.check[name]}"


def _sameness(root: Verdict, lab: Lab | None, listed: Check | None) -> str:
    """Whether today's checkout would judge as this one did."""
    then = root.results.get("grader") or {}
    told = f"Graded with seed {root.results['seed']} by grader {then.get('version', 'of no version')}"
    told += f" (sources {then.get('sources', 'unknown')})."
    if lab is None or listed is None:
        return f"{told} This checkout has no such check."
    if root.check.get("hash") != versions.of_check(lab, listed):
        return f"{told} The check was changed since: this checkout may judge otherwise."
    if then != versions.grader():
        return f"{told} The check is the same here, the rest of the grader is not."
    return f"{told} This checkout judges the same way."


def _again(root: Verdict) -> Iterator[str]:
    if root.outcome is Outcome.PASS:
        return
    solution = ["--solution", str(root.results["solution"])]
    supplied = [word for name in root.results.get("with", []) for word in ("--with", str(name))]
    seed, id_ = str(root.results["seed"]), str(root.check["id"])
    commands = []
    if root.check["replay"]:
        commands.append(["./lab", "replay", str(root.check["replay"]), *solution, *supplied])
    commands.append(
        ["./lab", "grade", str(root.lab["lab"]), "--only", id_, "--seed", seed, *solution, *supplied]
    )
    yield "To have it again:\n" + "\n".join(f"  {shlex.join(words)}" for words in commands)
    if root.check.get("view"):
        yield f"Drawn, step by step: {shown(Path(root.check['view']))}"


def _mistakes(known: Sequence[Lab], lab: Lab, check: str) -> str:
    """What others did who failed this check; nothing where the known-wrong solutions are not shipped."""
    titles = [m.title for m in mutants.load(known, [lab]) if m.expected[0] == check]
    if not titles:
        return ""
    told = "\n".join(f"  - {title}" for title in titles[:MISTAKES])
    return f"Mistakes that are known to end here:\n{told}"
