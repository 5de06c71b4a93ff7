"""The labs of this course, from labs/N-name/lab.json."""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jsonschema

from dynamolab.errors import LabError
from dynamolab.paths import LABS, PACKAGE, shown
from dynamolab.results import Show
from dynamolab.suggest import did_you_mean

FEWEST_POINTS_WITHOUT_FAULTS = 40  # LABS.md, "Partial credit".


@dataclass(frozen=True)
class Hidden:
    """How a hidden check runs the public one that it widens."""

    widens: str
    seeds: int | None = None  # Worlds from each of the class's seeds on; None: what the check asks for.
    scope: Mapping[str, int] = field(default_factory=dict)  # Of an exploration: budgets and bounds.


@dataclass(frozen=True)
class Check:
    """One check, as lab.json describes it."""

    id: str
    title: str
    teaches: str
    why: str
    hint: str
    kind: str
    part: str
    points: int
    faults: int
    properties: tuple[str, ...]
    needs: tuple[str, ...]
    visible: bool
    wrong: str = ""  # Of kind plan: the known-wrong solution that the student's plan must fail.
    mixed: bool = False  # Nodes of the reference stand beside the solution's.
    bounded: bool = False  # An exploration that passes though it ends at its bound of states.
    hidden: Hidden | None = None  # Of a course: data that widens a public check (grader/hidden).
    show: Show = Show.ALL  # What a student sees of its result.
    void: bool = False  # A course credits everyone with it.


@dataclass(frozen=True)
class Lab:
    """One lab and its checks."""

    number: int
    name: str
    title: str
    module: str
    file: str
    points: int
    parts: dict[str, tuple[str, int]]  # Part → title and points.
    checks: tuple[Check, ...]
    folder: Path
    properties: dict[str, str] = field(default_factory=dict)  # Number → what is true of a right solution.
    part_modules: dict[str, str] = field(default_factory=dict)  # Part with a factory of its own → it.

    @property
    def has_module(self) -> bool:
        """Whether its file is code for a node; the capstone's is a list of fault plans."""
        return self.file.endswith(".cpp")

    def check(self, identifier: str) -> Check | None:
        return next((check for check in self.checks if check.id == identifier), None)


