"""Hidden checks: data that widens public ones. Each catches known-wrong solutions with seeds that it never
saw before, and right solutions pass it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from dynamolab import build, checks, mutants, processes, reference
from dynamolab.course import course as courses
from dynamolab.course import hidden
from dynamolab.errors import LabError
from dynamolab.labs import Check, Lab, load_all
from dynamolab.paths import HIDDEN, RIGHT, ROOT
from dynamolab.results import Outcome, Show

LABS = load_all()
SEEDS = [271_828_182_845, 31_415_926]
ALL = {"name": "All", "hidden": {"checks": "all"}, "seeds": {"file": "seeds.json"}}
GOOD = {"id": "ring.hidden_a", "title": "t", "points": 5, "seeds": 9}
WIDENED = "ring.members_agree_on_the_ring_after_partitions_losses_and_a_crash"


def checks_of(lab: Lab) -> list[tuple[hidden.HiddenCheck, Check]]:
    found = []
    for one in hidden.load(lab):
        public = lab.check(one.widens)
        assert public is not None
        found.append((one, hidden.as_check(one, public, Show.OUTCOME)))
    return found


def test_every_lab_that_gives_points_has_some() -> None:
    assert all(len(hidden.load(lab)) >= 2 for lab in LABS if lab.points)
    assert {path.stem for path in HIDDEN.glob("*.json")} <= {lab.folder.name for lab in LABS}


def test_each_names_known_wrong_solutions_of_its_lab() -> None:
    known = {mutant.name: mutant for mutant in mutants.load(LABS)}
    for lab in LABS:
        for one in hidden.load(lab):
            assert one.catches and all(known[name].lab is lab for name in one.catches), one.id


def test_a_course_takes_those_of_its_parts(tmp_path: Path) -> None:
    path = tmp_path / "course.json"
    path.write_text(json.dumps(ALL | {"labs": [{"lab": 3, "parts": ["A"]}]}))
    (lab,) = courses.load(path).labs
    (taken,) = (check for check in lab.checks if check.hidden)
    assert taken.part == "A" and taken.show is Show.OUTCOME and taken.needs == (taken.hidden.widens,)
    path.write_text(json.dumps({"name": "x", "hidden": {"checks": "all"}, "labs": [{"lab": 3}]}))
    with pytest.raises(LabError, match="seeds: hidden checks need a file of secret seeds"):
        courses.load(path)


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        (GOOD | {"widens": "ring.nothing"}, r"checks\[0\]\.widens: ring.nothing is no unit"),
        (GOOD | {"widens": "ring.every_process_builds_the_same_ring"}, "is no unit, simulated"),
        (GOOD | {"widens": WIDENED, "scope": {"states": 9}}, "is no exploration"),
        ({**GOOD, "seeds": None, "widens": WIDENED}, r"checks\[0\]\.seeds"),
        ({k: v for k, v in GOOD.items() if k != "seeds"} | {"widens": WIDENED}, "it widens nothing"),
        (GOOD | {"widens": WIDENED, "id": "sync.hidden_a"}, "must begin with 'ring.hidden_'"),
        (GOOD | {"widens": WIDENED, "rule": "new"}, "rule"),
    ],
)
def test_broken_one_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, entry: dict[str, object], told: str
) -> None:
    monkeypatch.setattr(hidden, "HIDDEN", tmp_path)
    (tmp_path / "2-ring.json").write_text(json.dumps({"lab": 2, "checks": [entry]}))
    with pytest.raises(LabError, match=told):
        hidden.load(next(lab for lab in LABS if lab.number == 2))


# For real.


@pytest.fixture(scope="module")
def framework() -> build.Framework:
    made = build.Framework("release", 2)
    made.build(["libraries", *(f"lab{lab.number}-checks" for lab in LABS if hidden.load(lab))])
    return made


def right_nodes(lab: Lab, framework: build.Framework) -> Iterator[tuple[str, Path]]:
    """The reference, and one that differs from it; all of these if EVERY_RIGHT_ONE is set, as whoever
    changes a hidden check does once: that takes minutes."""
    yield "reference", build.reference_node(framework)
    most = None if os.environ.get("EVERY_RIGHT_ONE") else 1
    with_file = [folder for folder in sorted(RIGHT.glob(f"{lab.number}-*")) if (folder / lab.file).exists()]
    for folder in with_file[:most] if lab.has_module else []:
        modules: dict[str, Path | None] = dict.fromkeys(reference.modules())
        modules[lab.module] = folder / lab.file
        yield folder.name, build.build_node(framework, modules, f"right-{folder.name}").node


def judged(
    lab: Lab, wanted: list[Check], seeds: list[int], node: Path, framework: build.Framework, folder: Path
) -> dict[str, checks.Verdict]:
    run = checks.Run(node, folder, jobs=2, shrink=False)
    return hidden.judge(framework.checks_binary(lab.number), wanted, seeds, run)


@pytest.mark.slow
@pytest.mark.parametrize("lab", [lab for lab in LABS if hidden.load(lab)], ids=lambda lab: lab.name)
def test_right_ones_pass_and_wrong_ones_are_caught(
    lab: Lab, framework: build.Framework, tmp_path: Path
) -> None:
    both = checks_of(lab)
    wanted = [check for _, check in both]
    # A plain-clock solution earns parts A and B of lab 4; the hidden checks of part C are not for it.
    for name, node in right_nodes(lab, framework):
        mine = [c for c in wanted if not (name == "4-plain-clocks" and c.part == "C")]
        verdicts = judged(lab, mine, SEEDS[:1], node, framework, tmp_path / name)
        told = {c: v.message for c, v in verdicts.items() if v.outcome is not Outcome.PASS}
        assert not told, name
    known = {mutant.name: mutant for mutant in mutants.load(LABS)}
    for one, check in both:
        for name in one.catches:
            node = mutants.build_mutant(known[name], framework).node
            verdict = judged(lab, [check], SEEDS, node, framework, tmp_path / "wrong")[check.id]
            assert verdict.outcome is Outcome.FAIL, f"{one.id} misses {name}"
            assert str(SEEDS[0]) in verdict.message or str(SEEDS[1]) in verdict.message


@pytest.mark.slow
def test_a_failure_is_replayed_with_the_scope_it_was_found_in(
    framework: build.Framework, tmp_path: Path
) -> None:
    lab = next(lab for lab in LABS if lab.number == 1)
    one, check = next((o, c) for o, c in checks_of(lab) if o.scope)
    node = mutants.build_mutant(next(m for m in mutants.load(LABS) if m.name in one.catches), framework).node
    program = framework.checks_binary(1)
    narrow = replace(check, hidden=replace(check.hidden, scope={"states": 200_000}))  # type: ignore[type-var]
    run = checks.Run(node, tmp_path, shrink=False)
    verdict = hidden.judge(program, [narrow], SEEDS[:1], run)[check.id]
    assert verdict.outcome is Outcome.FAIL and verdict.replay
    replay = ROOT / verdict.replay
    assert json.loads(json.loads(replay.read_text())["scope"]) == {"states": 200_000}
    done = processes.run([program, "--node", node, "--replay", replay], deadline_s=60.0)
    assert done.code == 1 and "the same run, step by step" in done.out
