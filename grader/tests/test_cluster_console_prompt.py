"""The console at a prompt, driven through a terminal: keys go in, what a person would see comes out."""

from __future__ import annotations

import os
import pty
import re
import select
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from dynamolab.paths import PACKAGE

DEADLINE_S = 60.0
CTRL_C, CTRL_D, TAB, ENTER, UP = "\x03", "\x04", "\t", "\r", "\x1b[A"
WHERE_IS_THE_CURSOR, HERE = "\x1b[6n", "\x1b[1;1R"
STYLE = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]|\x1b[=>]|\x1b\][^\x07]*\x07")

# No node answers at this address: what a command says of that is enough to see that it ran.
CONSOLE = """
import sys
from dynamolab.cluster.console import run
sys.exit(run({"n1": "127.0.0.1:1"}, None))
"""


class Terminal:
    """A program in a terminal of its own. It answers where the cursor is, as terminals do."""

    def __init__(self, home: Path) -> None:
        self._master, slave = pty.openpty()
        termios.tcsetwinsize(slave, (24, 80))
        environment = {
            **os.environ,
            "PYTHONPATH": str(PACKAGE.parent),
            "XDG_STATE_HOME": str(home),
            "TERM": "xterm",
        }
        self.process = subprocess.Popen(
            [sys.executable, "-c", CONSOLE],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env=environment,
            start_new_session=True,
        )
        os.close(slave)
        self._shown = ""

    def type(self, keys: str) -> None:
        os.write(self._master, keys.encode())

    def wait_for(self, text: str) -> str:
        """What is shown from here on up to this text, without colours; later calls look behind it."""
        until = time.monotonic() + DEADLINE_S
        while True:
            plain = STYLE.sub("", self._shown)
            if text in plain:
                seen, _, self._shown = plain.partition(text)
                return seen
            assert time.monotonic() < until, f"{text!r} did not come; there is {plain[-500:]!r}"
            self._read()

    def end(self) -> int:
        """The exit code. What is still written is read, or it could not end."""
        until = time.monotonic() + DEADLINE_S
        while self.process.poll() is None:
            assert time.monotonic() < until, "it does not end"
            self._read()
        return self.process.returncode

    def close(self) -> None:
        self.process.kill()
        self.process.wait(DEADLINE_S)
        os.close(self._master)

    def _read(self) -> None:
        ready, _, _ = select.select([self._master], [], [], 0.1)
        if not ready:
            return
        try:
            text = os.read(self._master, 65536).decode("utf-8", "replace")
        except OSError:  # The other side is closed.
            return
        for _ in range(text.count(WHERE_IS_THE_CURSOR)):
            self.type(HERE)
        self._shown += text


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    pytest.importorskip("prompt_toolkit")
    made = Terminal(tmp_path)
    yield made
    made.close()


def test_keys_do_at_the_prompt_what_they_do_in_a_shell(terminal: Terminal, tmp_path: Path) -> None:
    terminal.wait_for("Type help for the commands.")
    terminal.wait_for("cluster>")
    terminal.type("memb")
    terminal.wait_for("members")  # offered below the line
    terminal.type(TAB + ENTER)
    terminal.wait_for("error: no node answers")
    terminal.wait_for("cluster>")
    terminal.type("nonsense")
    terminal.wait_for("nonsense")
    terminal.type(CTRL_C)
    assert "there is no command" not in terminal.wait_for("cluster>"), "Ctrl-C drops the line"
    terminal.type(UP + ENTER)
    terminal.wait_for("error: no node answers")
    terminal.wait_for("cluster>")
    terminal.type(CTRL_D)
    assert terminal.end() == 0
    history = (tmp_path / "dynamo-labs" / "console-history").read_text(encoding="utf-8")
    assert "+members" in history and "nonsense" not in history


def test_quit_ends_it_too(terminal: Terminal) -> None:
    terminal.wait_for("cluster>")
    terminal.type("quit" + ENTER)
    assert terminal.end() == 0
