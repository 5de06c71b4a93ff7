"""`./lab cluster` and `./lab console`: what they take, and what they do."""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import fcntl
import json
import os
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema

from .. import build, labs
from ..commands.common import add_jobs, add_seed, add_with, open_solution, whole_number
from ..errors import LabError
from ..paths import ROOT, shown
from ..suggest import did_you_mean
from . import console, state
from .assembly import names_of
from .background import Settings
from .client import NodeClient
from .errors import ClusterTrouble, NodeSilent

FIRST_HTTP_PORT = 8001
CONFIG_SCHEMA = ROOT / "framework" / "node" / "config.schema.json"
MOST_NODES = 32
START_S = 90.0
END_S = 30.0
PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h
ONE_NODE_ACTS = {
    "kill": "end a node at once, as kill -9 does",
    "pause": "stop a node (SIGSTOP): it accepts connections but answers nothing",
    "resume": "let a paused node go on",
    "restart": "start a node again, with its disk and on its ports",
    "wipe": "take the disk of a killed node away",
}


def add(parser: argparse.ArgumentParser) -> None:
    if parser.get_default("command") == "console":
        _add_console(parser)
    else:
        _add_cluster(parser)


def run(arguments: argparse.Namespace) -> int:
    return int(arguments.act(arguments))


def _add_console(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-c", dest="lines", metavar="COMMAND", action="append", help="run this and end"
    )
    parser.add_argument(
        "--peers", metavar="FILE", type=Path, help="a peers file: the cluster's nodes (default: "
        "those of ./lab cluster up)",
    )
    parser.add_argument(
        "--admin-token-file", metavar="FILE", type=Path, help="with --peers: holds the nodes' token"
    )
    parser.set_defaults(act=_console)


def _add_cluster(parser: argparse.ArgumentParser) -> None:
    acts = parser.add_subparsers(metavar="ACT", required=True)
    up = acts.add_parser("up", help="start a cluster in the background")
    up.add_argument(
        "-n", dest="size", metavar="N", type=whole_number(1, MOST_NODES), default=5,
        help="nodes (default: 5)",
    )
    up.add_argument(
        "--solution", metavar="DIR", default="reference", help="what they run (default: reference)"
    )
    up.add_argument(
        "--reference", metavar="NODE,…", type=_names, default=[],
        help="these nodes run the reference, beside the solution: n4,n5",
    )
    up.add_argument("--reference-node", metavar="PATH", type=Path, help=argparse.SUPPRESS)
    up.add_argument("--node", metavar="PATH", type=Path, help="a dynamo-node that is built already")
    up.add_argument("--faultnet", metavar="PATH", type=Path, help=argparse.SUPPRESS)
    up.add_argument(
        "--gossip-ms", metavar="MS", type=whole_number(1, 60_000), default=1000,
        help="gossip period (default: 1000, as in the lecture)",
    )
    up.add_argument(
        "--set", metavar="SETTING=VALUE", action="append", default=[], type=_setting,
        help="one of the settings of docs/config.md, for example mode=strict or w=3",
    )
    add_with(up)
    add_seed(up)
    add_jobs(up)
    up.set_defaults(act=_up)
    acts.add_parser("down", help="stop it and remove its disks").set_defaults(act=_down)
    acts.add_parser("status", help="its nodes, how they are, where they listen").set_defaults(
        act=_status
    )
    for act, words in ONE_NODE_ACTS.items():
        one = acts.add_parser(act, help=words)
        one.add_argument("names", metavar="NODE", nargs="+")
        one.set_defaults(act=_tell, tell=act)
    cut = acts.add_parser("cut", help="lose all messages from one node to another")
    cut.add_argument("names", metavar="FROM")
    cut.add_argument("peers", metavar="TO")
    cut.set_defaults(act=_tell, tell="cut")
    heal = acts.add_parser("heal", help="undo cuts: of one direction, or all")
    heal.add_argument("names", metavar="FROM", nargs="?")
    heal.add_argument("peers", metavar="TO", nargs="?")
    heal.set_defaults(act=_tell, tell="heal")


def _console(arguments: argparse.Namespace) -> int:
    if arguments.peers is not None:
        nodes = console.nodes_of_peers_file(arguments.peers)
        return console.run(nodes, arguments.lines, token=_token(arguments.admin_token_file))
    if arguments.admin_token_file is not None:
        raise LabError("--admin-token-file goes with --peers FILE; nodes of ./lab cluster want none")
    running = state.need_running()
    return console.run(running.nodes, arguments.lines, running.words())


