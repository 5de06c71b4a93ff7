"""The command that stands before an untrusted command."""

from __future__ import annotations

import contextlib
import enum
import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from . import slots
from .slots import Slot
from .started import Started, start

PARENT_WORD = "{parent}"  # grader/sim/launcher.h
TELL_FD = 6  # The same.
MAILBOX_FD = 3  # grader/sim/host_process.cpp
INIT = 1  # Inside of namespaces, the parent of what is started.

MIB = 1 << 20


class Tier(str, enum.Enum):
    A = "a"
    B = "b"


@dataclass(frozen=True)
class View:
    """What a process can reach; nothing else of the file system is there for it."""

    read: Sequence[Path] = ()
    run: Sequence[Path] = ()  # And read.
    write: Sequence[Path] = ()  # And read. Not the system's: a folder or file made for it.


@dataclass(frozen=True)
class Limits:
    """For each process. 0: as it was."""

    cpu_s: int = 0
    data_bytes: int = 0
    file_bytes: int = 0
    processes: int = 0  # Of the whole slot.
    files: int = 0

    def words(self) -> list[str]:
        found = vars(self).items()
        return [w for name, most in found if most for w in ("--" + name.replace("_", "-"), str(most))]


HOST = Limits(data_bytes=2048 * MIB, files=64)
NODE = Limits(data_bytes=2048 * MIB, file_bytes=512 * MIB, files=1024)
BUILD = Limits(cpu_s=120, data_bytes=1536 * MIB, file_bytes=256 * MIB, processes=256)
TOOL = Limits(cpu_s=20, data_bytes=1024 * MIB, file_bytes=1 * MIB, processes=16)

TOOL_PATH = "/usr/local/bin:/usr/bin:/bin"


def _system(*paths: str) -> list[Path]:
    return [Path(path) for path in paths if os.path.lexists(path)]


def libraries() -> View:
    """What any program needs to begin: shared libraries, and the one that loads them."""
    loaders = [
        path
        for folder in ("/lib64", "/lib", "/usr/lib64", "/usr/lib")
        for path in [*Path(folder).glob("ld-*.so*"), *Path(folder).glob("*/ld-*.so*")]
    ]
    return View(
        read=_system("/usr/lib", "/usr/lib64", "/lib", "/lib64", "/etc/ld.so.cache"),
        run=sorted({path.resolve() for path in loaders}),
    )


def toolchain() -> View:
    """Compiler, linker, binutils, with all that they read."""
    return View(
        run=_system("/usr", "/bin", "/lib", "/lib64"),
        read=_system("/etc/ld.so.cache", "/etc/alternatives", "/dev/null", "/dev/urandom"),
        write=_system("/dev/null"),
    )


def joined(*views: View) -> View:
    """All that each of them shows."""
    return View(
        [path for view in views for path in view.read],
        [path for view in views for path in view.run],
        [path for view in views for path in view.write],
    )


@contextlib.contextmanager
def hosts_in(sandbox: Sandbox | None, node: Path, file: Path) -> Iterator[list[str | Path]]:
    """For the block's time: the words for a program of grader/sim that starts hosts of ``node``, which are
    shut in then. ``file``: where what it is told is written. No words without a sandbox."""
    if sandbox is None:
        yield []
        return
    with sandbox.slot() as slot:
        yield ["--sandbox", sandbox.launcher_file(node, slot, file)]


