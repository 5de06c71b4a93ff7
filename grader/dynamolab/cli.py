"""The command line: ``./lab COMMAND``. Each command's work is in a module of its own."""

from __future__ import annotations

import argparse
import importlib
import shlex
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NoReturn

from dynamolab import processes, ui
from dynamolab.errors import LabError
from dynamolab.paths import OVERLAY, OVERLAY_FILE, OVERLAY_SETTING, RELEASED

EXIT_TROUBLE = 2

Handler = Callable[[argparse.Namespace], int]


@dataclass(frozen=True)
class Command:
    """One subcommand: where its ``add(parser)`` and ``run(arguments)`` are, loaded when it is used."""

    name: str
    module: str
    help: str
    example: str
    students: bool = True  # Whether a students' repository has it, too.


COMMANDS = (
    Command(
        "grade",
        "dynamolab.commands.grade",
        "grade a solution and print points",
        "./lab grade 1 --solution mine",
    ),
    Command(
        "list",
        "dynamolab.commands.list",
        "the checks, what each teaches, its points",
        "./lab list 1",
    ),
    Command(
        "why",
        "dynamolab.commands.why",
        "why a check cost its points, from the results",
        "./lab why results/20261014-lab1 older_join_never_resurrects",
    ),
    Command(
        "bundle",
        "dynamolab.commands.bundle",
        "pack a graded run into one file, to be sent",
        "./lab bundle --out question.zip",
    ),
    Command(
        "open",
        "dynamolab.commands.bundle",
        "open what ./lab bundle made, and replay its failure",
        "./lab open question.zip",
    ),
    Command(
        "viva",
        "dynamolab.commands.viva",
        "questions on a run of a student's own code, with answers",
        "./lab viva submissions/ann 5",
        students=False,
    ),
    Command(
        "convert",
        "dynamolab.commands.convert",
        "results in the format of another system",
        "./lab convert results.json --to junit --output junit.xml",
    ),
    Command(
        "grade-one",
        "dynamolab.commands.grade_one",
        "grade a submission, once, into a folder",
        "./lab grade-one handin.zip graded/alice",
        students=False,
    ),
    Command(
        "grade-all",
        "dynamolab.commands.grade_all",
        "grade the submissions of a class",
        "./lab grade-all handins --out graded --roster roster.csv",
        students=False,
    ),
    Command("watch", "dynamolab.commands.watch", "grade a lab again at each save", "./lab watch 1"),
    Command(
        "replay",
        "dynamolab.commands.replay",
        "run a saved failure again, exactly",
        "./lab replay FILE.json",
    ),
    Command(
        "debug",
        "dynamolab.commands.debug",
        "step through a check under gdb",
        "./lab debug ring.arcs_hold_their_first_and_last_hash",
    ),
    Command(
        "console",
        "dynamolab.cluster.cli",
        "the operator's console on a running cluster",
        "./lab console",
    ),
    Command(
        "cluster",
        "dynamolab.cluster.cli",
        "start and stop a cluster of real nodes",
        "./lab cluster up -n 5",
    ),
    Command(
        "kv",
        "dynamolab.commands.kv",
        "get, put and delete keys of a running cluster",
        "./lab kv put cart milk",
    ),
    Command(
        "demo",
        "dynamolab.commands.demo",
        "a story of the lecture, told on a real cluster",
        "./lab demo cart",
    ),
    Command(
        "play",
        "dynamolab.commands.play",
        "a cluster on a page, to be watched and broken by hand",
        "./lab play --script handoff",
    ),
    Command(
        "experiment", "dynamolab.commands.experiment", "measure and plot", "./lab experiment ring"
    ),
    Command(
        "mutants",
        "dynamolab.commands.mutants",
        "grade the known-wrong solutions",
        "./lab mutants 1 --all",
        students=False,
    ),
    Command(
        "attacks",
        "dynamolab.commands.attacks",
        "hand in hostile submissions",
        "./lab attacks fork-bomb --tier b",
        students=False,
    ),
    Command(
        "bench",
        "dynamolab.commands.bench",
        "measure, beside the goals",
        "./lab bench --results bench.json",
        students=False,
    ),
    Command(
        "soak",
        "dynamolab.commands.soak",
        "grade the reference many times",
        "./lab soak -n 20 --load",
        students=False,
    ),
    Command(
        "skeleton",
        "dynamolab.commands.skeleton",
        "make skeleton/ from reference/",
        "./lab skeleton --check",
        students=False,
    ),
    Command(
        "release",
        "dynamolab.commands.release",
        "make the students' repository of a course",
        "./lab release --course course.json --out ../students",
        students=False,
    ),
    Command(
        "test",
        "dynamolab.commands.test",
        "the project's own tests",
        "./lab test",
        students=False,
    ),
    Command(
        "update",
        "dynamolab.commands.update",
        "a newer release of the course, and solution/ as it was",
        "./lab update ../course-2027",
    ),
    Command(
        "variants",
        "dynamolab.commands.variants",
        "rules that a course may turn, so that last year's solution loses points",
        "./lab variants walk=counter-clockwise share=ceil",
        students=False,
    ),
    Command(
        "setup",
        "dynamolab.commands.setup",
        "install what is missing, build everything",
        "./lab setup",
    ),
)


