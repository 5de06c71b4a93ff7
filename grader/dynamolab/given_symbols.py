"""The framework's own functions, and the system's: a solution must not put others in their place.

A linker takes the first definition that it meets, and a solution's objects come before the framework's
archives: a function of the same name would be used by the framework, too, as a disk that keeps nothing."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from dynamolab import processes
from dynamolab.errors import GraderTrouble

NM_DEADLINE_S = 60.0
CACHE = "given-symbols.json"
QUIET = "libquiet.a"
FACTORY = "dynamo::make_"
_FUNCTIONS = ("T", "W", "i")  # nm's letters for what others see.


def replaced(symbols: Sequence[Sequence[str]], framework: Path) -> Iterator[str]:
    """Names, among an object's (rows of ``nm -f sysv``), of functions that take another's place."""
    given = names(framework)
    for name, _, kind, sort, *_ in symbols:
        if sort != "FUNC" or kind not in _FUNCTIONS:
            continue
        if "(" not in name or (kind == "T" and name in given):  # Without arguments: a C function.
            yield name


@functools.cache
def names(framework: Path) -> frozenset[str]:
    """Of a built framework's folder. Looked up once for each build of it."""
    archives = sorted(set((framework / "framework").glob("*.a")) - {framework / "framework" / QUIET})
    stamp = [[str(path), path.stat().st_mtime_ns] for path in archives]
    cache = framework / CACHE
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        known = json.loads(cache.read_text(encoding="utf-8"))
        if known["of"] == stamp:
            return frozenset(known["names"])
    command = [shutil.which("nm") or "nm", "-C", "--defined-only", "-f", "posix", *archives]
    done = processes.run(command, deadline_s=NM_DEADLINE_S)
    if done.code != 0:
        raise GraderTrouble(f"nm failed on the framework's archives:\n{done.out[-500:]}")
    # "dynamo::f(int) T 0 4": the name may have blanks. A module's factory is what a solution has to
    # define; the framework has quiet ones, which are linked only where there is no solution's.
    rows = (line.rsplit(" ", 3) for line in done.out.splitlines())
    given = {row[0] for row in rows if len(row) == 4 and row[1] == "T"}
    found = sorted(name for name in given if not name.startswith(FACTORY))
    with contextlib.suppress(OSError):
        part = cache.with_suffix(f".{os.getpid()}")
        part.write_text(json.dumps({"of": stamp, "names": found}), encoding="utf-8")
        part.replace(cache)
    return frozenset(found)
