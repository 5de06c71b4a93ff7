"""What is done to the cluster, by a page or by a script. Each act is told, and becomes part of the plan."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any

from ..cluster import Cluster, ClusterTrouble, NodeSilent, State, listed
from ..cluster.assembly import DEFAULT_LINKS
from ..cluster.requests import ACTS, KvAnswer, KvClients
from .feed import Feed
from .steps import MOST_SHOWN, Step, Steps, packed, worded
from .workload import Workload

CLIENT = "page"
SHOWN_VALUE = 120
MOST_PLANNED = 50_000  # Actions of a plan; then clients' requests are left out of it, which is told.
MODES = ("strict", "sloppy")
MOST_DELAY_MS = 10_000


SECRET = "cluster_secret"  # Of no interest to anybody but the nodes.


def without(content: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in content.items() if name not in names}


class Refused(Exception):
    """The act makes no sense now; the words say what does."""


class Session:
    """Acts from any thread, one at a time; clients' requests side by side."""

    def __init__(self, cluster: Cluster, feed: Feed, seed: int = 1) -> None:
        self.cluster = cluster
        self.feed = feed
        self.clients = KvClients()
        self.workload = Workload(self.request_quietly, self.members_up, feed, seed)
        self.focus = ""  # The key that is looked at.
        self.tree: tuple[int, str, str] | None = None  # Virtual node and two nodes; of the key, if none.
        self.skews: dict[str, int] = {}
        self._acting = threading.RLock()
        self._plan_is_full = False
        self.steps = Steps(cluster.names, MOST_SHOWN)
        self._cuts: set[tuple[str, str]] = set()
        self._models: dict[tuple[str, str], dict[str, int]] = {}

    # What the page may ask for.

    def act(self, question: Mapping[str, Any]) -> str:
        """Carries out one act; what came of it, in words. Refused, with words, if it cannot be."""
        name = str(question.get("act"))
        acts: dict[str, Callable[[Mapping[str, Any]], str]] = {
            **dict.fromkeys(ACTS, self._request),
            **dict.fromkeys(("add", "remove"), self._change_members),
            **dict.fromkeys(("kill", "pause", "resume", "restart", "wipe"), self._process),
            "cut": self._cut,
            "heal": self._heal,
            "heal_all": self._heal_all,
            "link": self._link,
            "drop": self._drop,
            "skew": self._skew,
            "mode": self._mode,
            "load": self._load,
            "watch": self._watch,
        }
        if name not in acts:
            raise Refused(f"there is no act {name!r}")
        if name in ACTS:
            return acts[name](question)
        try:
            with self._acting:
                return acts[name](question)
        except (ClusterTrouble, NodeSilent) as error:
            raise Refused(str(error)) from error

    def plan(self) -> dict[str, Any]:
        """Everything that was done, for ./lab replay."""
        plan = self.cluster.plan()
        return {**plan, "config": without(plan["config"], SECRET), "actions": list(plan["actions"])}

    def say(self, words: str, good: bool = True) -> None:
        self.feed.tell("log", words=words, good=good)

    def note_steps(self, *steps: Step) -> None:
        """For the space-time diagram, and for the recording."""
        self.steps.add(self.feed.now_ms(), map(worded, steps))
        self.feed.keep("steps", steps=[packed(step) for step in steps])

    def _note(self, event: str, node: str, **more: Any) -> None:
        self.note_steps({"t_us": self.feed.now_ms() * 1000, "node": node, "event": event, **more})

    # Clients.

    def _request(self, question: Mapping[str, Any]) -> str:
        act, at = str(question["act"]), self._node(question, "at")
        key = str(question.get("key", ""))
        if not key:
            raise Refused("a key has at least one character")
        action = self._action(act, key, question)
        self._note("client", at, text=_asked(action))
        answer = self._ask(at, action)
        self._note("told", at, text=_heard(answer))
        words = f"{_asked(action)} at {at}: {_heard(answer)}"
        self.say(words, answer.done)
        if not answer.done:
            raise Refused(words)
        return words

    def _action(self, act: str, key: str, question: Mapping[str, Any]) -> dict[str, Any]:
        action: dict[str, Any] = {"act": act, "key": key, "request": {"client": CLIENT, "sequence": 0}}
        if act == "put":
            action["value"] = str(question.get("value", ""))
        if act != "get" and question.get("context"):
            action["context"] = "read"
        if hosts := _number(question, "hosts", 0, int(self.cluster.config["n"])):
            action["hosts"] = hosts
        return action

    def _ask(self, at: str, action: Mapping[str, Any]) -> KvAnswer:
        if len(self.cluster.actions) < MOST_PLANNED:
            self.cluster.note_request(at, action)
        elif not self._plan_is_full:
            self._plan_is_full = True
            told = "the plan to be saved is full: what clients ask from now on is not in it"
            self.say(f"{MOST_PLANNED} actions: {told}; all else that is done still is", good=False)
        return self.clients.ask(self.cluster.process(at).http_port.address, action)

    def request_quietly(self, at: str, action: Mapping[str, Any]) -> KvAnswer:
        """For the workload."""
        return self._ask(at, action)

    def members_up(self) -> list[str]:
        """Nodes that run and are members in their own view, as was seen last."""
        seen = self.feed.last("nodes").get("nodes", [])
        return [row["name"] for row in seen if row["state"] == "running" and row.get("member")]

    # Nodes.

    def _change_members(self, question: Mapping[str, Any]) -> str:
        act, subject = str(question["act"]), self._node(question, "node")
        via = self._node(question, "via") if question.get("via") else self._some_member(subject)
        if act == "add" and self.cluster.state(subject) is State.DOWN:
            self.cluster.start(subject)
        answer = self.cluster.ask_console(act, subject, via=via)
        done = answer is not None and answer.status == 200
        words = f"{via} was asked to {act} {subject}: {'done' if done else answer or 'no answer'}"
        self.say(words, done)
        if not done:
            raise Refused(words)
        return words

    def _some_member(self, but: str) -> str:
        others = [name for name in self.members_up() if name != but]
        if not others:
            raise Refused("no other member runs that could be asked")
        return others[0]

    def _process(self, question: Mapping[str, Any]) -> str:
        act, name = str(question["act"]), self._node(question, "node")
        state = self.cluster.state(name)
        allowed = {
            "kill": (State.RUNNING, State.PAUSED),
            "pause": (State.RUNNING,),
            "resume": (State.PAUSED,),
            "restart": (State.DOWN,),
            "wipe": (State.DOWN,),
        }[act]
        if state not in allowed:
            wanted = " or ".join(one.value for one in allowed)
            raise Refused(f"{name} is {state.value}; {act} is for one that is {wanted}")
        getattr(self.cluster, act)(name)
        self._note("crash" if act == "kill" else act, name)
        if act == "kill":
            self.skews.pop(name, None)
        words = {
            "kill": f"{name} is killed (kill -9); its disk stays",
            "pause": f"{name} is paused (SIGSTOP): it accepts connections, and answers nothing",
            "resume": f"{name} goes on",
            "restart": f"{name} starts again, with its disk as it is",
            "wipe": f"the disk of {name} is lost",
        }[act]
        self.say(words)
        return words

    def _skew(self, question: Mapping[str, Any]) -> str:
        name, ms = self._node(question, "node"), _number(question, "ms", -86_400_000, 86_400_000)
        self.cluster.skew(name, ms)
        self.skews[name] = ms
        words = f"the wall clock of {name} is {'ahead' if ms > 0 else 'behind'} by {abs(ms)} ms"
        words = words if ms else f"the wall clock of {name} is right again"
        self.say(words)
        return words

    def _mode(self, question: Mapping[str, Any]) -> str:
        """Settings are read at a start: so each running node is started anew, one after the other."""
        config = self.cluster.config
        most = int(config["n"])
        new = {
            "mode": str(question.get("mode", config["mode"])),
            "r": _number(question, "r", 0, most),
            "w": _number(question, "w", 0, most),
        }
        if new["mode"] not in MODES:
            raise Refused(f"mode is {' or '.join(MODES)}")
        self.cluster.configure(**new)
        for name in self.cluster.running():
            self.cluster.kill(name)
            self._note("crash", name)
            self.cluster.restart(name)
            self._note("restart", name)
        self.skews.clear()
        words = f"all nodes start again, one by one: {new['mode']}, R = {_or_majority(new['r'])}"
        words += f", W = {_or_majority(new['w'])}"
        if paused := [name for name in self.cluster.names if self.cluster.state(name) is State.PAUSED]:
            words += f"; {listed(paused)} will have them when killed and started again"
        self.say(words)
        hello = without(self.feed.last("hello"), "t", "kind")
        self.feed.tell("hello", **{**hello, "config": without(config, SECRET)})
        return words

    # The network.

    def _cut(self, question: Mapping[str, Any]) -> str:
        pairs = self._pairs(question)
        for one, other in pairs:
            self.cluster.cut(one, other)
            self._note("cut", one, peer=other)
        self._cuts.update(pairs)
        return self._network_changed("nothing passes any more: " + _arrows(pairs))

    def _heal(self, question: Mapping[str, Any]) -> str:
        """One link or both directions of it; all of them, and their delays and losses, if none is named."""
        if not question.get("from"):
            self.cluster.heal()
            self.cluster.link(**self.cluster.links)
            self._cuts.clear()
            self._models.clear()
            self._note("heal", "")
            return self._network_changed("the network heals: no cut, no loss, no delay is left")
        pairs = self._pairs(question)
        for one, other in pairs:
            self.cluster.heal(one, other)
            self.cluster.link(one, other, **self.cluster.links)
            self._note("heal", one, peer=other)
            self._cuts.discard((one, other))
            self._models.pop((one, other), None)
        return self._network_changed("heals: " + _arrows(pairs))

    def _heal_all(self, question: Mapping[str, Any]) -> str:
        """The network, the nodes that were paused or killed, and the clocks. Who never ran does not start."""
        told = [self._heal({})]
        for name in self.cluster.names:
            state = self.cluster.state(name)
            if state is State.PAUSED:
                told.append(self._process({"act": "resume", "node": name}))
            elif state is State.DOWN and self.cluster.process(name).starts:
                told.append(self._process({"act": "restart", "node": name}))
            if self.skews.get(name):  # Of one that was paused, too.
                told.append(self._skew({"node": name, "ms": 0}))
        return "; ".join(told)

    def _link(self, question: Mapping[str, Any]) -> str:
        pairs = self._pairs(question)
        delay = _number(question, "delay_ms", 0, MOST_DELAY_MS)
        loss = _number(question, "loss_percent", 0, 100)
        model = {"delay_min_ms": delay, "delay_max_ms": max(delay, DEFAULT_LINKS["delay_max_ms"])}
        model["loss_ppm"] = loss * 10_000
        for one, other in pairs:
            self.cluster.link(one, other, **model)
            self._note("link", one, peer=other)
            self._models[(one, other)] = {"delay_ms": delay, "loss_percent": loss}
        return self._network_changed(f"{delay} ms of delay, {loss} % lost: {_arrows(pairs)}")

    def _drop(self, question: Mapping[str, Any]) -> str:
        count = _number(question, "count", 1, 1000)
        message = str(question.get("message", ""))
        for one, other in (pairs := self._pairs(question)):
            self.cluster.drop(one, other, message, count)
            self._note("forget", one, peer=other, message=message, text=str(count))
        which = message or "of all messages"
        return self._network_changed(f"the next {count} {which} vanish: {_arrows(pairs)}")

    def _network_changed(self, words: str) -> str:
        self.feed.tell(
            "links",
            cuts=sorted(list(pair) for pair in self._cuts),
            models=[[*pair, model] for pair, model in sorted(self._models.items())],
        )
        self.say(words)
        return words

    def _pairs(self, question: Mapping[str, Any]) -> list[tuple[str, str]]:
        """From one to the other; both ways if `both` is set."""
        one, other = self._node(question, "from"), self._node(question, "to")
        if one == other:
            raise Refused(f"a link has two ends; {one} sends itself nothing through the network")
        return [(one, other), (other, one)] if question.get("both") else [(one, other)]

    # Looking, and clients in the background.

    def _load(self, question: Mapping[str, Any]) -> str:
        rate = _number(question, "rate", 0, Workload.MOST_A_SECOND)
        self.workload.set_rate(rate)
        return f"{rate} requests a second"

    def _watch(self, question: Mapping[str, Any]) -> str:
        """`key`, if given: the one to look at. `tree`: [virtual node, node, node], or null: the key's."""
        if "key" in question:
            self.focus = str(question["key"])
            self.tree = None
        if tree := question.get("tree"):
            vnode, left, right = tree
            if not 0 <= int(vnode) < int(self.cluster.config["q"]):
                raise Refused(f"there is no virtual node {vnode}")
            self.tree = (int(vnode), self._known(left), self._known(right))
        return f"looking at {self.focus or 'no key'}"

    def _node(self, question: Mapping[str, Any], field: str) -> str:
        return self._known(question.get(field, ""))

    def _known(self, name: Any) -> str:
        if name not in self.cluster.names:
            raise Refused(f"no node is called {str(name)[:40]!r}")
        return str(name)


