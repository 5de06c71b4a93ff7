"""Builds the framework once, and a solution's node in seconds."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import math
import os
import re
import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from dynamolab import processes, reference, ui
from dynamolab.errors import GraderTrouble
from dynamolab.paths import BUILD, REFERENCE, ROOT, SOLUTION_PROJECT, shown
from dynamolab.sandbox import Sandbox, building
from dynamolab.solutions import Modules

CONFIGURE_DEADLINE_S = 120.0
# A slow machine under load may build for long, as long as it gets on: no step takes minutes there.
FRAMEWORK_DEADLINE_S = 7200.0
STEP_DEADLINE_S = 900.0
SOLUTION_DEADLINE_S = 180.0
LOCK_DEADLINE_S = FRAMEWORK_DEADLINE_S
KEPT_SOLUTIONS = 48  # Build folders of solutions; the oldest go,
IN_USE_S = 3600.0  # but none that another command may be at work with.
SHOWN_ERROR_LINES = 40
LONG_BUILD_STEPS = 10  # From here on a build of the framework is worth a word.
SLOW_BUILD_S = 10.0

_STEP = re.compile(r"^\[(\d+)/(\d+)\] (.*)")
_ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


def _environment() -> dict[str, str]:
    # A student's message must not depend on the locale, and ninja's status is parsed below.
    return {**os.environ, "NINJA_STATUS": "[%f/%t] ", "LC_ALL": "C.UTF-8", "CLICOLOR_FORCE": "0"}


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """One at a time at work in a folder, also between two terminals. Not to be taken twice by one thread.
    GraderTrouble if another one does not end for hours."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lab-lock").open("w") as file:
        until = time.monotonic() + LOCK_DEADLINE_S
        told = False
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError:
                if time.monotonic() > until:
                    raise GraderTrouble(
                        f"{shown(folder)}: another command has held it for {LOCK_DEADLINE_S / 3600:.0f} hours"
                    ) from None
                if not told:
                    ui.say(f"Another command is at work in {shown(folder)}; waiting …")
                    told = True
                time.sleep(0.1)
        yield


@contextlib.contextmanager
def _told_if_slow(say: Callable[[], None], after_s: float) -> Iterator[None]:
    """Where no bar is seen, a word once the block has taken this long."""
    if sys.stderr.isatty():
        yield
        return
    timer = threading.Timer(after_s, say)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _ninja(
    folder: Path,
    targets: Sequence[str],
    title: str,
    deadline_s: float,
    jobs: int,
    on_steps: Callable[[int], None] = lambda _: None,
    step_deadline_s: float = math.inf,
    before: Sequence[str] = (),
) -> processes.Completed:
    """``on_steps`` hears at each step how many there are. It is given up, too, when no step has ended
    for ``step_deadline_s``. ``before``: what the build is started behind."""
    with ui.bar(title) as progress:

        def on_line(line: str) -> None:
            if step := _STEP.match(line):
                on_steps(int(step[2]))
                progress.update(int(step[1]), int(step[2]), Path(step[3].split()[-1]).name)

        return processes.run(
            [*before, _ninja_program(), "-C", folder, "-j", str(jobs), *targets],
            deadline_s=deadline_s,
            env=_environment(),
            on_line=on_line,
            silence_s=step_deadline_s,
        )


def _ninja_program() -> str:
    return shutil.which("ninja") or "ninja"


def compiler_output(text: str) -> str:
    """What the compiler said, without the build tool's frame around it."""
    lines: list[str] = []
    skip_command = False
    for line in _ANSI.sub("", text).splitlines():
        if skip_command:
            skip_command = False
        elif line.startswith("FAILED: "):
            skip_command = True
        elif not (_STEP.match(line) or line.startswith("ninja: ")):
            lines.append(line)
    return "\n".join(lines).strip()


