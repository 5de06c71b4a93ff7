"""Checks of kind plan: what is wrong with a file is said with the field and the cure; a right plan earns
its points, and an empty one none."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from real_nodes import Programs, programs

from dynamolab import build, checks, fault_plans, labs, mutants, processes
from dynamolab.labs import Check, Lab
from dynamolab.paths import REFERENCE, RIGHT, SKELETON
from dynamolab.results import Outcome

__all__ = ["programs"]

CAPSTONE = next(lab for lab in labs.load_all() if not lab.has_module)
PLANS = [check for check in CAPSTONE.checks if check.kind == "plan"]
NAMED = {"hints": "gone_when_they_are_sent", "restart": "restart", "deletes": "deletes"}
RIGHT_PLANS = sorted(RIGHT.glob(f"{CAPSTONE.number}-*"))
OTHERS_OF_THE_REFERENCE = ["--with", "reference:1,2,3,4,5,6"]
PUT = {"at_ms": 1, "act": "put", "nodes": ["n1"], "key": "k", "value": "v"}


def with_hints(*actions: Any) -> str:
    return json.dumps({"hints": {"actions": actions}})


BROKEN = {
    "no JSON": ('{"hints": ', "is no JSON: .*line 1"),
    "no UTF-8": ('{"hints": "\udcff"}', "is no JSON"),
    "no object": ("[]", "expected an object"),
    "another name": ('{"hint": {}}', 'unknown field "hint"; known are: .*hints'),
    "no such plan": ("{}", "hints is missing"),
    "a plan that is none": ('{"hints": 7}', "hints: expected an object"),
    "another field": ('{"hints": {"action": []}}', 'hints: unknown field "action"; known are'),
    "no actions": ('{"hints": {"about": "x"}}', r"hints\.actions is missing"),
    "empty": ('{"hints": {"actions": []}}', r"hints\.actions is empty"),
    "no list": ('{"hints": {"actions": {}}}', r"hints\.actions: expected a list"),
    "an action that is none": (with_hints("pause"), r"actions\[0\]: expected an object"),
    "an act that is none": (
        with_hints({"act": "stop", "nodes": ["n1"]}),
        r"actions\[0\]\.act: expected one of",
    ),
    "an unknown field": (with_hints({**PUT, "keys": "k"}), 'unknown field "keys"'),
    "an unknown node": (
        with_hints({**PUT, "nodes": ["n6"]}),
        r"nodes\[0\]: expected one of the plan's nodes",
    ),
    "an unknown subject": (with_hints({"act": "add", "nodes": ["n1"], "peers": ["n9"]}), "found .n9"),
    "an earlier time": (
        with_hints({**PUT, "at_ms": 2}, PUT),
        r"actions\[1\]\.at_ms: expected actions in order",
    ),
    "too late": (with_hints({**PUT, "at_ms": 120_001}), r"actions\[0\]\.at_ms: expected at most 120000"),
    "too many": (with_hints(*[{"act": "heal"}] * 301), "at most 300 of them, found 301"),
    "a lost disk": (with_hints({"act": "wipe", "nodes": ["n1"]}), r'act: no "wipe"'),
    "other settings": (
        with_hints({"act": "configure", "settings": {"mode": "strict"}}),
        r'act: no "configure"',
    ),
    "one value twice": (with_hints(PUT, PUT), "give each put a value of its own"),
    "a put at two nodes": (with_hints({**PUT, "nodes": ["n1", "n2"]}), "expected one node"),
    "a made-up context": (with_hints({**PUT, "context": "00ff"}), 'context: expected "read"'),
    "a request's id": (with_hints({**PUT, "request": {"client": "c"}}), "request: leave it out"),
}


@pytest.fixture
def on_reference(programs: Programs, tmp_path: Path) -> Callable[..., processes.Completed]:
    """Runs a plan of a file with this text on the reference's store."""

    def run(text: str, plan: str = "hints") -> processes.Completed:
        file = tmp_path / "capstone.json"
        file.write_text(text, encoding="utf-8", errors="surrogateescape")
        program = build.Framework("release", 1).checks_binary(CAPSTONE.number)
        command = [program, "--node", programs.node, "--submission", file]
        command += ["--only", next(check.id for check in PLANS if NAMED[plan] in check.id)]
        return processes.run(command, deadline_s=60.0)

    return run


@pytest.mark.parametrize("what", BROKEN)
def test_broken_file_is_answered_with_field_and_cure(
    on_reference: Callable[..., processes.Completed], what: str
) -> None:
    text, told = BROKEN[what]
    done = on_reference(text)
    assert done.code == 1, done.out
    assert "expected: a fault plan that can be run" in done.out
    assert re.search(rf"capstone\.json.*{told}", done.out), done.out


def act(at_ms: int, what: str, node: str, **more: str) -> dict[str, Any]:
    return {"at_ms": at_ms, "act": what, "nodes": [node], **more}


