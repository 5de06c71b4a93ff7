"""What a grade leaves on disk: the replay files that somebody is told of, and only the newest runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dynamolab import build, grade, labs, solutions
from dynamolab.checks import Verdict
from dynamolab.results import Outcome

COURSE = labs.load_all()


def _leave_artifacts(folder: Path, check: str) -> list[Path]:
    """What a check program and the cluster plugin leave of a failure."""
    left = [folder / f"{check}.replay.json", folder / f"{check}.trace.jsonl"]
    left += [folder / check / "replay.json", folder / check / f"{check}.n1.log"]
    for path in left:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("{}\n", encoding="utf-8")
    return left


def test_a_skipped_check_leaves_no_replay_files(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    lab, skipped = next((lab, check) for lab in COURSE for check in lab.checks if check.needs)
    needed = lab.check(skipped.needs[0])
    assert needed is not None
    gone = _leave_artifacts(tmp_path, skipped.id)
    kept = _leave_artifacts(tmp_path, needed.id)

    def both_fail(*_: Any) -> dict[str, Verdict]:
        return {
            needed.id: Verdict(Outcome.FAIL, message="expected: a\nactual: b", replay="x"),
            skipped.id: Verdict(Outcome.FAIL, message="expected: c\nactual: d", replay="y"),
        }

    built = build.NodeBuild(tmp_path / "node", tmp_path, {})
    monkeypatch.setattr(build, "build_node", lambda *_, **__: built)
    monkeypatch.setattr(grade, "_violations", lambda *_: None)
    monkeypatch.setattr(grade, "_run", both_fail)
    reference = solutions.open_solution(solutions.REFERENCE, COURSE)
    request = grade.Request(reference, [lab], only=frozenset({needed.id, skipped.id}))
    framework = build.Framework("release", 1)
    work = grade._Work(request, framework, framework, None, tmp_path)
    judged = grade._grade_lab(work, lab, lambda _: None)

    results = {check.id: check for check in judged.checks}
    assert results[needed.id].outcome is Outcome.FAIL
    assert results[skipped.id].outcome is Outcome.SKIP
    assert results[skipped.id].replay is None
    assert [path for path in gone if path.exists()] == []
    assert not (tmp_path / skipped.id).exists()
    assert [path for path in kept if not path.exists()] == []


@pytest.mark.parametrize(("too_many", "told"), [(0, None), (1, "is removed"), (3, "3 older runs")])
def test_old_runs_are_removed_and_it_is_said(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    too_many: int,
    told: str | None,
) -> None:
    monkeypatch.setattr(grade, "RESULTS", tmp_path)
    (tmp_path / "replay").mkdir()  # Not a run: ./lab replay's.
    runs = [tmp_path / f"202001{day:02}-120000-lab1" for day in range(1, grade.KEPT_RUNS + too_many)]
    for run in runs:
        _leave_artifacts(run, "ring.some_check")
    new = grade.run_folder("lab2")
    said = capsys.readouterr().err
    assert new.is_dir() and (tmp_path / "replay").is_dir()
    assert [run for run in runs if not run.exists()] == runs[:too_many]
    assert sum(path.name[:8].isdigit() for path in tmp_path.iterdir()) == grade.KEPT_RUNS
    if told is None:
        assert said == ""
    else:
        assert told in said and f"the newest {grade.KEPT_RUNS} runs are kept" in said
    if too_many == 1:
        assert runs[0].name in said


def test_a_module_that_a_lab_before_has_compiled_is_only_linked(tmp_path: Path) -> None:
    """The same file alone counts, under the same names of its factories."""
    ring, other, obj = tmp_path / "ring.cpp", tmp_path / "other.cpp", tmp_path / "ring.o"
    node = build.NodeBuild(tmp_path / "node", tmp_path, {"ring": obj})
    reference = solutions.open_solution(solutions.REFERENCE, COURSE)
    framework = build.Framework("release", 1)
    work = grade._Work(grade.Request(reference, ()), framework, framework, None, tmp_path)
    work.built.append(({"membership": None, "ring": ring}, node))
    assert work.compiled({"membership": other, "ring": ring}) == {"ring": obj}
    assert work.compiled({"membership": None, "ring": other}) == {}
    assert work.compiled({"ring": ring, "transfer": other}) == {}
