"""A build that takes its time says so where no bar is seen; what nobody uses any more is dropped."""

from __future__ import annotations

import os
import queue
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from dynamolab import build, processes
from dynamolab.commands import replay
from dynamolab.errors import GraderTrouble, LabError
from dynamolab.results import Results, write_json

Run = Callable[..., processes.Completed]


@pytest.mark.parametrize(("steps", "told"), [(2, 0), (build.LONG_BUILD_STEPS, 1), (250, 1)])
def test_a_long_build_of_the_framework_is_told_once(
    steps: int,
    told: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "release").mkdir()
    (tmp_path / "release" / "build.ninja").write_text("")

    def run(*_: object, on_line: Callable[[str], None], **__: object) -> processes.Completed:
        for step in (1, 2):
            on_line(f"[{step}/{steps}] Building CXX object x.o")
        return processes.Completed(0, "", 0.1)

    monkeypatch.setattr(build, "BUILD", tmp_path)
    monkeypatch.setattr(processes, "run", run)
    build.Framework("release", 1).build(["all"])
    captured = capsys.readouterr()
    assert captured.err.count("building the framework (release; once; some minutes) …") == told
    assert captured.out == ""


def test_only_a_slow_block_is_told() -> None:
    said: queue.SimpleQueue[str] = queue.SimpleQueue()
    with build._told_if_slow(lambda: said.put("x"), after_s=60.0):
        pass
    assert said.empty()
    with build._told_if_slow(lambda: said.put("y"), after_s=0.0):
        assert said.get(timeout=20.0) == "y"


def test_a_replay_knows_what_another_folder_supplied(tmp_path: Path) -> None:
    results = Results("skeleton", 1, supplied=["reference:1"])
    write_json(results.document(), tmp_path / "results.json")
    file = tmp_path / "x.replay.json"
    assert replay._solution_that_failed(file) == ("skeleton", ["reference:1"])
    with pytest.raises(LabError, match="add --solution DIR"):
        replay._solution_that_failed(Path("/nowhere/x.replay.json"))


def test_the_references_node_has_no_file_of_a_solution(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict[str, Path | None]] = []
    error: str | None = None

    def built(_framework: object, modules: dict[str, Path | None], _label: str) -> build.NodeBuild:
        asked.append(modules)
        return build.NodeBuild(Path("node"), Path(), {}, error)

    monkeypatch.setattr(build, "build_node", built)
    framework = build.Framework("release", 1)
    assert build.reference_node(framework) == Path("node")
    assert {"membership", "ring", "quorum", "sync"} <= asked[0].keys()
    assert set(asked[0].values()) == {None}
    error = "no disk"
    with pytest.raises(GraderTrouble, match="no disk"):
        build.reference_node(framework)


def test_only_folders_that_nobody_used_for_long_are_dropped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build, "BUILD", tmp_path)
    now = time.time()
    for number in range(build.KEPT_SOLUTIONS + 4):
        folder = tmp_path / "release" / "solutions" / f"s{number}"
        folder.mkdir(parents=True)
        used = now - number if number < build.KEPT_SOLUTIONS + 2 else now - 2 * build.IN_USE_S
        os.utime(folder, (used, used))
    build.prune_solutions("release")
    left = {path.name for path in (tmp_path / "release" / "solutions").iterdir()}
    assert left == {f"s{number}" for number in range(build.KEPT_SOLUTIONS + 2)}
