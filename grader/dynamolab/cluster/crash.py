"""Where a node's process crashed: the raw frames of its log as file, line and function."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from ..paths import ROOT

DEADLINE_S = 10.0
MOST_PLACES = 4

_FRAME = re.compile(r"^(?P<program>\S*)\((?:\S+)?\+0x(?P<offset>[0-9a-f]+)\)\s*\[0x[0-9a-f]+\]$")
_ARGUMENTS = re.compile(r"[({].*")


def with_places(
    lines: Sequence[str], program: Path, before: Sequence[str] = ()
) -> list[str]:
    """The lines of a log; a row of frames (framework/host/crash.h prints them) becomes the places in
    the solution's own files that they stand for. Frames that nobody can read stay out; all lines
    stay as they are where there is no addr2line. ``before``: what that is started behind, where the
    program may be hostile."""
    told: list[str] = []
    frames: list[str] = []
    for line in [*lines, ""]:
        if match := _FRAME.match(line.strip()):
            if Path(match["program"]).name == program.name:
                frames.append(match["offset"])
            continue
        if frames:
            told += [f"  where: {place}" for place in _places(program, frames, before)] or [
                f"  {len(frames)} frames, none of them in a file of the solution"
            ]
            frames = []
        told.append(line)
    return told[:-1]


def _addr2line() -> str:
    return shutil.which("addr2line") or "addr2line"


def _places(program: Path, offsets: Sequence[str], before: Sequence[str]) -> list[str]:
    """ "membership.cpp:41, in GossipMembership::add", the innermost first; of functions of the solution."""
    # A frame is where its function goes on: the call stands just before.
    addresses = [hex(int(offset, 16) - 1) for offset in offsets]
    try:
        done = subprocess.run(
            [*before, _addr2line(), "-e", str(program), "-f", "-C", "-i", *addresses],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=DEADLINE_S,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.TimeoutExpired):
        return []
    lines = done.stdout.splitlines()
    places: list[str] = []
    for function, where in zip(lines[::2], lines[1::2], strict=False):
        file, _, line = where.partition(" ")[0].rpartition(":")
        if line.isdigit() and _is_the_solutions(Path(file)):
            places.append(f"{Path(file).name}:{line}, in {_shortened(function)}")
    return list(dict.fromkeys(places))[:MOST_PLACES]


def _is_the_solutions(file: Path) -> bool:
    """Paths in a program may be relative to where it was compiled: two names tell ours."""
    return file.suffix == ".cpp" and not (ROOT / "framework" / file.parent.name / file.name).exists()


def _shortened(function: str) -> str:
    for part in ("dynamo::", "(anonymous namespace)::"):
        function = function.replace(part, "")
    inside = ", in a lambda" if "{lambda" in function else ""
    return _ARGUMENTS.sub("", function) + inside