CART = {"key": "cart"}  # Of n5, n2 and n1.
PUT_MILK = act(500, "put", "n1", **CART, value="milk")
PUT_ON_THREE = {**PUT_MILK, "hosts": 3}
STORIES = {
    "nobody is away": ("hints", [act(0, "pause", "n3"), PUT_MILK], "reached the owners .* at once"),
    "nothing is acknowledged": (
        "hints",
        [act(0, "pause", "n3")],
        "no put or delete was acknowledged",
    ),
    "enough owners are there": (
        "hints",
        [act(0, "pause", "n2"), PUT_MILK, act(8000, "resume", "n2")],
        r"\[n5, n1\] of its owners .* nobody was asked to stand in",
    ),
    "hints arrive": (
        "hints",
        [act(0, "crash", "n2"), PUT_ON_THREE, act(9000, "restart", "n2")],
        "given up only when the owners held the key",
    ),
    "no holder of hints dies": (
        "restart",
        [act(0, "crash", "n2"), PUT_ON_THREE, act(9000, "restart", "n2")],
        "hints were kept, the first by n3, for cart.* nobody was killed while he kept one",
    ),
    "a holder of hints dies": (
        "restart",
        [act(0, "crash", "n2"), PUT_ON_THREE, act(3000, "crash", "n3"), act(4000, "restart", "n3")],
        "n3 was killed at 3000 ms, and kept hints then, for cart",
    ),
    "all hear of the delete": (
        "deletes",
        [PUT_MILK, act(2000, "get", "n1", **CART), act(3000, "delete", "n1", **CART, context="read")],
        "nobody kept a value that could come back",
    ),
    "an owner misses the delete": (
        "deletes",
        [
            PUT_MILK,
            act(2000, "crash", "n2"),
            act(2500, "get", "n1", **CART),
            act(3000, "delete", "n1", **CART, context="read"),
            act(4000, "restart", "n2"),
        ],
        "n2 missed the delete of cart at 3000 ms, and held the value until 40",
    ),
}


@pytest.mark.parametrize("what", STORIES)
def test_plan_that_finds_nothing_is_told_step_by_step_and_why(
    on_reference: Callable[..., processes.Completed], what: str
) -> None:
    name, actions, because = STORIES[what]
    done = on_reference(json.dumps({name: {"actions": actions}}), name)
    assert done.code == 0, done.out
    steps, _, end = done.out.partition("  expected: ")
    assert len(re.findall(r"^ *\d+\. \d+ ms: ", steps, re.MULTILINE)) == len(actions), steps
    expected, _, actual = end.partition("  actual:   ")
    assert "it fails" in expected
    assert re.search(because, " ".join(actual.split())), actual


def test_many_writes_of_a_plan_are_one_step(
    on_reference: Callable[..., processes.Completed],
) -> None:
    puts = [act(50 * i, "put", "n1", key=f"item{i}", value=f"v{i}") for i in range(30)]
    done = on_reference(json.dumps({"hints": {"actions": puts}}))
    assert "1. 0 to 1450 ms: 30 of put at n1, item0 to item29: 30 done" in done.out


def test_plan_that_leaves_no_member_fails_with_a_reason(
    on_reference: Callable[..., processes.Completed],
) -> None:
    names = [f"n{number}" for number in range(1, 6)]
    removals = [{"act": "remove", "nodes": [name], "peers": names} for name in names]
    done = on_reference(with_hints(PUT, *[{"at_ms": 1000, **act} for act in removals]))
    assert done.code == 1, done.out


def test_reference_comes_through_the_example_of_the_handout(
    on_reference: Callable[..., processes.Completed],
) -> None:
    handout = (CAPSTONE.folder / "README.md").read_text(encoding="utf-8")
    example = handout.split("```json\n")[1].split("```")[0]
    assert set(json.loads(example)) == set(json.loads((REFERENCE / CAPSTONE.file).read_text()))
    done = on_reference(example)
    assert done.code == 0, done.out


@pytest.mark.parametrize(
    ("on_right", "on_wrong", "whole", "told"),
    [
        (Outcome.PASS, Outcome.FAIL, Outcome.PASS, "as wanted"),
        (Outcome.PASS, Outcome.PASS, Outcome.FAIL, "your plan does this:\nsaid by wrong"),
        (Outcome.FAIL, Outcome.FAIL, Outcome.FAIL, "on the reference, which is right:\nsaid by right"),
        (Outcome.PASS, Outcome.INCONCLUSIVE, Outcome.INCONCLUSIVE, "said by wrong"),
        (Outcome.INCONCLUSIVE, Outcome.PASS, Outcome.INCONCLUSIVE, "said by right"),
    ],
)
def test_verdict_of_both_stores(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    on_right: Outcome,
    on_wrong: Outcome,
    whole: Outcome,
    told: str,
) -> None:
    outcomes = {"right": on_right, "wrong": on_wrong}

    def run_program(_: Path, wanted: Sequence[Check], run: checks.Run) -> dict[str, checks.Verdict]:
        assert run.submission == tmp_path / "capstone.json"
        by = run.node.name
        return {c.id: checks.Verdict(outcomes[by], 1.0, f"said by {by}", "x.replay.json") for c in wanted}

    def built(name: str) -> build.NodeBuild:
        return build.NodeBuild(tmp_path / name, tmp_path, {})

    monkeypatch.setattr(checks, "run_program", run_program)
    monkeypatch.setattr(build, "build_node", lambda *_, **__: built("right"))
    monkeypatch.setattr(mutants, "build_mutant", lambda *_: built("wrong"))
    heard: list[str] = []
    run = checks.Run(
        tmp_path / "students",
        tmp_path,
        on_check=lambda check, verdict: heard.append(check) if verdict else None,
    )
    framework = build.Framework("release", 1)
    verdicts = fault_plans.judge(tmp_path / "capstone.json", CAPSTONE, PLANS, framework, run)
    assert heard == [check.id for check in PLANS]
    for verdict in verdicts.values():
        assert verdict.outcome is whole
        assert re.search(told, verdict.message)
        assert verdict.replay is None  # It would be a run of a store of the grader's.


