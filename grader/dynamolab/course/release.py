"""Makes the students' repository: what is public of this checkout, their skeleton as solution/, the course,
and of the reference only objects. Nothing else leaves; what leaves is looked through for leaks first."""

from __future__ import annotations

import datetime
import hashlib
import json
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dynamolab import mutants, reference, skeleton
from dynamolab.course import hidden, leaks, pages, prebuilt, variants
from dynamolab.course.course import SEEDS_SCHEMA, Course
from dynamolab.errors import GraderTrouble, LabError
from dynamolab.labs import Lab, read_json
from dynamolab.paths import HIDDEN, OVERLAY_FILE, OVERLAY_SETTING, REFERENCE, ROOT, shown
from dynamolab.results import write_json

SCHEMA = "dynamo-labs/release/1"
SEEDS_FILE = "disclosed-seeds.json"
GIT_DEADLINE_S = 60.0

# What is public, and what of it stays here all the same.
PUBLIC = (
    *("lab", "LICENSE", "CMakeLists.txt", "CMakePresets.json", ".clang-format", ".gitignore", "cmake"),
    *("framework", "labs", "docs/config.md", "docs/protocol.md", "grader/CMakeLists.txt"),
    *("grader/packages.txt", "grader/dynamolab", "grader/experiments", "grader/faultnet", "grader/sim"),
    "grader/sandbox",
)
KEPT_BACK = ("framework/tests",)
LEFT_ALONE = (".git", "build", "results")  # Of a folder that is released to again; git has only the first.


@dataclass(frozen=True)
class Made:
    """What came of it. ``given``: labs whose reference students have; ``objects``: their names."""

    folder: Path
    given: list[int]
    objects: list[str]
    files: int


