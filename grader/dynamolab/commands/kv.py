"""``./lab kv``: get, put and delete on the cluster of ``./lab cluster up``."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from collections.abc import Callable
from pathlib import Path

from dynamolab import ui
from dynamolab.cluster import state
from dynamolab.cluster.operations import nodes_of_peers_file
from dynamolab.errors import LabError
from dynamolab.store import Client, StoreError, Unknown
from dynamolab.suggest import did_you_mean

# Exit codes, so that a script can tell them apart; 2 is bad usage, as everywhere.
DONE, NOT_DONE, UNKNOWN, ABSENT, SIBLINGS = 0, 1, 3, 4, 5
LONGEST_SHOWN = 200  # Of a sibling, in characters.

EPILOG = f"""exit codes: {DONE} done, {NOT_DONE} refused, 2 bad usage, {UNKNOWN} unknown (it may have
happened), {ABSENT} there is no such key, {SIBLINGS} there are siblings"""


def add(parser: argparse.ArgumentParser) -> None:
    parser.epilog = f"{parser.epilog}. {EPILOG}"
    acts = parser.add_subparsers(metavar="ACT", required=True)
    get = acts.add_parser("get", help="the value's bytes to standard output; siblings are listed")
    put = acts.add_parser("put", help="replace what is there (read first)")
    delete = acts.add_parser("delete", help="delete the key")
    for act, run_act in ((get, _get), (put, _put), (delete, _delete)):
        act.add_argument("key", metavar="KEY")
        act.set_defaults(act=run_act, context=None, blind=False)
        act.add_argument("--node", metavar="NODE", help="ask this one (default: any that answers)")
        act.add_argument(
            "--peers", metavar="FILE", type=Path, help="a peers file: the cluster's nodes (default: "
            "those of ./lab cluster up)",
        )
    get.add_argument("-r", metavar="R", type=int, help="answers to wait for (lab 3: 1)")
    put.add_argument("value", metavar="VALUE", help="text; - for standard input, @FILE for a file")
    for act in (put, delete):
        act.add_argument("-w", metavar="W", type=int, help="copies to wait for (lab 3: 1)")
        act.add_argument("--context", metavar="CONTEXT", help="of an earlier get: replace just that")
    put.add_argument("--blind", action="store_true", help="without a context: replace nothing")


def run(arguments: argparse.Namespace) -> int:
    act: Callable[[argparse.Namespace, Client], int] = arguments.act
    if arguments.blind and arguments.context is not None:
        raise LabError("--blind means without a context: leave one of --blind and --context out")
    try:
        with Client(_addresses(arguments)) as client:
            if arguments.context is not None:
                client.use_context(arguments.key, arguments.context)
            return act(arguments, client)
    except StoreError as error:
        _say(f"lab: refused, {error.status or 'nothing'} {error.code}: {error}")
        return NOT_DONE
    except Unknown as error:
        _say(f"lab: unknown, it may have happened or happen later: {error}")
        return UNKNOWN


def _addresses(arguments: argparse.Namespace) -> list[str]:
    nodes = (
        state.need_running().nodes if arguments.peers is None else nodes_of_peers_file(arguments.peers)
    )
    if arguments.node is None:
        return list(nodes.values())
    if arguments.node not in nodes:
        raise LabError(f"no node is called {arguments.node!r}; {did_you_mean(arguments.node, list(nodes))}")
    return [nodes[arguments.node]]


def _get(arguments: argparse.Namespace, client: Client) -> int:
    values = client.siblings(arguments.key, r=arguments.r)
    if not values:
        _say(f"lab: there is no key {arguments.key!r}")
    elif len(values) == 1:
        sys.stdout.buffer.write(values[0])
        sys.stdout.buffer.flush()
    else:
        _show_siblings(arguments.key, values, client)
    if len(values) < 2 and sys.stderr.isatty():
        _say(f"context: {client.context(arguments.key)}")
    return {0: ABSENT, 1: DONE}.get(len(values), SIBLINGS)


def _show_siblings(key: str, values: list[bytes], client: Client) -> None:
    print(f"{key} has {len(values)} siblings:")
    for number, value in enumerate(values, start=1):
        print(f"  {number}. {_words(value)}")
    _say(
        "Reconcile them; this replaces them all (a context may begin with -, so mind the =):\n"
        f"  ./lab kv put {shlex.quote(key)} VALUE --context={client.context(key)}"
    )


def _words(value: bytes) -> str:
    """One line: text as it is if it is harmless, anything else as Python would write it."""
    try:
        text = value.decode()
    except UnicodeDecodeError:
        text = str(value)
    shown = ui.harmless(text).replace("\n", "\\n").replace("\t", "\\t")
    more = f" … ({len(value)} bytes)" if len(shown) > LONGEST_SHOWN else ""
    return shown[:LONGEST_SHOWN] + more


def _put(arguments: argparse.Namespace, client: Client) -> int:
    value = _value(arguments.value)
    if not arguments.blind and arguments.context is None:
        values = client.siblings(arguments.key)
        if len(values) > 1:
            _say("lab: nothing was put: it would have replaced siblings that you have not seen")
            _show_siblings(arguments.key, values, client)
            return SIBLINGS
    client.put(arguments.key, value, w=arguments.w, blind=arguments.blind)
    return DONE


def _value(word: str) -> bytes:
    if word == "-":
        return sys.stdin.buffer.read()
    if word.startswith("@"):
        return Path(word[1:]).read_bytes()
    return os.fsencode(word)


def _delete(arguments: argparse.Namespace, client: Client) -> int:
    client.delete(arguments.key, w=arguments.w)
    return DONE


def _say(words: str) -> None:
    sys.stdout.flush()
    print(ui.harmless(words), file=sys.stderr, flush=True)
