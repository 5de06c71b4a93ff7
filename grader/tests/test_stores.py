"""The bench of stores: its arithmetic, its generator against a small server, and a real cluster."""

from __future__ import annotations

import os
import socketserver
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from real_nodes import Programs, processes_that_mention, programs, soon

from dynamolab import build, labs, processes
from dynamolab.errors import GraderTrouble
from dynamolab.stores.compare import Cell, Comparison, Row, compare
from dynamolab.stores.load import Generator, Load, Outcome, median
from dynamolab.stores.report import figures, ratios, show
from dynamolab.stores.scaling import Point, settings
from dynamolab.stores.servers import System, file_system_of
from dynamolab.stores.systems import Dynamo, Etcd, Redis, node_defaults, quorums

__all__ = ["programs"]

STALL_S = 0.4
PUT = Cell("put", durable=True)
GET = Cell("get", durable=True)


@pytest.fixture(scope="module")
def generator() -> Generator:
    if given := os.environ.get("DYNAMO_TEST_BUILD"):
        return Generator(Path(given) / "grader" / "bench" / "store-load")
    framework = build.Framework("release", len(processes.cpus()))
    framework.build(["store-load"])
    return Generator(framework.folder / "grader" / "bench" / "store-load")


class Answering(socketserver.StreamRequestHandler):
    """Speaks enough of RESP: SET, GET of what was set, WAIT."""

    server: Small

    def handle(self) -> None:
        while head := self.rfile.readline():
            words = []
            for _ in range(int(head[1:])):
                length = int(self.rfile.readline()[1:])
                words.append(self.rfile.read(length + 2)[:-2])
            if self.server.stall_s:
                time.sleep(self.server.stall_s)
                self.server.stall_s = 0.0
            self.wfile.write(self.answer(*words))

    def answer(self, verb: bytes, key: bytes, value: bytes = b"") -> bytes:
        if verb == b"WAIT":
            return b":%d\r\n" % self.server.replicas
        if verb == b"SET":
            self.server.keys[key] = value
            return b"+OK\r\n"
        found = self.server.keys.get(key)
        return b"$-1\r\n" if found is None else b"$%d\r\n%s\r\n" % (len(found), found)


class Small(socketserver.ThreadingTCPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answering)
        self.keys: dict[bytes, bytes] = {}
        self.replicas = 1
        self.stall_s = 0.0


class Fake(System):
    """A system of which nothing needs to be started."""

    name = "fake"
    dialect = "redis"

    def __init__(self, port: int, waits: int = 0) -> None:
        super().__init__(1, Path(), False)
        self.targets = [f"127.0.0.1:{port}"]
        self._waits = waits

    @property
    def arguments(self) -> list[str]:
        return ["--wait-for", str(self._waits)]

    def rest(self) -> None:
        pass


@contextmanager
def small_server() -> Iterator[Small]:
    with Small() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def test_each_key_is_put_once_and_gets_find_them(generator: Generator) -> None:
    with small_server() as server:
        fake = Fake(server.server_address[1])
        prefix = generator.fill(fake, 500, 10)
        assert set(server.keys) == {f"{prefix}{number}".encode() for number in range(500)}
        assert set(server.keys.values()) == {b"v" * 10}
        got = generator.run(fake, Load("get", 4, 10, measured_s=0.2, warm_up_s=0), 500, prefix)
        assert got.per_second > 0 and got.failed == 0
        wrong = generator.run(fake, Load("get", 4, 11, measured_s=0.2, warm_up_s=0), 500, prefix)
        assert wrong.failed > 0 and wrong.first_error == "$10"


def test_each_run_of_puts_has_new_keys(generator: Generator) -> None:
    with small_server() as server:
        fake = Fake(server.server_address[1])
        load = Load("put", 2, 5, measured_s=0.1, warm_up_s=0)
        generator.run(fake, load)
        before = len(server.keys)
        assert before > 0
        got = generator.run(fake, load)
        assert len(server.keys) - before >= got.per_second * 0.1 * 0.99


def test_put_that_too_few_replicas_have_is_a_failure(generator: Generator) -> None:
    with small_server() as server:
        fake = Fake(server.server_address[1], waits=2)
        with pytest.raises(GraderTrouble, match=r"20 of 20 puts failed: :1"):
            generator.fill(fake, 20, 5)


def test_open_loop_counts_from_the_intended_start(generator: Generator) -> None:
    """The first answer is late: whatever was meant to begin meanwhile is late, too, and all of it is
    asked. From when they were sent, all but one would look quick."""
    with small_server() as server:
        server.stall_s = STALL_S
        load = Load("put", 1, 5, measured_s=STALL_S, warm_up_s=0, per_second=500)
        got = generator.run(Fake(server.server_address[1]), load)
        assert len(server.keys) == 500 * STALL_S
        assert got.p50_ms >= STALL_S / 4 * 1000
        assert got.p99_9_ms >= STALL_S * 1000


def test_broken_connection_is_trouble(generator: Generator) -> None:
    with small_server() as server:
        port = server.server_address[1]
    with pytest.raises(GraderTrouble, match=r"fake: "):
        generator.fill(Fake(port), 1, 1)


def outcome(per_second: float, failed: int = 0, error: str = "") -> Outcome:
    return Outcome(per_second, 1.0, 2.0, 3.0, 4.0, failed, error)


def test_median_is_of_each_figure_and_failures_add_up() -> None:
    got = median([outcome(10), outcome(30, 2, "x"), outcome(20, 1, "y")])
    assert (got.per_second, got.failed, got.first_error) == (20, 3, "x")


def compared(*rows: Row) -> Comparison:
    return Comparison(rows=list(rows))