def _token(file: Path | None) -> str:
    if file is None:
        return ""
    try:
        return file.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise LabError(f"--admin-token-file {file}: cannot be read: {error}") from error


@contextlib.contextmanager
def _alone() -> Iterator[None]:
    """One `up` or `down` at a time in a checkout."""
    parent = os.open(state.FOLDER.parent, os.O_RDONLY)
    try:
        try:
            fcntl.flock(parent, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise LabError("another ./lab cluster up or down is at work here; try again") from None
        yield
    finally:
        os.close(parent)


def _up(arguments: argparse.Namespace) -> int:
    _check_settings(dict(arguments.set))
    names = names_of(arguments.size)
    for name in arguments.reference:
        if name not in names:
            raise LabError(f"--reference {name}: no node is called so; {did_you_mean(name, names)}")
    with _alone():
        running = state.find_running()
        if running is not None:
            raise LabError(
                f"a cluster of {len(running.nodes)} nodes is running already ("
                f"{running.words()}); ./lab cluster status shows it, ./lab cluster down ends it"
            )
        _remove_leftovers()
        node, faultnet = _programs(arguments)
        reference_node = _reference_node(arguments)
        state.FOLDER.mkdir()
        settings = Settings(
            folder=str(state.FOLDER),
            node=str(node.resolve()),
            faultnet=str(faultnet.resolve()),
            size=arguments.size,
            seed=arguments.seed,
            solution=_what_runs(arguments),
            http_ports=[FIRST_HTTP_PORT + number for number in range(arguments.size)],
            config={
                "gossip_period_ms": arguments.gossip_ms,
                "call_timeout_ms": 300,
                # Of this cluster alone: no other one's contexts are good here, and nobody's own.
                "cluster_secret": secrets.token_hex(16),
                **dict(arguments.set),
            },
            reference=arguments.reference,
            reference_node=str(reference_node.resolve()) if reference_node is not None else "",
        )
        _start_background(settings)
    return _explain(state.need_running())


def _names(text: str) -> list[str]:
    """`n4,n5`, each once, in this order."""
    return list(dict.fromkeys(name for name in text.split(",") if name))


def _setting(text: str) -> tuple[str, Any]:
    """`mode=strict`, `w=3`, `seeds=["n1"]`: the value is JSON, or else a plain word."""
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise argparse.ArgumentTypeError(f"'{text}' is not SETTING=VALUE, as in mode=strict")
    try:
        return name, json.loads(value)
    except json.JSONDecodeError:
        return name, value


def _check_settings(settings: dict[str, Any]) -> None:
    """LabError names what no node would start with. (How values go together, a node says itself.)"""
    schema = json.loads(CONFIG_SCHEMA.read_text(encoding="utf-8"))
    for name, value in settings.items():
        if name not in schema["properties"]:
            known = sorted(schema["properties"])
            raise LabError(f"--set {name}: there is no such setting ({did_you_mean(name, known)})")
        error = next(jsonschema.Draft7Validator(schema).iter_errors({name: value}), None)
        if error is not None:
            raise LabError(f"--set {name}: {error.message}; docs/config.md explains the settings")


def _what_runs(arguments: argparse.Namespace) -> str:
    if arguments.node is not None:
        return str(arguments.node)
    supplied = f" with {', '.join(arguments.supplied)}" if arguments.supplied else ""
    return f"{arguments.solution}{supplied}"


def _programs(arguments: argparse.Namespace) -> tuple[Path, Path]:
    """dynamo-node and faultnet, built if need be."""
    if arguments.node is not None and arguments.faultnet is not None:
        return _existing(arguments.node), _existing(arguments.faultnet)
    framework = build.Framework("release", arguments.jobs)
    if arguments.node is not None:
        framework.build(["faultnet"])
        return _existing(arguments.node), framework.faultnet
    known = labs.load_all()
    solution = open_solution(arguments, known, [])
    missing = [lab.file for lab in solution.not_begun() if lab.points]
    if missing:
        print(f"not begun in {solution.name}: {', '.join(missing)}; the reference's is at work there")
    framework.build(["libraries", "faultnet"])
    built = build.build_node(framework, solution.modules(None), f"cluster-{solution.folder.name}")
    if built.error is not None:
        raise LabError(built.error)
    return built.node, framework.faultnet


def _reference_node(arguments: argparse.Namespace) -> Path | None:
    """The reference's program, if some of the nodes are to run it."""
    if not arguments.reference:
        return None
    if arguments.reference_node is not None:
        return _existing(arguments.reference_node)
    framework = build.Framework("release", arguments.jobs)
    framework.build(["libraries"])
    return build.reference_node(framework)


def _existing(program: Path) -> Path:
    if not program.is_file():
        raise LabError(f"{program}: there is no such program")
    return program


def _remove_leftovers() -> None:
    """What a killed or crashed run left in .cluster/. Its processes went with it."""
    if state.FOLDER.is_symlink() or state.FOLDER.is_file():
        raise LabError(f"{shown(state.FOLDER)} should be a folder of ours; move it away")
    shutil.rmtree(state.FOLDER, ignore_errors=True)


def _start_background(settings: Settings) -> None:
    file = Path(settings.folder) / "settings.json"
    file.write_text(settings.to_json(), encoding="utf-8")
    _let_orphans_go()
    command = [sys.executable, "-P", "-m", "dynamolab.cluster.background", str(file)]
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, cwd=ROOT
    )
    assert process.stdout is not None
    with process.stdout:
        word = process.stdout.read().decode("utf-8", "replace").strip()
    process.wait(START_S)
    if word != "ready":
        log = Path(settings.folder) / "background.log"
        raise ClusterTrouble(
            "the cluster did not start: "
            + (word.removeprefix("error: ") or f"{shown(log)} may say why")
        )


