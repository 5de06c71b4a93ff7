"""`./lab kv` on a real cluster, the shopping cart, and `./lab demo`."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dynamolab import demo_handoff, processes
from dynamolab.cart import Cart, decode, encode, merge
from dynamolab.cluster import Cluster
from dynamolab.cluster.client import NodeClient
from dynamolab.paths import ROOT
from dynamolab.store import Client
from real_nodes import Programs, processes_that_mention, programs, soon

__all__ = ["programs"]

Lab = Callable[..., processes.Completed]


@pytest.fixture
def lab(lab_command: Lab, tmp_path: Path, programs: Programs) -> Iterator[Lab]:
    """./lab with a running cluster of the test's own."""

    def run(*words: str | Path) -> processes.Completed:
        return lab_command(*words, DYNAMO_CLUSTER=str(tmp_path / "cluster"), TMPDIR=str(tmp_path))

    up = ["cluster", "up", "-n", "3", "--gossip-ms", "50", "--node", programs.node]
    started = run(*up, "--faultnet", programs.faultnet)
    assert started.code == 0, started.out
    assert "/kv/cart --data-binary" in started.out, "the closing words show how to put"
    yield run
    run("cluster", "down")


def test_kv_puts_gets_and_deletes(lab: Lab, tmp_path: Path) -> None:
    absent = lab("kv", "get", "cart")
    assert (absent.code, "there is no key 'cart'" in absent.out) == (4, True)
    assert lab("kv", "put", "cart", "milk").code == 0
    assert lab("kv", "get", "cart").out == "milk", "the bytes, and nothing else"
    assert lab("kv", "put", "cart", "eggs").code == 0
    assert lab("kv", "get", "cart", "--node", "n1").out == "eggs"

    every = tmp_path / "every"
    every.write_bytes(bytes(range(256)))
    assert lab("kv", "put", "a/b ü", f"@{every}").code == 0
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "grader")}
    environment["DYNAMO_CLUSTER"] = str(tmp_path / "cluster")
    got = subprocess.run(
        [sys.executable, "-P", "-m", "dynamolab", "kv", "get", "a/b ü"],
        capture_output=True,
        env=environment,
        cwd=ROOT,
        timeout=60,
    )
    assert (got.returncode, got.stdout) == (0, every.read_bytes())
    assert lab("kv", "delete", "cart").code == 0
    assert lab("kv", "get", "cart").code == 4


def test_kv_shows_siblings_and_takes_a_context(lab: Lab) -> None:
    for value in ["one", "two\x1b[31m"]:
        assert lab("kv", "put", "cart", value, "--blind", "--node", "n1").code == 0
    shown = lab("kv", "get", "cart", "--node", "n1")
    assert shown.code == 5
    assert "cart has 2 siblings" in shown.out
    assert "two\\x1b[31m" in shown.out, "nothing of a value reaches the terminal raw"
    refused = lab("kv", "put", "cart", "three", "--node", "n1")
    assert (refused.code, "nothing was put" in refused.out) == (5, True)
    context = refused.out.rpartition("--context=")[2].split()[0]
    assert lab("kv", "put", "cart", "three", f"--context={context}", "--node", "n1").code == 0
    assert lab("kv", "get", "cart", "--node", "n1").out == "three"


def test_kv_explains_mistakes(lab: Lab) -> None:
    for words, code, told in [
        (["get", "cart", "--node", "n9"], 2, "no node is called 'n9'"),
        (["get", "cart", "-r", "4"], 1, "r must be 1 to 3"),
        (["put", "cart", "v", "--context", "forged"], 1, "is not a context of this key"),
        (["put", "cart", "v", "--context", "c", "--blind"], 2, "leave one of"),
        (["put", "cart", "@/no/such/file"], 2, "No such file"),
        (["get", "k" * 257], 1, "a key has 1 to 256 bytes, this one 257"),
    ]:
        done = lab("kv", *words)
        assert (done.code, told in done.out) == (code, True), done.out
    lab("cluster", "kill", "n1", "n2", "n3")
    lab("cluster", "down")
    gone = lab("kv", "get", "cart")
    assert (gone.code, "no cluster is running" in gone.out) == (2, True)


