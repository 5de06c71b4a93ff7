"""What a cluster is made of: folder, ports, faultnet, node processes. Owned as one, and gone as one."""

from __future__ import annotations

import contextlib
import json
import shutil
import socket
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from .client import NodeClient
from .errors import ClusterTrouble
from .faultnet import Faultnet
from .janitor import janitor
from .ports import reserve_ports
from ..sandbox import Sandbox
from .process import NodeProcess, ShutIn, State
from .story import Story
from .words import listed

DEFAULT_CONFIG: dict[str, Any] = {"gossip_period_ms": 50, "call_timeout_ms": 200}
DEFAULT_LINKS: dict[str, Any] = {"delay_min_ms": 0, "delay_max_ms": 1}
TAIL_LINES = 5
RECORDING = ".recording"  # Of a node: how its file ends.


def names_of(size: int) -> list[str]:
    """n1, n2, …"""
    return [f"n{number}" for number in range(1, size + 1)]


class Assembly:
    """A context manager. The nodes are there, and down; `Cluster` says what can be done to them."""

    def __init__(
        self,
        *,
        node: Path,
        faultnet: Path,
        size: int = 5,
        names: Sequence[str] | None = None,
        config: Mapping[str, Any] | None = None,
        links: Mapping[str, Any] | None = None,
        seed: int = 1,
        label: str = "cluster",
        artifacts: Path | None = None,
        folder: Path | None = None,
        http_ports: Sequence[int] = (),
        reference: Sequence[str] = (),
        reference_node: Path | None = None,
        record: bool = False,
        network_trace: bool = True,
        sandbox: Sandbox | None = None,
    ) -> None:
        """`label` names the logs. With `artifacts`, what is worth keeping goes there if the block is
        left by an error. `folder`: used as it is and left in place, instead of a temporary one.
        `reference`: the nodes that run `reference_node`, and not `node`. `record`: the nodes note
        down what each handler took and did, and `keep` keeps that. `network_trace`: every message goes
        into a file, which grows to 256 MiB; without it, only `news` tells of them. `sandbox`:
        what each node is shut into, as a user of its own."""
        self.names = list(names) if names is not None else names_of(size)
        self.seed = seed
        self.label = label
        self.artifacts = artifacts
        self.story = Story()
        self.config: dict[str, Any] = {
            "seeds": self.names[:2],
            **DEFAULT_CONFIG,
            **(config or {}),
        }
        self._config_at_first = dict(self.config)  # The plan's.
        self.links: dict[str, Any] = {**DEFAULT_LINKS, **(links or {})}
        self.actions: list[dict[str, Any]] = []  # What was done, as a fault plan has it.
        self.record = record
        self._network_trace = network_trace
        self.began_s = time.monotonic()  # When the plan's clock showed 0.
        self._node_program = node
        self.reference = list(reference)
        self._reference_program = reference_node
        self._faultnet_program = faultnet
        self._given_folder = folder
        self._sandbox = sandbox
        self._http_ports = list(http_ports)
        self._nodes: dict[str, NodeProcess] = {}
        self._open = contextlib.ExitStack()
        self._tell_who_runs_what()

    def _tell_who_runs_what(self) -> None:
        """In a mixed cluster. ClusterTrouble if it cannot be one."""
        if unknown := [name for name in self.reference if name not in self.names]:
            raise ClusterTrouble(f"no node is called {unknown[0]!r}; there are {listed(self.names)}")
        if not self.reference:
            return
        if self._reference_program is None:
            raise ClusterTrouble("a cluster with nodes of the reference needs the reference's program")
        others = [name for name in self.names if name not in self.reference]
        both = [f"{listed(self.reference)} run{'s' if len(self.reference) == 1 else ''} the reference"]
        if others:
            both.append(f"{listed(others)} the solution")
        self.story.tell(", ".join(both))

    def _program(self, name: str) -> Path:
        if name in self.reference and self._reference_program is not None:
            return self._reference_program
        return self._node_program

    # The block.

    def __enter__(self) -> Self:
        try:
            self._prepare()
        except BaseException:
            self._open.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is not None and self.artifacts is not None:
            self.keep(self.artifacts)
        self.close()

    def close(self) -> None:
        self._open.close()

    def _prepare(self) -> None:
        self.folder = self._make_folder()
        peer_ports = reserve_ports(len(self.names))
        http_ports = reserve_ports(len(self.names), self._http_ports)
        for reservation in [*peer_ports, *http_ports]:
            self._open.callback(reservation.close)
        upstreams = {n: p.address for n, p in zip(self.names, peer_ports, strict=True)}
        lines = self._lines_to_faultnet()
        self.faultnet = Faultnet(
            self._faultnet_program,
            self.folder,
            upstreams,
            seed=self.seed,
            links=self.links,
            log=self.folder / f"{self.label}.faultnet.log",
            record=self._network_trace,
            dial={name: there.fileno() for name, (_, there) in lines.items()},
        )
        self._open.callback(self.faultnet.close)
        config = self.write_config()
        for name, peer, http in zip(self.names, peer_ports, http_ports, strict=True):
            folder = self.folder / name
            folder.mkdir(exist_ok=True)
            self._nodes[name] = NodeProcess(
                name=name,
                program=self._program(name),
                folder=folder,
                config=config,
                log=self.folder / f"{self.label}.{name}.log",
                recording=self.folder / f"{name}{RECORDING}" if self.record else None,
                peer_port=peer,
                http_port=http,
                shut_in=self._shut_in(lines[name][0]) if lines else None,
            )
            self._open.callback(self._nodes[name].close)
        for name in self.names:
            self._write_peers(name)

    def _lines_to_faultnet(self) -> dict[str, tuple[socket.socket, socket.socket]]:
        """For each node in a sandbox, its end and faultnet's. A node's own end stays ours, too, so that
        it is the same in all its lives."""
        lines = {}
        for name in self.names if self._sandbox is not None else ():
            lines[name] = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            for end in lines[name]:
                self._open.callback(end.close)
        return lines

    def _shut_in(self, line: socket.socket) -> ShutIn:
        assert self._sandbox is not None
        return ShutIn(self._sandbox, self._open.enter_context(self._sandbox.slot()), line.fileno())

    def _make_folder(self) -> Path:
        if self._given_folder is not None:
            self._given_folder.mkdir(parents=True, exist_ok=True)
            return self._given_folder.resolve()
        folder = Path(tempfile.mkdtemp(prefix="dynamo-cluster-")).resolve()
        if self._sandbox is not None:
            folder.chmod(0o711)  # Other users go through, and find what is theirs.
        janitor().owns_folder(folder)
        self._open.callback(self._remove_folder, folder)
        return folder

    @staticmethod
    def _remove_folder(folder: Path) -> None:
        shutil.rmtree(folder, ignore_errors=True)
        with contextlib.suppress(ClusterTrouble):
            janitor().forgets_folder(folder)

    def write_config(self) -> Path:
        """For nodes that start from now on."""
        config = self.folder / "config.json"
        config.write_text(json.dumps(self.config, indent=1))
        return config

    def _write_peers(self, name: str) -> None:
        """What `name` takes for the others' addresses are faultnet's ports for it."""
        peers = {}
        for other, process in self._nodes.items():
            peer = process.peer_port.address
            if other != name:
                peer = f"127.0.0.1:{self.faultnet.ports[name][other]}"
            peers[other] = {"peer": peer, "http": process.http_port.address}
        (self.folder / name / "peers.json").write_text(json.dumps({"nodes": peers}, indent=1))

    # Nodes.

    def process(self, name: str) -> NodeProcess:
        if name not in self._nodes:
            raise ClusterTrouble(f"no node is called {name!r}; there are {listed(self.names)}")
        return self._nodes[name]

    def state(self, name: str) -> State:
        return self.process(name).state

    def running(self) -> list[str]:
        """The nodes that should answer: started, not killed, not paused."""
        return [name for name in self.names if self._nodes[name].state is State.RUNNING]

    def client(self, name: str) -> NodeClient:
        return NodeClient(name, self.process(name).http_port.address)

    # For the reader of a failure.

    def plan(self) -> dict[str, Any]:
        """What was done, and when, as a fault plan."""
        return {
            "seed": self.seed,
            "nodes": self.names,
            "config": self._config_at_first,
            "links": self.links,
            "actions": self.actions,
        }

    def tails(self, lines: int = TAIL_LINES) -> list[str]:
        """The last lines of each node's log."""
        told: list[str] = []
        for name, process in self._nodes.items():
            last = process.last_lines(lines)
            if last:
                whose = "the reference's, " if name in self.reference else ""
                told.append(f"last lines of {name} ({whose}{process.log.name}):")
                told += [f"  {line}" for line in last]
        return told

    def keep(self, where: Path) -> None:
        """Copies logs, recordings, the network's trace and the plan to `where`."""
        with contextlib.suppress(ClusterTrouble):
            self.faultnet.command("flush")
        where.mkdir(parents=True, exist_ok=True)
        kept = [*self.folder.glob("*.log"), *self.folder.glob(f"*{RECORDING}")]
        with self._standing_still():
            for file in [*kept, self.faultnet.trace, self.folder / "config.json"]:
                with contextlib.suppress(OSError):
                    shutil.copy(file, where / file.name)
        (where / "plan.json").write_text(json.dumps(self.plan(), indent=1) + "\n")

    @contextlib.contextmanager
    def _standing_still(self) -> Iterator[None]:
        """All nodes, for a moment: or one would have recorded a message whose sender's file was copied
        before it was sent."""
        running = [process for process in self._nodes.values() if process.state is State.RUNNING]
        try:
            for process in running:
                with contextlib.suppress(ClusterTrouble, AssertionError, OSError):
                    process.pause()
            yield
        finally:
            for process in running:
                if process.state is State.PAUSED:
                    with contextlib.suppress(ClusterTrouble, AssertionError, OSError):
                        process.resume()

    def note(
        self, act: str, nodes: Sequence[str], peers: Sequence[str] = (), **fields: Any
    ) -> None:
        at_ms = int((time.monotonic() - self.began_s) * 1000)
        action = {"at_ms": at_ms, "act": act, "nodes": list(nodes)}
        if peers:
            action["peers"] = list(peers)
        self.actions.append({**action, **{k: v for k, v in fields.items() if v}})
