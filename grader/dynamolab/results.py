"""The one result model; every report is made from it."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field, fields, replace
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dynamolab.leaderboard import Leaderboard

SCHEMA = "dynamo-labs/results/1"
HIDDEN_WORDS = "a hidden check: what it saw is told when the course discloses it"


class Outcome(str, Enum):
    """Of a check, a lab, or a whole run (which never skips)."""

    PASS = "pass"
    FAIL = "fail"
    SKIP = "skip"
    INCONCLUSIVE = "inconclusive"


class Show(str, Enum):
    """What a student sees of a check's result. Only hidden checks, before they are disclosed, show less
    than all."""

    ALL = "all"
    OUTCOME = "outcome"  # That it passed or not, and its points; no message, no replay.
    NOTHING = "nothing"


EXIT_CODES = {Outcome.PASS: 0, Outcome.FAIL: 1, Outcome.SKIP: 1, Outcome.INCONCLUSIVE: 2}


def combined(outcomes: Iterable[Outcome]) -> Outcome:
    """Of many checks: inconclusive if the grader had trouble anywhere (the points are then not the
    last word), else fail unless all passed. Nothing that ran is no pass."""
    seen = set(outcomes)
    if not seen or Outcome.INCONCLUSIVE in seen:
        return Outcome.INCONCLUSIVE
    return Outcome.PASS if seen == {Outcome.PASS} else Outcome.FAIL


def counted(checks: Iterable[CheckResult]) -> Iterator[Outcome]:
    """The outcomes that decide on a lab's: one of a void check is nobody's fault, and counts as a pass."""
    return (Outcome.PASS if check.void else check.outcome for check in checks)


def points_words(points: int, of: int | None = None) -> str:
    """"3/4", or "3"; a dash for what gives no points."""
    if not (points if of is None else of):
        return "–"
    return str(points) if of is None else f"{points}/{of}"


@dataclass
class CheckResult:
    """How one check ended. ``points`` are given for a pass, and to everyone if the course has voided the
    check."""

    id: str
    title: str
    kind: str
    outcome: Outcome
    max_points: int
    seconds: float = 0.0
    message: str = ""
    replay: str | None = None
    part: str = ""
    teaches: str = ""
    why: str = ""
    hint: str = ""
    view: str | None = None  # The failure drawn: a page to open.
    show: Show = Show.ALL
    void: bool = False
    hash: str = ""  # Of what decides the verdict (semester/versions.py).
    rerun: str = ""  # What came of it the first time, if it was run again, alone.

    @property
    def points(self) -> int:
        return self.max_points if self.void or self.outcome is Outcome.PASS else 0

    def for_students(self) -> CheckResult | None:
        """What a student may read of it; None: nothing."""
        if self.show is Show.NOTHING:
            return None
        if self.show is Show.ALL:
            return self
        return replace(self, message=HIDDEN_WORDS, replay=None, view=None)

    def document(self) -> dict[str, Any]:
        document = {
            "id": self.id,
            "title": self.title,
            "kind": self.kind,
            "outcome": self.outcome.value,
            "points": self.points,
            "max_points": self.max_points,
            "seconds": round(self.seconds, 3),
            "message": self.message,
            "replay": self.replay,
            "view": self.view,
            "part": self.part,
            "teaches": self.teaches,
            "why": self.why,
            "hint": self.hint,
            "show": self.show.value,
            "void": self.void,
            "hash": self.hash,
        }
        return document | ({"rerun": self.rerun} if self.rerun else {})


@dataclass
class LabResult:
    """One lab's checks, in the order of lab.json."""

    lab: int
    name: str
    title: str
    checks: list[CheckResult] = field(default_factory=list)
    parts: dict[str, str] = field(default_factory=dict)  # Part → its title.
    leaderboard: Leaderboard | None = None  # Only if it was asked for, and all checks passed.

    @property
    def points(self) -> int:
        return sum(check.points for check in self.checks)

    @property
    def max_points(self) -> int:
        return sum(check.max_points for check in self.checks)

    @property
    def outcome(self) -> Outcome:
        return combined(counted(self.checks))

    def for_students(self) -> LabResult:
        seen = [check.for_students() for check in self.checks]
        return replace(self, checks=[check for check in seen if check is not None])

    def document(self) -> dict[str, Any]:
        document = {
            "lab": self.lab,
            "name": self.name,
            "title": self.title,
            "points": self.points,
            "max_points": self.max_points,
            "checks": [check.document() for check in self.checks],
        }
        return document | ({"leaderboard": self.leaderboard.document()} if self.leaderboard else {})


