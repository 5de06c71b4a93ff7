"""The systems that are compared: what is started, when it serves, and what it promises."""

from __future__ import annotations

import functools
import json
import re
import socket
from pathlib import Path
from typing import Any, ClassVar

from dynamolab import processes
from dynamolab.cluster import NodeClient, names_of
from dynamolab.errors import GraderTrouble

from .servers import System

PROGRAM_S = 10.0
ANSWER_S = 5.0


@functools.cache
def node_defaults(node: Path) -> dict[str, Any]:
    """A node's settings when its config file says nothing, as it prints them."""
    done = processes.run([node, "--print-defaults"], deadline_s=PROGRAM_S)
    if done.code != 0:
        raise GraderTrouble(f"{node} --print-defaults failed:\n{done.out}")
    rows = re.findall(r"^\| `(\w+)` \| `(.*?)` \|", done.out, re.MULTILINE)
    return {name: json.loads(value) for name, value in rows}


def quorums(config: dict[str, Any]) -> tuple[int, int]:
    """R and W: answers that a get, and disks that a put waits for. Lab 3's coordinator is lazy: one."""
    if "quorum" not in config["modules"]:
        return 1, 1
    majority = config["n"] // 2 + 1
    return config.get("r", 0) or majority, config.get("w", 0) or majority


