"""Where the reference's modules come from. A checkout has their sources, of which the framework's build
makes archives. A students' repository (``./lab release``) has objects instead: of the modules that the
course gives out, and of whole stores in one piece, the right one and the wrong ones of lab 7."""

from __future__ import annotations

import json
import platform
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dynamolab.errors import LabError
from dynamolab.labs import Lab
from dynamolab.paths import PREBUILT, REFERENCE, RELEASE, RELEASED, SKELETON, shown
from dynamolab.skeleton import skeleton_of

# What a linker says that lacks what an object was compiled for, or cannot read it at all. A name that is
# missing in a student's own file is another matter: no object of ours asks for it.
_UNFIT = re.compile(r"undefined|wrong format|incompatible|unrecognized|unknown file type", re.IGNORECASE)
DOES_NOT_LINK = (
    "the prebuilt reference does not link on this machine: it was made on a newer system, or for another"
    " compiler. Your own files are not at fault. Use the system that your course names (Debian 12 or later),"
    " or a container of it; or move prebuilt/ away and work with your own files alone."
)
RIGHT_STORE = "right"
QUIET = "quiet"  # Of framework/quiet: a module that does nothing, where the reference's is not there.


class NotHere(LabError):
    """This machine cannot have what a check needs of the reference: not the student's fault."""


@dataclass(frozen=True)
class WrongStore:
    """A known-wrong store that a fault plan is to find, in a students' repository."""

    name: str
    title: str


def machine() -> str:
    """The kind of machine that objects are for: "linux-x86_64"."""
    return f"{platform.system()}-{platform.machine()}".lower()


def manifest() -> dict[str, Any]:
    """release.json of a students' repository. LabError if it was damaged."""
    try:
        return dict(json.loads(RELEASE.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise LabError(f"{shown(RELEASE)}: {error}; bring it back as it was handed out") from error


def modules() -> list[str]:
    """The modules that a node is made of, by name."""
    if not RELEASED:
        return sorted(path.stem for path in REFERENCE.glob("*.cpp"))
    return list(manifest()["modules"])


def has(lab: Lab) -> bool:
    """Whether the reference can stand in for this lab's file."""
    if not RELEASED:
        return (REFERENCE / lab.file).is_file()
    return lab.has_module and _object(lab.module).is_file()


def is_whole(folder: Path) -> bool:
    """Whether this is the reference itself, which a students' repository has in one piece."""
    return RELEASED and folder.resolve() == REFERENCE.resolve()


def untouched(lab: Lab) -> str | None:
    """The lab's file as students get it; None if there is none to compare with."""
    path = SKELETON / lab.file if RELEASED else REFERENCE / lab.file
    if not lab.has_module or not path.exists():
        return None
    text = path.read_text(encoding="utf-8")
    return text if RELEASED else skeleton_of(text, lab.file)


def filled(own: Mapping[str, Path | None]) -> dict[str, str]:
    """What a node is linked from, by module: a path, "reference" (the framework's archive), or "quiet".
    NotHere if the whole reference is asked for and this machine cannot run it."""
    if not RELEASED:
        return {name: str(path or "reference") for name, path in sorted(own.items())}
    if "store" in own:
        return {"store": str(own["store"])}
    if not any(own.values()):
        return {"store": str(store(RIGHT_STORE))}
    listed = {}
    for name, path in sorted(own.items()):
        alone = "transfer" in own and name in ("replication", "transfer")
        stands_in = _object(f"{name}_alone" if alone else name)
        listed[name] = str(path or (stands_in if stands_in.is_file() else QUIET))
    return listed


def store(name: str) -> Path:
    """A whole store in one piece. NotHere says what to do where there is none for this machine."""
    path = PREBUILT / machine() / "stores" / f"{name}.o"
    if path.is_file():
        return path
    there = sorted(folder.name for folder in PREBUILT.glob("*-*"))
    raise NotHere(
        f"this needs the prebuilt reference, which your course ships for {', '.join(there) or 'no machine'};"
        f" this one is {machine()}.\nRun it on such a machine, or in a container of that kind; what your"
        " instructor grades is graded there, too"
    )


def wrong_store(name: str) -> WrongStore:
    """The wrong store of a plan, as the handout names it. LabError if the release has none of that name."""
    titles = manifest()["wrong_stores"]
    if name not in titles:
        raise LabError(f"{shown(RELEASE)}: wrong_stores: has no {name}; bring it back as it was handed out")
    return WrongStore(name, titles[name])


def does_not_link(words: str) -> bool:
    """Whether a linker's words are about an object of a students' repository that does not fit here."""
    about = [line for line in words.splitlines() if "prebuilt/" in line]
    return RELEASED and bool(about) and _UNFIT.search(words) is not None


def why_not(lab: Lab) -> str:
    """Why the reference does not stand in for a lab's file, and what to do."""
    if not RELEASED:
        return f"{shown(REFERENCE / lab.file)} is missing"
    if not (PREBUILT / machine()).is_dir():
        return f"your course ships no prebuilt reference for this machine ({machine()}); write it yourself"
    return f"your course does not give out lab {lab.number}'s reference, or not yet; write it yourself"


def _object(name: str) -> Path:
    return PREBUILT / machine() / f"{name}.o"
