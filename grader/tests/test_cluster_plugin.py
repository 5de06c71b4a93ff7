"""What the pytest plugin makes of a check's end: pass, fail, inconclusive."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dynamolab.paths import PACKAGE
from real_nodes import Programs, programs, soon

__all__ = ["programs"]

HEAD = """
import time
import pytest
from dynamolab.cluster import ClusterTrouble, NodeDied

"""
Run = Callable[..., dict[str, Any]]


@pytest.fixture
def run_checks(tmp_path: Path, programs: Programs) -> Run:
    """Runs a file of checks in a pytest of its own; the verdicts by id, and what pytest said."""

    def run(body: str, *options: str) -> dict[str, Any]:
        (tmp_path / "test_cluster.py").write_text(HEAD + body, encoding="utf-8")
        results = tmp_path / "results.jsonl"
        command = [sys.executable, "-m", "pytest", "-q", "-p", "dynamolab.cluster.plugin"]
        command += ["-p", "no:cacheprovider", "-c", str(PACKAGE / "pytest.ini")]
        command += ["--rootdir", str(tmp_path), str(tmp_path / "test_cluster.py")]
        command += ["--node", str(programs.node), "--faultnet", str(programs.faultnet)]
        command += ["--check-results", str(results), "--artifacts", str(tmp_path / "kept")]
        done = subprocess.run(
            [*command, *options],
            env={"PYTHONPATH": str(PACKAGE.parent), "PATH": "/usr/bin:/bin"},
            capture_output=True,
            text=True,
            timeout=120,
        )
        lines = results.read_text(encoding="utf-8").splitlines() if results.exists() else []
        rows = [json.loads(line) for line in lines]
        verdicts = {row["id"]: row for row in rows if "id" in row}
        return {**verdicts, "begun": [r["begin"] for r in rows if "begin" in r], "said": done}

    return run


def test_each_kind_of_end_has_its_outcome(run_checks: Run) -> None:
    ended = run_checks(
        """
@pytest.mark.check("m.passes")
def test_passes(make_cluster):
    make_cluster(1).form()

@pytest.mark.check("m.assertion")
def test_assertion(make_cluster):
    make_cluster(1).form()
    assert 1 == 2, "expected: one\\nactual: two"

@pytest.mark.check("m.died")
def test_died(make_cluster):
    make_cluster(1)
    raise NodeDied("n1 is gone")

@pytest.mark.check("m.trouble")
def test_trouble(make_cluster):
    make_cluster(1)
    raise ClusterTrouble("no port to be had")

@pytest.mark.check("m.bug")
def test_bug(make_cluster):
    make_cluster(1)
    raise KeyError("of ours")

@pytest.mark.check("m.nothing")
def test_nothing(make_cluster):
    pass

@pytest.mark.check("m.setup")
def test_setup(no_such_fixture):
    pass
"""
    )
    outcomes = {
        name: ended[f"m.{name}"]["outcome"]
        for name in ["passes", "assertion", "died", "trouble", "bug", "nothing", "setup"]
    }
    assert outcomes == {
        "passes": "pass",
        "assertion": "fail",
        "died": "fail",
        "trouble": "inconclusive",
        "bug": "inconclusive",
        "nothing": "inconclusive",
        "setup": "inconclusive",
    }
    assert ended["begun"][:2] == ["m.passes", "m.assertion"]


def test_a_failure_tells_the_story_and_keeps_what_a_reader_needs(run_checks: Run) -> None:
    ended = run_checks(
        """
@pytest.mark.check("m.story")
def test_story(make_cluster):
    cluster = make_cluster(2)
    cluster.form()
    cluster.pause("n2")
    assert False, "expected: the moon\\nactual: cheese"
""",
        "--check-seed",
        "7",
    )
    verdict = ended["m.story"]
    lines = verdict["message"].splitlines()
    assert lines[0] == "1. n1 starts as the first node of a new cluster"
    assert "5. n2 is paused (SIGSTOP): it accepts connections but answers nothing" in lines
    assert lines.index("expected: the moon") < lines.index("actual: cheese")
    assert any(line.startswith("last lines of n1 (m.story.n1.log)") for line in lines)
    replay = Path(verdict["replay"])
    document = json.loads(replay.read_text(encoding="utf-8"))
    assert (document["kind"], document["check"], document["seed"]) == ("cluster", "m.story", 7)
    assert [action["act"] for action in document["plan"]["actions"]][-1] == "pause"
    kept = {path.name for path in replay.parent.iterdir()}
    assert {"m.story.n1.log", "m.story.n2.log", "trace.jsonl", "plan.json"} <= kept


def test_a_node_that_dies_fails_the_check_at_once_with_its_last_words(run_checks: Run) -> None:
    ended = run_checks(
        """