def test_each_plan_is_to_find_a_wrong_store_of_its_own() -> None:
    found = [fault_plans.wrong_store(check) for check in PLANS]
    assert len({wrong.name for wrong in found}) == len(PLANS)
    for check, wrong in zip(PLANS, found, strict=True):
        assert check.id in wrong.expected


def test_plans_of_the_reference_are_not_handed_out() -> None:
    plans = json.loads((REFERENCE / CAPSTONE.file).read_text(encoding="utf-8"))
    handed_out = json.loads((SKELETON / CAPSTONE.file).read_text(encoding="utf-8"))
    assert handed_out == {name: {"about": "", "actions": []} for name in plans}
    handout = (CAPSTONE.folder / "README.md").read_text(encoding="utf-8")
    assert not [plan["about"] for plan in plans.values() if plan["about"] in handout]


def graded(
    lab_command: Callable[..., processes.Completed], tmp_path: Path, *words: str
) -> list[dict[str, Any]]:
    only = [word for check in PLANS for word in ("--only", check.id)]
    report = ["--results", tmp_path / "results.json", "--html", tmp_path / "report.html"]
    done = lab_command("grade", str(CAPSTONE.number), *words, *only, *report)
    assert done.code in (0, 1), done.out
    document = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))
    return list(document["labs"][0]["checks"])


@pytest.mark.slow
def test_plans_of_the_reference_earn_all_points(
    lab_command: Callable[..., processes.Completed], tmp_path: Path
) -> None:
    found = graded(lab_command, tmp_path, "--solution", "reference")
    assert [check["points"] for check in found] == [check.points for check in PLANS]
    assert all("as wanted, the wrong store" in check["message"] for check in found)


@pytest.mark.slow
@pytest.mark.parametrize("folder", RIGHT_PLANS, ids=lambda path: path.name)
def test_plans_that_differ_from_the_references_earn_all_points(
    lab_command: Callable[..., processes.Completed], tmp_path: Path, folder: Path
) -> None:
    found = graded(lab_command, tmp_path, "--solution", str(folder), *OTHERS_OF_THE_REFERENCE)
    assert [check["points"] for check in found] == [check.points for check in PLANS]


def test_right_plans_differ_in_their_faults() -> None:
    """What is done to nodes and links, without who, when and with which keys."""
    files = [REFERENCE / CAPSTONE.file, *(folder / CAPSTONE.file for folder in RIGHT_PLANS)]
    for name in json.loads(files[0].read_text(encoding="utf-8")):
        plans = [json.loads(file.read_text(encoding="utf-8"))[name]["actions"] for file in files]
        faults = [[a["act"] for a in plan if a["act"] not in ("put", "get")] for plan in plans]
        assert len({tuple(acts) for acts in faults}) == len(files), name


@pytest.mark.slow
def test_plans_of_the_skeleton_earn_none_and_of_the_reference_with_it_all(
    lab_command: Callable[..., processes.Completed], tmp_path: Path
) -> None:
    found = graded(lab_command, tmp_path)
    assert [check["points"] for check in found] == [0, 0, 0]
    for check in found:
        assert "actions is empty; part C of the handout" in check["message"]
        assert "reference" not in check["message"]  # Nothing has run.
    found = graded(lab_command, tmp_path, "--with", f"reference:{CAPSTONE.number}")
    assert sum(check["points"] for check in found) == sum(check.points for check in PLANS)


@pytest.mark.slow
def test_example_of_the_handout_earns_nothing(
    lab_command: Callable[..., processes.Completed], tmp_path: Path
) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    handout = (CAPSTONE.folder / "README.md").read_text(encoding="utf-8")
    example = json.loads(handout.split("```json\n")[1].split("```")[0])
    actions = example["hints"]["actions"]
    (mine / CAPSTONE.file).write_text(json.dumps({name: {"actions": actions} for name in example}))
    found = graded(lab_command, tmp_path, "--solution", str(mine), *OTHERS_OF_THE_REFERENCE)
    assert [check["points"] for check in found] == [0, 0, 0]
    for check in found:
        assert "[n3]" not in check["message"] and "pause of n3" in check["message"]
        assert "it comes through, as the reference does" in check["message"]