@dataclass(frozen=True)
class Sandbox:
    """How untrusted commands are started. One object serves any number of threads."""

    tier: Tier
    launcher: Path  # grader/sandbox, built.
    words: str = ""  # For people: what it is made of here.
    landlock: bool = True  # Without it only file permissions keep a tier B process from a file.
    build_limits: Limits = BUILD
    own_users: bool = field(default_factory=lambda: os.geteuid() == 0)

    def document(self) -> str:
        """For another process of ours; ``Sandbox.of`` reads it."""
        told = {"tier": self.tier.value, "launcher": str(self.launcher), "landlock": self.landlock}
        return json.dumps(told)

    @staticmethod
    def of(document: str) -> Sandbox:
        told = json.loads(document)
        return Sandbox(Tier(told["tier"]), Path(told["launcher"]), landlock=told["landlock"])

    def slot(self) -> contextlib.AbstractContextManager[Slot]:
        """For one untrusted process at a time, or for several that may know of each other."""
        return slots.taken(self.launcher)

    def host(self, node: Path, slot: Slot) -> list[str]:
        """What stands before ``dynamo-node --host``, for the check programs (grader/sim/launcher.h)."""
        return self.before(
            *("host", slot, joined(libraries(), View(run=[node])), HOST),
            keep=[MAILBOX_FD],
            tell=TELL_FD,
            parent=PARENT_WORD,
        )

    def tool(self, slot: Slot, *reads: Path) -> list[str]:
        """What stands before a tool of the system that reads files that a solution has made."""
        view = joined(toolchain(), View(read=reads))
        return self.before("build", slot, view, TOOL, env={"PATH": TOOL_PATH, "LC_ALL": "C.UTF-8"})

    def build(
        self, slot: Slot, folder: Path, reads: Sequence[Path], env: Mapping[str, str]
    ) -> list[str]:
        """What stands before a build in ``folder``, the slot's own, of sources among ``reads``."""
        view = joined(toolchain(), View(read=reads, write=[folder]))
        return self.before("build", slot, view, self.build_limits, env=env, folder=folder)

    def launcher_file(self, node: Path, slot: Slot, file: Path) -> Path:
        """Writes what a check program is told with --sandbox."""
        document = {
            "host": self.host(node, slot),
            "tool": self.tool(slot, node),
            "parent_inside": INIT if self.tier is Tier.A else 0,
        }
        file.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
        return file

    def start_node(
        self,
        command: Sequence[str],
        slot: Slot,
        *,
        reads: Sequence[Path],
        writes: Sequence[Path],
        folder: Path,
        sockets: Sequence[int],
        log: int,
    ) -> Started:
        """A real node: ``command``, its program first. It has the descriptors ``sockets``, under their
        numbers, and prints to the descriptor ``log``. GraderTrouble if it cannot be started."""
        view = joined(libraries(), View(reads, [Path(command[0])], writes), _random())

        def words(tell: int) -> list[str]:
            before = self.before(
                *("node", slot, view, NODE),
                keep=sockets,
                tell=tell,
                parent=str(os.getpid()),
                folder=folder,
            )
            return [*before, *command]

        return start(words, sockets, log, wrapped=self.tier is Tier.A)

    def before(
        self,
        profile: str,
        slot: Slot,
        view: View,
        limits: Limits,
        *,
        env: Mapping[str, str] | None = None,
        keep: Sequence[int] = (),
        tell: int | None = None,
        parent: str = "",
        folder: Path | None = None,
    ) -> list[str]:
        """The words before a command, for a profile of the launcher's (grader/sandbox/filter.h)."""
        inside = [str(self.launcher), "--profile", profile]
        inside += ["--uid", str(slot.uid)] if slot.uid is not None else []
        if slot.uid is None and self.tier is Tier.B:
            limits = Limits(limits.cpu_s, limits.data_bytes, limits.file_bytes, 0, limits.files)
        inside += limits.words()
        for name, value in (env or {}).items():
            inside += ["--env", f"{name}={value}"]
        for fd in keep:
            inside += ["--keep", str(fd)]
        inside += ["--tell-pid", str(tell)] if tell is not None else []
        inside += ["--folder", str(folder)] if folder is not None else []
        if self.tier is Tier.A:
            inside += ["--parent", str(INIT)] if parent else []
            return [*self._bubblewrap(view), *inside, "--"]
        for option, paths in (("read", view.read), ("run", view.run), ("write", view.write)):
            for path in paths if self.landlock else ():
                inside += [f"--{option}", str(path)]
        inside += ["--parent", parent] if parent else []
        return [*inside, "--"]

    def _bubblewrap(self, view: View) -> list[str]:
        words = [shutil.which("bwrap") or "bwrap", "--unshare-ipc", "--unshare-pid", "--unshare-net"]
        words += ["--unshare-uts", "--unshare-cgroup-try", "--die-with-parent", "--cap-drop", "ALL"]
        if self.own_users:
            words += ["--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"]
        else:
            words += ["--unshare-user"]
        return [*words, *_mounts(view, self.launcher), "--"]


def _random() -> View:
    return View(read=_system("/dev/urandom", "/dev/null"))


def _mounts(view: View, launcher: Path) -> list[str]:
    """Outer folders first. The folders on the way are made, since bubblewrap's own are root's alone."""
    writable = set(view.write)
    words: list[str] = []
    there: set[Path] = set()
    for path in sorted({*view.read, *view.run, *view.write, launcher}, key=_depth):
        if path not in writable and not there.isdisjoint(path.parents):
            continue  # A folder around it is there already.
        for folder in reversed(path.parents[:-1]):
            if there.isdisjoint([folder, *folder.parents]) and f"{folder}" not in words:
                words += ["--perms", "0755", "--dir", str(folder)]
        words += _mounted(path, path in writable)
        if not path.is_symlink():
            there.add(path)
    return words


def _depth(path: Path) -> tuple[int, str]:
    return len(path.parts), str(path)


def _mounted(path: Path, writable: bool) -> list[str]:
    """A link stays one (/lib, say); a device is one there, too."""
    if path.is_symlink():
        return ["--symlink", os.readlink(path), str(path)]
    how = "--dev-bind" if path.is_relative_to("/dev") else "--bind" if writable else "--ro-bind"
    return [how, str(path), str(path)]
