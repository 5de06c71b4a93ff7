"""Nothing that we start outlives us."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dynamolab import processes
from dynamolab.paths import ROOT

DEADLINE_S = 20.0


def gone(pid: int) -> bool:
    """Soon: a kill takes a moment on a busy machine."""
    until = time.monotonic() + DEADLINE_S
    while time.monotonic() < until:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        status = Path(f"/proc/{pid}/stat")
        if status.exists() and status.read_text().rpartition(")")[2].split()[0] == "Z":
            return True
        time.sleep(0.01)
    return False


def wait_for_line(path: Path) -> str:
    until = time.monotonic() + DEADLINE_S
    while time.monotonic() < until:
        if path.exists() and (text := path.read_text()).endswith("\n"):
            return text.strip()
        time.sleep(0.01)
    raise AssertionError(f"{path} was not written within {DEADLINE_S} s")


def test_output_and_code() -> None:
    done = processes.run(["sh", "-c", "echo out; echo err >&2; exit 3"], deadline_s=DEADLINE_S)
    assert (done.code, done.out, done.timed_out) == (3, "out\nerr\n", False)


def test_deadline_kills_the_whole_group(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    began = time.monotonic()
    done = processes.run(["sh", "-c", f"sleep 600 & echo $! > {pid_file}; wait"], deadline_s=0.5)
    assert done.timed_out
    assert time.monotonic() - began < DEADLINE_S
    assert gone(int(pid_file.read_text()))



def test_a_command_that_falls_silent_is_given_up_and_one_that_speaks_is_not() -> None:
    silent = processes.run(["sh", "-c", "echo a; sleep 600"], deadline_s=600, silence_s=0.5)
    assert silent.timed_out
    assert silent.out == "a\n"
    words = "i=0; while [ $i -lt 30 ]; do echo a; sleep 0.1; i=$((i + 1)); done"
    speaks = processes.run(["sh", "-c", words], deadline_s=DEADLINE_S, silence_s=2.0)
    assert not speaks.timed_out
    assert speaks.seconds > 2.0


def test_group_goes_with_its_block(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    with processes.start(["sh", "-c", f"sleep 600 & echo $! > {pid_file}; wait"]):
        pid = int(wait_for_line(pid_file))
    assert gone(pid)


def test_lines_arrive_as_they_are_written() -> None:
    lines: list[str] = []
    processes.run(["printf", "a\\nb\\n"], deadline_s=DEADLINE_S, on_line=lines.append)
    assert lines == ["a", "b"]


@pytest.mark.parametrize("words", ["sleep 600 & exit 4", "setsid sleep 5 & exit 4"])
def test_daemon_that_holds_the_pipe_is_not_waited_for(words: str) -> None:
    done = processes.run(["sh", "-c", f"echo said; {words}"], deadline_s=DEADLINE_S)
    assert (done.code, done.out, done.timed_out) == (4, "said\n", False)
    assert done.seconds < 4


def test_much_output_without_a_newline_at_its_end_arrives_whole() -> None:
    lines: list[str] = []
    words = ["sh", "-c", "seq 100000; printf end"]
    done = processes.run(words, deadline_s=DEADLINE_S, on_line=lines.append)
    assert len(lines) == 100001 and lines[-1] == "end"
    assert done.out.splitlines() == lines


def test_missing_program_raises() -> None:
    with pytest.raises(FileNotFoundError):
        processes.run(["no-such-program"], deadline_s=DEADLINE_S)


SCRIPT = """
import subprocess, sys
from dynamolab import cli, processes
class Module:
    @staticmethod
    def add(parser): pass
    @staticmethod
    def run(arguments):
        # A child that starts a session of its own below one that ends at once.
        detached = "import os,time;os.setsid();open(%r,'w').write(str(os.getpid())+chr(10));time.sleep(600)"
        child = f"import subprocess,sys;subprocess.Popen([sys.executable,'-c',{detached!r}])"
        subprocess.Popen([sys.executable, "-c", child])
        processes.run(["sleep", "600"], deadline_s=600)
sys.modules["hanging"] = Module
cli.COMMANDS = (cli.Command("hang", "hanging", "h", "e"),)
sys.exit(cli.main(["hang"]))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_interrupted_command_takes_detached_grandchildren_along(
    tmp_path: Path, number: int, code: int
) -> None:
    pid_file = tmp_path / "pid"
    command = [sys.executable, "-c", SCRIPT % str(pid_file)]
    with subprocess.Popen(
        command, env={**os.environ, "PYTHONPATH": str(ROOT / "grader")}
    ) as process:
        grandchild = int(wait_for_line(pid_file))
        process.send_signal(number)
        assert process.wait(DEADLINE_S) == code
    assert gone(grandchild)
