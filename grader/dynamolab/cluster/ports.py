"""Ports of 127.0.0.1 that stay ours for the life of a cluster, also while a node is down."""

from __future__ import annotations

import contextlib
import socket
import sys
from collections.abc import Iterator

from .errors import ClusterTrouble

LOOPBACK = "127.0.0.1"


class PortReservation:
    """Holds one TCP port by a socket that is bound but never listens.

    Linux lets a second socket bind and listen there as long as both set SO_REUSEADDR, and gives the
    port to nobody who asks for any free one. So a node can be killed and come back on its port with
    no race, and clusters side by side never collide; the reservation ends with this process, however
    it ends. Other systems allow no such sharing: there the port is released just before the node
    starts (`hand_over`).
    """

    def __init__(self, port: int = 0) -> None:
        """Reserves `port`, or any free one for 0. Raises OSError if it is taken."""
        self._socket: socket.socket | None = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            if port != 0:
                # A port that was used a minute ago may be in TIME_WAIT, which is no reason to refuse.
                self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._socket.bind((LOOPBACK, port))
            # Only now: with the option set before, some kernels hand out a port that others reserved.
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        except OSError:
            self.close()
            raise
        self.port: int = self._socket.getsockname()[1]

    @property
    def address(self) -> str:
        return f"{LOOPBACK}:{self.port}"

    def hand_over(self) -> None:
        """To be called right before the process that will listen here is started."""
        if sys.platform != "linux":
            self.close()

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None


@contextlib.contextmanager
def listening(reservation: PortReservation) -> Iterator[socket.socket]:
    """A socket that listens on a reserved port, to be handed to a node that may make none; ours is closed
    when the block is left, so that the port refuses when the node dies."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((LOOPBACK, reservation.port))
        listener.listen(socket.SOMAXCONN)
        yield listener


def reserve_ports(count: int, preferred: list[int] | None = None) -> list[PortReservation]:
    """`count` reservations; the preferred ports where they are free, for people who type them."""
    wanted = list(preferred or [])[:count]
    held: list[PortReservation] = []
    try:
        for index in range(count):
            held.append(_reserve(wanted[index] if index < len(wanted) else 0))
    except OSError as error:
        for reservation in held:
            reservation.close()
        raise ClusterTrouble(f"no free port on {LOOPBACK} for a node: {error}") from error
    return held


def _reserve(preferred: int) -> PortReservation:
    if preferred != 0 and not _somebody_listens(preferred):
        try:
            return PortReservation(preferred)
        except OSError:
            pass
    return PortReservation()


def _somebody_listens(port: int) -> bool:
    """True if a server answers at the port; another reservation of ours cannot be told this way,
    so a bind without SO_REUSEADDR is tried as well."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return True
    return False
