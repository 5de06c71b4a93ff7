"""``./lab replay``: a saved failure once more. A simulated one runs exactly as it did, step by step.
Of one on real processes, what each node took is fed to a simulated node, which must do the same as the
real one did; then its check runs again, with the same faults."""

from __future__ import annotations

import argparse
import json
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dynamolab import (
    build,
    checks,
    grade,
    labs,
    plan_replay,
    processes,
    render_terminal,
    solutions,
    ui,
    viewer,
)
from dynamolab.cluster.process import program_hash
from dynamolab.commands import common
from dynamolab.errors import LabError
from dynamolab.paths import RESULTS, ROOT, shown
from dynamolab.sandbox import Sandbox, hosts_in

DEADLINE_S = 300.0
NODES_TRACE = "trace-of-nodes.jsonl"  # Beside the replay file of a failure on real processes.


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "file", type=Path, metavar="FILE", help="the replay file that a failure named, or a fault plan"
    )
    parser.add_argument(
        "--solution",
        metavar="DIR",
        help="the solution to run it on (default: the one that failed, as it is now)",
    )
    parser.add_argument(
        "--shiviz",
        metavar="OUT",
        type=common.writable_file,
        help="also write the steps as a log for ShiViz, with vector clocks",
    )
    parser.add_argument(
        "--original",
        action="store_true",
        help="of a failure that was shrunk: the run that it was found in, in full",
    )
    common.add_with(parser)
    common.add_sandbox(parser, "off")
    common.add_jobs(parser)


