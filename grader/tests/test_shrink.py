"""What failures of known-wrong solutions are shrunk to: it is short, a right solution passes it, and it
replays exactly, also on a program that was compiled and linked again."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dynamolab import bench, build, labs, mutants, paths, processes, shrink_bench

DEADLINE_S = 120.0
COURSE = labs.load_all()

# Long ones, with faults of every kind, and chance beside. Half a minute builds and tells them.
SAMPLE = {
    "3-replication/propagation-gives-up": (
        "replication.owners_agree_though_messages_are_lost_doubled_and_late"
    ),
    "5-quorum/done-is-the-end": "quorum.sloppy_loses_nothing_whatever_fails_and_cleans_up",
}


@pytest.fixture(scope="module")
def framework() -> build.Framework:
    made = build.Framework("release", len(processes.cpus()))
    made.build(["libraries", "reference-node", "lab3-checks", "lab5-checks"])
    return made


def mutant_called(name: str) -> mutants.Mutant:
    return next(mutant for mutant in mutants.load(COURSE) if mutant.name == name)


@pytest.fixture(scope="module", params=SAMPLE)
def failure(
    request: pytest.FixtureRequest,
    framework: build.Framework,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[mutants.Mutant, Path, Path]]:
    """The wrong solution, its node, and the replay file of its failure."""
    mutant, check = mutant_called(request.param), SAMPLE[request.param]
    folder = tmp_path_factory.mktemp("shrunk")
    node = mutants.build_mutant(mutant, framework).node
    try:
        command: list[str | Path] = [framework.checks_binary(mutant.lab.number), "--node", node]
        done = processes.run(
            [*command, "--only", check, "--artifacts", folder], deadline_s=DEADLINE_S
        )
        assert done.code == 1, done.out
        yield mutant, node, folder / f"{check}.replay.json"
    finally:
        node.unlink(missing_ok=True)


Replay = Callable[..., processes.Completed]


@pytest.fixture
def replay(failure: tuple[mutants.Mutant, Path, Path], framework: build.Framework) -> Replay:
    mutant, _, file = failure

    def run(node: Path, *more: str) -> processes.Completed:
        command: list[str | Path] = [framework.checks_binary(mutant.lab.number), "--node", node]
        return processes.run([*command, "--replay", file, *more], deadline_s=DEADLINE_S)

    return run


def test_a_right_solution_passes_what_a_wrong_one_was_shrunk_to(
    failure: tuple[mutants.Mutant, Path, Path], replay: Replay, framework: build.Framework
) -> None:
    document = json.loads(failure[2].read_text(encoding="utf-8"))
    assert document["schedule"]["left_out"]
    assert document["events"] <= bench.SHRUNK_GOAL.limit < document["original_events"]
    reference = framework.folder / "reference" / "reference-node"
    for more in ((), ("--original",)):
        done = replay(reference, *more)
        assert done.code == 0 and "the failure is gone" in done.out, done.out


def test_it_replays_exactly_also_after_a_rebuild(
    failure: tuple[mutants.Mutant, Path, Path], replay: Replay, framework: build.Framework
) -> None:
    mutant, node, file = failure
    document = json.loads(file.read_text(encoding="utf-8"))
    folder = paths.BUILD / "mutants" / mutant.name
    modules = (
        {  # Its own module once more, in another place; the others are the prebuilt reference.
            path.stem: None
            if path.read_bytes() == (folder / path.name).read_bytes()
            else folder / path.name
            for path in paths.REFERENCE.glob("*.cpp")
        }
    )
    again = build.build_node(framework, modules, f"again-{mutant.folder.name}")
    assert again.error is None
    assert again.node.read_bytes() != node.read_bytes()
    for program in (node, again.node):
        done = replay(program)
        assert done.code == 1, done.out
        assert f"the same run, step by step: trace {document['trace_hash']}" in done.out
        assert f"{document['events']} events" in done.out
        done = replay(program, "--original")
        assert f"the same run, step by step: trace {document['original_trace_hash']}" in done.out


def test_the_bench_tells_medians_and_counts_short_ones_as_they_are() -> None:
    def one(events: int, original: int, seconds: float) -> shrink_bench.Shrinking:
        return shrink_bench.Shrinking("m", "c", events, original, seconds)

    found = [one(3, 3, 0.0), one(8, 300, 1.0), one(30, 200, 3.0)]
    everything, seconds, long, slow = shrink_bench.figures(found)
    assert (everything.value, seconds.value, long.value, slow.value) == (8, 1.0, 19, 2.0)
    assert everything.met and seconds.met and long.met and slow.met
    assert "2 of them" in long.note
    assert [figure.met for figure in shrink_bench.figures([])] == [False, False]
