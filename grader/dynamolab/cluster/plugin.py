"""pytest plugin for checks with real processes: `-p dynamolab.cluster.plugin`.

A test marked `@pytest.mark.check("membership.…")` decides that check of lab.json. It asks for the
fixture `make_cluster` and gets clusters of the solution under test:

    @pytest.mark.check("membership.acknowledged_change_survives_kill")
    def test_acknowledged_change_survives_kill(make_cluster):
        cluster = make_cluster(3)
        cluster.form()

Each check writes two lines to --check-results: `{"begin": id}`, and its verdict. An AssertionError or a
node that died is the solution's fault: fail. Anything else is ours: inconclusive.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import threading
import time
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import pytest

from ..sandbox import Sandbox
from .assembly import RECORDING
from .cluster import Cluster
from .errors import ClusterTrouble, NodeDied
from .guard import die_with_parent
from .process import program_hash

CHECK_DEADLINE_S = 60.0
MESSAGE_LIMIT = 20_000  # Characters.

_STUB = re.compile(r"[A-Z]+[(]lab\d[^)\n]*[)]: [^\n]+")  # What the skeleton throws, in a node's log.

_clusters = pytest.StashKey[list[Cluster]]()


class CheckExpired(ClusterTrouble):
    """The check as a whole took too long: the machine's fault, for each wait has a deadline of its own."""


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("dynamo", "checks with real processes")
    group.addoption("--node", type=Path, metavar="PATH", help="dynamo-node of the solution")
    group.addoption("--reference-node", type=Path, metavar="PATH", help="the reference's, for mixed checks")
    group.addoption("--faultnet", type=Path, metavar="PATH", help="the faultnet program")
    group.addoption("--sandbox", metavar="JSON", help="what nodes are shut into: see Sandbox.document")
    group.addoption("--check-results", type=Path, metavar="FILE", help="append verdicts, JSON lines")
    group.addoption("--artifacts", type=Path, metavar="DIR", help="keep logs of failures here")
    group.addoption("--check-seed", type=int, default=1, metavar="N", help="of the network's faults")
    group.addoption(
        "--check-deadline", type=float, default=CHECK_DEADLINE_S, metavar="S", help="of each check"
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "check(id): the check of lab.json that this test decides")
    if hasattr(config, "workerinput"):
        # A worker of xdist whose controller was killed must not go on for seconds.
        die_with_parent()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    seen: set[str] = set()
    for item in items:
        check = _check_of(item)
        if check is None:
            continue
        if not check:
            raise pytest.UsageError(f"{item.nodeid}: @pytest.mark.check needs the check's id")
        if check in seen:
            raise pytest.UsageError(f"{item.nodeid}: two tests decide the check {check}")
        seen.add(check)


def _check_of(item: pytest.Item) -> str | None:
    """The id of the check that a test decides; empty if the mark has none, None without a mark."""
    mark = item.get_closest_marker("check")
    if mark is None:
        return None
    return str(mark.args[0]) if mark.args else ""


@pytest.fixture
def make_cluster(request: pytest.FixtureRequest) -> Iterator[Callable[..., Cluster]]:
    """Makes clusters of the solution; `make_cluster(3, config={…}, links={…})` as Cluster takes them.
    `reference=["n2"]`: these nodes run the reference. Say `"mixed": true` of the check in lab.json."""
    config = request.config
    for option in ("--node", "--faultnet"):
        if config.getoption(option) is None:
            raise pytest.UsageError(f"{option} PATH is needed for checks with real processes")
    made = request.node.stash.setdefault(_clusters, [])
    with contextlib.ExitStack() as stack:

        def make(size: int = 5, **options: Any) -> Cluster:
            sandbox: str | None = config.getoption("--sandbox")
            reference: Path | None = config.getoption("--reference-node")
            cluster = Cluster(
                node=config.getoption("--node").resolve(),
                faultnet=config.getoption("--faultnet").resolve(),
                size=size,
                seed=config.getoption("--check-seed"),
                label=_check_of(request.node) or request.node.name,
                reference_node=reference.resolve() if reference is not None else None,
                record=True,
                sandbox=Sandbox.of(sandbox) if sandbox else None,
                **options,
            )
            made.append(stack.enter_context(cluster))
            return made[-1]

        yield make


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """The deadline of a whole check, fixtures included."""
    if _check_of(item) is None or threading.current_thread() is not threading.main_thread():
        yield
        return
    limit_s = item.config.getoption("--check-deadline")

    def expire(_number: int, _frame: object) -> None:
        # Once more soon, in case the first was swallowed where it struck.
        signal.setitimer(signal.ITIMER_REAL, 5.0)
        raise CheckExpired(f"the check was stopped after {limit_s:g} s")

    before = signal.signal(signal.SIGALRM, expire)
    signal.setitimer(signal.ITIMER_REAL, limit_s)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, Any, None]:
    """Runs between set-up and clean-up: the verdict is written while the clusters still stand."""
    check = _check_of(item)
    if check is None:
        yield
        return
    _append(item.config, {"begin": check})
    began = time.monotonic()
    outcome = yield
    error = outcome.excinfo[1] if outcome.excinfo else None
    _append(item.config, _verdict(item, check, error, time.monotonic() - began))


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None, Any, None]:
    """A check whose set-up fails never runs: that has to be said, too."""
    outcome = yield
    check = _check_of(item)
    if check is not None and outcome.excinfo:
        _append(item.config, _verdict(item, check, outcome.excinfo[1], 0.0))