def commands(students: bool = RELEASED) -> list[Command]:
    """Those of this checkout; of ``students``: of a repository of theirs."""
    return [command for command in COMMANDS if command.students or not students]


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(EXIT_TROUBLE, f"{self.prog}: {message}\nTry {self.prog} --help\n")


def _overview() -> str:
    width = max(len(command.name) for command in commands())
    lines = [f"  {command.name:<{width}}  {command.help}" for command in commands()]
    return "\n".join(
        [
            "usage: ./lab COMMAND …     ./lab COMMAND --help says more",
            "",
            "Dynamo Labs: build Amazon's Dynamo, lab by lab, and see it survive.",
            "",
            *lines,
            "",
            "To begin: read labs/0-warmup/README.md, then ./lab grade 1",
        ]
    )


def _find(name: str) -> Command:
    for command in commands():
        if command.name == name:
            return command
    from dynamolab.suggest import did_you_mean

    raise LabError(
        f"there is no command '{name}'; {did_you_mean(name, [c.name for c in commands()])}"
    )


def _dispatch(words: Sequence[str]) -> int:
    if not words or words[0] in ("-h", "--help", "help"):
        print(_overview())
        return 0
    if OVERLAY is not None and not OVERLAY.is_dir():
        raise LabError(
            f"{OVERLAY}: there is no such folder to lay over this checkout; mend {OVERLAY_SETTING} or"
            f" {OVERLAY_FILE.name}"
        )
    command = _find(words[0])
    module = importlib.import_module(command.module)
    parser = _Parser(
        prog=f"./lab {command.name}",
        description=command.help[0].upper() + command.help[1:] + ".",
        epilog=f"example: {command.example}",
        allow_abbrev=False,
    )
    parser.set_defaults(command=command.name)
    module.add(parser)
    arguments = parser.parse_args(words[1:])
    arguments.again = shlex.join(["./lab", *words])
    return int(module.run(arguments))


def main(words: Sequence[str]) -> int:
    """Runs one command; its exit code. Nothing that it started outlives it."""
    processes.adopt_orphans()
    processes.turn_signals_into_interrupts()
    try:
        return _dispatch(words)
    except LabError as error:
        sys.stdout.flush()
        print(f"lab: {ui.harmless(str(error))}", file=sys.stderr)
        return EXIT_TROUBLE
    except processes.Interrupted as interrupted:
        return 128 + interrupted.number
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    except BrokenPipeError:  # `./lab list | head`
        sys.stderr.close()
        return 128 + signal.SIGPIPE
    except OSError as error:
        what = f"{error.filename}: {error.strerror}" if error.filename else str(error)
        print(f"lab: {ui.harmless(what)}", file=sys.stderr)
        return EXIT_TROUBLE
    finally:
        # A second Ctrl-C must not stop the sweep half way.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        processes.kill_descendants()