@dataclass
class Submission:
    """What was handed in, as it was opened (``submissions/opening.py``)."""

    name: str
    digest: str  # Of the files that were taken from it; SHA-256.
    taken: list[str] = field(default_factory=list)  # File names; the others are the skeleton's.
    notes: list[str] = field(default_factory=list)  # What was odd about it.
    asked: str = ""  # Names what was graded how: the same is not done twice.

    def document(self) -> dict[str, Any]:
        return asdict(self)


@dataclass
class Results:
    """One run of ``./lab grade``."""

    solution: str
    seed: int
    labs: list[LabResult] = field(default_factory=list)
    command: str = ""  # What to type to get this again.
    seconds: float = 0.0
    supplied: list[str] = field(default_factory=list)  # What --with said: "reference:1".
    options: list[str] = field(default_factory=list)  # What names the solution to ./lab replay.
    sandbox: str = "off"  # What the solution was built and run in: a, b, off.
    grader: dict[str, str] = field(default_factory=dict)  # Its version and the hash of its sources.
    submission: Submission | None = None  # Of ./lab grade-one.

    def replay_command(self, check: CheckResult) -> str:
        """What to type to see a failure again; only for a check with a replay file."""
        return shlex.join(["./lab", "replay", str(check.replay), *self.options])

    @property
    def points(self) -> int:
        return sum(lab.points for lab in self.labs)

    @property
    def max_points(self) -> int:
        return sum(lab.max_points for lab in self.labs)

    @property
    def outcome(self) -> Outcome:
        return combined(outcome for lab in self.labs for outcome in counted(lab.checks))

    def for_students(self) -> Results:
        """The same without what hidden checks keep to themselves until the course discloses them."""
        return replace(self, labs=[lab.for_students() for lab in self.labs])

    @property
    def exit_code(self) -> int:
        return EXIT_CODES[self.outcome]

    def document(self) -> dict[str, Any]:
        """As results.schema.json says."""
        document = {
            "schema": SCHEMA,
            "solution": self.solution,
            "with": self.supplied,
            "seed": self.seed,
            "sandbox": self.sandbox,
            "grader": self.grader,
            "points": self.points,
            "max_points": self.max_points,
            "outcome": self.outcome.value,
            "command": self.command,
            "seconds": round(self.seconds, 3),
            "labs": [lab.document() for lab in self.labs],
        }
        return document | ({"submission": self.submission.document()} if self.submission else {})


def read(path: Path) -> Results:
    """What ``write_json`` wrote of a run. LabError if the file is no such document."""
    from dynamolab.labs import read_json

    return of_document(read_json(path, "results.schema.json"))


def of_document(document: dict[str, Any]) -> Results:
    """The results again, from a document that fits its schema."""
    submission = document.get("submission")
    return Results(
        solution=document["solution"],
        seed=document["seed"],
        labs=[_lab_of(lab) for lab in document["labs"]],
        command=document.get("command", ""),
        seconds=document.get("seconds", 0.0),
        supplied=list(document.get("with", ())),
        sandbox=document.get("sandbox", "off"),
        grader=dict(document.get("grader", {})),
        submission=Submission(**submission) if submission else None,
    )


def _lab_of(document: dict[str, Any]) -> LabResult:
    checks = []
    for check in document["checks"]:
        known = {f.name: check[f.name] for f in fields(CheckResult) if f.name in check}
        known |= {"outcome": Outcome(check["outcome"]), "show": Show(check.get("show", "all"))}
        checks.append(CheckResult(**known))
    lab = LabResult(document["lab"], document["name"], document.get("title", ""), checks)
    if "leaderboard" in document:
        from dynamolab.leaderboard import of_document as figures_of

        lab.leaderboard = figures_of(document["leaderboard"])
    return lab


def json_text(document: dict[str, Any]) -> str:
    """As a file can hold it: what is no character (half of a pair, say) stays escaped."""
    text = json.dumps(document, indent=2, ensure_ascii=False) + "\n"
    return text.encode("utf-8", "backslashreplace").decode()


def write_json(document: dict[str, Any], path: Path) -> None:
    """All of it or nothing: a reader never sees half a file. OSError if the folder cannot be written."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    part.write_text(json_text(document), encoding="utf-8")
    part.replace(path)