def _verdict(
    item: pytest.Item, check: str, error: BaseException | None, seconds: float
) -> dict[str, Any]:
    clusters: list[Cluster] = item.stash.get(_clusters, [])
    verdict: dict[str, Any] = {
        "id": check,
        "outcome": "pass",
        "seconds": round(seconds, 3),
        "message": "",
        "replay": None,
    }
    if error is None and not clusters:
        # Fails closed: whatever this test looked at, it was no cluster of the solution.
        error = ClusterTrouble("the check started no cluster, so it examined nothing")
    if error is None:
        return verdict
    verdict["outcome"] = "fail" if isinstance(error, AssertionError) else "inconclusive"
    verdict["message"] = _message(clusters, error)[:MESSAGE_LIMIT]
    replay = _keep(item, check, clusters, verdict["message"])
    verdict["replay"] = str(replay) if replay else None
    return verdict


def _message(clusters: list[Cluster], error: BaseException) -> str:
    """The story: what was done, what should be, what is, and the nodes' last lines."""
    lines: list[str] = []
    for cluster in clusters:
        lines += cluster.story.lines()
    if isinstance(error, NodeDied) and (stub := _STUB.search(str(error))):
        return "\n".join([*lines, f"not written yet: {stub[0]}"])
    if isinstance(error, AssertionError):
        lines += _words_of(error)
    else:
        lines += [f"The grader's own trouble: {type(error).__name__}: {error}"]
    for cluster in clusters:
        lines += cluster.tails()
    return "\n".join(lines)


def _words_of(error: AssertionError) -> list[str]:
    """What the check said. pytest appends the source of a failing `assert` to it, and indents all
    lines but the first: a student has no use for either."""
    words, introspected, _ = str(error).partition("\nassert ")
    first, *rest = words.splitlines() or ["the assertion does not hold"]
    return [first, *(line.removeprefix("  ") if introspected else line for line in rest)]


def _keep(item: pytest.Item, check: str, clusters: list[Cluster], message: str) -> Path | None:
    """Saves what a reader of the failure may want; the replay file, or None without --artifacts."""
    artifacts = item.config.getoption("--artifacts")
    if artifacts is None:
        return None
    folder = (artifacts / check).resolve()
    document: dict[str, Any] = {"kind": "cluster", "check": check, "message": message, "plan": {}}
    document["seed"] = item.config.getoption("--check-seed")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for number, cluster in enumerate(clusters, start=1):
            cluster.keep(folder if number == 1 else folder / str(number))
            if number == 1:
                document |= {"plan": cluster.plan(), "reference": cluster.reference}
                document["node_hash"] = program_hash(item.config.getoption("--node"))
                document["story_ms"] = cluster.story.told_ms(cluster.began_s)
                document["began_us"] = int(cluster.began_s * 1e6)
                document["recordings"] = sorted(file.name for file in folder.glob(f"*{RECORDING}"))
        replay = folder / "replay.json"
        replay.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        # The verdict matters more than its attachments.
        item.add_report_section("call", "artifacts", f"not kept: {error}")
        return None
    return replay


def _append(config: pytest.Config, line: dict[str, Any]) -> None:
    """One write, so that lines of several workers never mix."""
    path = config.getoption("--check-results")
    if path is None:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    data = (json.dumps(line, ensure_ascii=False) + "\n").encode()
    handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(handle, data)
    finally:
        os.close(handle)