@dataclass(frozen=True)
class Framework:
    """The framework and the check programs, built with one CMake preset."""

    preset: str
    jobs: int

    @property
    def folder(self) -> Path:
        return BUILD / self.preset

    def checks_binary(self, lab: int) -> Path:
        return self.folder / "labs" / f"lab{lab}-checks"

    @property
    def sandbox_launcher(self) -> Path:
        return self.folder / "grader" / "sandbox" / "sandbox-launcher"

    @property
    def faultnet(self) -> Path:
        return self.folder / "grader" / "faultnet" / "faultnet"

    @property
    def replay_recordings(self) -> Path:
        return self.folder / "grader" / "sim" / "replay-recordings"

    @property
    def run_plan(self) -> Path:
        return self.folder / "grader" / "sim" / "run-plan"

    def build(self, targets: Sequence[str]) -> None:
        """Configures if need be, and builds. GraderTrouble with the compiler's words if it fails."""
        told = sys.stderr.isatty()  # There the bar says it.

        def tell(steps: int) -> None:
            nonlocal told
            if not told and steps >= LONG_BUILD_STEPS:
                ui.say(f"building the framework ({self.preset}; once; some minutes) …")
                told = True

        with locked(self.folder):
            if not (self.folder / "build.ninja").exists() or not self._has_this_reference():
                tell(LONG_BUILD_STEPS)
                self._configure()
            title = f"Building ({self.preset})"
            with _told_if_slow(lambda: tell(LONG_BUILD_STEPS), SLOW_BUILD_S):
                built = _ninja(
                    *(self.folder, targets, title, FRAMEWORK_DEADLINE_S, self.jobs, tell),
                    STEP_DEADLINE_S,
                )
        if built.timed_out:
            raise GraderTrouble(
                f"the framework's build was given up after {built.seconds:.0f} s: it may take"
                f" {FRAMEWORK_DEADLINE_S:.0f} s, and {STEP_DEADLINE_S:.0f} s for one step. What is built"
                " is kept: the same command goes on from there"
            )
        if built.code != 0:
            words = compiler_output(built.out) or built.out
            raise GraderTrouble(f"the framework does not build ({self.preset}):\n{_tail(words)}")

    def _has_this_reference(self) -> bool:
        """Not one that was laid over the checkout since, or is no more."""
        noted = str(ROOT / "reference")
        with contextlib.suppress(OSError):
            noted = self._reference_noted.read_text(encoding="utf-8")
        return noted == str(REFERENCE)

    @property
    def _reference_noted(self) -> Path:
        return self.folder / "reference-is.txt"

    def sandbox_launcher_built(self) -> Path:
        """Builds what untrusted programs are started behind, where the system has what that needs. The
        program's path; it may not be there."""
        self.build(["sandbox"])
        if not self.sandbox_launcher.exists() and Path("/usr/include/seccomp.h").exists():
            # The library was installed after the last look at the system.
            with locked(self.folder):
                processes.run(
                    ["cmake", "--preset", self.preset],
                    cwd=ROOT,
                    deadline_s=CONFIGURE_DEADLINE_S,
                    env=_environment(),
                )
            self.build(["sandbox"])
        return self.sandbox_launcher

    def _configure(self) -> None:
        # A half-made or foreign cache (a checkout that was moved) would only confuse.
        cache = self.folder / "CMakeCache.txt"
        cache.unlink(missing_ok=True)
        shutil.rmtree(self.folder / "CMakeFiles", ignore_errors=True)
        done = processes.run(
            ["cmake", "--preset", self.preset, f"-DDYNAMO_REFERENCE={REFERENCE}"],
            cwd=ROOT,
            deadline_s=CONFIGURE_DEADLINE_S,
            env=_environment(),
        )
        if done.code != 0:
            raise GraderTrouble(f"cmake --preset {self.preset} failed:\n{_tail(done.out)}")
        self._reference_noted.write_text(str(REFERENCE), encoding="utf-8")


def _tail(text: str) -> str:
    return "\n".join(text.splitlines()[-SHOWN_ERROR_LINES:])


@dataclass(frozen=True)
class NodeBuild:
    """A solution's node. ``error``: why there is none, as a student should read it."""

    node: Path
    folder: Path
    objects: dict[str, Path]  # Module → object file, for those that were compiled here.
    error: str | None = None


def solution_folder(preset: str, modules: Modules, label: str, shut_in: bool = False) -> Path:
    text = _listed(modules)
    text += "\nin a sandbox" if shut_in else ""  # Of copies, and with nobody else's compiled files.
    key = hashlib.sha256(f"{ROOT}\n{text}".encode()).hexdigest()[:10]
    return BUILD / preset / "solutions" / f"{label}-{key}"


def _listed(modules: Modules) -> str:
    """As cmake/solution wants them."""
    return ";".join(f"{name}={source}" for name, source in reference.filled(modules).items())


def build_node(
    framework: Framework,
    modules: Modules,
    label: str,
    target: str = "dynamo-node",
    jobs: int | None = None,
    debug_lab: int | None = None,
    flags: Sequence[str] = (),
    deadline_s: float = SOLUTION_DEADLINE_S,
    sandbox: Sandbox | None = None,
    compiled: Mapping[str, Path] | None = None,
) -> NodeBuild:
    """Compiles the modules that are files, with these ``flags``, too, and links them with the rest. With
    ``debug_lab`` there is the target linked-checks, that lab's checks with the solution inside.
    ``sandbox``: where that is done; the sources are hostile then. ``compiled``: objects of some of the
    modules, as a node that was built before has them, which are only linked."""
    compiled = compiled or {}
    folder = solution_folder(framework.preset, modules, label, sandbox is not None)
    with locked(folder):
        sources = {name: path for name, path in modules.items() if name not in compiled}
        sources = sources if sandbox is None else building.staged(sources, folder)
        wanted = {**sources, **compiled}
        noted = folder / "modules.txt"  # The same folder may have compiled what is only linked now.
        as_noted = noted.is_file() and noted.read_text(encoding="utf-8") == _listed(wanted)
        if not as_noted or not (folder / "build.ninja").exists():
            noted.unlink(missing_ok=True)
            _configure_solution(framework, wanted, folder, debug_lab, flags)
            noted.write_text(_listed(wanted), encoding="utf-8")
        title = f"Compiling {label}"
        with _told_if_slow(lambda: ui.say(f"{title} …"), SLOW_BUILD_S):
            jobs = jobs or framework.jobs
            if sandbox is None:
                built = _ninja(folder, [target], title, deadline_s, jobs)
            else:
                built = _ninja_shut_in(sandbox, folder, target, title, deadline_s, jobs)
                built = replace(built, out=building.in_words(built.out, modules, folder))
    os.utime(folder)
    objects = dict(compiled)
    for line in (folder / "objects.txt").read_text(encoding="utf-8").splitlines():
        module, _, path = line.partition("=")
        objects[module] = Path(path)
    return NodeBuild(folder / target, folder, objects, _build_error(built, modules))