def make(course: Course, out: Path, at: datetime.datetime, jobs: int) -> Made:
    """Writes ``out`` anew; of what is there, .git stays, and what was built. ``at`` decides which references
    are given. LabError if ``out`` is something else's, the checkout plays by other rules than the course, or
    a leak is found: then nothing was written."""
    variants.refuse_other_rules(course.variants)
    _refuse_foreign(out)
    refuse_without_reference()
    given = [lab.number for lab in course.known if course.ships_reference(lab.number, at)]
    part = out.with_name(out.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    try:
        for path in public_files(*PUBLIC):
            _copy(path, part)
        _write_skeleton(part)
        wrong = wrong_stores(course.known)
        objects = prebuilt.make(part / "prebuilt" / reference.machine(), course, given, wrong, jobs)
        _keep_other_machines(out, part)
        _write_course(course, part)
        page = pages.readme(course, given, [lab.number for lab in course.known if lab.has_module])
        (part / "README.md").write_text(page, encoding="utf-8")
        write_json(_manifest(wrong, part), part / "release.json")
        _refuse_leaks(course, part)
        files = sum(path.is_file() for path in part.rglob("*"))
        _move_in(part, out)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return Made(out, given, objects, files)


def add_machine(course: Course, out: Path, at: datetime.datetime, jobs: int) -> list[str]:
    """Adds this kind of machine's objects to a release that another one made. Their names. LabError if
    ``out`` is none, or of other sources."""
    try:
        there = json.loads((out / "release.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise LabError(f"{out}: is no students' repository: {error}; make it first, without --add") from error
    wrong = wrong_stores(course.known)
    if there.get("sources") != sources():
        raise LabError(
            f"{out}: was made of {there.get('sources')}, and this checkout is at {sources()}: objects and"
            " sources would not fit; take the same here"
        )
    given = [lab.number for lab in course.known if course.ships_reference(lab.number, at)]
    folder = out / "prebuilt" / reference.machine()
    made = prebuilt.make(folder, course, given, wrong, jobs)
    _refuse_leaks(course, folder)
    return made


def refuse_without_reference() -> None:
    """LabError if the reference is not in the checkout, nor laid over it."""
    if not reference.modules():
        raise LabError(
            f"{shown(REFERENCE)}: has no modules to make a skeleton of; is your private repository laid over"
            f" this checkout? ({OVERLAY_SETTING}, or {OVERLAY_FILE.name})"
        )


def _refuse_foreign(out: Path) -> None:
    if out.is_dir() and any(path.name not in LEFT_ALONE for path in out.iterdir()):
        if not (out / "release.json").is_file():
            raise LabError(
                f"--out {out}: is not empty, and holds no students' repository; name a new folder"
            )
    elif out.exists() and not out.is_dir():
        raise LabError(f"--out {out}: is a file; name a folder")
    if out.resolve() == ROOT or ROOT in out.resolve().parents:
        raise LabError(f"--out {out}: lies in this checkout; name a folder outside of it")


def public_files(*names: str) -> list[Path]:
    """The files of these files and folders. Of a clone only what git knows: whatever else lies around is
    private."""
    if (ROOT / ".git").exists():
        command = ["git", "-C", ROOT, "ls-files", "-z", "--", *names]
        try:
            listed = subprocess.run(command, capture_output=True, check=True, timeout=GIT_DEADLINE_S)
        except (OSError, subprocess.SubprocessError) as error:
            raise GraderTrouble(f"git ls-files failed ({error}): which files are public, it knows") from error
        paths = [ROOT / name for name in listed.stdout.decode().split("\0") if name]
    else:
        tops = [ROOT / name for name in names]
        paths = [path for top in tops for path in ([top] if top.is_file() else sorted(top.rglob("*")))]
    kept_back = [ROOT / name for name in KEPT_BACK]
    return [
        path
        for path in paths
        if path.is_file() and "__pycache__" not in path.parts
        if not any(path == kept or kept in path.parents for kept in kept_back)
    ]


def _copy(path: Path, part: Path) -> None:
    to = part / path.relative_to(ROOT)
    to.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".md":
        to.write_text(pages.for_students(path.read_text(encoding="utf-8")), encoding="utf-8")
    else:
        shutil.copy(path, to)


def _write_skeleton(part: Path) -> None:
    """Made from the reference as it is now; once to be filled in, once as it was."""
    for folder in (part / "solution", part / "grader" / "skeleton"):
        folder.mkdir(parents=True)
        for name, text in skeleton.generate().items():
            (folder / name).write_text(text, encoding="utf-8")


def wrong_stores(known: Sequence[Lab]) -> list[mutants.Mutant]:
    """The known-wrong stores that checks of lab 7 run beside a student's plan."""
    names = {check.wrong for lab in known for check in lab.checks if check.wrong}
    return [mutant for mutant in mutants.load(known) if mutant.name in names]


def _manifest(wrong: Sequence[mutants.Mutant], part: Path) -> dict[str, Any]:
    """``version`` is another one whenever anything of the release is: ./lab update goes by it."""
    digest = hashlib.sha256()
    for path in sorted(path for path in part.rglob("*") if path.is_file()):
        digest.update(f"{path.relative_to(part)}\0".encode() + path.read_bytes())
    return {
        "schema": SCHEMA,
        "version": f"{sources()}+{digest.hexdigest()[:8]}",
        "sources": sources(),
        "modules": reference.modules(),
        "wrong_stores": {mutant.name: mutant.title for mutant in wrong},
    }


def sources() -> str:
    """Of this checkout, as git names it; "unknown" without git."""
    command = ["git", "-C", ROOT, "describe", "--always", "--dirty", "--abbrev=12"]
    try:
        done = subprocess.run(command, capture_output=True, check=True, timeout=GIT_DEADLINE_S)
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    return done.stdout.decode().strip()


def _keep_other_machines(out: Path, part: Path) -> None:
    """Objects that other kinds of machines made for the same version stay; older ones would not fit."""
    with_version = out / "release.json"
    if not with_version.is_file():
        return
    if json.loads(with_version.read_text(encoding="utf-8")).get("sources") == sources():
        for folder in (out / "prebuilt").glob("*-*"):
            if folder.name != reference.machine():
                shutil.copytree(folder, part / "prebuilt" / folder.name)


def _write_course(course: Course, part: Path) -> None:
    """course.json as students have it: points of each check as they count, dates with their offset, and of
    hidden checks only what is disclosed."""
    disclosed = [lab for lab in course.labs if lab.number in course.disclosed]
    shown_ids = [check.id for lab in disclosed for check in lab.checks if check.hidden]
    document: dict[str, Any] = {"name": course.name, "timezone": course.timezone}
    if course.term:
        document["term"] = course.term
    document["labs"] = [_entry(course, lab) for lab in course.labs]
    if shown_ids:
        document["hidden"] = {"checks": shown_ids}
        document["seeds"] = {"file": SEEDS_FILE}
        document["disclosed"] = sorted(course.disclosed)
        seeds = {str(lab.number): course.seeds(lab.number) for lab in disclosed}
        write_json({"labs": seeds}, part / SEEDS_FILE)
        for lab in disclosed:
            to = part / "grader" / "hidden" / f"{lab.folder.name}.json"
            write_json(_hidden_of(lab, shown_ids), to)
    void = [check.id for lab in course.labs for check in _public(lab, shown_ids) if check.void]
    if void:
        document["void"] = void
    write_json(document, part / "course.json")


def _hidden_of(lab: Lab, ids: Sequence[str]) -> dict[str, Any]:
    """As its file has them, without the known-wrong solutions that they catch."""
    document = read_json(HIDDEN / f"{lab.folder.name}.json", hidden.SCHEMA)
    taken = [entry for entry in document["checks"] if entry["id"] in ids]
    checks = [{key: value for key, value in entry.items() if key != "catches"} for entry in taken]
    return document | {"checks": checks}


def _public(lab: Lab, disclosed: Sequence[str]) -> list[Any]:
    return [check for check in lab.checks if not check.hidden or check.id in disclosed]


def _entry(course: Course, lab: Lab) -> dict[str, Any]:
    plan = course.plans[lab.number]
    original = next(known for known in course.known if known.number == lab.number)
    entry: dict[str, Any] = {"lab": lab.number}
    if list(plan.parts) != list(original.parts):
        entry["parts"] = list(plan.parts)
    raw = {check.id: check.points for check in original.checks}
    public = lab.checks if lab.number in course.disclosed else [c for c in lab.checks if not c.hidden]
    other: Mapping[str, int] = {c.id: c.points for c in public if raw.get(c.id) != c.points}
    if other:
        entry["checks"] = dict(other)
    entry["weight"] = plan.weight
    for key, date in (("opens", plan.opens), ("due", plan.due)):
        if date is not None:
            entry[key] = date.isoformat(timespec="minutes")
    return entry


def _refuse_leaks(course: Course, folder: Path) -> None:
    labs_with_secrets = [lab for lab in course.labs if lab.number not in course.disclosed]
    seeds: list[int] = []
    if course.seeds_file is not None and course.seeds_file.exists():
        drawn = read_json(course.seeds_file, SEEDS_SCHEMA)["labs"]
        seeds = [seed for lab in labs_with_secrets for seed in drawn.get(str(lab.number), [])]
    found = leaks.found_in(folder, leaks.of_checkout(course.disclosed, seeds))
    if found:
        more = f"\n… and {len(found) - 10} more" if len(found) > 10 else ""
        told = "\n".join(found[:10])
        raise LabError(f"this would give solutions away; nothing was written:\n{told}{more}")


def _move_in(part: Path, out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    for path in out.iterdir():
        if path.name in LEFT_ALONE:
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
    for path in part.iterdir():
        shutil.move(path, out / path.name)