def read_replay(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise LabError(f"{path}: cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise LabError(f"{path}: is not JSON: {error}; give a file that a failure named") from error
    if not isinstance(document, dict) or not isinstance(document.get("check"), str):
        raise LabError(f"{path}: check: is missing; give a file that a failure named")
    if document.get("kind") not in ("unit", "sim", "explore", "cluster"):
        raise LabError(f"{path}: kind: {document.get('kind')!r} is none of unit, sim, explore, cluster")
    return document


def _solution_that_failed(path: Path) -> tuple[str, list[str]]:
    """Its folder, and what other folders supplied (``--with``). The results of the run lie in the
    run's folder, above the replay file."""
    for folder in path.resolve().parents:
        results = folder / grade.RESULTS_FILE
        if results.is_file():
            document = labs.read_json(results, "results.schema.json")
            return str(document["solution"]), list(document.get("with", []))
        if folder == ROOT:
            break
    raise LabError(f"{path}: nothing beside it says which solution failed; add --solution DIR")


def _built(
    arguments: argparse.Namespace, lab: labs.Lab, *targets: str
) -> tuple[build.Framework, solutions.Solution, Path, Sandbox | None]:
    """The framework with these targets, too; the solution that failed, or the one that is asked for, its
    node, and what it is shut into."""
    if arguments.solution is None:
        arguments.solution, supplied = _solution_that_failed(arguments.file)
        arguments.supplied = arguments.supplied or supplied
    solution = common.open_solution(arguments, labs.load_all(), [lab])
    framework = build.Framework("release", arguments.jobs)
    framework.build(["libraries", "faultnet", "replay-recordings", *targets])
    box = grade.chosen_sandbox(arguments.sandbox, framework)
    label = f"lab{lab.number}-{solution.folder.name}"
    built = build.build_node(framework, solution.modules(lab), label, sandbox=box)
    if built.error:
        raise LabError(built.error)
    return framework, solution, built.node, box


def _real(arguments: argparse.Namespace, document: dict[str, Any]) -> _Real:
    lab, check = labs.find_check(labs.load_all(), document["check"])
    framework, solution, node, box = _built(arguments, lab)
    _say_what_runs(check, solution)
    return _Real(lab, check, document, arguments.file, node, framework, box)


def end_of_story(message: str) -> str:
    """What was expected and what was seen, of a failure's message."""
    lines = [line.strip() for line in message.splitlines()]
    begins = next((i for i, line in enumerate(lines) if line.startswith("expected:")), len(lines))
    ends = next((i for i, line in enumerate(lines) if line.startswith("last lines of")), len(lines))
    return "\n".join(lines[begins:ends])


def trace_of_nodes(arguments: argparse.Namespace) -> Path | None:
    """Of a failure on real processes, which ``arguments.file`` is: what its nodes did, as a trace, made
    now if it was not before. Nothing if they were not recorded."""
    made = arguments.file.parent / NODES_TRACE
    return made if made.is_file() else _real(arguments, read_replay(arguments.file)).rerun_recordings()


def run(arguments: argparse.Namespace) -> int:
    if plan_replay.is_plan(plan_replay.document_of(arguments.file)):
        if arguments.sandbox != "off":
            raise LabError(f"{arguments.file}: a fault plan runs without a sandbox; leave --sandbox out")
        return plan_replay.replay_plan(arguments.file, arguments)
    document = read_replay(arguments.file)
    if document["kind"] == "cluster":
        real = _real(arguments, document)
        if trace := real.rerun_recordings():
            _draw(trace, real.check, arguments, str(document.get("message", "")), document)
        return real.run_check_again()
    lab, check = labs.find_check(labs.load_all(), document["check"])
    framework, solution, node, box = _built(arguments, lab, f"lab{lab.number}-checks")
    _say_what_runs(check, solution)
    folder = RESULTS / "replay"  # The trace that is told of stays, until the next replay.
    folder.mkdir(parents=True, exist_ok=True)
    command: list[str | Path] = [framework.checks_binary(lab.number), "--node", node]
    command += ["--replay", arguments.file.resolve(), "--artifacts", shown(folder)]
    if arguments.original:
        command.append("--original")
    with hosts_in(box, node, folder / "sandbox.json") as words:
        done = processes.run([*command, *words], deadline_s=DEADLINE_S, cwd=ROOT, on_line=_print)
    if done.timed_out:
        raise LabError(f"the replay did not end within {DEADLINE_S:.0f} s")
    _explain(check, done.code)
    _draw(folder / f"{check.id}.trace.jsonl", check, arguments, done.out)
    if done.code == 1:
        words = ["./lab", "debug", check.id, "--replay", str(arguments.file), *solution.options]
        print(f"in the debugger: {ui.harmless(shlex.join(words))}")
    return done.code if done.code in (0, 1) else 2


def _draw(
    trace: Path,
    check: labs.Check,
    arguments: argparse.Namespace,
    message: str,
    real: dict[str, Any] | None = None,
) -> None:
    """The run as a page, and for ShiViz if that is asked for. ``real``: the replay file of one on real
    processes."""
    if not trace.is_file():
        return  # Of a unit check there is none.
    page = trace.with_name(trace.name.removesuffix(".trace.jsonl").removesuffix(".jsonl") + ".html")
    words = ["./lab", "replay", str(arguments.file)]
    failure = viewer.Failure(
        check.id,
        check.title,
        message,
        check.why,
        check.hint,
        shlex.join(words),
        real=real is not None,
        story_ms=tuple(int(ms) for ms in (real or {}).get("story_ms", ())),
    )
    viewer.write_page(trace, page, failure)
    print(ui.harmless(f"look at: {shown(page)}"), flush=True)
    print(ui.harmless(f"or play it back: ./lab play {shlex.quote(shown(trace))}"), flush=True)
    if arguments.shiviz:
        viewer.write_shiviz(trace, arguments.shiviz)
        print(ui.harmless(f"for ShiViz: {shown(arguments.shiviz)}"), flush=True)


def _print(line: str) -> None:
    print(ui.harmless(line), flush=True)


def _explain(check: labs.Check, code: int) -> None:
    if code == 0:
        print("It passes now.")
    elif code == 1:
        print(f"why it matters: {check.why}\nwhere to look: {check.hint}")


def _say_what_runs(check: labs.Check, solution: solutions.Solution) -> None:
    supplied = f" (with {', '.join(solution.supplied_words)})" if solution.supplied else ""
    print(ui.harmless(f"{check.id} on {solution.name}{supplied}"), flush=True)


@dataclass(frozen=True)
class _Real:
    """A failure on real processes."""

    lab: labs.Lab
    check: labs.Check
    document: dict[str, Any]
    file: Path  # Its recordings lie beside it.
    node: Path
    framework: build.Framework
    sandbox: Sandbox | None

    def rerun_recordings(self) -> Path | None:
        """What the nodes took, once more in simulated nodes: the same events, clocks and seeds. The
        trace of all nodes."""
        names = [str(name) for name in self.document.get("recordings", [])]
        files = [self.file.resolve().parent / name for name in names]
        if not files or not all(file.is_file() for file in files):
            print("What the nodes did was not recorded; the check runs again.")
            return None
        print("What each node took, once more, in a simulated node:", flush=True)
        if self.document.get("node_hash") != program_hash(self.node):
            print("  (another program than then: built elsewhere, or the solution was changed since)")
        folder = self.file.resolve().parent
        plan, trace = folder / "plan.json", folder / NODES_TRACE
        command: list[str | Path] = [self.framework.replay_recordings, "--node", self.node]
        command += ["--plan", plan, "--began-us", str(self.document.get("began_us", 0))]
        command += ["--trace", trace]
        if reference := [str(name) for name in self.document.get("reference", [])]:
            command += ["--reference", ",".join(reference)]
            command += ["--reference-node", build.reference_node(self.framework)]
        with hosts_in(self.sandbox, self.node, folder / "sandbox.json") as words:
            command += [*words, *files]
            done = processes.run(command, deadline_s=DEADLINE_S, cwd=ROOT, on_line=_print)
        if done.timed_out:
            raise LabError(f"the recordings did not end within {DEADLINE_S:.0f} s")
        if done.code == 0:
            print("So the failure is in what they do with these events, and shows every time.")
        elif done.code == 1:
            print(
                "Where a node does something else, it was changed since, or it is not deterministic:"
                " it uses a clock, a random number, an order or memory that Env does not give."
            )
        else:
            print(f"The recordings could not be run: {done.out.strip()}")
        print(f"trace of all nodes: {shown(trace)}", flush=True)
        return trace

    def run_check_again(self) -> int:
        """Other timing, the same faults."""
        print("\nThe check once more, on real processes, with the same faults:", flush=True)
        folder = grade.run_folder(f"replay-lab{self.lab.number}")
        reference = build.reference_node(self.framework) if self.check.mixed else None
        seed = int(self.document.get("seed", 1))
        run_with = checks.Run(self.node, folder, seed=seed, reference=reference, sandbox=self.sandbox)
        tests = self.lab.folder / "test_cluster.py"
        verdict = checks.run_pytest(tests, [self.check], self.framework.faultnet, run_with)[self.check.id]
        print(f"{verdict.outcome.value} in {verdict.seconds:.1f} s (artifacts: {shown(folder)})")
        if verdict.message:
            ui.console().print(render_terminal.plain(verdict.message))
        _explain(self.check, 0 if verdict.outcome.value == "pass" else 1)
        return {"pass": 0, "fail": 1}.get(verdict.outcome.value, 2)
