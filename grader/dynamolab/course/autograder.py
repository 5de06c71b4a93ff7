"""The zip that is uploaded to Gradescope as an assignment's autograder
(gradescope-autograders.readthedocs.io, "Autograder Specifications"): what Gradescope runs, and in dynamo/
all that grading needs, course and secrets included. It is for staff: unlike a students' repository it has
the reference's sources.

    setup.sh         once, as root, when the assignment's image is built: installs and compiles
    run_autograder   for each submission: grades it
    options          words for ./lab grade-one
    dynamo/          the grader, reference/, grader/hidden/, course.json with its seeds"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from dynamolab.course import release, variants
from dynamolab.course.course import Course
from dynamolab.errors import LabError
from dynamolab.labs import Lab
from dynamolab.paths import HIDDEN, MUTANTS, REFERENCE, ROOT, SKELETON, VARIANTS, shown

GRADER = Path("dynamo")
SEEDS_FILE = "class-seeds.json"
IMAGES = ROOT / "docker"
AT_THE_TOP = ("setup.sh", "run_autograder")
TIME = (2000, 1, 1, 0, 0, 0)  # Of every entry: the same files make the same zip.
_PLAIN, _PROGRAM = 0o644, 0o755


@dataclass(frozen=True)
class Made:
    """What came of it."""

    file: Path
    files: int


def make(course: Course, labs: Sequence[Lab], out: Path) -> Made:
    """Writes the zip that grades ``labs`` of the course; ``out`` appears whole or not at all, readable by
    its owner alone. LabError if the checkout plays by other rules than the course, lacks the reference, or
    the zip would lie where git takes it."""
    variants.refuse_other_rules(course.variants)
    release.refuse_without_reference()
    if out.is_dir():
        raise LabError(f"--gradescope {out}: is a folder; name a file, for example {out}/autograder.zip")
    if out.suffix != ".zip":
        raise LabError(f"--gradescope {out}: Gradescope takes a zip; name it {out.name}.zip")
    if ROOT in out.resolve().parents:
        raise LabError(
            f"--gradescope {out}: lies in this checkout, and has its secrets; name a file outside of it"
        )
    entries = dict(_entries(course, labs))
    part = out.with_name(out.name + ".part")
    part.parent.mkdir(parents=True, exist_ok=True)
    part.unlink(missing_ok=True)
    part.touch(mode=0o600)
    try:
        with zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, (content, mode) in sorted(entries.items()):
                archive.writestr(_entry(name, mode), content)
        part.replace(out)
    finally:
        part.unlink(missing_ok=True)
    return Made(out, len(entries))


def _entry(name: str, mode: int) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, TIME)
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.external_attr = (0o100000 | mode) << 16
    return entry


def _entries(course: Course, labs: Sequence[Lab]) -> Iterator[tuple[str, tuple[bytes, int]]]:
    """Name → content and mode."""
    for name in AT_THE_TOP:
        yield name, (IMAGES.joinpath(name).read_bytes(), _PROGRAM)
    numbers = ",".join(str(lab.number) for lab in labs)
    yield "options", (f"--labs {numbers}\n".encode(), _PLAIN)
    for path, to in _files(course):
        mode = _PROGRAM if path.stat().st_mode & 0o100 else _PLAIN
        yield str(GRADER / to), (path.read_bytes(), mode)
    if course.path is not None:
        document = json.loads(course.path.read_text(encoding="utf-8"))
        if course.seeds_file is not None:
            document["seeds"]["file"] = SEEDS_FILE
            yield str(GRADER / SEEDS_FILE), (course.seeds_file.read_bytes(), _PLAIN)
        yield str(GRADER / "course.json"), (json.dumps(document, indent=2).encode(), _PLAIN)


def _files(course: Course) -> Iterator[tuple[Path, Path]]:
    """Of the checkout and what is laid over it, what grades: each file, and where it lies in dynamo/."""
    for path in release.public_files(*release.PUBLIC, "docker/install.sh"):
        yield path, path.relative_to(ROOT)
    wrong = [(m.folder, Path("grader/mutants") / m.name) for m in release.wrong_stores(course.known)]
    for folder, to in (
        *((REFERENCE, Path("reference")), (SKELETON, Path("skeleton")), (HIDDEN, Path("grader/hidden"))),
        (VARIANTS, Path("grader/variants")),
        *wrong,
    ):
        for path in sorted(folder.rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                yield path, to / path.relative_to(folder)
