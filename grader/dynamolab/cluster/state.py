"""The state file of `./lab cluster`: who runs, and how to reach it. Stale ones are recognised."""

from __future__ import annotations

import contextlib
import json
import os
import socket
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ..errors import LabError
from ..paths import ROOT, shown
from .errors import ClusterTrouble
from .words import listed

# Of the cluster in the background. DYNAMO_CLUSTER=DIR names another, for a second cluster beside it.
FOLDER = Path(os.environ.get("DYNAMO_CLUSTER") or ROOT / ".cluster").absolute()
STATE_FILE = "state.json"
ANSWER_S = 90.0  # A restart waits for the node to serve.


@dataclass(frozen=True)
class Running:
    """A cluster in the background."""

    pid: int
    control: str  # Path of its Unix socket.
    solution: str
    nodes: dict[str, str]  # Name → HTTP address.
    reference: list[str] = field(default_factory=list)  # The nodes that run the reference instead.

    def runs(self, name: str) -> str:
        """What this node runs."""
        return "reference" if name in self.reference else self.solution

    def words(self) -> str:
        """What runs where: "solution skeleton; n4 and n5: reference"."""
        mixed = f"; {listed(self.reference)}: reference" if self.reference else ""
        return f"solution {self.solution}{mixed}"


def write_state(path: Path, running: Running) -> None:
    part = path.with_name(path.name + ".part")
    part.write_text(json.dumps(asdict(running), indent=1) + "\n", encoding="utf-8")
    part.replace(path)


def find_running(folder: Path = FOLDER) -> Running | None:
    """The cluster of this folder if it really runs. A state file that a crash or a reboot has left
    says nothing: only an answer does."""
    running = read_state(folder / STATE_FILE)
    if running is None:
        return None
    with contextlib.suppress(OSError, ValueError), _connected(running) as connection:
        if "nodes" in _asked(connection, {"act": "status"}):
            return running
    return None


def read_state(path: Path) -> Running | None:
    try:
        return Running(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def need_running(folder: Path = FOLDER) -> Running:
    running = find_running(folder)
    if running is None:
        raise LabError("no cluster is running here; start one with ./lab cluster up")
    return running


def ask(running: Running, act: str, names: list[str] | None = None, **fields: Any) -> dict[str, Any]:
    """One command to the cluster; its answer. LabError with its words if it refuses."""
    try:
        with _connected(running) as connection:
            answer = _asked(connection, {"act": act, "names": names or [], **fields})
    except (OSError, ValueError) as error:
        raise ClusterTrouble(
            f"the cluster (process {running.pid}) gave no answer: {error}; "
            f"{shown(FOLDER / 'background.log')} may say why"
        ) from error
    if "error" in answer:
        raise LabError(str(answer["error"]))
    return answer


def _connected(running: Running) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(ANSWER_S)
    try:
        connection.connect(running.control)
    except OSError:
        connection.close()
        raise
    return connection


def _asked(connection: socket.socket, request: dict[str, Any]) -> dict[str, Any]:
    connection.sendall(json.dumps(request).encode() + b"\n")
    with connection.makefile("rb") as lines:
        answer = json.loads(lines.readline())
    if not isinstance(answer, dict):
        raise ValueError("the answer is no object")
    return answer


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return True
