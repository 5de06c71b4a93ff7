"""The images, where a Docker engine runs: the autograder gives the points that this machine gives, and five
nodes in containers are a cluster."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from real_nodes import soon
from test_release import EXAMPLE, write

from dynamolab import labs, mutants
from dynamolab.paths import REFERENCE, ROOT, SKELETON

DOCKER = ROOT / "docker"
BUILD_DEADLINE_S = 3600.0
DEADLINE_S = 300.0
WAIT_S = 60.0
WRONG = "2-ring/preference-list-counts-vnodes"
GRADESCOPE_S_STEPS = """
FROM debian:bookworm-slim
COPY source /autograder/source
RUN cp /autograder/source/run_autograder /autograder/ && chmod +x /autograder/run_autograder
RUN apt-get update && sh /autograder/source/setup.sh
RUN mkdir -p /autograder/submission /autograder/results
"""


def run(*words: str | Path, deadline_s: float = DEADLINE_S) -> str:
    """What it said."""
    done = subprocess.run(
        words, cwd=ROOT, capture_output=True, text=True, timeout=deadline_s, check=False
    )
    assert done.returncode == 0, f"{words}: {done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done.stdout + done.stderr


def engine() -> bool:
    if shutil.which("docker") is None:
        return False
    done = subprocess.run(["docker", "info"], capture_output=True, timeout=DEADLINE_S, check=False)
    return done.returncode == 0


needs_engine = pytest.mark.skipif(
    os.environ.get("DYNAMO_DOCKER") != "1" or not engine(),
    reason="builds images for many minutes: with DYNAMO_DOCKER=1, where `docker info` answers",
)


def image(target: str) -> str:
    name = f"dynamo-{target}"
    words = ["docker", "build", "-q", "-f", DOCKER / "Dockerfile", "--target", target, "-t", name, "."]
    run(*words, deadline_s=BUILD_DEADLINE_S)
    return name


def test_every_file_that_the_images_copy_is_there() -> None:
    text = (DOCKER / "Dockerfile").read_text(encoding="utf-8")
    copied = [line.split()[1:-1] for line in text.splitlines() if line.startswith("COPY ")]
    named = [word for words in copied for word in words if not word.startswith("-") and word[0] != "/"]
    assert [word for word in named if not (ROOT / word).exists()] == []
    assert "docker/install.sh" in named


def test_the_cluster_s_addresses_stand_in_both_files() -> None:
    peers = json.loads((DOCKER / "peers.json").read_text(encoding="utf-8"))["nodes"]
    compose = (DOCKER / "compose.yaml").read_text(encoding="utf-8")
    for name, addresses in peers.items():
        assert f"  {name}:\n" in compose
        assert addresses["peer"].partition(":")[0] in compose


@pytest.fixture
def submissions(tmp_path: Path) -> dict[str, Path]:
    """Whole, unwritten, and one with a known mistake in lab 2."""
    (wrong,) = [m for m in mutants.load(labs.load_all()) if m.name == WRONG]
    ring = mutants.sources(wrong)["ring"]
    assert ring is not None
    (tmp_path / "wrong").mkdir()
    shutil.copy(ring, tmp_path / "wrong")
    return {"whole": REFERENCE, "unwritten": SKELETON, "wrong": tmp_path / "wrong"}


def scores(folder: Path) -> dict[str, float]:
    """Of each check, and the total, as Gradescope is told."""
    told = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    assert "score" in told, told["output"]
    return {test["extra_data"]["id"]: test["score"] for test in told["tests"]} | {"": told["score"]}


def graded_here(submission: Path, out: Path, *options: str) -> dict[str, float]:
    told = ("--format", "gradescope", "--output", out / "here" / "results.json", "--sandbox", "off")
    run("./lab", "grade-one", submission, out / "graded", "--labs", "2", *told, *options)
    return scores(out / "here")


def graded_inside(submission: Path, out: Path, *words: str) -> dict[str, float]:
    """In a container without a network, as it comes: no privileges are given to it."""
    (out / "inside").mkdir(parents=True)
    said = run(
        *("docker", "run", "--rm", "--network", "none", "-v", f"{submission}:/autograder/submission:ro"),
        *("-v", f"{out / 'inside'}:/autograder/results", *words),
    )
    assert "sandbox: tier B" in said, said
    return scores(out / "inside")


@pytest.mark.slow
@needs_engine
def test_autograder_image_gives_the_same_points(
    submissions: dict[str, Path], tmp_path: Path
) -> None:
    name = image("autograder")
    totals = {}
    for kind, folder in submissions.items():
        out = tmp_path / "out" / kind
        inside = graded_inside(folder, out, "-e", "LAB_OPTIONS=--labs 2", name)
        assert inside == graded_here(folder, out), kind
        totals[kind] = inside[""]
    points = labs.find_lab(labs.load_all(), "ring").points
    assert totals["whole"] == points and totals["unwritten"] == 0 < totals["wrong"] < points


@pytest.mark.slow
@needs_engine
def test_gradescope_s_own_steps_give_the_same_points(
    submissions: dict[str, Path], tmp_path: Path
) -> None:
    """Of the zip, on a bare system; with the course's points and hidden checks."""
    write(tmp_path, EXAMPLE)
    course = tmp_path / "course.json"
    run("./lab", "release", "--course", course, "--gradescope", tmp_path / "lab2.zip", "--labs", "2")
    context = tmp_path / "context"
    shutil.unpack_archive(tmp_path / "lab2.zip", context / "source")  # Modes are lost, as with some unzips.
    (context / "Dockerfile").write_text(GRADESCOPE_S_STEPS, encoding="utf-8")
    name = "dynamo-gradescope-test"
    try:
        run("docker", "build", "-q", "-t", name, context, deadline_s=BUILD_DEADLINE_S)
        for kind, folder in submissions.items():
            out = tmp_path / "out" / kind
            inside = graded_inside(folder, out, name, "/autograder/run_autograder")
            assert inside == graded_here(folder, out, "--course", str(course)), kind
            assert [key for key in inside if "hidden" in key]
    finally:
        subprocess.run(["docker", "rmi", name], timeout=DEADLINE_S, check=False)