def read_json(path: Path, schema_name: str) -> Any:
    """A JSON file that fits the schema; else a LabError that names file, field and cure."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise LabError(f"{shown(path)}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise LabError(f"{shown(path)}: is not UTF-8 text (byte {error.start})") from error
    except (json.JSONDecodeError, RecursionError) as error:
        raise LabError(f"{shown(path)}: is not JSON: {error}") from error
    validate(document, schema_name, shown(path))
    return document


def validate(document: Any, schema_name: str, what: str) -> None:
    schema = json.loads((PACKAGE / schema_name).read_text(encoding="utf-8"))
    validator = jsonschema.Draft202012Validator(schema)
    first = next(
        iter(sorted(validator.iter_errors(document), key=lambda e: list(map(str, e.path)))), None
    )
    if first is not None:
        place = "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in first.path).lstrip(".")
        raise LabError(f"{what}: {place or 'the document'}: {first.message} (see {schema_name})")


def load(path: Path) -> Lab:
    """One lab.json, its sums and references checked as well."""
    document = read_json(path, "lab.schema.json")
    lab = Lab(
        number=document["lab"],
        name=document["name"],
        title=document["title"],
        module=document["module"],
        file=document["file"],
        points=document["points"],
        parts={part["part"]: (part["title"], part["points"]) for part in document["parts"]},
        checks=tuple(
            Check(
                **{key: check[key] for key in ("id", "title", "teaches", "why", "hint", "kind")},
                **{key: check[key] for key in ("part", "points", "faults")},
                properties=tuple(check["properties"]),
                needs=tuple(check.get("needs", ())),
                visible=check.get("visible", True),
                wrong=check.get("wrong", ""),
                mixed=check.get("mixed", False),
                bounded=check.get("bounded", False),
            )
            for check in document["checks"]
        ),
        folder=path.parent,
        properties=document["properties"],
        part_modules={
            part["part"]: part["module"] for part in document["parts"] if "module" in part
        },
    )
    problems = list(_problems(lab))
    if problems:
        raise LabError(f"{shown(path)}: {problems[0]}")
    return lab


def _problems(lab: Lab) -> Sequence[str]:
    found: list[str] = []
    by_id: dict[str, Check] = {}
    for check in lab.checks:
        if check.id in by_id:
            found.append(f"checks: {check.id} stands twice; give each check a name of its own")
        by_id[check.id] = check
        for number in check.properties:
            if number not in lab.properties:
                found.append(f"{check.id}: properties: {number} is not among the lab's properties")
        if check.part not in lab.parts:
            found.append(
                f"{check.id}: part {check.part} is not among the parts {', '.join(lab.parts)}"
            )
        if not check.id.startswith(f"{lab.module}."):
            found.append(f"{check.id}: must begin with '{lab.module}.', the lab's GoogleTest suite")
    for check in lab.checks:
        if (check.kind == "plan") != bool(check.wrong):
            found.append(f"{check.id}: a check of kind plan, and no other, names a 'wrong' solution")
        if check.bounded and check.kind != "explore":
            found.append(f"{check.id}: bounded: only an exploration (kind explore) may be that")
    for check in lab.checks:
        for need in check.needs:
            if need not in by_id:
                found.append(f"{check.id}: needs {need}, which is no check of this lab")
            elif by_id[need].part != check.part:
                found.append(
                    f"{check.id}: needs {need} of another part; dependencies stay within a part"
                )
            elif lab.checks.index(by_id[need]) >= lab.checks.index(check):
                found.append(f"{check.id}: needs {need}, which must come before it in the list")
    for part, (_, points) in lab.parts.items():
        total = sum(check.points for check in lab.checks if check.part == part)
        if total != points:
            found.append(f"parts: part {part} says {points} points, its checks add up to {total}")
    total = sum(check.points for check in lab.checks)
    if total != lab.points:
        found.append(f"points: says {lab.points}, the checks add up to {total}")
    calm = sum(check.points for check in lab.checks if check.faults == 0)
    if lab.points and calm * 100 < FEWEST_POINTS_WITHOUT_FAULTS * lab.points:
        found.append(
            f"checks without a fault give {calm} points of {lab.points}; at least 40 % must"
        )
    return found


def load_all() -> list[Lab]:
    """Every lab that has a lab.json, by number."""
    labs = sorted((load(path) for path in LABS.glob("*/lab.json")), key=lambda lab: lab.number)
    numbers = [lab.number for lab in labs]
    if len(set(numbers)) != len(numbers):
        raise LabError("labs/: two labs have the same number in their lab.json")
    if not labs:
        raise LabError("labs/: no lab.json anywhere; is this a whole checkout?")
    return labs


def find_lab(labs: Sequence[Lab], word: str) -> Lab:
    """By number, name, or folder."""
    for lab in labs:
        if word in (str(lab.number), lab.name, lab.module, lab.folder.name, f"lab{lab.number}"):
            return lab
    names = [str(lab.number) for lab in labs] + [lab.name for lab in labs]
    raise LabError(f"there is no lab '{word}'; {did_you_mean(word, names)}")


def find_check(labs: Sequence[Lab], word: str) -> tuple[Lab, Check]:
    """By id, or by the part after the dot where only one lab has it."""
    hits = [(lab, c) for lab in labs for c in lab.checks if word in (c.id, c.id.partition(".")[2])]
    if len(hits) == 1:
        return hits[0]
    if hits:
        raise LabError(f"'{word}' is a check of several labs: {', '.join(c.id for _, c in hits)}")
    ids = [check.id for lab in labs for check in lab.checks]
    close = difflib.get_close_matches(word, ids, n=3, cutoff=0.4)
    hint = f"did you mean {', '.join(close)}?" if close else "./lab list shows them all"
    raise LabError(f"there is no check '{word}'; {hint}")