class Dynamo(System):
    """Real nodes, no faulty network between them, with the settings that a node has by itself."""

    name = "dynamo-node"
    dialect = "dynamo"

    def __init__(
        self,
        size: int,
        folder: Path,
        durable: bool,
        node: Path,
        config: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(size, folder, durable)
        self._node = node
        self._given = config or {}
        self.config = {**node_defaults(node), **self._given}
        self.read_quorum, self.write_quorum = quorums(self.config)

    @property
    def promise(self) -> str:
        n = self.config["n"]
        where = "on disk" if self.durable else "in memory"
        if "quorum" in self.config["modules"]:
            mode = self.config.get("mode", "strict")
            fresh = (
                "a get sees every acknowledged put"
                if mode == "strict" and self.read_quorum + self.write_quorum > n
                else "a get may miss the latest put while hosts fail"
            )
            return (
                f"{mode} quorum, N={n}, R={self.read_quorum}, W={self.write_quorum}: "
                f"a put is {where} at {self.write_quorum} hosts before it is acknowledged; "
                f"{fresh}; siblings are kept"
            )
        return (
            f"lazy, N={n}, R=W=1: a put is {where} at 1 host before it is acknowledged, the other "
            "owners follow; a get asks one host, and may miss the latest put; siblings are kept"
        )

    def start(self) -> None:
        names = names_of(self.size)
        peers, https = self.reserve(self.size), self.reserve(self.size)
        addresses = {
            name: {"peer": peer.address, "http": http.address}
            for name, peer, http in zip(names, peers, https, strict=True)
        }
        (self.folder / "peers.json").write_text(json.dumps({"nodes": addresses}))
        (self.folder / "config.json").write_text(json.dumps({"seeds": names[:2], **self._given}))
        for name, peer, http in zip(names, peers, https, strict=True):
            command: list[str | Path] = [self._node, "--id", name, "--data", self.folder / name]
            command += ["--peers", "peers.json", "--config", "config.json", "--die-with-parent"]
            command += ["--bootstrap"] if name == names[0] else []
            self.spawn(name, command, [peer, http])
        clients = [
            NodeClient(name, port.address, ANSWER_S)
            for name, port in zip(names, https, strict=True)
        ]
        for name in names[1:]:
            self.wait(f"{name} is added", functools.partial(_is_added, clients[0], name))
        self.wait(
            "all views agree", lambda: all(sorted(c.members()) == sorted(names) for c in clients)
        )
        self.targets = [http.address for http in https]


class Etcd(System):
    name = "etcd"
    dialect = "etcd"
    needs = ("etcd", "etcd-server")

    @property
    def promise(self) -> str:
        majority = self.size // 2 + 1
        where = "on disk" if self.durable else "in memory"
        return (
            f"consensus (Raft): a put is {where} at {majority} of {self.size} hosts before it is "
            "acknowledged; gets are linearizable; without a majority neither"
        )

    def start(self) -> None:
        names = names_of(self.size)
        peers, clients = self.reserve(self.size), self.reserve(self.size)
        cluster = ",".join(f"{n}=http://{p.address}" for n, p in zip(names, peers, strict=True))
        for name, peer, client in zip(names, peers, clients, strict=True):
            command: list[str | Path] = ["etcd", "--name", name, "--data-dir", self.folder / name]
            command += ["--listen-client-urls", f"http://{client.address}"]
            command += ["--advertise-client-urls", f"http://{client.address}"]
            command += ["--listen-peer-urls", f"http://{peer.address}"]
            command += ["--initial-advertise-peer-urls", f"http://{peer.address}"]
            command += ["--initial-cluster", cluster, "--initial-cluster-state", "new"]
            command += ["--logger", "zap", "--log-level", "error"]
            if not self.durable and "--unsafe-no-fsync" in _help_of_etcd():
                command += ["--unsafe-no-fsync"]  # From 3.5 on; with a folder in memory no matter.
            self.spawn(name, command, [peer, client])
        self.targets = [client.address for client in clients]
        for name, client in zip(names, clients, strict=True):
            member = NodeClient(name, client.address, ANSWER_S)
            self.wait(f"{name} is healthy", functools.partial(_is_healthy, member))


def _is_added(client: NodeClient, name: str) -> bool:
    """Also if an earlier try has done it, and its answer was lost."""
    return client.add(name).status in (200, 409)


def _is_healthy(member: NodeClient) -> bool:
    return bool(member.get("/health").get("health") == "true")


@functools.cache
def _help_of_etcd() -> str:
    return processes.run(["etcd", "--help"], deadline_s=PROGRAM_S).out


class Redis(System):
    """A primary and its replicas. As many copies are waited for as the others wait for."""

    name = "redis-server"
    dialect = "redis"
    needs = ("redis-server", "redis-server")

    OPTIONS: ClassVar[list[str]] = ["--bind", "127.0.0.1", "--daemonize", "no", "--save", ""]

    def __init__(self, size: int, folder: Path, durable: bool, copies: int) -> None:
        super().__init__(size, folder, durable)
        self.copies = copies

    @property
    def promise(self) -> str:
        where = "on disk" if self.durable else "in memory"
        more, replicas = self.copies - 1, self.size - 1
        acknowledged = (
            f"the primary and, by WAIT {more}, {more} of its {replicas} replicas before it is acknowledged"
            if more > 0
            else f"the primary before it is acknowledged, its {replicas} replicas follow"
        )
        return (
            f"a put is {where} at {acknowledged}; gets ask the primary; nothing takes the primary's "
            "place by itself"
        )

    @property
    def arguments(self) -> list[str]:
        return ["--wait-for", str(self.copies - 1)]

    def start(self) -> None:
        ports = self.reserve(self.size)
        primary = ports[0]
        kept = (
            ["--appendonly", "yes", "--appendfsync", "always"]
            if self.durable
            else ["--appendonly", "no"]
        )
        for number, port in enumerate(ports):
            folder = self.folder / f"r{number}"
            folder.mkdir()
            command: list[str | Path] = ["redis-server", "--port", str(port.port), "--dir", folder]
            command += [*self.OPTIONS, *kept, "--repl-diskless-sync-delay", "0"]
            command += ["--replicaof", "127.0.0.1", str(primary.port)] if number > 0 else []
            self.spawn(f"r{number}", command, [port])
        self.targets = [primary.address]
        online = f"connected_slaves:{self.size - 1}"
        self.wait(
            "the replicas follow",
            lambda: online in (told := _redis_says(primary.port, "INFO replication"))
            and told.count("state=online") == self.size - 1,
        )


def _redis_says(port: int, command: str) -> str:
    """The answer to one command: a bulk string."""
    with socket.create_connection(("127.0.0.1", port), ANSWER_S) as connection:
        connection.sendall(f"{command}\r\n".encode())
        with connection.makefile("rb") as answer:
            first = answer.readline()
            if not first.startswith(b"$"):
                return first.decode("utf-8", "replace")
            return answer.read(int(first[1:])).decode("utf-8", "replace")
