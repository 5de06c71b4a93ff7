"""A cluster of real dynamo-node processes on this machine, with every link through faultnet.

    with Cluster(node=..., faultnet=..., size=3) as cluster:
        cluster.form()                       # n1 first, the others added, all views agree
        cluster.kill("n2")
        cluster.add("n4", via="n1")
        cluster.wait_members({"n1", "n2", "n3", "n4"})

The block owns its processes, ports and folder: when it is left, nothing of them remains.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from . import words
from .assembly import DEFAULT_LINKS, Assembly, names_of
from .client import Answer, NodeClient
from .errors import ClusterTrouble, NodeSilent
from .waiting import wait_for
from .words import listed

Seen = TypeVar("Seen")

SETTLE_S = 20.0  # For a cluster to come to rest; tens of milliseconds on an idle machine.


class Cluster(Assembly):
    """See above. Every method that does something to the cluster tells it in `story`."""

    # Nodes.

    def ask(self, name: str, question: Callable[[NodeClient], Seen]) -> Seen:
        """Puts a question to a node. NodeDied, with its log, if it broke off because it died."""
        process = self.process(name)
        process.must_live()
        try:
            return question(self.client(name))
        except NodeSilent:
            if process.ended_soon():
                process.must_live()
            raise

    def start(self, *names: str, bootstrap: bool = False) -> None:
        """Starts nodes, side by side, and waits until all of them serve."""
        for name in names:
            fresh = not self.process(name).data.exists()
            if bootstrap:
                self.story.tell(f"{name} starts as the first node of a new cluster")
            self.note("start", [name], bootstrap=bootstrap)
            self._nodes[name].spawn(bootstrap=bootstrap)
        if not bootstrap:
            how = "with an empty disk" if fresh else "again, with the disk as it was left"
            self.story.tell(f"{listed(names)} start{'s' if len(names) == 1 else ''} {how}")
        for name in names:
            self._nodes[name].wait_ready()

    def form(self, names: Sequence[str] | None = None) -> None:
        """A working cluster: the first bootstraps, adds the rest, and all views agree."""
        first, *rest = names or self.names
        self.start(first, bootstrap=True)
        if rest:
            self.start(*rest)
        for name in rest:
            self.add(name, via=first)
        self.wait_members([first, *rest])

    def kill(self, *names: str) -> None:
        for name in names:
            self.process(name).kill()
        self.note("crash", names)
        self.story.tell(f"{listed(names)} {'is' if len(names) == 1 else 'are'} killed (kill -9)")

    def restart(self, *names: str) -> None:
        """Starts killed nodes again, with their disks and on their ports."""
        for name in names:
            self.process(name).spawn()
        self.note("restart", names)
        self.story.tell(f"{listed(names)} start{'s' if len(names) == 1 else ''} again")
        for name in names:
            self._nodes[name].wait_ready()

    def wipe(self, name: str) -> None:
        self.process(name).wipe()
        self.note("wipe", [name])
        self.story.tell(f"the disk of {name} is lost")

    def pause(self, name: str) -> None:
        self.process(name).pause()
        self.note("pause", [name])
        self.story.tell(f"{name} is paused (SIGSTOP): it accepts connections but answers nothing")

    def resume(self, name: str) -> None:
        self.process(name).resume()
        self.note("resume", [name])
        self.story.tell(f"{name} goes on (SIGCONT)")

    def skew(self, name: str, ms: int) -> None:
        """The wall clock of a running node is off by so much, until its process ends."""
        answer = self.ask(name, lambda client: client.skew(ms))
        if answer.status != 200:
            raise ClusterTrouble(f"{name} answers skew with {answer}")
        self.note("skew", [name], skew=str(ms))
        self.story.tell(f"the wall clock of {name} is off by {ms} ms")

    def configure(self, mode: str, r: int = 0, w: int = 0) -> None:
        """Settings of every node from its next start on; who runs keeps what it has."""
        settings = {"mode": mode, "r": r, "w": w}
        self.config.update(settings)
        self.write_config()
        self.note("configure", [], settings=settings)
        shown = ", ".join(f"{name}={value}" for name, value in settings.items())
        self.story.tell(f"who starts from now on has other settings: {shown}")

    # The network.

    def cut(self, nodes: str | Sequence[str], peers: str | Sequence[str]) -> None:
        """Nothing passes from `nodes` to `peers` any more: one direction."""
        self._network("cut", nodes, peers)
        self.story.tell(f"the network loses all messages from {_names(nodes)} to {_names(peers)}")

    def partition(self, *sides: Sequence[str]) -> None:
        """No message passes between the sides, in either direction."""
        for side in sides:
            for other in sides:
                if side is not other:
                    self._network("cut", side, other)
        self.story.tell("a partition: " + " | ".join(listed(side) for side in sides))

    def heal(self, nodes: str | Sequence[str] = (), peers: str | Sequence[str] = ()) -> None:
        self._network("heal", nodes, peers)
        where = f" from {_names(nodes)} to {_names(peers)}" if nodes and peers else ""
        self.story.tell(f"the network heals{where}")

    def link(
        self, nodes: str | Sequence[str] = (), peers: str | Sequence[str] = (), **model: Any
    ) -> None:
        """A new model of some links, of all for none: loss_ppm=200_000, delay_max_ms=20, …"""
        model = {**DEFAULT_LINKS, **model}
        self._network("link", nodes, peers, link=model)
        shown = ", ".join(f"{field}={value}" for field, value in model.items())
        self.story.tell(f"{'these' if nodes or peers else 'all'} links now: {shown}")

    def drop(self, node: str, peer: str, message: str = "", count: int = 1) -> None:
        self._network("drop", node, peer, message=message, count=count)
        self.story.tell(f"the network drops {count} {message or 'message'}(s) from {node} to {peer}")

    def _network(
        self, act: str, nodes: str | Sequence[str], peers: str | Sequence[str], **fields: Any
    ) -> None:
        self.faultnet.act(act, _list(nodes), _list(peers), **fields)
        self.note(act, _list(nodes), _list(peers), **fields)

    # Clients.

    def note_request(self, name: str, action: Mapping[str, Any]) -> None:
        """For the plan: a client asks `name` for a put, get or delete."""
        kept = ("key", "value", "context", "request", "hosts")
        fields = {name: action[name] for name in kept if name in action}
        self.note(str(action["act"]), [name], **fields)

    # The console.

    def add(self, subject: str, *, via: str) -> None:
        """The console's add; it must be done. An answer that did not come is asked for again."""
        self._change("add", subject, via, "already_exists")

    def remove(self, subject: str, *, via: str) -> None:
        self._change("remove", subject, via, "not_found")

    def ask_console(self, act: str, subject: str, *, via: str) -> Answer | None:
        """add or remove, whatever the answer is; None if there was none (then it is unknown)."""
        self.story.tell(f"the console of {via}: {act} {subject}")
        self.note(act, [via], [subject])
        try:
            return self.ask(via, lambda client: getattr(client, act)(subject))
        except NodeSilent:
            return None

    def _change(self, act: str, subject: str, via: str, done: str) -> None:
        answer = self.ask_console(act, subject, via=via)
        if answer is None:
            # Unknown, so it is asked again; then "it is so already" means done as well.
            answer = self.ask(via, lambda client: getattr(client, act)(subject))
            if answer.error_code == done:
                return
        if answer.status != 200:
            raise AssertionError(
                f"expected: {via} answers {act} {subject} with done\nactual: {answer}"
            )

    # Looking and waiting.

    def wait_for(
        self,
        label: str,
        probe: Callable[[], Seen],
        accept: Callable[[Seen], object] = bool,
        deadline_s: float = SETTLE_S,
        words: Callable[[Seen], str] = words.seen_words,
    ) -> Seen:
        """As waiting.wait_for; fails at once when a node died that nobody stopped."""
        return wait_for(probe, deadline_s, label, accept, self.must_live, words)

    def must_live(self) -> None:
        """Raises NodeDied if a node ended that should run, ClusterTrouble if faultnet did."""
        self.faultnet.must_live()
        for process in self._nodes.values():
            process.must_live()

    def views(self, names: Iterable[str] | None = None) -> dict[str, dict[str, Any]]:
        """/admin/view of each running node."""
        asked = self.running() if names is None else names
        return {name: self.ask(name, NodeClient.view) for name in asked}

    def wait_members(
        self, members: Iterable[str], names: Iterable[str] | None = None, deadline_s: float = SETTLE_S
    ) -> None:
        """Until `names` (all that run) see exactly these members, and hold the same history."""
        wanted = sorted(members)
        asked = self.running() if names is None else list(names)

        def look() -> dict[str, Any]:
            return {
                name: (view["members"], _digest_of(view["view"]))
                for name, view in self.views(asked).items()
            }

        def agreed(seen: dict[str, Any]) -> bool:
            return all(view == (wanted, next(iter(seen.values()))[1]) for view in seen.values())

        def told(seen: dict[str, Any]) -> str:
            lines = words.members_differ({name: view[0] for name, view in seen.items()}, wanted)
            return _lines([*lines, *words.histories_differ(self._histories(asked))])

        self.wait_for(
            f"{listed(asked)} agree that the members are {listed(wanted)}",
            look,
            agreed,
            deadline_s,
            told,
        )
        self.story.tell(f"{listed(asked)} agree: the members are {listed(wanted)}")

    def wait_same_history(
        self, names: Iterable[str] | None = None, deadline_s: float = SETTLE_S
    ) -> dict[str, Any]:
        """Until `names` (all that run) hold the same set of events; returns that history."""
        asked = self.running() if names is None else list(names)
        histories: dict[str, dict[str, Any]] = self.wait_for(
            f"{listed(asked)} hold the same history",
            lambda: {name: self.ask(name, NodeClient.history) for name in asked},
            lambda seen: len({history["digest"] for history in seen.values()}) == 1,
            deadline_s,
            lambda seen: _lines(
                words.histories_differ({name: one["events"] for name, one in seen.items()})
            ),
        )
        return next(iter(histories.values()))

    def _histories(self, names: Sequence[str]) -> dict[str, list[dict[str, Any]]]:
        return {name: self.ask(name, NodeClient.history)["events"] for name in names}

    def wait_suspects(self, of: str, suspects: Iterable[str]) -> None:
        """Until `of` suspects exactly these."""
        wanted = sorted(suspects)
        self.wait_for(
            f"{of} suspects {listed(wanted) or 'nobody'}",
            lambda: self.ask(of, NodeClient.suspects),
            lambda seen: seen == wanted,
        )
        self.story.tell(f"{of} suspects {listed(wanted) or 'nobody'}")

    def message_sizes(self, message: str) -> list[tuple[str, int]]:
        """Each message of this type that was sent so far, in order: "request" or "reply", bytes."""
        return [
            ("reply" if row.get("reply") else "request", row["bytes"])
            for row in self.faultnet.records()
            if row["event"] == "send" and row["message"] == message
        ]


def _list(names: str | Sequence[str]) -> list[str]:
    return [names] if isinstance(names, str) else list(names)


def _names(names: str | Sequence[str]) -> str:
    return listed(_list(names)) or "all"


def _lines(told: Sequence[str]) -> str:
    """One line as it is; several below each other."""
    if len(told) == 1:
        return told[0]
    return "".join(f"\n  {line}" for line in told) or "they agree by now"


def _digest_of(view: list[dict[str, Any]]) -> str:
    return json.dumps(view, sort_keys=True)


__all__ = ["Cluster", "listed", "names_of"]