def _let_orphans_go() -> None:
    """The background process must outlive this command, which otherwise adopts and ends all."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)


def _explain(running: state.Running) -> int:
    first = next(iter(running.nodes.values()))
    last = list(running.nodes)[-1]
    print(f"{len(running.nodes)} nodes are running ({running.words()}):")
    for name, address in running.nodes.items():
        whose = f"  {running.runs(name)}" if running.reference else ""
        print(f"  {name}  http://{address}{whose}")
    print(
        f"\nTry:\n  curl -X PUT {first}/kv/cart --data-binary milk\n  curl -i {running.nodes[last]}/kv/cart\n"
        f"  ./lab kv put cart 'milk and eggs'\n  curl {first}/admin/view\n"
        f"  curl -X DELETE {first}/admin/members/{last}\n"
        "  ./lab console\n  ./lab cluster kill n2\n  ./lab cluster cut n1 n3\n"
        f"\nLogs: {shown(state.FOLDER)}/cluster.n1.log, …    To end: ./lab cluster down"
    )
    return 0


def _down(_arguments: argparse.Namespace) -> int:
    with _alone():
        running = state.find_running()
        left = state.read_state(state.FOLDER / state.STATE_FILE)
        if running is not None:
            state.ask(running, "down")
            until = time.monotonic() + END_S
            while state.is_alive(running.pid):
                if time.monotonic() > until:
                    raise ClusterTrouble(f"process {running.pid} does not end")
                time.sleep(0.02)
        existed = state.FOLDER.exists()
        _remove_leftovers()
    if running is not None:
        print(f"{len(running.nodes)} nodes were stopped, their disks removed.")
    elif existed or left is not None:
        print("No cluster was running; what an earlier one had left is removed.")
    else:
        print("No cluster was running.")
    return 0


def _status(_arguments: argparse.Namespace) -> int:
    running = state.need_running()
    for row in state.ask(running, "status")["nodes"]:
        seen = ""
        if row["state"] == "running":
            with contextlib.suppress(NodeSilent, ClusterTrouble):
                view = NodeClient(row["name"], row["http"], timeout_s=2.0).view()
                seen = f"members {' '.join(view['members']) or '–'}"
                if view["suspects"]:
                    seen += f"   suspects {' '.join(view['suspects'])}"
        whose = f"{running.runs(row['name'])}   " if running.reference else ""
        print(f"  {row['name']:<4} {row['state']:<8} http://{row['http']:<16} {whose}{seen}".rstrip())
    return 0


def _tell(arguments: argparse.Namespace) -> int:
    running = state.need_running()
    names = [arguments.names] if isinstance(arguments.names, str) else list(arguments.names or [])
    peers = [arguments.peers] if getattr(arguments, "peers", None) else []
    if arguments.tell == "heal" and names and not peers:
        raise LabError("heal takes two nodes, FROM and TO, or none for all")
    if arguments.tell == "cut" and names == peers:
        raise LabError(f"{names[0]} sends itself no messages that could be lost; name two nodes")
    state.ask(running, arguments.tell, names, peers=peers)
    print("done")
    return 0