@pytest.fixture
def compose() -> Iterator[list[str | Path]]:
    words: list[str | Path] = ["docker-compose", "-f", DOCKER / "compose.yaml", "-p", "dynamo-test"]
    yield words
    subprocess.run([*words, "down", "-v", "-t", "2"], cwd=ROOT, timeout=DEADLINE_S, check=False)


def get(port: int, path: str) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
        return str(answer.read().decode())


def wait_for(value: str, port: int, path: str) -> None:
    answers = [""]

    def told() -> bool:
        try:
            answers.append(get(port, path))
        except OSError as error:
            answers.append(str(error))
        return answers[-1] == value

    assert soon(told, WAIT_S), f"expected {value!r} at {port}{path}; last: {answers[-1]!r}"


@pytest.mark.slow
@needs_engine
def test_five_containers_are_a_cluster_that_outlives_one_of_them(compose: list[str | Path]) -> None:
    image("node")
    image("console")
    run(*compose, "up", "-d")
    console = [*compose, "run", "--rm", "-T", "console"]
    adds = [word for n in range(2, 6) for word in ("-c", f"add n{n}")]
    assert "error" not in run(*console, *adds)
    request = urllib.request.Request("http://127.0.0.1:8001/kv/cart", b"milk", method="PUT")
    with urllib.request.urlopen(request, timeout=10) as answer:
        assert answer.status == 204
    wait_for("milk", 8005, "/kv/cart")
    run(*compose, "kill", "n2")
    with pytest.raises(OSError):
        get(8002, "/kv/cart")
    wait_for("milk", 8004, "/kv/cart")
    run(*compose, "start", "n2")
    wait_for("milk", 8002, "/kv/cart")
