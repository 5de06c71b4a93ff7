"""What an operator can ask of a running cluster, as text: the commands of `./lab console`."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import LabError
from ..suggest import did_you_mean
from .client import Answer, NodeClient
from .errors import ClusterTrouble, NodeSilent

TIMEOUT_S = 3.0
BAR_CELLS = 40
HISTORY_LINES = 200


class Refused(LabError):
    """A command that makes no sense, or that the cluster refused; the words say why."""


@dataclass(frozen=True)
class Verb:
    """One command of the console."""

    name: str
    takes: str  # What stands behind it, for the help; empty: nothing.
    help: str
    run: Callable[[list[str]], str]
    nodes: bool = False  # Its argument is a node's name, for completion.


class Operator:
    """Asks the cluster's nodes over HTTP. Looks at all, changes through one: the node in use."""

    def __init__(self, nodes: Mapping[str, str], token: str = "") -> None:
        """`nodes`: name → HTTP address. `token`: the operator's, where nodes want one."""
        self.names = list(nodes)
        self._clients = {name: NodeClient(name, at, TIMEOUT_S, token) for name, at in nodes.items()}
        self.in_use: str | None = None  # None: the first member that answers.
        self.verbs = {verb.name: verb for verb in self._make_verbs()}

    def _make_verbs(self) -> list[Verb]:
        return [
            Verb("members", "", "who is in the cluster", self._members),
            Verb("add", "NODE", "let a node join", self._add, nodes=True),
            Verb("remove", "NODE", "let a node leave", self._remove, nodes=True),
            Verb("ring", "", "each host's share of the virtual nodes", self._ring),
            Verb("key", "KEY", "where a key lives: vnode, preference list, active list", self._key),
            Verb("views", "", "what each node sees, side by side", self._views),
            Verb("history", "", "all changes, in version order", self._history),
            Verb("suspects", "", "whom each node suspects", self._suspects),
            Verb("use", "[NODE]", "ask this node from now on; without NODE: any", self._use, True),
            Verb("help", "", "this list", self._help),
            Verb("quit", "", "leave; so does the end of input", lambda _: ""),
        ]

    def execute(self, line: str) -> str:
        """One command; what it shows. Refused if it cannot be done."""
        words = line.split()
        if not words:
            return ""
        verb = self.verbs.get(words[0])
        if verb is None:
            hint = did_you_mean(words[0], list(self.verbs))
            raise Refused(f"there is no command {words[0]!r}; {hint}")
        wanted = 1 if verb.takes and not verb.takes.startswith("[") else 0
        if len(words) - 1 < wanted or len(words) - 1 > (1 if verb.takes else 0):
            takes = f"takes one {verb.takes}" if verb.takes else "takes nothing"
            raise Refused(f"{verb.name} {takes}: {verb.help}")
        return verb.run(words[1:])

    # Asking.

    def _known(self, name: str) -> str:
        if name not in self._clients:
            raise Refused(f"no node is called {name!r}; {did_you_mean(name, self.names)}")
        return name

    def _each(self, question: Callable[[NodeClient], Any]) -> dict[str, Any]:
        """Every node's answer; None from those that give none."""
        answers: dict[str, Any] = {}
        for name, client in self._clients.items():
            try:
                answers[name] = question(client)
            except (NodeSilent, ClusterTrouble):
                answers[name] = None
        return answers

    def _asked(self) -> NodeClient:
        """The node in use; else the first that answers and is a member; else the first that answers."""
        if self.in_use is not None:
            return self._clients[self.in_use]
        answering: NodeClient | None = None
        refused = "no node answers; ./lab cluster status shows what runs"
        for client in self._clients.values():
            try:
                if client.view()["member"]:
                    return client
                answering = answering or client
            except ClusterTrouble as error:  # It is there, and does not want to, for want of a token say.
                refused = f"{error}; a node that is open to a network wants --admin-token-file"
            except NodeSilent:
                continue
        if answering is None:
            raise Refused(refused)
        return answering

    def _change(self, what: str, send: Callable[[NodeClient], Answer], node: NodeClient) -> str:
        try:
            answer = send(node)
        except NodeSilent as silent:
            raise Refused(f"{silent}; {what} may or may not have been done") from silent
        if answer.status != 200:
            raise Refused(f"{node.name} refused to {what}: {answer}")
        return f"{node.name}: {what} is done, and durable there; gossip spreads it"

    # The commands.

    def _members(self, _words: list[str]) -> str:
        node = self._asked()
        view = node.view()
        members = view["members"]
        if not members:
            return f"{node.name} knows no members: it was never added, or nothing was bootstrapped"
        width = max(map(len, members))
        lines = []
        for member in members:
            marks = ["suspected"] if member in view["suspects"] else []
            marks += ["asked"] if member == node.name else []
            lines.append(f"  {member:<{width}}  {', '.join(marks)}".rstrip())
        strangers = [name for name in self.names if name not in members]
        more = f"\nno members: {' '.join(strangers)}" if strangers else ""
        return f"{len(members)} members, as {node.name} sees them:\n" + "\n".join(lines) + more

    def _add(self, words: list[str]) -> str:
        name = self._known(words[0])
        return self._change(f"add {name}", lambda node: node.add(name), self._asked())

    def _remove(self, words: list[str]) -> str:
        name = self._known(words[0])
        return self._change(f"remove {name}", lambda node: node.remove(name), self._asked())

    def _ring(self, _words: list[str]) -> str:
        node = self._asked()
        ring = node.ring()
        owners: list[str] = ring["owners"]
        if not owners:
            return f"the ring of {node.name} is empty: it knows no members"
        counts = Counter(owners)
        width = max(map(len, counts))
        lines = [f"{ring['q']} virtual nodes, {ring['n']} replicas, as {node.name} sees them:"]
        for host in sorted(counts):
            share = counts[host] / ring["q"]
            bar = "█" * max(1, round(share * BAR_CELLS))
            lines.append(f"  {host:<{width}}  {counts[host]:>5}  {share:6.1%}  {bar}")
        digests = {name: _key_of(other) for name, other in self._each(NodeClient.ring).items()}
        others = [n for n, d in digests.items() if d not in (None, _key_of(ring))]
        if others:
            lines.append(f"not the same ring (yet): {' '.join(others)}")
        return "\n".join(lines)

    def _key(self, words: list[str]) -> str:
        node = self._asked()
        placed = node.placement(words[0])
        active = [
            place["host"] + (f" (for {place['stands_in_for']})" if place["stands_in_for"] else "")
            for place in placed["active_list"]
        ]
        return "\n".join(
            [
                f"key {words[0]}, as {node.name} sees it:",
                f"  hash             {placed['hash']}",
                f"  virtual node     {placed['vnode']}",
                f"  preference list  {' → '.join(placed['preference_list']) or 'nobody'}",
                f"  active list      {' → '.join(active) or 'nobody'}",
            ]
        )

    def _views(self, _words: list[str]) -> str:
        views = self._each(NodeClient.view)
        histories = self._each(NodeClient.history)
        rows = [["node", "member", "sees", "suspects", "events", "history"]]
        for name, view in views.items():
            if view is None or histories[name] is None:
                rows.append([name, "no answer", "", "", "", ""])
                continue
            history = histories[name]
            rows.append(
                [
                    name,
                    "yes" if view["member"] else "no",
                    " ".join(view["members"]) or "–",
                    " ".join(view["suspects"]) or "–",
                    str(len(history["events"])),
                    history["digest"][:8],
                ]
            )
        widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
        return "\n".join(
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in rows
        )

    def _history(self, _words: list[str]) -> str:
        node = self._asked()
        history = node.history()
        events = history["events"]
        lines = [f"{len(events)} changes, as {node.name} knows them (digest {history['digest']}):"]
        if len(events) > HISTORY_LINES:
            lines.append(f"  … {len(events) - HISTORY_LINES} older ones …")
        for event in events[-HISTORY_LINES:]:
            version = event["version"]
            lines.append(
                f"  {version['counter']:>4}  {event['subject']} {event['change']}s"
                f"   (made on {version['node']}, disk {version['incarnation']})"
            )
        return "\n".join(lines)

    def _suspects(self, _words: list[str]) -> str:
        lines = []
        for name, view in self._each(NodeClient.view).items():
            said = "gives no answer" if view is None else " ".join(view["suspects"]) or "nobody"
            lines.append(f"  {name}: {said}")
        return "whom each node suspects:\n" + "\n".join(lines)

    def _use(self, words: list[str]) -> str:
        self.in_use = self._known(words[0]) if words else None
        return f"asking {self.in_use or 'the first member that answers'} from now on"

    def _help(self, _words: list[str]) -> str:
        shown = [(f"{verb.name} {verb.takes}".strip(), verb.help) for verb in self.verbs.values()]
        width = max(len(name) for name, _ in shown)
        return "\n".join(f"  {name:<{width}}  {text}" for name, text in shown)


def _key_of(ring: dict[str, Any] | None) -> str | None:
    return None if ring is None else json.dumps(ring, sort_keys=True)


def nodes_of_peers_file(path: Path) -> dict[str, str]:
    """Name → HTTP address of a peers file. LabError names what is wrong with it."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise LabError(f"--peers {path}: {error.strerror}") from error
    except ValueError as error:
        raise LabError(f"--peers {path}: this is no JSON: {error}") from error
    nodes = document.get("nodes") if isinstance(document, dict) else None
    if not isinstance(nodes, dict) or not nodes:
        raise LabError(f'--peers {path}: nodes: expected {{"n1": {{"http": "127.0.0.1:8001"}}}}')
    found: dict[str, str] = {}
    for name, addresses in nodes.items():
        address = addresses.get("http") if isinstance(addresses, dict) else None
        host, _, port = str(address).rpartition(":")
        if not host or not port.isdigit() or int(port) == 0:
            raise LabError(
                f"--peers {path}: nodes.{name}.http: expected an address such as 127.0.0.1:8001, "
                f"found {address!r}"
            )
        found[str(name)] = str(address)
    return found
