"""`./lab console`: the operator's commands, typed at a prompt, piped in, or given with -c."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from ..errors import LabError
from ..ui import harmless
from .errors import NodeSilent
from .operations import Operator, nodes_of_peers_file

__all__ = ["nodes_of_peers_file", "run"]


def run(
    nodes: Mapping[str, str], lines: list[str] | None, what_runs: str = "", token: str = ""
) -> int:
    """With `lines`, runs them; else what standard input has, at a prompt if that is a terminal.
    0, or 1 if a command was refused (never at the prompt: there somebody has seen it)."""
    operator = Operator(nodes, token)
    if lines:
        return _run_lines(operator, lines)
    if sys.stdin.isatty():
        _prompt(operator, what_runs)
        return 0
    return _run_lines(operator, sys.stdin)


def _run_lines(operator: Operator, lines: Iterable[str]) -> int:
    refused = False
    for line in lines:
        if line.strip() in ("quit", "exit"):
            break
        refused |= not _run_line(operator, line)
    return 1 if refused else 0


def _run_line(operator: Operator, line: str) -> bool:
    try:
        shown = operator.execute(line)
    except (LabError, NodeSilent) as error:
        print(f"error: {harmless(str(error))}", file=sys.stderr, flush=True)
        return False
    if shown:
        print(harmless(shown), flush=True)
    return True


def _history_file() -> Path:
    base = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
    return Path(base).expanduser() / "dynamo-labs" / "console-history"


def _prompt(operator: Operator, what_runs: str) -> None:
    from prompt_toolkit import PromptSession
    from prompt_toolkit.completion import NestedCompleter
    from prompt_toolkit.history import FileHistory, History, InMemoryHistory

    history: History = InMemoryHistory()
    try:
        _history_file().parent.mkdir(parents=True, exist_ok=True)
        _history_file().touch()
        history = FileHistory(str(_history_file()))
    except OSError as error:
        print(f"(no history file: {error.strerror})", file=sys.stderr)
    names = dict.fromkeys(operator.names)
    completer = NestedCompleter.from_nested_dict(
        {verb.name: names if verb.nodes else None for verb in operator.verbs.values()}
    )
    session: PromptSession[str] = PromptSession(history=history, completer=completer)
    whose = f" ({what_runs})" if what_runs else ""
    print(f"{len(operator.names)} nodes{whose}: {' '.join(operator.names)}. Type help for the commands.")
    while True:
        try:
            line = session.prompt(f"{operator.in_use or 'cluster'}> ")
        except KeyboardInterrupt:
            continue  # Ctrl-C drops the line, as in a shell.
        except EOFError:
            return
        if line.strip() in ("quit", "exit"):
            return
        _run_line(operator, line)
