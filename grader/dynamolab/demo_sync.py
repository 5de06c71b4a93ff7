"""`./lab demo sync`: a replica loses its disk, and trees of hashes find what is missing."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from .cluster import Cluster, listed
from .store import Client
from .teller import SESSION_S, Say, Teller

CONFIG = {
    "q": 8,
    "n": 3,
    "sync_period_ms": 200,
    # Neither a transfer nor a second attempt of lab 3's: what arrives late, the trees have found.
    "retry_period_ms": 3_600_000,
    "modules": ["membership", "ring", "replication", "versioning", "sync"],
}
NODES = ["n1", "n2", "n3"]
ITEMS = 240
VALUE_BYTES = 1000
RESTORED_S = 60.0  # A second or two on an idle machine.


@dataclass(frozen=True)
class Counts:
    """What the exchanges of all nodes have cost and moved, since their processes began."""

    exchanges: int
    bytes: int
    keys: int

    def __sub__(self, before: Counts) -> Counts:
        return Counts(
            self.exchanges - before.exchanges,
            self.bytes - before.bytes,
            self.keys - before.keys,
        )


def tell_sync(node: Path, faultnet: Path, say: Say) -> None:
    """Runs the story on a cluster of its own. AssertionError if the nodes do not do their part."""
    say('Merkle trees (slides "Replica Synchronization"; P§4.7): three nodes, N = 3: each key lies on')
    say("all of them. Every 200 ms each node compares its trees with another one's.")
    with Cluster(node=node, faultnet=faultnet, size=3, config=CONFIG, label="demo") as cluster:
        cluster.form()
        _Story(cluster, Teller(say)).run()
    say("\nThe cluster is gone again. Rules and figures: labs/6-sync/README.md; ./lab experiment sync")


class _Story:
    def __init__(self, cluster: Cluster, teller: Teller) -> None:
        self._cluster = cluster
        self._teller = teller
        self._stock = {f"item {i}": _value(i) for i in range(ITEMS)}

    def run(self) -> None:
        step, tell = self._teller.step, self._teller.tell
        step(f"A shop puts {ITEMS} items into the store, of {VALUE_BYTES} bytes each.")
        self._put(self._stock)
        self._wait_equal()
        tell(f"All three hold them all: that is {_size(self._everything())} each.")

        step("Nothing changes. The nodes go on comparing.")
        idle = self._idle_exchange()
        tell(f"The roots of all {CONFIG['q']} trees are equal, so an exchange is {idle} bytes.")
        tell(f'Shipping everything to find out would be {_size(self._everything())}: "not an option".')

        step("n3 is cut off, and one price changes meanwhile. Then the network heals.")
        self._cluster.partition(["n3"], ["n1", "n2"])
        self._put({"item 7": _value(7, "new price")})
        before = self._counts()
        self._cluster.heal()
        self._wait_equal()
        self._tell_moved(self._counts() - before, idle)
        self._must_hold("n3", "item 7", _value(7, "new price"))
        tell("Down from one root, where hashes differ: a row of 16 hashes a level, then a leaf.")
        tell("No hash tells whose state is newer: both may have moved, to be merged.")

        step("n3 is killed, and its disk is lost. It starts with an empty one.")
        self._cluster.kill("n3")
        self._cluster.wipe("n3")
        before = self._counts(["n1", "n2"])  # n3's begin anew with its process
        self._cluster.restart("n3")
        self._cluster.wait_members(NODES)
        self._wait_equal()
        self._tell_moved(self._counts() - before, idle)
        tell("Nobody has read anything meanwhile, and nobody has told n3 what it lacks.")

        step("The shop looks at n3 alone.")
        self._stock["item 7"] = _value(7, "new price")
        for key, value in self._stock.items():
            self._must_hold("n3", key, value)
        tell(f"All {ITEMS} items are there.")

        step("Once more nothing changes.")
        tell(f"An exchange is {self._idle_exchange()} bytes again, and moves no key.")

    def _everything(self) -> int:
        """Bytes of all keys and values, once."""
        return sum(len(key) + len(value) for key, value in self._stock.items())

    def _put(self, items: dict[str, bytes]) -> None:
        with Client([self._cluster.process("n1").http_port.address], timeout_s=SESSION_S) as client:
            for key, value in items.items():
                client.put(key, value)

    def _must_hold(self, node: str, key: str, value: bytes) -> None:
        """Without a transfer a node answers with what it holds itself."""
        address = self._cluster.process(node).http_port.address
        with Client([address], timeout_s=SESSION_S) as client:
            got = client.siblings(key)
        assert got == [value], (
            f"expected: {node} has {key!r} as it was put last\n"
            f"actual: it has {len(got)} version(s) of {[len(one) for one in got]} bytes"
        )

    def _tell_moved(self, moved: Counts, idle: int) -> None:
        extra = moved.bytes - moved.exchanges * idle
        share = extra / self._everything()
        self._teller.tell(f"{moved.exchanges} exchanges later all roots are equal again.")
        self._teller.tell(f"States moved: {moved.keys}. Bytes beside the roots: {_size(extra)},")
        self._teller.tell(f"which is {share:.1%} of shipping everything.")

    # What the nodes count.

    def _metric(self, node: str, name: str, label: str = "") -> int:
        """A counter of /metrics, all series with this label together; 0 if there is none."""
        text = self._cluster.ask(node, lambda client: client.get("/metrics"))
        series = (line.rsplit(" ", 1) for line in str(text).splitlines())
        return sum(int(value) for key, value in series if key.partition("{")[0] == name and label in key)

    def _counts(self, nodes: list[str] | None = None) -> Counts:
        def total(name: str) -> int:
            return sum(self._metric(node, name) for node in nodes or NODES)

        return Counts(
            total("dynamo_sync_comparisons_total"),
            total("dynamo_sync_bytes_total"),
            total("dynamo_sync_keys_total"),
        )

    def _idle_exchange(self) -> int:
        """Bytes of an exchange between equals."""
        before = self._counts()
        self._cluster.wait_for(
            "some exchanges more",
            self._counts,
            lambda now: (now - before).exchanges >= 6,
        )
        spent = self._counts() - before
        return round(spent.bytes / spent.exchanges)

    def _wait_equal(self) -> None:
        """Until each node has compared its roots with both others', and found nothing."""
        begun = {node: self._compared(node) for node in NODES}

        def differing() -> list[str]:
            """Who has not begun four exchanges in a row that ended at the roots."""
            found = []
            for node, (exchanges, below) in begun.items():
                now = self._compared(node)
                if now[1] != below:
                    begun[node] = now
                if now[1] != below or now[0] < exchanges + 4:
                    found.append(node)
            return found

        self._cluster.wait_for(
            "all trees are equal",
            differing,
            lambda nodes: not nodes,
            RESTORED_S,
            words=lambda nodes: f"the last exchanges of {listed(nodes)} found differences",
        )

    def _compared(self, node: str) -> tuple[int, int]:
        """Exchanges that the node has begun, and questions below the roots, there or here."""
        exchanges = self._metric(node, "dynamo_sync_comparisons_total")
        return exchanges, self._metric(node, "dynamo_frames_total", 'type="AskNodes"')


def _value(number: int, words: str = "as new") -> bytes:
    return f"item {number}, {words}. ".encode().ljust(VALUE_BYTES, b".")


def _size(count: int) -> str:
    return f"{count / 1000:.1f} kB"