def test_carts_merge_by_union() -> None:
    assert merge([]) == {}
    siblings = [encode({"1": "milk", "2": "bread"}), encode({"2": "bread", "3": "eggs"})]
    assert merge(siblings) == {"1": "milk", "2": "bread", "3": "eggs"}
    assert merge(siblings[::-1]) == merge(siblings)
    with pytest.raises(ValueError):
        decode(b"[]")


def test_cart_on_real_nodes(programs: Programs) -> None:
    with Cluster(node=programs.node, faultnet=programs.faultnet, size=2) as cluster:
        cluster.form()
        with Client([cluster.process("n1").http_port.address]) as store:
            cart = Cart(store, "alice")
            assert cart.view().items == {}
            cart.add("milk")
            cart.add("milk")
            cart.add("bread")
            assert cart.view().names() == ["bread", "milk", "milk"]
            assert cart.remove("milk") == 2
            assert cart.remove("milk") == 0
            assert list(cart.checkout().values()) == ["bread"]
            assert cart.view().items == {}


def _demo(programs: Programs, name: str) -> list[str | Path]:
    return ["demo", name, "--node", programs.node, "--faultnet", programs.faultnet]


def test_demo_tells_of_the_item_that_reappears(
    lab_command: Lab, programs: Programs, tmp_path: Path
) -> None:
    told = [
        "1. Alice fills her cart",
        '300 ["bread", "eggs", "milk"]  and  ["bread"]',
        "deleted items might reappear",
        "the milk stays away",
    ]
    _tells(lab_command, _demo(programs, "cart"), tmp_path, told)


def test_demo_tells_of_a_hint_and_its_delivery(
    lab_command: Lab, programs: Programs, tmp_path: Path
) -> None:
    told = [
        "2. n3 is killed",
        "n4 stands in for n3",
        "n4 keeps 'cart of ",
        "5. n3 comes back, but the network keeps it away from n1 and n2.",
        "n4 keeps nothing.",
        '← n3   200 ["bread", "eggs", "milk"]',
        "nothing is left",
    ]
    _tells(lab_command, _demo(programs, "handoff"), tmp_path, told)


def _tells(lab_command: Lab, demo: list[str | Path], folder: Path, told: list[str]) -> None:
    """In this order, the same each time, and leaves nothing behind."""
    stories = [lab_command(*demo, TMPDIR=str(folder)) for _ in range(2)]
    assert stories[0].code == 0, stories[0].out
    after = 0
    for words in told:
        assert words in stories[0].out[after:], f"{words!r} is not told, or too early:\n{stories[0].out}"
        after = stories[0].out.index(words, after)
    assert stories[0].out == stories[1].out, "the same story each time"
    assert not list(folder.glob("dynamo-*"))


def test_demo_says_what_a_wrong_node_did_not_do(
    programs: Programs, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A node that never lets go of a hint, as far as its console tells.
    monkeypatch.setattr(demo_handoff, "DELIVERY_S", 0.5)
    hints = {"count": 1, "keys": ["cart of alice"]}
    monkeypatch.setattr(NodeClient, "hints", lambda client: hints)
    with pytest.raises(AssertionError, match="n4 keeps 0 key"):
        demo_handoff.tell_handoff(programs.node, programs.faultnet, lambda line: None)


def test_demo_leaves_nothing_when_it_is_interrupted(programs: Programs, tmp_path: Path) -> None:
    command = [sys.executable, "-P", "-m", "dynamolab", *_demo(programs, "cart")]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "grader"), "TMPDIR": str(tmp_path)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, cwd=ROOT) as demo:
        assert demo.stdout is not None
        assert any(b"1. Alice" in line for line in demo.stdout)
        demo.send_signal(signal.SIGINT)
        demo.stdout.read()
        assert demo.wait(60) == 128 + signal.SIGINT
    assert soon(lambda: not processes_that_mention(str(tmp_path)))
    assert soon(lambda: not list(tmp_path.glob("dynamo-*")))
