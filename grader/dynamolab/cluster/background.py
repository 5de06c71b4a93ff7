"""The process behind `./lab cluster up`: owns a cluster until it is told to end.

Run as `python -m dynamolab.cluster.background SETTINGS.json`. It leaves its parent, starts the cluster,
says `ready` or `error: …` on standard output, and then serves one JSON line a connection on a Unix
socket. The cluster dies with it; it ends by itself when its folder is removed.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import sys
import tempfile
import time
import traceback
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from .cluster import Cluster
from .errors import ClusterTrouble, NodeDied
from .janitor import close_janitor, janitor
from .process import State
from .state import STATE_FILE, Running, write_state

TICK_S = 0.2
REQUEST_LIMIT_BYTES = 1 << 16


@dataclass(frozen=True)
class Settings:
    """What `up` asks for."""

    folder: str
    node: str
    faultnet: str
    size: int
    seed: int = 1
    solution: str = ""
    http_ports: list[int] = field(default_factory=list)
    config: dict[str, Any] = field(default_factory=dict)
    reference: list[str] = field(default_factory=list)  # Nodes that run reference_node, not node.
    reference_node: str = ""

    def to_json(self) -> str:
        return json.dumps(asdict(self))


class Service:
    """Carries out what `./lab cluster …` asks for, one request at a time."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self.ending = False

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        act, names = str(request.get("act")), [str(name) for name in request.get("names", [])]
        try:
            done = self._carry_out(act, names, [str(name) for name in request.get("peers", [])])
        except (ClusterTrouble, AssertionError) as error:
            return {"error": str(error)}
        return {"done": True, **(done or {})}

    def _carry_out(self, act: str, names: list[str], peers: list[str]) -> dict[str, Any] | None:
        cluster = self._cluster
        for name in [*names, *peers]:
            cluster.process(name)  # An unknown one is refused before anything is done.
        if act == "status":
            return {"nodes": [self._status(name) for name in cluster.names]}
        if act == "down":
            self.ending = True
        elif act == "cut":
            cluster.cut(names, peers)
        elif act == "heal":
            cluster.heal(names, peers)
        elif act in ("kill", "pause", "resume", "restart", "wipe"):
            for name in names:
                getattr(self, f"_{act}")(name)
        else:
            raise ClusterTrouble(f"the cluster knows no command {act!r}")
        return None

    def _kill(self, name: str) -> None:
        self._needs(name, "killed", State.RUNNING, State.PAUSED)
        self._cluster.kill(name)

    def _pause(self, name: str) -> None:
        self._needs(name, "paused", State.RUNNING)
        self._cluster.pause(name)

    def _resume(self, name: str) -> None:
        self._needs(name, "resumed", State.PAUSED)
        self._cluster.resume(name)

    def _restart(self, name: str) -> None:
        """A running node ends cleanly first; a killed one just starts."""
        if self._cluster.state(name) is not State.DOWN:
            self._cluster.process(name).terminate()
        self._cluster.restart(name)

    def _wipe(self, name: str) -> None:
        self._needs(name, "wiped (kill it first)", State.DOWN)
        self._cluster.wipe(name)

    def _needs(self, name: str, what: str, *states: State) -> None:
        state = self._cluster.state(name)
        if state not in states:
            raise ClusterTrouble(f"{name} is {state.value}: it cannot be {what}")

    def _status(self, name: str) -> dict[str, Any]:
        process = self._cluster.process(name)
        return {
            "name": name,
            "state": process.state.value,
            "pid": None if process.state is State.DOWN else process.pid,
            "http": process.http_port.address,
            "log": str(process.log),
        }

    def look_after(self) -> None:
        """Notices nodes that died by themselves: they are down from then on, and may be restarted."""
        for name in self._cluster.names:
            try:
                self._cluster.process(name).must_live()
            except (NodeDied, ClusterTrouble) as died:
                print(died, flush=True)


def _serve(service: Service, listener: socket.socket, state: Path) -> None:
    listener.settimeout(TICK_S)
    while not service.ending and state.exists():
        service.look_after()
        try:
            connection, _ = listener.accept()
        except TimeoutError:
            continue
        with connection:
            connection.settimeout(5.0)
            try:
                request = json.loads(_line_of(connection))
                answer = service.answer(request if isinstance(request, dict) else {})
                connection.sendall(json.dumps(answer).encode() + b"\n")
            except (OSError, ValueError) as error:
                print(f"a request was not answered: {error}", flush=True)


def _line_of(connection: socket.socket) -> bytes:
    line = b""
    while not line.endswith(b"\n"):
        chunk = connection.recv(4096)
        if not chunk or len(line) > REQUEST_LIMIT_BYTES:
            raise OSError("the request was cut off, or too long")
        line += chunk
    return line


def _run(settings: Settings, say: Any) -> None:
    folder = Path(settings.folder)
    with contextlib.ExitStack() as stack:
        cluster = stack.enter_context(
            Cluster(
                node=Path(settings.node),
                faultnet=Path(settings.faultnet),
                size=settings.size,
                seed=settings.seed,
                folder=folder,
                http_ports=settings.http_ports,
                config=settings.config,
                label="cluster",
                reference=settings.reference,
                reference_node=Path(settings.reference_node) if settings.reference_node else None,
            )
        )
        cluster.form()
        # Not in `folder`: a socket's path must be short, and a checkout's may be long.
        room = Path(tempfile.mkdtemp(prefix="dynamo-lab-"))
        janitor().owns_folder(room)
        listener = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
        listener.bind(str(room / "control"))
        listener.listen(8)
        state = folder / STATE_FILE
        nodes = {name: cluster.process(name).http_port.address for name in cluster.names}
        running = Running(
            os.getpid(), str(room / "control"), settings.solution, nodes, settings.reference
        )
        write_state(state, running)
        stack.callback(state.unlink, missing_ok=True)
        say("ready")
        _serve(Service(cluster), listener, state)


def _leave_parent() -> None:
    """The usual double fork: nobody's child, no terminal."""
    if os.fork() != 0:
        os._exit(0)
    os.setsid()


def main(words: list[str]) -> int:
    settings = Settings(**json.loads(Path(words[0]).read_text(encoding="utf-8")))
    _leave_parent()
    told = os.dup(1)
    with (Path(settings.folder) / "background.log").open("ab") as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
    with open(os.devnull, "rb") as nothing:
        os.dup2(nothing.fileno(), 0)

    def say(line: str) -> None:
        with contextlib.suppress(OSError):  # `up` may have been interrupted meanwhile.
            os.write(told, (line + "\n").encode())
            os.close(told)

    def end(_number: int, _frame: object) -> None:
        raise SystemExit(0)

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    print(time.strftime("--- %F %T"), flush=True)
    try:
        _run(settings, say)
    except (ClusterTrouble, AssertionError, OSError) as error:
        traceback.print_exc()
        say("error: " + str(error))
        return 1
    finally:
        close_janitor()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
