"""The reference as objects that a students' repository links and nobody reads: compiled without types'
names and lines, stripped, and what the linker does not need of the rest renamed.

    prebuilt/linux-x86_64/membership.o …   the modules that the course gives out
                          stores/right.o   all of them in one piece, to compare with; wrong ones beside it

They are made on the instructor's machine, and for its kind alone. Debian 12 is the oldest system that they
are meant for: what is compiled there links on later ones."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from dynamolab import build, mutants, processes, reference
from dynamolab.course.course import Course
from dynamolab.errors import GraderTrouble
from dynamolab.paths import REFERENCE

FLAGS = ("-O2", "-g0", "-fno-rtti")  # The last: no names of types, which say what a solution is made of.
TOOL_DEADLINE_S = 60.0
_LOCAL = re.compile(r"^(?:[0-9a-f]+)? +([tdbrn]) (\S+)$")


def make(
    folder: Path, course: Course, given: Iterable[int], wrong: Sequence[mutants.Mutant], jobs: int
) -> list[str]:
    """Writes this machine's objects to ``folder``: the modules of the labs in ``given``, the parts that
    the course leaves out, and the whole stores. Their names. GraderTrouble if one does not build."""
    framework = build.Framework("release", jobs)
    framework.build(["libraries"])
    objects = _compiled(framework, {name: REFERENCE / f"{name}.cpp" for name in reference.modules()})
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "stores").mkdir(parents=True)
    made = []
    for lab in course.known:
        if lab.number in given and lab.has_module:
            made.append(_stripped(objects[lab.module], folder / f"{lab.module}.o"))
        for part, other in lab.part_modules.items():
            if lab.number in given:
                made.append(_alone(objects[lab.module], folder, lab.module, f"make_{other}"))
            if lab.number in given or f"{lab.number}{part}" in course.parts_left_out:
                made.append(_alone(objects[lab.module], folder, other, "make_coordinator"))
    made.append(_joined(objects, folder / "stores" / f"{reference.RIGHT_STORE}.o"))
    for mutant in wrong:
        changed = {name: path for name, path in mutants.sources(mutant).items() if path is not None}
        with_change = {**objects, **_compiled(framework, changed)}
        made.append(_joined(with_change, folder / "stores" / f"{mutant.folder.name}.o"))
    return made


def _compiled(framework: build.Framework, sources: Mapping[str, Path]) -> dict[str, Path]:
    """Module → object, of these files."""
    modules: dict[str, Path | None] = {**dict.fromkeys(reference.modules()), **sources}
    built = build.build_node(
        framework, modules, "prebuilt", flags=FLAGS, deadline_s=build.STEP_DEADLINE_S
    )
    if built.error:
        raise GraderTrouble(built.error)
    return {name: built.objects[name] for name in sources}


def _tool(*command: str | Path) -> str:
    done = processes.run(list(command), deadline_s=TOOL_DEADLINE_S)
    if done.code != 0:
        raise GraderTrouble(f"{command[0]} failed: {done.out.strip()}")
    return done.out


def _stripped(made_from: Path, to: Path) -> str:
    """Without debug information and needless symbols; local ones that the linker needs lose their names."""
    _tool("strip", "--strip-unneeded", "--remove-section=.comment", "-o", to, made_from)
    local = [hit[2] for line in _tool("nm", to).splitlines() if (hit := _LOCAL.match(line))]
    named = sorted({name for name in local if not name.startswith(".")})
    if named:
        names = to.with_suffix(".names")
        names.write_text("".join(f"{name} local_{n}\n" for n, name in enumerate(named)))
        _tool("objcopy", f"--redefine-syms={names}", to)
        names.unlink()
    return to.stem


def _alone(made_from: Path, folder: Path, module: str, hidden: str) -> str:
    """Of a file with two factories, a copy that has one of them: the other's name is hidden."""
    copy = folder / f"{module}_alone.o"
    _tool("objcopy", "--wildcard", f"--localize-symbol=*{hidden}*", made_from, copy)
    return _stripped(copy, copy)


def _joined(objects: Mapping[str, Path], to: Path) -> str:
    _tool("ld", "-r", "-o", to, *(path for _, path in sorted(objects.items())))
    return _stripped(to, to)
