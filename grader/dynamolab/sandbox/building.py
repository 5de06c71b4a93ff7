"""What a build of hostile sources is given: copies of them, and the files that its build file names."""

from __future__ import annotations

import os
import re
import shutil
import stat
from collections.abc import Mapping
from pathlib import Path

from dynamolab.errors import LabError
from dynamolab.paths import LABS, ROOT, shown

from .sandbox import TOOL_PATH, Sandbox
from .slots import Slot

SOURCES = "sources"  # Within the folder of a build.
HEADERS = (ROOT / "framework", *sorted(path for path in LABS.glob("[0-9]-*") if path.is_dir()))

_PATH = re.compile(r"(?<![\w./-])/(?:\$ |[^\s:|$\"'();])+")


def staged(sources: Mapping[str, Path | None], folder: Path) -> dict[str, Path | None]:
    """Copies of the modules' files in ``folder``: where another user can read them, and where a name
    is a file, and no link or pipe any more. An unchanged one keeps its time. LabError for an odd file."""
    copies: dict[str, Path | None] = dict(sources)
    for module, source in sources.items():
        if source is None:
            continue
        copy = folder / SOURCES / module / source.name
        copy.parent.mkdir(parents=True, exist_ok=True)
        text = _read_plainly(source)
        if not copy.is_file() or copy.read_bytes() != text:
            copy.write_bytes(text)
        copies[module] = copy
    return copies


def _read_plainly(source: Path) -> bytes:
    try:
        fd = os.open(source, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise LabError(f"{shown(source)}: cannot be read: {error.strerror}") from error
    with os.fdopen(fd, "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise LabError(f"{shown(source)}: is no plain file; put the source there")
        return file.read()


def in_words(output: str, sources: Mapping[str, Path | None], folder: Path) -> str:
    """The compiler's output with the names that the student knows."""
    for module, source in sources.items():
        if source is not None:
            output = output.replace(str(folder / SOURCES / module / source.name), shown(source))
            output = output.replace(f"{SOURCES}/{module}/{source.name}", shown(source))
    return output


def before(sandbox: Sandbox, slot: Slot, folder: Path) -> list[str]:
    """What stands before ``ninja -C folder``, which is configured. The folder must be the slot's."""
    (folder / "tmp").mkdir(exist_ok=True)
    env = {
        "PATH": os.pathsep.join(dict.fromkeys([*_compilers_folder(folder), *TOOL_PATH.split(":")])),
        "NINJA_STATUS": "[%f/%t] ",
        "LC_ALL": "C.UTF-8",
        "CLICOLOR_FORCE": "0",
        "TMPDIR": str(folder / "tmp"),
        "HOME": str(folder),
        "CCACHE_DISABLE": "1",  # What others compile must not come from here.
    }
    return sandbox.build(slot, folder, visible(folder), env)


def _compilers_folder(folder: Path) -> list[str]:
    found = re.search(r"^CMAKE_CXX_COMPILER:\w+=(/.*)/[^/]+$", _text(folder / "CMakeCache.txt"), re.M)
    return [found[1]] if found else []


def visible(folder: Path) -> list[Path]:
    """Headers, and of all else that is ours exactly the files that the build file names: of the built
    framework the archives that are linked, and so of the reference those that may be."""
    named = {_unescaped(path) for path in _PATH.findall(_text(folder / "build.ninja"))}
    found = {
        path
        for path in named
        if path.is_relative_to(ROOT) and not path.is_relative_to(folder) and path.is_file()
    }
    # GCC looks for the precompiled file beside the header that is named.
    found |= {Path(f"{path}.gch") for path in found if Path(f"{path}.gch").is_file()}
    inside = [path for path in found if not any(path.is_relative_to(h) for h in HEADERS)]
    return [*HEADERS, *sorted(inside)]


def _unescaped(path: str) -> Path:
    return Path(path.replace("$ ", " ").removeprefix("-I"))


def _text(file: Path) -> str:
    return file.read_text(encoding="utf-8", errors="replace")


def clear(folder: Path) -> None:
    """What compilers that were stopped left behind."""
    shutil.rmtree(folder / "tmp", ignore_errors=True)
