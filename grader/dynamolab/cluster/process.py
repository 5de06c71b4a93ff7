"""One node's process: its command, its log, and what we did to it."""

from __future__ import annotations

import contextlib
import enum
import hashlib
import os
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

from .crash import with_places
from ..errors import GraderTrouble
from ..sandbox import Sandbox, Slot, Started
from .errors import ClusterTrouble, NodeDied
from .janitor import janitor
from .ports import PortReservation, listening
from .waiting import wait_for

READY_S = 30.0  # From the start of a process to its `ready` line; milliseconds on an idle machine.
MOST_FRAMES = 64  # In a crash report of a node.
GONE_S = 10.0  # From a kill to the end of the process.


class State(enum.Enum):
    DOWN = "down"
    RUNNING = "running"
    PAUSED = "paused"


def program_hash(program: Path) -> str:
    """Names what a program is: another build of another solution has another one."""
    return hashlib.sha256(program.read_bytes()).hexdigest()


def disk_bytes(folder: Path, most_files: int) -> int:
    """What is allocated below a folder, whose owner may remove files meanwhile; as good as endless if
    there are more files."""
    used = found = 0
    for place, folders, files in os.walk(folder):
        found += len(folders) + len(files)
        if found > most_files:
            return MOST_DISK_BYTES + 1
        for name in files:
            with contextlib.suppress(OSError):
                used += os.lstat(os.path.join(place, name)).st_blocks * 512
    return used


