"""``python -m dynamolab.submissions.unpack SUBMISSION FOLDER NAME…``: takes the files of these names out
of a submission, into a folder, and says on stdout what was odd about it (JSON).

A process of its own with limits, because what it reads may be made to hurt: whatever a hostile archive
does to it costs that submission alone. Archives are read as streams; no entry is ever written under its
own path, and no program of the submission's is run (git reads a bundle without a work tree)."""

from __future__ import annotations

import contextlib
import gzip
import json
import lzma
import os
import resource
import stat
import subprocess
import sys
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

from dynamolab.submissions.collecting import ARCHIVES, BadSubmission, Collected, Collector, shown_name

LARGEST_ARCHIVE_BYTES = 256_000_000
MOST_UNPACKED_BYTES = 1_000_000_000
MEMORY_BYTES = 1_000_000_000
CPU_S = 60
LARGEST_OUTPUT_BYTES = 300_000_000  # Of one file that is written: a pack of git's, at most.
GIT_DEADLINE_S = 60.0
BRANCHES = ("HEAD", "refs/heads/main", "refs/heads/master", "refs/remotes/origin/HEAD")
BAD, GOOD = 3, 0  # Exit codes.


def limit_ourselves() -> None:
    """Also of what we start."""
    for what, most in (
        (resource.RLIMIT_AS, MEMORY_BYTES),
        (resource.RLIMIT_CPU, CPU_S),
        (resource.RLIMIT_FSIZE, LARGEST_OUTPUT_BYTES),
        (resource.RLIMIT_CORE, 0),
    ):
        with contextlib.suppress(ValueError, OSError):  # A lower one is in force.
            resource.setrlimit(what, (most, most))