import os, signal
@pytest.mark.check("m.dies")
def test_dies(make_cluster):
    cluster = make_cluster(2)
    cluster.form()
    os.kill(cluster.process("n2").pid, signal.SIGKILL)
    cluster.wait_for("never", lambda: False, deadline_s=3600)
"""
    )
    verdict = ended["m.dies"]
    assert verdict["outcome"] == "fail"
    assert "expected: n2 runs" in verdict["message"]
    assert "ready n2 peer" in verdict["message"]


def test_a_check_that_never_ends_is_stopped_and_inconclusive(run_checks: Run) -> None:
    ended = run_checks(
        """
@pytest.mark.check("m.hangs")
def test_hangs(make_cluster):
    make_cluster(1).form()
    while True:
        time.sleep(1)

@pytest.mark.check("m.next")
def test_next(make_cluster):
    make_cluster(1).form()
""",
        "--check-deadline",
        "3",
    )
    assert ended["m.hangs"]["outcome"] == "inconclusive"
    assert "stopped after 3 s" in ended["m.hangs"]["message"]
    assert ended["m.next"]["outcome"] == "pass"


def test_two_tests_for_one_check_and_a_mark_without_an_id_are_refused(run_checks: Run) -> None:
    twice = run_checks(
        """
@pytest.mark.check("m.same")
def test_one(make_cluster): pass

@pytest.mark.check("m.same")
def test_two(make_cluster): pass
"""
    )
    assert twice["said"].returncode == 4
    assert "two tests decide the check m.same" in twice["said"].stderr
    nameless = run_checks("@pytest.mark.check\ndef test_one(make_cluster): pass\n")
    assert nameless["said"].returncode == 4


def test_a_crash_while_starting_is_the_solutions_and_wrong_arguments_are_ours(
    run_checks: Run, tmp_path: Path
) -> None:
    broken = tmp_path / "broken"
    broken.write_text("#!/bin/sh\necho last words; exit 3\n", encoding="utf-8")
    broken.chmod(0o755)
    body = """
@pytest.mark.check("m.broken")
def test_broken(make_cluster):
    make_cluster(1).form()
"""
    verdict = run_checks(body, "--node", str(broken))["m.broken"]
    assert verdict["outcome"] == "fail"
    assert "exited with code 3" in verdict["message"] and "last words" in verdict["message"]
    (tmp_path / "results.jsonl").unlink()
    verdict = run_checks(body, "--node", str(tmp_path / "none"))["m.broken"]
    assert verdict["outcome"] == "inconclusive"
    assert soon(lambda: True)


MIXED = """
@pytest.mark.check("m.mixed")
def test_mixed(make_cluster):
    cluster = make_cluster(3, reference=["n3"])
    cluster.form()
    programs = [cluster.process(name).program.name for name in cluster.names]
    assert False, "programs: " + " ".join(programs)
"""


def test_nodes_of_the_reference_run_its_program_and_a_failure_names_them(
    run_checks: Run, programs: Programs, tmp_path: Path
) -> None:
    copy = tmp_path / "copy-of-it"
    shutil.copy(programs.node, copy)
    verdict = run_checks(MIXED, "--reference-node", str(copy))["m.mixed"]
    lines = verdict["message"].splitlines()
    assert verdict["outcome"] == "fail"
    assert lines[0] == "1. n3 runs the reference, n1 and n2 the solution"
    assert f"programs: {programs.node.name} {programs.node.name} copy-of-it" in lines
    assert "last lines of n3 (the reference's, m.mixed.n3.log):" in lines
    assert "last lines of n1 (m.mixed.n1.log):" in lines


def test_without_the_references_program_a_mixed_check_is_inconclusive(run_checks: Run) -> None:
    verdict = run_checks(MIXED)["m.mixed"]
    assert verdict["outcome"] == "inconclusive"
    assert "needs the reference's program" in verdict["message"]
    typo = MIXED.replace('["n3"]', '["n30"]')  # pytest takes a file of the same size for the same
    assert "no node is called 'n30'" in run_checks(typo)["m.mixed"]["message"]
