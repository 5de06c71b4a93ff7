"""What this machine allows: tier A, tier B, or nothing, and why."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from dynamolab.errors import LabError
from dynamolab.paths import REFERENCE, ROOT

from .sandbox import Limits, Sandbox, Tier, View, joined, libraries
from .slots import SLOTS, Slot, uid_of

TRIAL_S = 30.0
NAMES = ("auto", "a", "b", "off")
_OFF = "or say --sandbox off: then whatever is handed in can do here what you can"


def choose(word: str, launcher: Path) -> Sandbox | None:
    """The sandbox that ``word`` asks for; None for "off". ``launcher``: the program, built; it may be
    missing. LabError if the machine does not allow it, with what to do about it: it is never less than
    what was asked for."""
    if word == "off":
        return None
    if sys.platform != "linux":
        raise LabError(f"--sandbox {word}: there is one on Linux alone; grade in a container, {_OFF}")
    if not launcher.exists():
        raise LabError(
            f"--sandbox {word}: {launcher.name} is not built, since libseccomp was not there."
            f"\nRun apt-get install libseccomp-dev bubblewrap, then ./lab setup; {_OFF}"
        )
    problems = []
    for tier in (Tier.A, Tier.B):
        if word not in ("auto", tier.value):
            continue
        sandbox, problem = _tried(tier, launcher)
        if sandbox is not None:
            why = "; ".join(line.strip() for line in problems)
            return replace(sandbox, words=sandbox.words + (f" (not {why})" if why else ""))
        problems.append(f"  tier {tier.value.upper()}: {problem}")
    listed = "\n".join(problems)
    raise LabError(f"--sandbox {word}: this machine does not allow it:\n{listed}\nMend that, {_OFF}")


def _tried(tier: Tier, launcher: Path) -> tuple[Sandbox | None, str]:
    if tier is Tier.A and shutil.which("bwrap") is None:
        return None, "bwrap is not installed (apt-get install bubblewrap)"
    root = os.geteuid() == 0
    version = _landlock(launcher)
    secrets = [folder for folder in (ROOT / "grader", REFERENCE) if folder.exists()]
    if tier is Tier.B and version == 0 and not (root and all(map(unreachable, secrets))):
        return None, (
            "the kernel has no Landlock (5.13 or newer, with landlock among its LSMs). Without it only"
            " file permissions keep a solution out: run it as root, and"
            f" chmod 700 {' '.join(map(str, secrets))}"
        )
    if tier is Tier.B and root and (shut := unreachable(ROOT)):
        return None, f"{shut} is closed to other users, and so to the solution: chmod o+x {shut}"
    sandbox = Sandbox(tier, launcher, _words(tier, root, version), landlock=version > 0)
    problem = _trial(sandbox)
    return (None, problem) if problem else (sandbox, "")


def _words(tier: Tier, root: bool, landlock: int) -> str:
    user = "a user of its own for each slot" if root else "your own user"
    if tier is Tier.A:
        return f"tier A: bubblewrap (namespaces, no network), seccomp, {user}"
    files = f"Landlock {landlock}" if landlock else "file permissions alone (no Landlock: /tmp is shared)"
    return f"tier B: seccomp, {files}, {user}, sockets handed in"


def _landlock(launcher: Path) -> int:
    try:
        done = subprocess.run(
            [launcher, "--landlock-version", "true"], capture_output=True, text=True, timeout=TRIAL_S
        )
        return int(done.stdout)
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return 0


def unreachable(path: Path) -> Path | None:
    """A folder on the way that other users cannot go through; None if they can reach it."""
    for folder in (path, *path.parents):
        if folder.is_dir() and not folder.stat().st_mode & stat.S_IXOTH:
            return folder
    return None


def _trial(sandbox: Sandbox) -> str:
    """Starts something harmless in it. What went wrong; empty if nothing did."""
    true = Path(shutil.which("true") or "/bin/true").resolve()
    view = joined(libraries(), View(run=[true]))
    slot = Slot(uid_of(SLOTS - 1) if sandbox.own_users else None)
    command = sandbox.before("host", slot, view, Limits(files=64))
    try:
        done = subprocess.run(
            [*command, true], capture_output=True, text=True, timeout=TRIAL_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    return "" if done.returncode == 0 else (done.stderr.strip() or f"exit code {done.returncode}")