def collect(source: Path, collector: Collector) -> None:
    """Tells the collector of all that is in the submission."""
    if source.is_dir():
        _folder(source, collector)
        return
    if not source.is_file():
        raise BadSubmission("it is neither a folder nor a file")
    if source.name in collector.known:
        _lone_file(source, collector)
        return
    if source.stat().st_size > LARGEST_ARCHIVE_BYTES:
        raise BadSubmission(f"it has more than {LARGEST_ARCHIVE_BYTES} bytes; hand in the solution alone")
    with source.open("rb") as file:
        head = file.read(512)
        file.seek(0)
        if head.startswith((b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")):
            _zip(file, collector)
        elif head.startswith(b"# v") and b" git bundle\n" in head[:32]:
            _bundle(source, collector)
        else:
            _tar(file, head, collector)


def _lone_file(source: Path, collector: Collector) -> None:
    with source.open("rb") as file:
        collector.file(source.name, source.stat().st_size, file.read)


def _folder(source: Path, collector: Collector) -> None:
    """A folder that holds one archive and nothing of a solution is what a learning platform makes of an
    upload: the archive is meant."""
    names = os.listdir(source)
    archives = [name for name in names if name.lower().endswith(ARCHIVES)]
    rest = [name for name in names if name not in archives and not name.startswith(".")]
    if len(archives) == 1 and not any((source / n).is_dir() or n in collector.known for n in rest):
        path = source / archives[0]
        if path.is_file() and not path.is_symlink():
            collect(path, collector)
            return
    _walk(source, "", collector)


def _walk(folder: Path, path: str, collector: Collector) -> None:
    with os.scandir(folder) as entries:
        for entry in sorted(entries, key=lambda e: e.name):
            inner = f"{path}/{entry.name}".lstrip("/")
            if entry.is_symlink():
                collector.other(inner, "a symbolic link")
            elif entry.is_dir(follow_symlinks=False):
                if entry.name not in (".git", "__MACOSX"):
                    _walk(folder / entry.name, inner, collector)
            elif entry.is_file(follow_symlinks=False):
                size = entry.stat(follow_symlinks=False).st_size
                collector.file(inner, size, lambda n, at=folder / entry.name: _read(at, n))
            else:
                collector.other(inner, _odd(entry.stat(follow_symlinks=False).st_mode))


def _read(path: Path, most: int) -> bytes:
    """Of a regular file, also if somebody puts something else there at this moment."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with open(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise BadSubmission(f"{shown_name(path.name)} changed while it was read")
        return file.read(most)


def _odd(mode: int) -> str:
    kinds = ((stat.S_ISFIFO, "a FIFO"), (stat.S_ISSOCK, "a socket"), (stat.S_ISBLK, "a device"))
    return next((what for test, what in kinds if test(mode)), "a device")


def _zip(file: IO[bytes], collector: Collector) -> None:
    with zipfile.ZipFile(file) as archive:
        for entry in archive.infolist():
            mode = entry.external_attr >> 16
            if entry.is_dir():
                continue
            if entry.flag_bits & 0x1:
                collector.other(entry.filename, "encrypted")
            elif stat.S_IFMT(mode) not in (0, stat.S_IFREG):
                what = "a symbolic link" if stat.S_ISLNK(mode) else _odd(mode)
                collector.other(entry.filename, what)
            else:
                collector.file(
                    entry.filename, entry.file_size, lambda n, e=entry: _from_zip(archive, e, n)
                )


def _from_zip(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, most: int) -> bytes:
    with archive.open(entry) as member:
        return member.read(most)


class _Bounded:
    """A stream that ends with an error before it has given too much."""

    def __init__(self, file: IO[bytes], most: int) -> None:
        self._file = file
        self._left = most

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(size if 0 <= size <= self._left else self._left + 1)
        self._left -= len(data)
        if self._left < 0:
            raise BadSubmission(f"it unpacks to more than {MOST_UNPACKED_BYTES} bytes")
        return data


@contextlib.contextmanager
def _unpacked(file: IO[bytes], head: bytes) -> Iterator[IO[bytes]]:
    if head.startswith(b"\x1f\x8b"):
        yield gzip.GzipFile(fileobj=file)
    elif head.startswith(b"\xfd7zXZ\x00"):
        yield lzma.LZMAFile(file)
    elif head.startswith(b"\x28\xb5\x2f\xfd"):
        command = ["zstd", "-dcq", "--memory=256MB"]
        try:
            process = subprocess.Popen(command, stdin=file, stdout=subprocess.PIPE)
        except FileNotFoundError:
            raise OSError("zstd is not installed: it unpacks .tar.zst") from None
        assert process.stdout is not None
        with process, process.stdout:
            yield process.stdout
            process.kill()
    else:
        yield file


def _tar(file: IO[bytes], head: bytes, collector: Collector) -> None:
    with _unpacked(file, head) as stream:
        bounded = _Bounded(stream, MOST_UNPACKED_BYTES)
        # As a stream: nothing is sought, and links are not followed.
        how = {"mode": "r|", "errors": "surrogateescape"}
        with tarfile.open(fileobj=bounded, **how) as archive:  # type: ignore[call-overload]
            for entry in archive:
                if entry.isdir():
                    continue
                if entry.issym() or entry.islnk():
                    collector.other(entry.name, "a symbolic link" if entry.issym() else "a hard link")
                elif not entry.isfile() or entry.issparse():
                    what = "a sparse file" if entry.issparse() else _odd_entry(entry)
                    collector.other(entry.name, what)
                else:
                    reader = archive.extractfile(entry)
                    collector.file(entry.name, entry.size, reader.read if reader else lambda _: b"")


def _odd_entry(entry: tarfile.TarInfo) -> str:
    return "a FIFO" if entry.isfifo() else "a device" if entry.isdev() else "of no known kind"


def _bundle(source: Path, collector: Collector) -> None:
    """Read without a work tree: no hook, filter or attribute of it is ever at work."""
    with tempfile.TemporaryDirectory(prefix="dynamo-bundle-") as folder:
        git = ["git", "-C", folder, "-c", "core.hooksPath=/dev/null", "-c", "transfer.fsckObjects=true"]
        _git(["git", "init", "-q", "--bare", folder])
        listed = _git([*git, "bundle", "list-heads", str(source)]).decode(errors="replace")
        heads = {line.partition(" ")[2] for line in listed.splitlines() if " " in line}
        head = next((name for name in BRANCHES if name in heads), min(heads, default=None))
        if head is None:
            raise BadSubmission("the bundle has no branch: git bundle create FILE HEAD")
        _git([*git, "fetch", "-q", "--no-tags", str(source), f"{head}:refs/handed-in"])
        tree = _git([*git, "ls-tree", "-r", "-l", "-z", "refs/handed-in"])
        for line in tree.split(b"\0")[:-1]:
            words, _, raw = line.partition(b"\t")
            mode, kind, name, size = words.split()
            path = raw.decode("utf-8", "surrogateescape")
            if kind != b"blob" or mode == b"120000":
                collector.other(path, "a symbolic link" if kind == b"blob" else "a submodule")
            else:
                show = [*git, "cat-file", "blob", name.decode()]
                collector.file(path, int(size), lambda _, show=show: _git(show))


def _git(command: list[str]) -> bytes:
    environment = {
        **{"PATH": os.environ.get("PATH", os.defpath), "HOME": "/nonexistent", "LC_ALL": "C.UTF-8"},
        **{"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_TERMINAL_PROMPT": "0"},
    }
    try:
        done = subprocess.run(
            command, env=environment, capture_output=True, timeout=GIT_DEADLINE_S, check=False
        )
    except FileNotFoundError:
        raise OSError("git is not installed: it opens bundles") from None
    if done.returncode != 0:
        words = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
        raise BadSubmission(f"git cannot read the bundle: {shown_name(' '.join(words))}")
    return done.stdout


_DAMAGED = (
    *(zipfile.BadZipFile, tarfile.TarError, gzip.BadGzipFile, lzma.LZMAError, zlib.error, EOFError),
    *(NotImplementedError, RuntimeError, ValueError, RecursionError, subprocess.TimeoutExpired),
)


def taken(source: Path, known: Sequence[str]) -> Collected:
    """What is taken of a submission. BadSubmission if it cannot be graded, OSError for trouble of ours."""
    collector = Collector(known)
    try:
        collect(source, collector)
    except MemoryError:
        raise BadSubmission("it needs more memory to unpack than a submission may") from None
    except _DAMAGED as error:
        words = shown_name(str(error)) or "damaged"
        raise BadSubmission(f"it cannot be unpacked ({words})") from None
    return collector.chosen()


def main(words: list[str]) -> int:
    source, folder, *known = words
    limit_ourselves()
    try:
        found = taken(Path(source), known)
    except BadSubmission as error:
        print(json.dumps({"bad": str(error)}))
        return BAD
    for name, content in found.files.items():
        with (Path(folder) / name).open("xb") as file:
            file.write(content)
    print(json.dumps({"notes": found.notes}))
    return GOOD


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
