"""The programs that tests with real processes need: a node of the reference, and faultnet."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from dynamolab import build, processes

GONE_S = 20.0


@dataclass(frozen=True)
class Programs:
    """Where they are."""

    node: Path
    faultnet: Path
    replay_recordings: Path


@pytest.fixture(scope="session")
def programs() -> Programs:
    """Built if need be; DYNAMO_TEST_BUILD names another build folder, which is taken as it is."""
    if given := os.environ.get("DYNAMO_TEST_BUILD"):
        folder = Path(given)
    else:
        framework = build.Framework("release", len(processes.cpus()))
        framework.build(["reference-node", "faultnet", "replay-recordings"])
        folder = framework.folder
    return Programs(
        folder / "reference" / "reference-node",
        folder / "grader" / "faultnet" / "faultnet",
        folder / "grader" / "sim" / "replay-recordings",
    )


def processes_that_mention(text: str) -> list[str]:
    """Command lines of live processes; one that ended and waits for its parent has none."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            line = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
        except OSError:
            continue
        if text in line and int(folder.name) != os.getpid():
            found.append(line)
    return found


def soon(condition: Callable[[], object], deadline_s: float = GONE_S) -> bool:
    """True as soon as the condition holds; False at the deadline."""
    until = time.monotonic() + deadline_s
    while not condition():
        if time.monotonic() > until:
            return False
        time.sleep(0.02)
    return True