def _number(question: Mapping[str, Any], field: str, low: int, high: int) -> int:
    try:
        number = int(question.get(field, low if low > 0 else 0) or 0)
    except (TypeError, ValueError):
        raise Refused(f"{field} is a whole number") from None
    if not low <= number <= high:
        raise Refused(f"{field} is between {low} and {high}")
    return number


def _or_majority(hosts: int) -> str:
    return str(hosts) if hosts else "a majority"


def _arrows(pairs: list[tuple[str, str]]) -> str:
    return ", ".join(f"{one} → {other}" for one, other in pairs)


def _asked(action: Mapping[str, Any]) -> str:
    asked = f"{action['act']} {action['key']}"
    if action["act"] == "put":
        asked += f" = {action['value'][:SHOWN_VALUE]}"
    if action.get("context"):
        asked += " with what was read"
    return asked


def _heard(answer: KvAnswer) -> str:
    if answer.status == 0:
        return f"{answer.words}; what became of it is unknown"
    if not answer.done:
        return f"{answer.status} {answer.words}"
    if answer.status == 204:
        return "done"
    values = [value.decode("utf-8", "replace")[:SHOWN_VALUE] for value in answer.values]
    if not values:
        return "nothing there"
    siblings = f"{len(values)} siblings: " if len(values) > 1 else ""
    return f"{siblings}{'  ‖  '.join(sorted(values))}"