def test_ratios_are_judged_where_there_is_an_aim() -> None:
    comparison = compared(
        Row(PUT, Dynamo.name, outcome(300)),
        Row(PUT, Etcd.name, outcome(100)),
        Row(PUT, Redis.name, outcome(601)),
        Row(GET, Dynamo.name, outcome(299)),
        Row(GET, Etcd.name, outcome(100)),
        Row(GET, Redis.name, outcome(598)),
    )
    found = [(f.value, f.met) for f in ratios(comparison)]
    assert found == [(3.0, True), (300 / 601, False), (2.99, False), (0.5, None)]


def test_system_that_is_not_there_is_said_and_not_judged() -> None:
    comparison = compared(
        Row(PUT, Dynamo.name, outcome(300)), Row(PUT, Etcd.name, None, "etcd is not installed")
    )
    first = next(ratios(comparison))
    assert (first.value, first.met, first.note) == (None, None, "etcd is not installed")


def test_document_fits_its_schema_and_names_are_different(capsys: pytest.CaptureFixture[str]) -> None:
    comparison = compared(
        Row(PUT, Dynamo.name, outcome(300, 1, "503")), Row(PUT, Etcd.name, None, "not installed")
    )
    comparison.promises["etcd", True] = "consensus"
    points = [Point("put", 3, 1, 100, outcome(5)), Point("get", 3, 1, 100, None, "full")]
    found = [figure.document() for figure in figures(comparison, points)]
    labs.validate({"benchmarks": found}, "bench.schema.json", "bench")
    names = [figure["name"] for figure in found]
    assert len(names) == len(set(names))
    show(comparison, points)
    shown = capsys.readouterr().out
    assert "not installed" in shown and "consensus" in shown and "full" in shown


def test_one_thing_is_varied_at_a_time() -> None:
    base = (3, 64, 100)
    assert settings().count(base) == 1
    for setting in settings():
        assert sum(a != b for a, b in zip(setting, base, strict=True)) <= 1
    assert {9, 5} <= {nodes for nodes, _, _ in settings()}
    assert {1, 256} <= {connections for _, connections, _ in settings()}
    assert 100_000 in {size for _, _, size in settings()}


def test_file_system_is_that_of_the_nearest_mount(tmp_path: Path) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text(f"/dev/sda / ext4 rw 0 0\ntmpfs {tmp_path}/shm tmpfs rw 0 0\n")
    assert file_system_of(tmp_path / "shm" / "x", mounts) == "tmpfs"
    assert file_system_of(tmp_path / "shmx", mounts) == "ext4"
    assert file_system_of(tmp_path, tmp_path / "none") == ""


def test_quorums_come_from_the_config() -> None:
    assert quorums({"modules": ["ring", "replication"], "n": 3}) == (1, 1)
    assert quorums({"modules": ["quorum"], "n": 3, "r": 0, "w": 0}) == (2, 2)
    assert quorums({"modules": ["quorum"], "n": 5, "r": 1, "w": 0}) == (1, 3)


def test_redis_waits_for_as_many_copies_as_the_others() -> None:
    assert Redis(3, Path(), True, copies=2).arguments == ["--wait-for", "1"]
    assert "by WAIT 1, 1 of its 2" in Redis(3, Path(), True, copies=2).promise
    assert Redis(3, Path(), True, copies=1).arguments == ["--wait-for", "0"]
    assert "its 2 replicas follow" in Redis(3, Path(), True, copies=1).promise
    assert "on disk at 2 of 3" in Etcd(3, Path(), True).promise


def test_cluster_serves_and_nothing_of_it_is_left(
    programs: Programs, generator: Generator, tmp_path: Path
) -> None:
    read_quorum, _ = quorums(node_defaults(programs.node))
    with Dynamo(3, tmp_path, False, programs.node) as cluster:
        assert f"R={read_quorum}" in cluster.promise or "lazy" in cluster.promise
        prefix = generator.fill(cluster, 50, 100)
        load = Load("get", 4, measured_s=0.2, warm_up_s=0)
        got = generator.run(cluster, load, 50, prefix)
        assert got.failed == 0 and got.per_second > 0
        assert 0 < got.p50_ms <= got.p99_ms <= got.p99_9_ms
        assert cluster.cpu_seconds() > 0
        folder = str(cluster.folder)
        assert len(processes_that_mention(folder)) >= 3
    assert soon(lambda: not processes_that_mention(folder))
    assert list(tmp_path.iterdir()) == []


def test_cluster_that_does_not_start_is_told_with_its_words(tmp_path: Path) -> None:
    program = tmp_path / "node"
    defaults = '| `modules` | `["quorum"]` | x |\\n| `n` | `3` | x |\\n'
    program.write_text(
        f'#!/bin/sh\n[ "$1" = --print-defaults ] && exec printf \'{defaults}\'\necho no disk; exit 3\n'
    )
    program.chmod(0o755)
    data = tmp_path / "data"
    died = "has ended by itself:\n  no disk"
    with pytest.raises(GraderTrouble, match=died), Dynamo(3, data, True, program):
        pytest.fail("it is said to serve")
    assert list(data.iterdir()) == []


def test_what_cannot_be_installed_leaves_a_row_that_says_so(
    programs: Programs, generator: Generator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    result = compare(programs.node, generator, tmp_path, lambda _: None, measured_s=0.1, rounds=1)
    by_system: dict[str, set[bool]] = {}
    for row in result.rows:
        by_system.setdefault(row.system, set()).add(row.outcome is not None)
        if row.system != Dynamo.name:
            package = row.system.removesuffix("-server") + "-server"
            assert row.note.endswith(f"is not installed: apt-get install {package}")
    assert by_system == {Dynamo.name: {True}, Etcd.name: {False}, Redis.name: {False}}
