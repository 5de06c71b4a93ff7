"""Which grader gave a verdict: its version, a hash of its sources, and of what decides each check.

Two results can be compared check by check: where the hashes are equal, only the solution (or its luck with
real processes) can have changed a verdict."""

from __future__ import annotations

import functools
import hashlib
import json
import re
from collections.abc import Iterable
from pathlib import Path

from dynamolab.labs import Check, Lab
from dynamolab.paths import LABS, ROOT

VERSION = "1.0"
HASH_DIGITS = 12

# What runs checks and judges them; not what reports of them.
_GRADER = (
    *("framework/core", "framework/node", "framework/net", "framework/storage", "framework/host"),
    *("grader/sim", "grader/faultnet", "grader/dynamolab/cluster"),
)
_SUFFIXES = (".h", ".cpp", ".py")
_INCLUDED = re.compile(r'^#include "([^"]+)"', re.MULTILINE)
_DECIDES = ("id", "kind", "needs", "wrong", "mixed", "bounded")


def _hash(files: Iterable[Path], more: str = "") -> str:
    """Of names and contents, so that a file that was moved counts as changed."""
    digest = hashlib.sha256(more.encode())
    for path in sorted(set(files)):
        digest.update(f"\0{path.relative_to(ROOT)}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:HASH_DIGITS]


@functools.cache
def grader() -> dict[str, str]:
    """{"version": "1.0", "sources": "3f2a…"}; of this checkout."""
    files = [path for folder in _GRADER for path in (ROOT / folder).rglob("*") if path.suffix in _SUFFIXES]
    return {"version": VERSION, "sources": _hash(files)}


@functools.cache
def _texts(folder: Path) -> dict[Path, str]:
    return {
        path: path.read_text(encoding="utf-8")
        for path in sorted(folder.iterdir())
        if path.suffix in _SUFFIXES
    }


def _with_headers(path: Path, text: str) -> set[Path]:
    """A file, and the headers of the labs that it draws in."""
    found = {path}
    waiting = [(path.parent, text)]
    while waiting:
        folder, words = waiting.pop()
        for name in _INCLUDED.findall(words):
            header = next((p for p in (folder / name, LABS / name) if p.is_file()), None)
            if header is not None and header not in found:
                found.add(header)
                waiting.append((header.parent, header.read_text(encoding="utf-8")))
    return found


def of_check(lab: Lab, check: Check) -> str:
    """Of the files of the lab that the check is written in, and of what lab.json says of how it is judged.
    Its title, points and hints may change without another verdict. A hidden check is written where the one
    is that it widens."""
    written_as = check.hidden.widens if check.hidden else check.id
    name = re.compile(rf"\b{re.escape(written_as.partition('.')[2])}\b")
    suffix = ".py" if check.kind == "cluster" else ".cpp"
    files: set[Path] = set()
    for path, text in _texts(lab.folder).items():
        quoted = f'"{check.id}"' in text  # pytest.mark.check("membership.…")
        if path.suffix == suffix and (quoted or name.search(text)):
            files |= _with_headers(path, text) if suffix == ".cpp" else {path}
    decides = {key: getattr(check, key) for key in _DECIDES}
    if check.hidden:
        decides |= {"seeds": check.hidden.seeds, "scope": dict(check.hidden.scope)}
    return _hash(files, json.dumps(decides, sort_keys=True))
