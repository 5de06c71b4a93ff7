"""Which grader gave a verdict, why points were lost, and questions on a run of one's own."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from dynamolab import build, labs, processes, sandbox
from dynamolab.errors import GraderTrouble, LabError
from dynamolab.semester import versions, viva, viva_runs, why

COURSE = labs.load_all()
RING = labs.find_lab(COURSE, "ring")
SECOND = next(check for check in RING.checks if check.needs)
FIRST = next(check for check in RING.checks if check.id == SECOND.needs[0])


def test_a_check_s_hash_follows_what_decides_its_verdict_and_nothing_else() -> None:
    before = versions.of_check(RING, FIRST)
    assert before == versions.of_check(RING, replace(FIRST, title="another", points=99, hint="another"))
    assert before != versions.of_check(RING, replace(FIRST, kind="sim"))
    assert before != versions.of_check(RING, replace(FIRST, needs=(SECOND.id,)))


def test_a_check_s_hash_follows_the_file_that_it_is_written_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cluster check is in test_cluster.py; that file, and no other, decides."""
    real = next(check for check in RING.checks if check.kind == "cluster")
    read = Path.read_bytes
    before = {check.id: versions.of_check(RING, check) for check in (FIRST, real)}

    def changed(path: Path) -> bytes:
        return read(path) + (b"\n# changed" if path.name == "test_cluster.py" else b"")

    monkeypatch.setattr(Path, "read_bytes", changed)
    assert versions.of_check(RING, real) != before[real.id]
    assert versions.of_check(RING, FIRST) == before[FIRST.id]


def check(of: labs.Check, outcome: str, message: str = "", **more: object) -> dict[str, object]:
    passed = outcome == "pass"
    told = {"id": of.id, "title": of.title, "kind": of.kind, "outcome": outcome, "message": message}
    numbers = {"points": of.points if passed else 0, "max_points": of.points, "seconds": 0.1}
    return {**told, **numbers, "replay": None, "why": of.why, "hint": of.hint, **more}


@pytest.fixture
def results(tmp_path: Path) -> Path:
    told = "1. n1 is asked\nexpected: n2\nactual:   n1"
    skipped = check(SECOND, "skip", "skipped")
    listed = [check(FIRST, "fail", told, hash=versions.of_check(RING, FIRST)), skipped]
    lab = {"lab": 2, "name": "ring", "points": 0, "max_points": 8, "checks": listed}
    head = {"schema": "dynamo-labs/results/1", "solution": "theirs", "seed": 7, "grader": versions.grader()}
    document = {**head, "points": 0, "max_points": 8, "outcome": "fail", "labs": [lab]}
    (tmp_path / "results.json").write_text(json.dumps(document), encoding="utf-8")
    return tmp_path


def told(results: Path, word: str) -> str:
    return "\n".join(why.explain(why.find(why.read_results(results), word), COURSE))


def test_why_tells_rule_story_hint_and_how_to_have_it_again(results: Path) -> None:
    text = told(results, FIRST.id.partition(".")[2])
    assert f"FAIL, 0/{FIRST.points} points" in text
    assert RING.properties[FIRST.properties[0]] in text
    assert "actual:   n1" in text
    assert FIRST.hint in text
    assert f"./lab grade 2 --only {FIRST.id} --seed 7 --solution theirs" in text
    assert "This checkout judges the same way" in text


def test_why_follows_a_skipped_check_to_the_one_that_failed(results: Path) -> None:
    text = told(results, SECOND.id)
    assert "SKIP" in text
    assert f"it needs {FIRST.id}" in text
    assert "actual:   n1" in text


def test_why_says_that_a_check_was_changed_since(results: Path) -> None:
    file = results / "results.json"
    file.write_text(file.read_text(encoding="utf-8").replace(versions.of_check(RING, FIRST), "0ld"))
    assert "was changed since" in told(results, FIRST.id)


def test_why_names_what_is_wrong_with_its_words(results: Path, tmp_path: Path) -> None:
    with pytest.raises(LabError, match="is not among these results; did you mean"):
        told(results, FIRST.id[:-1])
    with pytest.raises(LabError, match="holds no results.json"):
        why.read_results(tmp_path / "nothing")


@pytest.fixture(scope="module")
def node() -> tuple[build.Framework, Path]:
    framework = build.Framework("release", 1)
    framework.build(["libraries", "run-plan"])
    return framework, build.reference_node(framework)


def runner(node: tuple[build.Framework, Path], lab: int, folder: Path, seed: int = 1) -> viva_runs.Runner:
    return viva_runs.Runner(node[0].run_plan, node[1], lab, seed, folder)


@pytest.mark.parametrize("lab", range(1, 7))
def test_every_lab_has_questions_whose_answers_were_run(
    node: tuple[build.Framework, Path], lab: int, tmp_path: Path
) -> None:
    asked = viva.prepare(runner(node, lab, tmp_path / "a"), 4)
    assert len(asked.questions) == 4
    assert len({question.about for question in asked.questions}) >= 2
    assert all(question.answer for question in asked.questions)
    changed = [question for question in asked.questions if question.page]
    assert changed and all(question.page and question.page.is_file() for question in changed)
    again = viva.prepare(runner(node, lab, tmp_path / "b"), 4)
    assert [q.text for q in asked.questions] == [q.text for q in again.questions]
    assert [q.answer for q in asked.questions] == [q.answer for q in again.questions]


def test_a_message_that_is_lost_is_the_one_that_is_asked_about(
    node: tuple[build.Framework, Path], tmp_path: Path
) -> None:
    """The changed run drops one message more, and is the same until then."""
    running = runner(node, 3, tmp_path)
    asked = viva.prepare(running, 6)
    lost = [question for question in asked.questions if question.about == "a lost message"]
    assert lost and lost[0].page
    steps = viva_runs.model.read_trace(lost[0].page.with_suffix(".trace.jsonl"))[0]
    first = next(i for i, (a, b) in enumerate(zip(steps, asked.base.steps, strict=False)) if a != b)
    assert {"drop", "forget"} & {step["event"] for step in steps[first : first + 2]}


def test_there_is_no_viva_for_the_warm_up(node: tuple[build.Framework, Path], tmp_path: Path) -> None:
    with pytest.raises(LabError, match="no viva for lab 0"):
        viva.prepare(runner(node, 0, tmp_path), 1)


def test_what_somebody_handed_in_runs_in_a_sandbox(
    node: tuple[build.Framework, Path], tmp_path: Path
) -> None:
    framework = node[0]
    try:
        box = sandbox.choose("auto", framework.sandbox_launcher_built())
    except LabError as error:
        pytest.skip(str(error))
    assert box is not None
    inside = replace(runner(node, 3, tmp_path / "a"), sandbox=box).run("as-it-is")
    assert inside.steps == runner(node, 3, tmp_path / "b").run("as-it-is").steps
    with pytest.raises(GraderTrouble):  # Nothing goes past a launcher that starts nothing.
        deaf = replace(box, launcher=Path("/bin/false"))
        replace(runner(node, 3, tmp_path / "c"), sandbox=deaf).run("as-it-is")


@pytest.mark.slow
def test_viva_of_unwritten_code_says_so(lab_command: Callable[..., processes.Completed]) -> None:
    done = lab_command("viva", "skeleton", "1")
    assert done.code == 2
    assert "not written yet" in done.out