def tail_of(log: Path, lines: int) -> list[str]:
    """The last lines of a log; none if there is no log."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - (64 << 10)))
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return []
    return text.splitlines()[-lines:]


MOST_DISK_BYTES = 1 << 30  # In a sandbox; no check needs a hundredth of it.
MOST_FILES = 1000  # There, too; a node has a handful.
DISK_LOOK_S = 0.5


@dataclass(frozen=True)
class ShutIn:
    """What a node in a sandbox is started with. ``dialer``: its end of the socket on which faultnet hands
    connections to it, the same for all its lives."""

    sandbox: Sandbox
    slot: Slot
    dialer: int


@dataclass
class NodeProcess:
    """A real dynamo-node. Its ports are reserved by us, so it comes back where it was."""

    name: str
    program: Path
    folder: Path  # data/, peers.json
    config: Path
    log: Path
    peer_port: PortReservation
    http_port: PortReservation
    recording: Path | None = None  # Each handler is noted down here, for ./lab replay.
    state: State = State.DOWN
    starts: int = 0
    shut_in: ShutIn | None = None  # None: it is started as it is.
    _process: Started | None = field(default=None, repr=False)
    _looked_s: float = 0.0  # When its disk was last looked at.
    _log_start: int = 0  # Where in the log the latest start begins.

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def pid(self) -> int | None:
        return None if self._process is None else self._process.pid

    def spawn(self, *, bootstrap: bool = False) -> None:
        """Starts the process; `wait_ready` then waits until it serves."""
        if self.state is not State.DOWN:
            raise ClusterTrouble(f"{self.name} is {self.state.value}: it cannot be started")
        self.starts += 1
        command = [str(self.program), "--id", self.name, "--data", str(self.data)]
        command += ["--peers", str(self.folder / "peers.json"), "--config", str(self.config)]
        command += ["--record", str(self.recording)] if self.recording is not None else []
        command += ["--die-with-parent"] + (["--bootstrap"] if bootstrap else [])
        with self.log.open("ab") as log:
            log.write(f"--- {self.name}: start {self.starts}\n".encode())
            log.flush()
            self._log_start = log.tell()
            self.peer_port.hand_over()
            self.http_port.hand_over()
            try:
                self._process = self._started(command, log.fileno())
            except (OSError, GraderTrouble) as error:
                raise ClusterTrouble(f"{self.program} cannot be started: {error}") from error
        janitor().owns_process(self._process.process.pid)
        self.state = State.RUNNING

    def _started(self, command: list[str], log: int) -> Started:
        if self.shut_in is None:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                cwd=self.folder,
            )
            return Started(process, process.pid)
        with listening(self.peer_port) as peers, listening(self.http_port) as http:
            sockets = [peers.fileno(), http.fileno(), self.shut_in.dialer]
            return self.shut_in.sandbox.start_node(
                [*command, "--sockets", *map(str, sockets)],
                self.shut_in.slot,
                reads=[self.folder / "peers.json", self.config],
                writes=self._writes(),
                folder=self.data,
                sockets=sockets,
                log=log,
            )

    def _writes(self) -> list[Path]:
        """The slot's own: its disk, and the file that it records in."""
        assert self.shut_in is not None
        self.folder.chmod(0o711)
        for path in (self.folder / "peers.json", self.config):
            path.chmod(0o644)  # Whatever our umask is.
        self.data.mkdir(mode=0o700, exist_ok=True)
        if self.recording is not None:
            self.recording.touch()
        writes = [self.data, *([self.recording] if self.recording is not None else [])]
        for path in writes:
            self.shut_in.slot.give(path)
        return writes

    def _must_keep_to_its_disk(self) -> None:
        """A solution must not fill the disk that others are graded on."""
        if self.shut_in is None or time.monotonic() - self._looked_s < DISK_LOOK_S:
            return
        self._looked_s = time.monotonic()
        used = disk_bytes(self.data, MOST_FILES)
        if used > MOST_DISK_BYTES and self._process is not None:
            self._process.kill()
            raise NodeDied(
                f"expected: {self.name} keeps what the check gives it\nactual: its folder holds"
                f" {used >> 20} MiB; it was ended"
            )

    def wait_ready(self, deadline_s: float = READY_S) -> None:
        """Until it has printed that it serves. NodeDied if it ends before."""
        wait_for(
            lambda: f"ready {self.name} " in self._log_of_this_start(),
            deadline_s,
            f"{self.name} starts and serves",
            watch=self.must_live,
        )

    def must_live(self) -> None:
        """Raises NodeDied, with the end of its log, if the process ended by itself."""
        if self.state is State.DOWN or self._process is None:
            return
        code = self._process.poll()
        if code is None:
            return self._must_keep_to_its_disk()
        self._ended()
        how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"exited with code {code}"
        if code == -signal.SIGSYS:
            how += (
                " (the sandbox's: it made a system call that no module may make, such as for a socket,"
                " another process, or another one's memory)"
            )
        last = "\n".join(f"  {line}" for line in self.last_lines(15))
        words = f"the process of {self.name} {how}, and nobody had stopped it; its last lines:\n{last}"
        if code == 2 and "ready " not in self._log_of_this_start():
            # Its own word for "my arguments, files or ports are wrong": those are ours.
            raise ClusterTrouble(words)
        raise NodeDied(f"expected: {self.name} runs\nactual: {words}")

    def last_lines(self, most: int) -> list[str]:
        """Of its log; where it crashed, in words."""
        before = self.shut_in.sandbox.tool(self.shut_in.slot, self.program) if self.shut_in else []
        return with_places(tail_of(self.log, most + MOST_FRAMES), self.program, before)[-most:]

    def ended_soon(self, within_s: float = 1.0) -> bool:
        """True if it has died, or dies at once: asked when it broke a connection."""
        if self._process is None or self.state is not State.RUNNING:
            return False
        try:
            self._process.wait(within_s)
        except subprocess.TimeoutExpired:
            return False
        return True

    def send(self, number: signal.Signals) -> None:
        if self._process is None or self.state is State.DOWN:
            raise ClusterTrouble(f"{self.name} is down: it cannot be sent {number.name}")
        self.must_live()
        self._process.send(number)

    def kill(self) -> None:
        """kill -9, and waits until the process is gone."""
        self.send(signal.SIGKILL)
        assert self._process is not None
        self._process.kill()
        self._process.wait(GONE_S)
        self._ended()

    def terminate(self, deadline_s: float = GONE_S) -> int:
        """SIGTERM; the exit code. Killed if it does not end by the deadline."""
        if self.state is State.PAUSED:
            self.resume()
        self.send(signal.SIGTERM)
        assert self._process is not None
        try:
            code = self._process.wait(deadline_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
            code = self._process.wait(GONE_S)
        self._ended()
        return code

    def pause(self) -> None:
        """SIGSTOP, and waits until the process really stands still."""
        self.send(signal.SIGSTOP)
        self.state = State.PAUSED
        wait_for(self._stands_still, GONE_S, f"{self.name} stands still")

    def resume(self) -> None:
        self.send(signal.SIGCONT)
        self.state = State.RUNNING

    def wipe(self) -> None:
        """Its disk is lost. Only while it is down."""
        if self.state is not State.DOWN:
            raise ClusterTrouble(f"{self.name} is {self.state.value}: a disk is wiped only while down")
        shutil.rmtree(self.data, ignore_errors=True)

    def close(self) -> None:
        """Ends the process, if there is one, and gives the ports back. Never raises."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        if self._process is not None and self.state is not State.DOWN:
            self._ended()
        self.peer_port.close()
        self.http_port.close()

    def _ended(self) -> None:
        assert self._process is not None
        self.state = State.DOWN
        try:
            janitor().forgets_process(self._process.process.pid)
        except ClusterTrouble:
            pass  # It only knows one number too many; the process is gone.

    def _stands_still(self) -> bool:
        """Linux tells; elsewhere a signal that was sent is a signal that arrived."""
        try:
            stat = Path(f"/proc/{self.pid}/stat").read_text(errors="replace")
        except OSError:
            time.sleep(0.01)
            return True
        return stat.rpartition(")")[2].split()[0] in "Tt"

    def _log_of_this_start(self) -> str:
        with self.log.open("rb") as log:
            log.seek(self._log_start)
            return log.read(1 << 20).decode("utf-8", "replace")
