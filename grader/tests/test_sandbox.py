"""What untrusted code is started behind: what this machine allows is tried, the rest is skipped aloud."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from real_nodes import Programs, programs

from dynamolab import build, processes
from dynamolab.cluster import Cluster
from dynamolab.errors import GraderTrouble, LabError
from dynamolab.paths import ROOT
from dynamolab.sandbox import Sandbox, Slot, choose, slots
from dynamolab.sandbox.probe import unreachable
from dynamolab.sandbox.sandbox import HOST, View, joined, libraries
from dynamolab.sandbox.started import start

__all__ = ["programs"]

FRAMEWORK = build.Framework("release", len(processes.cpus()))
DEADLINE_S = 30.0


def sandbox_of(tier: str) -> Sandbox:
    try:
        found = choose(tier, FRAMEWORK.sandbox_launcher)
    except LabError as error:
        pytest.skip(str(error))
    assert found is not None
    return found


@pytest.fixture(params=["a", "b"])
def sandbox(request: pytest.FixtureRequest) -> Sandbox:
    return sandbox_of(request.param)


@pytest.fixture
def slot(sandbox: Sandbox) -> Iterator[Slot]:
    with sandbox.slot() as taken:
        yield taken


@pytest.fixture
def room() -> Iterator[Path]:
    """A folder that other users can reach, as pytest's own are not."""
    with tempfile.TemporaryDirectory(prefix="dynamo-sandbox-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


def script(sandbox: Sandbox, slot: Slot, *words: str, **options: object) -> subprocess.CompletedProcess[str]:
    """A shell's words, shut in as a build is."""
    before = sandbox.tool(slot, *options.pop("reads", ()))  # type: ignore[arg-type]
    return subprocess.run(
        [*before, "/bin/sh", "-c", *words],
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
        **options,  # type: ignore[call-overload]
    )


def test_a_machine_without_the_launcher_says_what_to_do(tmp_path: Path) -> None:
    for word in ("auto", "a", "b"):
        with pytest.raises(LabError, match=r"libseccomp-dev bubblewrap.*\n?.*--sandbox off"):
            choose(word, tmp_path / "sandbox-launcher")
    assert choose("off", tmp_path / "sandbox-launcher") is None


def test_what_was_asked_for_is_never_less(tmp_path: Path) -> None:
    """A launcher that cannot start anything: no tier is left, and both reasons are told."""
    broken = tmp_path / "sandbox-launcher"
    broken.write_text("#!/bin/sh\necho 7; echo it is broken >&2; exit 125\n", encoding="utf-8")
    broken.chmod(0o755)
    with pytest.raises(LabError) as told:
        choose("auto", broken)
    assert "tier A: " in str(told.value) and "tier B: " in str(told.value)
    assert "--sandbox off" in str(told.value)


def test_the_tier_that_is_at_work_is_told(sandbox: Sandbox) -> None:
    assert f"tier {sandbox.tier.value.upper()}" in sandbox.words
    assert Sandbox.of(sandbox.document()).tier is sandbox.tier


def test_without_namespaces_the_launcher_stands_alone_and_says_why() -> None:
    """As in a container that does not allow them: auto is tier B there, and a is an error."""
    sandbox_of("b")
    if os.geteuid() != 0 or shutil.which("setpriv") is None:
        pytest.skip("needs root, and setpriv of util-linux")
    words = "from pathlib import Path; from dynamolab.sandbox import choose; import sys\n"
    words += "print(choose(sys.argv[1], Path(sys.argv[2])).words)"

    def tried(tier: str) -> subprocess.CompletedProcess[str]:
        command = ["setpriv", "--bounding-set=-sys_admin", sys.executable, "-c", words, tier]
        return subprocess.run(
            [*command, FRAMEWORK.sandbox_launcher],
            capture_output=True,
            text=True,
            timeout=DEADLINE_S,
            check=False,
            env={**os.environ, "PYTHONPATH": str(ROOT / "grader")},
        )

    assert "tier B" in (told := tried("auto").stdout) and "not tier A: " in told
    assert "tier A: " in tried("a").stderr


def test_a_shut_folder_on_the_way_is_named(tmp_path: Path) -> None:
    (tmp_path / "shut" / "in").mkdir(parents=True)
    (tmp_path / "shut").chmod(0o700)
    assert unreachable(tmp_path / "shut" / "in") == tmp_path / "shut"


def test_environment_is_empty_but_for_what_was_given(sandbox: Sandbox, slot: Slot) -> None:
    done = script(sandbox, slot, "env", env={**os.environ, "SECRET": "of the class"})
    assert done.returncode == 0, done.stderr
    names = {line.partition("=")[0] for line in done.stdout.splitlines()}
    assert names <= {"PATH", "LC_ALL", "PWD", "SHLVL", "_", "OLDPWD"}


def test_files_are_those_that_were_given(sandbox: Sandbox, slot: Slot, room: Path) -> None:
    shown, hidden = room / "shown", room / "hidden"
    for file in (shown, hidden):
        file.write_text(f"text of {file.name}\n", encoding="utf-8")
    words = f"cat {shown} {hidden} /etc/passwd; echo > {shown}; echo > {room}/made"
    done = script(sandbox, slot, words, reads=[shown])
    assert done.stdout == "text of shown\n"
    assert not (room / "made").exists() and shown.stat().st_size > 1


def test_user_is_of_the_slot_alone(sandbox: Sandbox) -> None:
    if not sandbox.own_users:
        pytest.skip("only root can give each slot a user of its own")
    with sandbox.slot() as one, sandbox.slot() as other:
        assert one.uid != other.uid
        done = script(sandbox, one, "id -u; id -G")
    assert done.stdout.split() == [str(one.uid)] * 2


def test_a_machine_and_its_containers_have_users_of_their_own() -> None:
    """Else the machine's sweep of a slot would end what runs in a container's."""
    first = 0xF0000000 + 2100  # Namespaces are numbered one by one; a container has five or more.
    places = [slots.MACHINES_PROCESSES, *range(first, first + 5 * 50, 5)]
    taken = [slots.uid_of(number, place) for place in places for number in range(64)]
    assert len(set(taken)) == len(taken)
    assert all(30_000 <= uid < 60_000 for uid in taken)
    assert slots.uid_of(slots.SLOTS - 1, slots.MACHINES_PROCESSES) == 59_999


def test_what_a_slot_leaves_behind_is_ended(sandbox: Sandbox) -> None:
    if not sandbox.own_users:
        pytest.skip("only root can give each slot a user of its own")
    with sandbox.slot() as slot:
        assert slot.uid is not None
        daemon = subprocess.Popen(["sleep", "600"], user=slot.uid, start_new_session=True)
    assert daemon.wait(DEADLINE_S) == -signal.SIGKILL


def test_a_program_that_cannot_begin_is_the_graders_trouble(sandbox: Sandbox, slot: Slot) -> None:
    def words(tell: int) -> list[str]:
        before = sandbox.before("host", slot, libraries(), HOST, tell=tell)
        return [*before, "/no/such/program"]

    with (
        pytest.raises(GraderTrouble, match="/no/such/program"),
        open(os.devnull, "wb") as log,
    ):
        start(words, [], log.fileno(), wrapped=sandbox.tier.value == "a")


def test_a_signal_is_told_whatever_stands_between(sandbox: Sandbox, slot: Slot) -> None:
    sleep = Path("/usr/bin/sleep")
    view = joined(libraries(), View(run=[sleep]))
    with open(os.devnull, "wb") as log:
        started = start(
            lambda tell: [*sandbox.before("host", slot, view, HOST, tell=tell), str(sleep), "60"],
            [],
            log.fileno(),
            wrapped=sandbox.tier.value == "a",
        )
    assert started.poll() is None
    started.kill()
    assert started.wait(DEADLINE_S) == -signal.SIGKILL
    assert not Path(f"/proc/{started.pid}").exists()


@pytest.fixture
def make_cluster(programs: Programs, sandbox: Sandbox) -> Iterator[Callable[[int], Cluster]]:
    clusters: list[Cluster] = []

    def make(size: int) -> Cluster:
        cluster = Cluster(
            node=programs.node, faultnet=programs.faultnet, size=size, sandbox=sandbox, record=True
        )
        clusters.append(cluster.__enter__())
        return cluster

    yield make
    for cluster in clusters:
        cluster.close()


def test_real_nodes_serve_on_sockets_that_were_handed_in(make_cluster: Callable[[int], Cluster]) -> None:
    """They form, one is killed and refuses, it comes back with its disk, a pause and a cut are as ever."""
    cluster = make_cluster(3)
    cluster.form()
    cluster.kill("n2")
    cluster.remove("n3", via="n1")
    cluster.restart("n2")
    cluster.wait_members(["n1", "n2"], names=["n1", "n2"])
    cluster.pause("n1")
    cluster.resume("n1")
    cluster.cut("n1", "n2")
    cluster.heal()
    cluster.add("n3", via="n2")
    cluster.wait_members(["n1", "n2", "n3"])
    pids = [cluster.process(name).pid for name in cluster.names]
    began = time.monotonic()
    cluster.close()
    assert time.monotonic() - began < DEADLINE_S
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)


