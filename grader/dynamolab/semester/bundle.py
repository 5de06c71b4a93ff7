"""A run in one file: the solution, what was graded and with which grader, schedules, traces and logs. A
student sends it; in office hours it is opened and replayed.

A bundle comes from somebody else, so it is read as if it wished to hurt: only names of the forms below,
nothing but regular files, and bounds on how much."""

from __future__ import annotations

import json
import platform
import re
import shutil
import subprocess
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dynamolab import grade
from dynamolab.errors import LabError
from dynamolab.labs import Lab, validate
from dynamolab.paths import RESULTS, ROOT, shown
from dynamolab.results import write_json
from dynamolab.semester import versions, why

SCHEMA = "dynamo-labs/bundle/1"
ABOUT = "bundle.json"
LARGEST_BYTES = 200_000_000  # Of all files, unpacked.
LARGEST_FILE_BYTES = 64_000_000  # A recording beyond stays at home.
MOST_FILES = 5_000
DEADLINE_S = 30.0

_PART = r"[\w@+][\w.@+-]*"
_NAME = re.compile(rf"{re.escape(ABOUT)}|solution/{_PART}|run(/{_PART}){{1,4}}")


@dataclass
class Packed:
    """What came of packing. ``left_out``: files that were too large, as a person reads them."""

    path: Path
    files: int = 0
    left_out: list[str] = field(default_factory=list)


def newest_run() -> Path:
    """The run of ./lab grade that ended last. LabError if there is none."""
    runs = sorted(RESULTS.glob(f"2*/{grade.RESULTS_FILE}"), key=lambda path: path.stat().st_mtime)
    if not runs:
        raise LabError(f"{shown(RESULTS)}/ holds no graded run; run ./lab grade, or name a run's folder")
    return runs[-1].parent


def pack(run: Path, labs: list[Lab], out: Path) -> Packed:
    """Writes the bundle: all of it or nothing. LabError if the run or its solution is not there."""
    results = why.read_results(run)
    solution = ROOT / str(results["solution"])
    if not solution.is_dir():
        raise LabError(f"{shown(solution)}: the solution of this run is not there any more")
    packed = Packed(out)
    part = out.with_name(out.name + ".part")
    files = [(f"solution/{lab.file}", solution / lab.file) for lab in labs]
    files += [(f"run/{path.relative_to(run)}", path) for path in sorted(run.rglob("*"))]
    with zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(ABOUT, json.dumps(_about(run, results), indent=2))
        room = LARGEST_BYTES
        for name, path in files:
            if not path.is_file() or path.is_symlink() or not _NAME.fullmatch(name):
                continue
            size = path.stat().st_size
            if size > min(LARGEST_FILE_BYTES, room) or packed.files >= MOST_FILES:
                packed.left_out.append(f"{name} ({size} bytes)")
                continue
            archive.write(path, name)
            room -= size
            packed.files += 1
    part.replace(out)
    return packed


def _about(run: Path, results: dict[str, Any]) -> dict[str, Any]:
    """What cannot be seen from the run itself."""
    return {
        "schema": SCHEMA,
        "run": shown(run),
        "solution": results["solution"],
        "grader": versions.grader(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "python": platform.python_version(),
        "compiler": _compiler(),
    }


def _compiler() -> str:
    try:
        command = ["c++", "--version"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE_S, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return "unknown"
    return done.stdout.partition("\n")[0] or "unknown"


@dataclass
class Opened:
    """A bundle in a folder of its own: ``folder/solution``, ``folder/run``."""

    folder: Path
    about: dict[str, Any]
    results: dict[str, Any]

    @property
    def failed(self) -> list[dict[str, Any]]:
        """The checks that can be replayed, in the order of the labs."""
        checks = [check for lab in self.results["labs"] for check in lab["checks"]]
        return [check for check in checks if check["outcome"] == "fail" and check["replay"]]


def unpack(file: Path, folder: Path) -> Opened:
    """Into ``folder``, which is made anew. LabError that says what is wrong with the file; then nothing
    of it stays."""
    part = folder.with_name(folder.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    try:
        _extract(file, part)
        about = _json(part / ABOUT, file)
        if about.get("schema") != SCHEMA:
            raise LabError(f"{file}: is no bundle of this kind ({SCHEMA}); ./lab bundle makes one")
        results = _json(part / "run" / grade.RESULTS_FILE, file)
        validate(results, "results.schema.json", f"{file}: run/{grade.RESULTS_FILE}")
        _here(results, str(about.get("run")), folder)
        write_json(results, part / "run" / grade.RESULTS_FILE)
        shutil.rmtree(folder, ignore_errors=True)
        part.replace(folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return Opened(folder, about, results)


def _extract(file: Path, folder: Path) -> None:
    try:
        with zipfile.ZipFile(file) as archive:
            entries = archive.infolist()
            if len(entries) > MOST_FILES + 1:
                raise LabError(f"{file}: holds more than {MOST_FILES} files")
            room = LARGEST_BYTES
            for entry in entries:
                if not _NAME.fullmatch(entry.filename):
                    raise LabError(f"{file}: {entry.filename[:80]!r} has no place in a bundle")
                with archive.open(entry) as member:
                    content = member.read(min(LARGEST_FILE_BYTES, room) + 1)
                room -= len(content)
                if len(content) > LARGEST_FILE_BYTES or room < 0:
                    raise LabError(f"{file}: is larger, unpacked, than {LARGEST_BYTES} bytes")
                path = folder / entry.filename
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
    except FileNotFoundError:
        raise LabError(f"{file}: there is no such file") from None
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, OSError) as error:
        raise LabError(f"{file}: cannot be opened as a bundle: {error}") from error


def _json(path: Path, file: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise LabError(f"{file}: its {path.name} cannot be read: {error}") from error
    if not isinstance(document, dict):
        raise LabError(f"{file}: its {path.name} is no JSON object")
    return document


def _here(results: dict[str, Any], run: str, folder: Path) -> None:
    """Paths of the sender's machine become ours."""
    results["solution"] = shown(folder / "solution")
    # Folders of the sender's are not ours to compile.
    results["with"] = [word for word in results.get("with", []) if word.startswith("reference:")]
    for lab in results["labs"]:
        for check in lab["checks"]:
            for name in ("replay", "view"):
                inner = str(check.get(name) or "").removeprefix(f"{run}/")
                path = folder / "run" / inner
                there = inner and _NAME.fullmatch(f"run/{inner}")
                check[name] = shown(path) if there else None
