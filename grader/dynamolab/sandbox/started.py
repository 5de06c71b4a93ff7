"""An untrusted process that has been started: whom to wait for, whom to signal."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import struct
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from dynamolab.errors import GraderTrouble

START_S = 60.0  # Milliseconds on an idle machine.
BY_SIGNAL = 128  # From here on an exit code tells a signal, as shells have it.
BEGUN = b"!"  # What a launcher says when all is well so far.
_CREDENTIALS = struct.Struct("3i")  # pid, uid, gid


@dataclass
class Started:
    """``process`` is our child; ``pid`` the program's process, another one within namespaces."""

    process: subprocess.Popen[bytes]
    pid: int
    wrapped: bool = False

    def poll(self) -> int | None:
        """As Popen.poll; a signal is negative, also of a program within namespaces."""
        return self._told(self.process.poll())

    def wait(self, timeout: float | None = None) -> int:
        """Until the program, and whatever is in its namespaces, is gone. As Popen.wait."""
        code = self._told(self.process.wait(timeout))
        assert code is not None
        return code

    def send(self, number: int) -> None:
        """ProcessLookupError if it is gone."""
        if self.process.poll() is not None:
            raise ProcessLookupError(f"process {self.pid} has ended")
        os.kill(self.pid, number)

    def kill(self) -> None:
        """Ends it, and what stands before it. Harmless when it has ended."""
        with contextlib.suppress(ProcessLookupError):
            self.send(signal.SIGKILL)
        if not self.wrapped:
            return
        try:
            # The namespace ends with its program, everything in it first, and then our child.
            self.process.wait(5.0)
        except subprocess.TimeoutExpired:
            self.process.kill()

    def _told(self, code: int | None) -> int | None:
        if self.wrapped and code is not None and code > BY_SIGNAL:
            return BY_SIGNAL - code
        return code


def start(
    words: Callable[[int], Sequence[str]], descriptors: Sequence[int], log: int, *, wrapped: bool
) -> Started:
    """Starts ``words(fd)``, a launcher's command that tells on ``fd`` who it is (--tell-pid), and waits
    until it has become its program. GraderTrouble if it does not."""
    here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with here:
        here.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        here.settimeout(START_S)
        with there:
            command = list(words(there.fileno()))
            try:
                process = subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                    pass_fds=[*descriptors, there.fileno()],
                    env={"PATH": os.environ.get("PATH", os.defpath)},
                )
            except OSError as error:
                raise GraderTrouble(f"{command[0]} cannot be started: {error}") from error
        pid, trouble = _heard(here)
    if pid is None or trouble:
        process.kill()
        code = process.wait()
        raise GraderTrouble(
            f"the sandbox cannot start it: {trouble or f'{command[0]} ended with code {code}'}"
        )
    return Started(process, pid, wrapped)


def _heard(here: socket.socket) -> tuple[int | None, str]:
    """The process number, as we see it, and what went wrong."""
    pid, trouble = None, ""
    while True:
        try:
            text, control, _, _ = here.recvmsg(512, socket.CMSG_SPACE(_CREDENTIALS.size))
        except TimeoutError:
            return None, f"it did not begin within {START_S:.0f} s"
        if not text:
            return pid, trouble
        if text != BEGUN:
            trouble = text.decode(errors="replace")
        for _, kind, data in control:
            if kind == socket.SCM_CREDENTIALS:
                pid = _CREDENTIALS.unpack(data)[0]
