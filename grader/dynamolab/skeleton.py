"""skeleton/ is made from reference/: what a student fills in.

Markers, each alone on its line:

    // BEGIN SOLUTION
    …                    cut
    // END SOLUTION
    // BEGIN SKELETON
    // …                 comments in the reference; in the skeleton without their leading "// "
    // END SKELETON

They do not nest. Everything else is copied as it is.
"""

from __future__ import annotations

import difflib
import json
import re
from pathlib import Path

from dynamolab.errors import LabError
from dynamolab.paths import REFERENCE, SKELETON, shown

_MARKER = re.compile(r"\s*// (BEGIN|END) (SOLUTION|SKELETON)\s*")
_COMMENT = re.compile(r"(\s*)//(?: (.*))?")


def skeleton_of(text: str, name: str) -> str:
    """The skeleton of one reference file. LabError names the line of a marker that is wrong."""
    made: list[str] = []
    open_region = ""
    for number, line in enumerate(text.splitlines(), 1):
        if marker := _MARKER.fullmatch(line):
            verb, region = marker.groups()
            expected = ("END", open_region) if open_region else ("BEGIN", region)
            if (verb, region) != expected:
                raise LabError(
                    f"{name}:{number}: '{line.strip()}' stands where '// {' '.join(expected)}' must"
                )
            open_region = "" if open_region else region
        elif open_region == "SKELETON":
            comment = _COMMENT.fullmatch(line)
            if not comment:
                raise LabError(
                    f"{name}:{number}: a line between the SKELETON markers must be a comment"
                )
            made.append((comment[1] + comment[2]) if comment[2] else "")
        elif not open_region:
            made.append(line)
    if open_region:
        raise LabError(f"{name}: '// END {open_region}' is missing")
    # A region that went takes the second of two blank lines around it with it.
    return re.sub(r"\n{3,}", "\n\n", "\n".join(made) + "\n")


def generate() -> dict[str, str]:
    """File name → text, for each file of the reference."""
    made = {}
    for path in sorted(REFERENCE.iterdir()):
        make = skeleton_of_plans if path.suffix == ".json" else skeleton_of
        made[path.name] = make(path.read_text(encoding="utf-8"), shown(path))
    return made


def skeleton_of_plans(text: str, name: str) -> str:
    """The capstone's fault plans, by name, without what they are about and what they do. LabError if the
    reference's are none."""
    try:
        plans = dict(json.loads(text).items())
    except (json.JSONDecodeError, AttributeError) as error:
        raise LabError(f"{name}: expected an object of fault plans: {error}") from error
    return json.dumps({plan: {"about": "", "actions": []} for plan in plans}, indent=2) + "\n"


def write() -> list[Path]:
    """Makes skeleton/ anew; the paths of the files that changed."""
    SKELETON.mkdir(exist_ok=True)
    changed = []
    wanted = generate()
    for path in SKELETON.iterdir():
        if path.name not in wanted:
            path.unlink()
            changed.append(path)
    for name, text in wanted.items():
        path = SKELETON / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
            changed.append(path)
    return changed


def drift() -> str:
    """What differs between skeleton/ and what the reference makes of it; empty if nothing."""
    wanted = generate()
    found = [path.name for path in SKELETON.glob("*")]
    told: list[str] = []
    for name in sorted({*wanted, *found}):
        path = SKELETON / name
        there = path.read_text(encoding="utf-8") if path.is_file() else ""
        told += difflib.unified_diff(
            there.splitlines(),
            wanted.get(name, "").splitlines(),
            f"skeleton/{name}",
            "from the reference",
            lineterm="",
        )
    return "\n".join(told)