def _ninja_shut_in(
    sandbox: Sandbox, folder: Path, target: str, title: str, deadline_s: float, jobs: int
) -> processes.Completed:
    # CMake, if it has to run again, runs outside: it reads nothing of the solution's.
    fresh = _ninja(folder, ["build.ninja"], title, CONFIGURE_DEADLINE_S, jobs)
    if fresh.code != 0:
        raise GraderTrouble(f"{shown(folder)} cannot be configured again:\n{_tail(fresh.out)}")
    with sandbox.slot() as slot:
        before = building.before(sandbox, slot, folder)
        slot.give(folder)
        try:
            return _ninja(folder, [target], title, deadline_s, jobs, before=before)
        finally:
            slot.take_back(folder)
            building.clear(folder)


def reference_node(framework: Framework) -> Path:
    """The node of the reference, whole. GraderTrouble if it does not build: it is ours."""
    built = build_node(framework, dict.fromkeys(reference.modules()), "reference")
    if built.error:
        raise GraderTrouble(built.error)
    return built.node


def prebuilt_node(framework: Framework, name: str) -> Path:
    """The node of a store that a students' repository has in one piece. GraderTrouble if it does not
    link, NotHere if there is none for this machine."""
    built = build_node(framework, {"store": reference.store(name)}, name)
    if built.error:
        raise GraderTrouble(built.error)
    return built.node


def _configure_solution(
    framework: Framework,
    modules: Modules,
    folder: Path,
    debug_lab: int | None,
    flags: Sequence[str],
) -> None:
    done = processes.run(
        [
            *("cmake", "-S", SOLUTION_PROJECT, "-B", folder, "-G", "Ninja"),
            f"-DDYNAMO_BUILD={framework.folder}",
            f"-DDYNAMO_MODULES={_listed(modules)}",
            *([f"-DDYNAMO_DEBUG_LAB={debug_lab}"] if debug_lab is not None else []),
            *([f"-DDYNAMO_FLAGS={';'.join(flags)}"] if flags else []),
        ],
        deadline_s=CONFIGURE_DEADLINE_S,
        env=_environment(),
    )
    if done.code != 0:
        (folder / "build.ninja").unlink(missing_ok=True)
        raise GraderTrouble(f"cmake -S cmake/solution failed:\n{_tail(done.out)}")


def _build_error(built: processes.Completed, modules: Modules) -> str | None:
    if built.timed_out:
        return f"The solution did not compile within {SOLUTION_DEADLINE_S:.0f} s."
    if built.code == 0:
        return None
    files = ", ".join(sorted(path.name for path in modules.values() if path))
    words = compiler_output(built.out) or built.out.strip()
    words = words.replace(f"{ROOT}/", "")
    if reference.does_not_link(words):
        raise GraderTrouble(reference.DOES_NOT_LINK + "\n" + _tail(words))
    lines = words.splitlines()
    if len(lines) > SHOWN_ERROR_LINES:
        lines = [*lines[:SHOWN_ERROR_LINES], f"… and {len(lines) - SHOWN_ERROR_LINES} lines more"]
    cure = ""
    if missing := re.search(r"fatal error: (\S+): No such file", words):
        cure = (
            f"\n{missing[1]} is not there. Include the lab's own header and the standard library; a solution"
            " has no headers of its own."
        )
    return f"The solution does not compile ({files}):\n" + "\n".join(lines) + cure


def prune_solutions(preset: str) -> None:
    """Drops the build folders of solutions that were not used for the longest time."""
    folders = [path for path in (BUILD / preset / "solutions").glob("*") if path.is_dir()]
    folders.sort(key=lambda path: path.stat().st_mtime, reverse=True)
    for folder in folders[KEPT_SOLUTIONS:]:
        if time.time() - folder.stat().st_mtime > IN_USE_S:
            shutil.rmtree(folder, ignore_errors=True)
