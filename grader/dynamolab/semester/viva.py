"""Questions for a student about a run of the student's own code, each with the answer that the simulator
computed by running it again with the one thing changed that the question asks about.

Who wrote the code can say what it does when a message is lost. Who copied it cannot."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dynamolab.semester.viva_runs import Run, Runner, Step
from dynamolab.viewer import model

TOLD = 6  # Steps of an answer.
AWAY_MS = 1500  # How long a node stays dead.
TRIES = 40  # Changes that are tried until there are enough that matter.
HEARS = ("told", "answer")  # Of a client, of the operator.
CAUSES = ("drop", "forget", "crash", "restart")  # What the question itself says.


@dataclass(frozen=True)
class Question:
    """``page``: the changed run, drawn; none where nothing was changed."""

    text: str
    answer: list[str]
    page: Path | None = None
    about: str = ""  # Of which kind it is: a viva asks each kind once before it asks one twice.


@dataclass
class Viva:
    """``base``: the run that all questions are about."""

    lab: int
    base: Run
    questions: list[Question] = field(default_factory=list)


Maker = Callable[[Runner, Run, random.Random], Iterator[Question]]


def prepare(runner: Runner, count: int) -> Viva:
    """``count`` questions, or as many as the run gives. LabError if the solution dies on the plan."""
    base = runner.run("as-it-is")
    viva = Viva(runner.lab, base)
    chance = random.Random(runner.seed)
    makers: tuple[Maker, ...] = (_ring, _heard, _lost, _killed)
    waiting = [maker(runner, base, chance) for maker in makers]
    while waiting and len(viva.questions) < count:
        for questions in list(waiting):
            question = next(questions, None)
            if question is None:
                waiting.remove(questions)
            elif len(viva.questions) < count:
                viva.questions.append(question)
    return viva


def _at(step: Step, base: Run) -> str:
    """"step 14 (t=2.310 s)": as the page of the run counts."""
    return f"step {base.steps.index(step) + 1} ({step.get('moment', '')})"


def _line(step: Step) -> str:
    return f"{step.get('moment', '')}  {step.get('words', '')}"


def _same(step: Step) -> tuple[str, ...]:
    return tuple(str(step.get(name, "")) for name in ("t_us", "node", "event", "peer", "words"))


def _news(run: Run, base: Run) -> list[Step]:
    """What happens in one run and not in the other, in order; what brought nothing new is left out."""
    known = {_same(step) for step in base.steps}
    return [s for s in run.steps if _same(s) not in known and not s.get("quiet")]


def _hearings(run: Run) -> list[str]:
    return [str(step.get("words", "")) for step in run.steps if step["event"] in HEARS]


def _effects(changed: Run, base: Run) -> list[Step]:
    return [step for step in _news(changed, base) if step["event"] not in CAUSES]


def _matters(changed: Run, base: Run) -> bool:
    return bool(_effects(changed, base))


def _consequences(changed: Run, base: Run) -> list[str]:
    """What to answer: the first steps that are new, then what people hear otherwise."""
    told = [_line(step) for step in _effects(changed, base)[:TOLD]]
    before, after = _hearings(base), _hearings(changed)
    other = [(a, b) for a, b in zip(before, after, strict=False) if a != b]
    told += [f"People hear something else: “{b}” instead of “{a}”." for a, b in other[:2]]
    if not other and len(before) == len(after):
        told.append("What clients and the operator hear stays the same.")
    return told


def _candidates(base: Run, kind: str) -> list[Step]:
    """Steps of the plan's time that did something."""
    return [
        step
        for step in base.steps
        if step["event"] == kind and int(step["t_us"]) >= base.began_us and not step.get("quiet")
    ]


def _shuffled(steps: Sequence[Step], chance: random.Random) -> list[Step]:
    return sorted(chance.sample(list(steps), min(TRIES, len(steps))), key=lambda _: chance.random())


