"""Nothing stays behind, however a run ends: no process, no folder."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from dynamolab.paths import PACKAGE
from real_nodes import Programs, processes_that_mention, programs, soon

__all__ = ["programs"]

linux = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")

CHECKS = """
import os, time
from pathlib import Path
import pytest

@pytest.mark.check("m.{name}")
def test_{name}(make_cluster):
    cluster = make_cluster(3)
    cluster.form()
    cluster.pause("n2")
    Path(os.environ["MARK"], "{name}").touch()
    time.sleep({sleep})
"""


def start_checks(tmp_path: Path, programs: Programs, sleep_s: float) -> subprocess.Popen[bytes]:
    """Two checks side by side, each with a cluster that has a paused node, up and waiting."""
    for name in ["one", "two"]:
        body = CHECKS.format(name=name, sleep=sleep_s)
        (tmp_path / f"test_{name}.py").write_text(body, encoding="utf-8")
    (tmp_path / "tmp").mkdir()
    command = [sys.executable, "-m", "pytest", "-q", "-n", "2", "-p", "dynamolab.cluster.plugin"]
    command += ["-p", "no:cacheprovider", "-c", str(PACKAGE / "pytest.ini"), str(tmp_path)]
    command += ["--rootdir", str(tmp_path), "--node", str(programs.node)]
    command += ["--faultnet", str(programs.faultnet)]
    environment = {"PYTHONPATH": str(PACKAGE.parent), "PATH": "/usr/bin:/bin"}
    environment |= {"TMPDIR": str(tmp_path / "tmp"), "MARK": str(tmp_path)}
    running = subprocess.Popen(
        command,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    up = soon(lambda: (tmp_path / "one").exists() and (tmp_path / "two").exists(), 60)
    if not up:
        os.killpg(running.pid, signal.SIGKILL)
    assert up, "the checks did not start"
    return running


def expect_nothing_left(tmp_path: Path) -> None:
    room = tmp_path / "tmp"
    assert soon(lambda: not processes_that_mention(str(room))), processes_that_mention(str(room))
    assert soon(lambda: not list(room.glob("dynamo-*"))), list(room.iterdir())


@linux
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_pytest_is_ended_by_a_signal(
    tmp_path: Path, programs: Programs, number: signal.Signals
) -> None:
    running = start_checks(tmp_path, programs, sleep_s=3600)
    assert len(processes_that_mention(str(tmp_path / "tmp"))) >= 8, "6 nodes and 2 faultnets"
    running.send_signal(number)
    running.wait(60)
    expect_nothing_left(tmp_path)


@linux
def test_checks_end_by_themselves(tmp_path: Path, programs: Programs) -> None:
    running = start_checks(tmp_path, programs, sleep_s=0)
    assert running.wait(60) == 0
    expect_nothing_left(tmp_path)
    assert processes_that_mention("reaper.py") == [] or soon(
        lambda: not [p for p in processes_that_mention("reaper.py") if str(tmp_path) in p]
    )
