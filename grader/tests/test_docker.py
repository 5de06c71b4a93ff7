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

from dynamolab import labs
from dynamolab.paths import REFERENCE, ROOT

DOCKER = ROOT / "docker"
BUILD_DEADLINE_S = 3600.0
DEADLINE_S = 300.0
WAIT_S = 60.0


def run(*words: str | Path, deadline_s: float = DEADLINE_S) -> str:
    done = subprocess.run(
        words, cwd=ROOT, capture_output=True, text=True, timeout=deadline_s, check=False
    )
    assert done.returncode == 0, f"{words}: {done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done.stdout


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


@pytest.mark.slow
@needs_engine
def test_autograder_image_gives_the_same_points(tmp_path: Path) -> None:
    """Of the reference and the skeleton, in a format of Gradescope's."""
    name = image("autograder")
    for solution, passes in ((REFERENCE, True), (ROOT / "skeleton", False)):
        out = tmp_path / solution.name
        out.mkdir()
        run(
            *("docker", "run", "--rm", "--network", "none", "-e", "LAB_OPTIONS=--labs 2"),
            *("-v", f"{solution}:/autograder/submission:ro", "-v", f"{out}:/autograder/results", name),
        )
        told = json.loads((out / "results.json").read_text(encoding="utf-8"))
        points = labs.find_lab(labs.load_all(), "ring").points
        assert told["score"] == (points if passes else 0), told["output"]


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
    wait_for("milk", 8004, "/kv/cart")
    run(*compose, "start", "n2")
    wait_for("milk", 8002, "/kv/cart")