def _lost(runner: Runner, base: Run, chance: random.Random) -> Iterator[Question]:
    """What becomes of it if one message does not arrive?"""
    sent_of = {a.received: base.steps[a.sent] for a in model.arrows_of(base.steps)}
    received = {id(step): at for at, step in enumerate(base.steps)}
    kinds: set[str] = set()
    number = 0
    for step in _shuffled(_candidates(base, "receive"), chance):
        sent = sent_of.get(received[id(step)])
        what = f"{step['message']}{' reply' if step.get('reply') else ''}"
        if sent is None or what in kinds or int(sent["t_us"]) < base.began_us:
            continue
        number += 1
        order = {"at_ms": base.ms_before(sent), "act": "drop", "nodes": [sent["node"]], "message": what}
        changed = runner.run(f"lost-{number}", {**order, "peers": [sent["peer"]]})
        if not _dropped(changed, sent) or not _matters(changed, base):
            continue  # Another message of the link went first; or it came another way, too.
        kinds.add(what)
        told = f"{'answer to ' if step.get('reply') else ''}{step['message']}"
        yield Question(
            f"At {_at(sent, base)}, {sent['node']} sends {sent['peer']} its {told}."
            f" Suppose that this message is lost. What do {sent['node']} and {sent['peer']} do instead,"
            " which lines of your code do that, and does anybody outside notice?",
            _consequences(changed, base),
            changed.page,
            "a lost message",
        )


def _dropped(run: Run, sent: Step) -> bool:
    def message(step: Step) -> tuple[object, ...]:
        return step["t_us"], step.get("message"), step.get("reply")

    return any(step["event"] == "drop" and message(step) == message(sent) for step in run.steps)


def _killed(runner: Runner, base: Run, chance: random.Random) -> Iterator[Question]:
    """What does a node still know after kill -9 right behind a write?"""
    fallen = {name for a in runner.plan["actions"] if a["act"] in ("crash", "remove") for name in a["nodes"]}
    fallen |= {name for a in runner.plan["actions"] for name in a.get("peers", ()) if a["act"] == "remove"}
    asked: set[str] = set()
    for step in _shuffled(_candidates(base, "commit"), chance):
        node = str(step["node"])
        if node in fallen | asked:
            continue
        asked.add(node)
        at = base.ms_after(step)
        die = {"at_ms": at, "act": "crash", "nodes": [node]}
        back = {"at_ms": at + AWAY_MS, "act": "restart", "nodes": [node]}
        changed = runner.run(f"killed-{node}", die, back)
        if not _matters(changed, base):
            continue
        yield Question(
            f"Right after {_at(step, base)} ({step.get('words', '')}), {node} is killed (kill -9) and started"
            f" again {AWAY_MS / 1000:g} s later. What is still there, what is gone, and who makes up for it?",
            _consequences(changed, base),
            changed.page,
            "a kill",
        )


def _heard(runner: Runner, base: Run, chance: random.Random) -> Iterator[Question]:
    """What stood behind an answer?"""
    for step in _shuffled([s for event in HEARS for s in _candidates(base, event)], chance):
        at = base.steps.index(step)
        node, asks = step["node"], "client" if step["event"] == "told" else "console"
        earlier = [i for i, s in enumerate(base.steps[:at]) if (s["event"], s.get("node")) == (asks, node)]
        if not earlier:
            continue
        between = [s for s in base.steps[earlier[-1] : at] if node in (s.get("node"), s.get("peer"))]
        told = [_line(s) for s in between if s["event"] in ("receive", "commit", "timeout", "refused")]
        yield Question(
            f"At {_at(step, base)}: {step.get('words', '')}. What did {node} need on its disk, and"
            " from whom did it need to hear, before it could say that? Show the line that waits for it.",
            told[-TOLD:] or [f"Nothing was written, nobody was heard: {node} knew it already."],
            None,
            "an answer",
        )


def _ring(runner: Runner, base: Run, _chance: random.Random) -> Iterator[Question]:
    """Who owns a key before and after a leave? Only where the plan is about that."""
    leaves = [a for a in runner.plan["actions"] if a["act"] == "remove"]
    if runner.lab != 2 or not leaves:
        return
    gone = leaves[0]["peers"][0]
    changed = runner.run("nobody-leaves", without="remove")
    after, before = _lists(base), _lists(changed)
    for key in sorted(set(before) & set(after)):
        if gone not in before[key][1]:
            continue
        vnode, old = before[key]
        yield Question(
            f"{key} lies in virtual node {vnode}, whose preference list is {', '.join(old)}. {gone} leaves."
            f" What is the preference list now, and by which rule? Which other virtual nodes may move?",
            [f"{', '.join(after[key][1])}. Only virtual nodes that {gone} owned get a new owner."],
            changed.page,
            "the ring",
        )


def _lists(run: Run) -> dict[str, tuple[int, list[str]]]:
    """Key → its virtual node and preference list, as the first node that tells has it."""
    for ring in model.rings_of(run.rings):
        if ring["keys"]:
            return {k: (int(v["vnode"]), list(v["list"])) for k, v in ring["keys"].items()}
    return {}