def test_a_reference_lab_passes_in_a_sandbox(sandbox: Sandbox, tmp_path: Path) -> None:
    from dynamolab import checks, labs

    lab = labs.load_all()[1]
    chosen = [check for check in lab.checks if check.kind in ("unit", "sim")][::4]
    node = FRAMEWORK.folder / "reference" / "reference-node"
    run = checks.Run(node, tmp_path, sandbox=sandbox, jobs=1)
    verdicts = checks.run_program(FRAMEWORK.checks_binary(1), chosen, run)
    assert {check: verdict.outcome.value for check, verdict in verdicts.items()} == {
        check.id: "pass" for check in chosen
    }


def test_limits_hold_in_a_build(sandbox: Sandbox, slot: Slot, room: Path) -> None:
    small = replace(sandbox, build_limits=replace(sandbox.build_limits, file_bytes=1 << 20))
    slot.give(room)
    before = small.build(slot, room, [], {"PATH": "/usr/bin:/bin"})
    done = subprocess.run(
        [*before, "/bin/sh", "-c", "head -c 9000000 /dev/zero > large; exit 0"],
        capture_output=True,
        timeout=DEADLINE_S,
        check=False,
    )
    slot.take_back(room)
    assert (room / "large").stat().st_size <= 1 << 20, done.stderr
