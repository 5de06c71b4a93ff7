"""Reserved ports: nobody else's, and still ours after the process that used one was killed."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from dynamolab.cluster.ports import LOOPBACK, PortReservation, reserve_ports

linux = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a port cannot be shared so")
GRADER = Path(__file__).resolve().parents[1]


def listen(port: int) -> socket.socket:
    """As a node does it."""
    server = socket.socket()
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind((LOOPBACK, port))
    server.listen()
    return server


@linux
def test_a_node_can_come_back_on_its_port_again_and_again() -> None:
    reservation = PortReservation()
    for _ in range(5):
        with listen(reservation.port) as server:
            with socket.create_connection((LOOPBACK, reservation.port), timeout=10):
                server.accept()[0].close()  # The server closes first: its port goes to TIME_WAIT.
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((LOOPBACK, reservation.port), timeout=10)
    reservation.close()


@linux
def test_nobody_else_gets_a_reserved_port() -> None:
    held = reserve_ports(20)
    ours = {reservation.port for reservation in held}
    others = [PortReservation() for _ in range(300)]
    assert len(ours) == 20
    assert ours.isdisjoint(reservation.port for reservation in others)
    for port in ours:
        with socket.socket() as stranger, pytest.raises(OSError):
            stranger.bind((LOOPBACK, port))
    for reservation in [*held, *others]:
        reservation.close()


def test_clusters_side_by_side_never_share_a_port() -> None:
    code = (
        "import sys; from dynamolab.cluster.ports import reserve_ports\n"
        "held = reserve_ports(100); print(*[r.port for r in held], flush=True); sys.stdin.read()"
    )
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", code],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={"PYTHONPATH": str(GRADER)},
        )
        for _ in range(4)
    ]
    ports: list[str] = []
    for worker in workers:
        assert worker.stdout is not None
        ports += worker.stdout.readline().split()
    for worker in workers:
        worker.communicate(timeout=30)
    assert len(ports) == 400
    assert len(set(ports)) == 400


def test_a_preferred_port_is_given_only_if_it_is_free() -> None:
    with listen(0) as server:
        taken = server.getsockname()[1]
        (other,) = reserve_ports(1, [taken])
        assert other.port != taken
        other.close()
    reservation = PortReservation()
    free = reservation.port
    reservation.close()
    (preferred,) = reserve_ports(1, [free])
    assert preferred.port == free
    preferred.close()
