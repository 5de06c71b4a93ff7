"""Server processes of a store, with their ports and folder: owned as one, and gone as one."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, ClassVar, Self

from dynamolab import processes
from dynamolab.cluster import ClusterTrouble, NodeSilent, wait_for
from dynamolab.cluster.janitor import janitor
from dynamolab.cluster.ports import PortReservation, reserve_ports
from dynamolab.cluster.process import tail_of
from dynamolab.errors import GraderTrouble

READY_S = 60.0  # Until a system serves; a second or two on an idle machine.
REST_S = 30.0  # For what a load has left behind to be done.
REST_LOOK_S = 0.3
REST_SHARE = 0.1  # Of a core: what heartbeats take at most.
TMPFS = Path("/dev/shm")


def file_system_of(folder: Path, mounts: Path = Path("/proc/mounts")) -> str:
    """Its type, "ext4" or "tmpfs"; empty where the system does not tell."""
    best, kind = -1, ""
    with contextlib.suppress(OSError):
        for line in mounts.read_text(encoding="utf-8", errors="replace").splitlines():
            _, point, of_kind, *_ = line.split(" ")
            if folder.resolve().is_relative_to(point) and len(point) >= best:
                best, kind = len(point), of_kind
    return kind


def cpu_seconds(pid: int) -> float:
    """What a process has used of the cores until now; 0 where the system does not tell."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    except (OSError, IndexError, ValueError):
        return 0.0


@contextlib.contextmanager
def _owned(command: Sequence[str | Path], out: IO[bytes], cwd: Path) -> Iterator[processes.Child]:
    """A process that ends with the block; and, if this process is killed, by the janitor."""
    with processes.start(command, stdout=out, stderr=out, cwd=cwd) as child:
        janitor().owns_process(child.process.pid)
        yield child
    with contextlib.suppress(ClusterTrouble):
        janitor().forgets_process(child.process.pid)


class System:
    """A store on this machine. A context manager: inside it serves, outside nothing of it is left."""

    name: ClassVar[str]
    dialect: ClassVar[str]  # What store-load calls it.
    needs: ClassVar[tuple[str, str]] = ("", "")  # A program on PATH, and Debian's package with it.

    def __init__(self, size: int, folder: Path, durable: bool) -> None:
        """`folder`: where the data goes, in a new folder that is removed again."""
        self.size = size
        self.durable = durable
        self.targets: list[str] = []
        self._parent = folder
        self._open = contextlib.ExitStack()
        self._servers: list[tuple[processes.Child, Path]] = []

    @classmethod
    def missing(cls) -> str:
        """Why there is no such system here; empty if there is."""
        program, package = cls.needs
        if not program or shutil.which(program):
            return ""
        return f"{program} is not installed: apt-get install {package}"

    @property
    def promise(self) -> str:
        """What an acknowledged put, and a get, can be relied on for."""
        raise NotImplementedError

    @property
    def arguments(self) -> list[str]:
        """For store-load, beside the targets."""
        return []

    def start(self) -> None:
        """Starts the servers, and returns when they serve. Sets `targets`."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        try:
            self._parent.mkdir(parents=True, exist_ok=True)
            self.folder = Path(tempfile.mkdtemp(prefix="dynamo-stores-", dir=self._parent))
            janitor().owns_folder(self.folder)
            self._open.callback(self._remove)
            self.start()
        except BaseException as error:
            words = self._last_words()
            self._open.close()
            if isinstance(error, (AssertionError, OSError)):
                raise GraderTrouble(f"{self.name} does not start: {error}\n{words}") from error
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._open.close()

    def _remove(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
        with contextlib.suppress(ClusterTrouble):
            janitor().forgets_folder(self.folder)

    # For those who know one system.

    def reserve(self, count: int) -> list[PortReservation]:
        held = reserve_ports(count)
        for reservation in held:
            self._open.callback(reservation.close)
        return held

    def spawn(
        self, name: str, command: Sequence[str | Path], ports: Sequence[PortReservation]
    ) -> None:
        """One server; its words go to a log in the folder."""
        log = self.folder / f"{name}.log"
        for port in ports:
            port.hand_over()
        with log.open("ab") as out:
            child = self._open.enter_context(_owned(command, out, self.folder))
        self._servers.append((child, log))

    def wait(self, label: str, probe: Callable[[], object]) -> None:
        """Until `probe` is true. A server that does not answer yet is asked again."""

        def look() -> object:
            try:
                return probe()
            except (OSError, ClusterTrouble) as error:
                raise NodeSilent(str(error)) from error

        wait_for(look, READY_S, f"{self.name}: {label}", watch=self.must_live)

    def must_live(self) -> None:
        """GraderTrouble if a server has ended by itself."""
        for child, log in self._servers:
            if not child.running():
                words = "\n".join(f"  {line}" for line in tail_of(log, 10))
                raise GraderTrouble(f"{self.name}: {log.stem} has ended by itself:\n{words}")

    def _last_words(self) -> str:
        return "\n".join(
            f"  {log.stem}: {line}" for _, log in self._servers for line in tail_of(log, 3)
        )

    # While it serves.

    def cpu_seconds(self) -> float:
        """Of all its servers together."""
        return sum(cpu_seconds(child.process.pid) for child, _ in self._servers)

    def rest(self) -> None:
        """Until its servers are idle: what a load has left to be done (copies that follow later,
        compaction) must not be paid by whoever is measured next."""

        def busy() -> float:
            before = self.cpu_seconds()
            time.sleep(REST_LOOK_S)
            return (self.cpu_seconds() - before) / REST_LOOK_S

        with contextlib.suppress(AssertionError):  # It never rests: then that is part of it.
            wait_for(
                busy, REST_S, "rest", accept=lambda share: share < REST_SHARE, watch=self.must_live
            )
