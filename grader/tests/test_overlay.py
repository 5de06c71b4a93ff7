"""What students must not see may lie in a private repository, laid over the checkout by one setting."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from dynamolab import processes
from dynamolab.build import Framework
from dynamolab.paths import OVERLAY_FILE, OVERLAY_SETTING, PACKAGE, REFERENCE, ROOT

SHOW = "from dynamolab import paths as p; print(p.REFERENCE, p.HIDDEN, p.MUTANTS, p.RIGHT, sep='\\n')"
DEADLINE_S = 60


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """As much of one as paths.py needs."""
    package = tmp_path / "checkout" / "grader" / "dynamolab"
    package.mkdir(parents=True)
    for name in ("__init__.py", "paths.py"):
        shutil.copy(PACKAGE / name, package / name)
    return tmp_path / "checkout"


def places(checkout: Path, **env: str) -> list[Path]:
    environment = {**os.environ, "PYTHONPATH": str(checkout / "grader"), **env}
    command = [sys.executable, "-P", "-c", SHOW]
    told = subprocess.run(
        command, env=environment, capture_output=True, text=True, check=True, timeout=DEADLINE_S
    )
    return [Path(line) for line in told.stdout.splitlines()]


def test_overlay_has_what_it_has_and_the_checkout_the_rest(checkout: Path, tmp_path: Path) -> None:
    here = [checkout / name for name in ("reference", "grader/hidden", "grader/mutants", "grader/right")]
    assert places(checkout) == here
    private = tmp_path / "private"
    (private / "reference").mkdir(parents=True)
    (private / "grader" / "hidden").mkdir(parents=True)
    laid = [private / "reference", private / "grader" / "hidden", *here[2:]]
    assert places(checkout, DYNAMO_OVERLAY=str(private)) == laid
    (checkout / OVERLAY_FILE.name).write_text("../private\n")
    assert places(checkout) == laid


def test_reference_of_the_overlay_is_the_one_that_is_used(
    tmp_path: Path, lab_command: Callable[..., processes.Completed]
) -> None:
    private = shutil.copytree(REFERENCE, tmp_path / "private" / "reference")
    setting = {OVERLAY_SETTING: str(tmp_path / "private")}
    assert lab_command("skeleton", "--check", **setting).code == 0
    text = (private / "ring.cpp").read_text(encoding="utf-8")
    (private / "ring.cpp").write_text(f"// Another one.\n{text}", encoding="utf-8")
    assert "+// Another one." in lab_command("skeleton", "--check", **setting).out


def test_overlay_that_is_not_there_is_told(
    tmp_path: Path, lab_command: Callable[..., processes.Completed]
) -> None:
    done = lab_command("list", "1", **{OVERLAY_SETTING: str(tmp_path / "absent")})
    assert done.code == 2 and "absent: there is no such folder to lay over" in done.out


def test_framework_built_with_another_reference_is_configured_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    framework = Framework("release", 1)
    assert framework._has_this_reference()
    monkeypatch.setattr("dynamolab.build.REFERENCE", ROOT / "elsewhere")
    assert not framework._has_this_reference()
