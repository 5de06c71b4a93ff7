"""Submissions come as they come: opened, or refused in words; nothing of them gets out of its folder."""

from __future__ import annotations

import gzip
import io
import os
import shutil
import stat
import subprocess
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from dynamolab import labs
from dynamolab.errors import LabError
from dynamolab.paths import SKELETON
from dynamolab.results import Submission
from dynamolab.submissions import collecting, opening, unpack
from dynamolab.submissions.opening import BadSubmission

RING = b"// my ring\n"
OTHER = b"// another ring\n"
DEADLINE_S = 60


@pytest.fixture
def opened(tmp_path: Path, course: list[labs.Lab]) -> Callable[[Path], tuple[Submission, Path]]:
    """Opens a submission into a new folder; afterwards nothing else may be there."""

    def run(source: Path) -> tuple[Submission, Path]:
        box = tmp_path / "box"
        box.mkdir()
        folder = box / "solution"
        told = opening.open_submission(source, folder, course)
        assert sorted(path.name for path in folder.iterdir()) == sorted(lab.file for lab in course)
        assert all(path.is_file() and not path.is_symlink() for path in folder.iterdir())
        assert list(box.iterdir()) == [folder], "something got out"
        return told, folder

    return run


def tar_of(path: Path, *entries: tuple[str, bytes | tarfile.TarInfo], mode: str = "w") -> Path:
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        for name, content in entries:
            if isinstance(content, tarfile.TarInfo):
                content.name = name
                archive.addfile(content)
            else:
                entry = tarfile.TarInfo(name)
                entry.size = len(content)
                archive.addfile(entry, io.BytesIO(content))
    return path


def special(kind: bytes, linkname: str = "") -> tarfile.TarInfo:
    entry = tarfile.TarInfo()
    entry.type = kind
    entry.linkname = linkname
    return entry


def zip_of(path: Path, *entries: tuple[str, bytes], mode: int = 0) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries:
            entry = zipfile.ZipInfo(name)
            entry.external_attr = mode << 16
            archive.writestr(entry, content)
    return path


def git(folder: Path, *words: str) -> None:
    who = ["-c", "user.name=a", "-c", "user.email=a@example", "-c", "init.defaultBranch=main"]
    subprocess.run(
        ["git", *who, *words], cwd=folder, check=True, timeout=DEADLINE_S, capture_output=True
    )


def as_folder(at: Path) -> Path:
    (at / "mine").mkdir()
    (at / "mine" / "ring.cpp").write_bytes(RING)
    return at / "mine"


def as_bundle(at: Path) -> Path:
    folder = as_folder(at)
    (folder / "link.cpp").symlink_to("/etc/passwd")
    git(folder, "init", "-q")
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "mine")
    git(folder, "bundle", "create", "-q", str(at / "mine.bundle"), "HEAD")
    return at / "mine.bundle"


def packed(ending: str, mode: str) -> Callable[[Path], Path]:
    return lambda at: tar_of(at / f"mine{ending}", ("repository/solution/ring.cpp", RING), mode=mode)


def as_zst(at: Path) -> Path:
    if shutil.which("zstd") is None:
        pytest.skip("zstd is not installed")
    plain = tar_of(at / "mine.tar", ("ring.cpp", RING))
    subprocess.run(["zstd", "-q", plain], check=True, timeout=DEADLINE_S)
    plain.unlink()
    return at / "mine.tar.zst"


def as_upload(at: Path) -> Path:
    """What a learning platform makes of an upload: a folder with the archive in it."""
    (at / "upload").mkdir()
    zip_of(at / "upload" / "handin.zip", ("ring.cpp", RING))
    return at / "upload"


def as_lone_file(at: Path) -> Path:
    return as_folder(at) / "ring.cpp"


WAYS = [
    *(as_folder, as_bundle, as_zst, as_upload, as_lone_file),
    lambda at: zip_of(at / "mine.zip", ("solution/ring.cpp", RING)),
    lambda at: zip_of(at / "mine.zip", ("solution\\ring.cpp", RING)),  # Some programs on Windows.
    packed(".tar", "w"),
    packed(".tar.gz", "w:gz"),
    packed(".tar.xz", "w:xz"),
]


@pytest.mark.parametrize("way", WAYS)
def test_same_solution_however_it_is_packed(
    way: Callable[[Path], Path], tmp_path: Path, opened: Callable[[Path], tuple[Submission, Path]]
) -> None:
    told, folder = opened(way(tmp_path))
    assert (folder / "ring.cpp").read_bytes() == RING
    assert told.taken == ["ring.cpp"]
    assert told.digest == opening.digest_of(folder, ["ring.cpp"])
    assert (folder / "sync.cpp").read_bytes() == (SKELETON / "sync.cpp").read_bytes()
    assert [note for note in told.notes if note.startswith("not there") and "sync.cpp" in note]


OUTSIDE = ("../ring.cpp", "/tmp/ring.cpp", "a/../../ring.cpp", "..\\ring.cpp", "C:\\ring.cpp")
HOSTILE_TARS = [
    *[((name, OTHER), "leads out") for name in OUTSIDE],
    (("sync.cpp", special(tarfile.SYMTYPE, "/etc/passwd")), "a symbolic link"),
    (("sync.cpp", special(tarfile.LNKTYPE, "/etc/passwd")), "a hard link"),
    (("sync.cpp", special(tarfile.FIFOTYPE)), "a FIFO"),
    (("sync.cpp", special(tarfile.BLKTYPE)), "a device"),
    (("sync.cpp", special(tarfile.CHRTYPE)), "a device"),
    (("sync.cpp", b" " * 1_000_001), "more than 1000000"),
    (("sync.cpp", b""), "is empty"),
    (("x/" * 40 + "sync.cpp", OTHER), "too long"),
    (("x" * 5_000 + "/sync.cpp", OTHER), "too long"),
    (("ring.cpp", OTHER + b"x"), "stands twice"),
    (("RING.cpp", OTHER), "is it ring.cpp?"),
    (("evil\x1b[31m\u202e.cpp", OTHER), r"evil\x1b[31m\x202e.cpp"),
    (("bad\udcff.cpp", OTHER), r"bad\xdcff.cpp"),
    (("new\nline.cpp", OTHER), r"new\x0aline.cpp"),
    (("helper.h", OTHER), "not looked at: helper.h"),
]


KNOWN = [lab.file for lab in labs.load_all()]


@pytest.mark.parametrize(("entry", "said"), HOSTILE_TARS, ids=[said for _, said in HOSTILE_TARS])
def test_hostile_entries_are_left_out_and_told(
    entry: tuple[str, bytes], said: str, tmp_path: Path
) -> None:
    found = unpack.taken(tar_of(tmp_path / "mine.tar", ("ring.cpp", RING), entry), KNOWN)
    assert said in "\n".join(found.notes)
    assert found.files == {"ring.cpp": OTHER + b"x" if said == "stands twice" else RING}
    assert all(note.isprintable() for note in found.notes)


def test_all_hostile_entries_together_leave_a_clean_folder(
    tmp_path: Path, opened: Callable[[Path], tuple[Submission, Path]]
) -> None:
    entries = [entry for entry, said in HOSTILE_TARS if said != "stands twice"]
    told, folder = opened(tar_of(tmp_path / "mine.tar", *entries, ("ring.cpp", RING)))
    assert (folder / "ring.cpp").read_bytes() == RING and told.taken == ["ring.cpp"]
    assert len(told.notes) < 30


@pytest.mark.parametrize("name", OUTSIDE)
def test_zip_with_a_path_that_leads_out(name: str, tmp_path: Path) -> None:
    found = unpack.taken(zip_of(tmp_path / "m.zip", ("ring.cpp", RING), (name, OTHER)), KNOWN)
    assert found.files == {"ring.cpp": RING} and "leads out" in found.notes[0]


def test_links_in_zips_and_odd_things_in_folders_are_not_followed(
    tmp_path: Path, opened: Callable[[Path], tuple[Submission, Path]]
) -> None:
    folder = as_folder(tmp_path)
    (folder / "sync.cpp").symlink_to("/etc/passwd")
    (folder / "elsewhere").symlink_to("/etc")
    os.mkfifo(folder / "quorum.cpp")
    (folder / "more").mkdir()
    told, _ = opened(folder)
    said = "\n".join(told.notes)
    assert "sync.cpp: is a symbolic link" in said and "quorum.cpp: is a FIFO" in said
    assert told.taken == ["ring.cpp"]
    bad = zip_of(tmp_path / "link.zip", ("ring.cpp", b"/etc/passwd"), mode=stat.S_IFLNK | 0o777)
    with pytest.raises(BadSubmission, match="a symbolic link"):
        unpack.taken(bad, KNOWN)


def test_the_fullest_folder_is_taken_and_the_others_are_told(
    tmp_path: Path, opened: Callable[[Path], tuple[Submission, Path]]
) -> None:
    entries = [("old/ring.cpp", OTHER), ("solution/ring.cpp", RING), ("old/notes.txt", OTHER)]
    told, folder = opened(zip_of(tmp_path / "mine.zip", *entries))
    assert (folder / "ring.cpp").read_bytes() == RING
    assert any("also lie in old/" in note for note in told.notes)
    assert not [note for note in told.notes if "notes.txt" in note]


def bomb(at: Path) -> Path:
    """Many entries, in few bytes."""
    with tarfile.open(at / "bomb.tar.gz", "w:gz") as archive:
        entry = tarfile.TarInfo("x")
        for _ in range(collecting.MOST_ENTRIES + 1):
            archive.addfile(entry)
    return at / "bomb.tar.gz"


def zeros_after(head: tarfile.TarInfo, path: Path) -> Path:
    """What the header announces, as zeros, in a few bytes: gzip's members may follow each other."""
    once = gzip.compress(bytes(1 << 20))
    path.write_bytes(gzip.compress(head.tobuf()) + once * (head.size // (1 << 20) + 1))
    return path


def large_bomb(at: Path) -> Path:
    """An entry that unpacks to more than is read of any submission."""
    head = tarfile.TarInfo("zeros")
    head.size = unpack.MOST_UNPACKED_BYTES + 1
    return zeros_after(head, at / "bomb.tar.gz")


def header_bomb(at: Path) -> Path:
    """A header that claims to be hundreds of megabytes long, and is."""
    head = tarfile.TarInfo("long")
    head.type, head.size = tarfile.XHDTYPE, 900_000_000
    return zeros_after(head, at / "bomb.tgz")


def nested(at: Path) -> Path:
    inner = zip_of(at / "inner.zip", ("ring.cpp", RING))
    return zip_of(at / "outer.zip", ("inner.zip", inner.read_bytes()))


def damaged(at: Path) -> Path:
    path = zip_of(at / "mine.zip", ("ring.cpp", RING * 1000))
    data = bytearray(path.read_bytes())
    data[40:60] = bytes(20)
    path.write_bytes(data)
    return path


def of_bytes(data: bytes) -> Callable[[Path], Path]:
    def make(at: Path) -> Path:
        (at / "mine.tar.gz").write_bytes(data)
        return at / "mine.tar.gz"

    return make


def empty_folder(at: Path) -> Path:
    (at / "none").mkdir()
    return at / "none"


REFUSED = [
    (nested, "an archive in the archive"),
    (damaged, "cannot be unpacked"),
    (empty_folder, "it has none of"),
    (of_bytes(b""), "cannot be unpacked"),
    (of_bytes(b"\x1f\x8bnot gzip at all"), "cannot be unpacked"),
    (of_bytes(b"\xfd7zXZ\x00" + b"x" * 600), "cannot be unpacked"),
    (of_bytes(b"# v2 git bundle\nnonsense\n"), "git cannot read the bundle"),
    (lambda at: zip_of(at / "m.zip", ("Ring.CPP", RING)), "written otherwise"),
    (lambda at: tar_of(at / "m.tar", *[(f"d{n}/ring.cpp", RING) for n in range(70)]), "folders"),
]
BOMBS = [(bomb, "entries"), (damaged, "cannot be unpacked")]
BOMBS += [
    pytest.param(make, said, marks=pytest.mark.slow)
    for make, said in ((large_bomb, "unpacks to more"), (header_bomb, "memory"))
]


@pytest.mark.parametrize(("make", "said"), REFUSED)
def test_what_cannot_be_graded_is_refused_in_words(
    make: Callable[[Path], Path], said: str, tmp_path: Path
) -> None:
    with pytest.raises(BadSubmission) as refused:
        unpack.taken(make(tmp_path), KNOWN)
    assert said in str(refused.value) and str(refused.value).isprintable()


@pytest.mark.parametrize(("make", "said"), BOMBS)
def test_bombs_cost_the_process_that_opens_them_alone(
    make: Callable[[Path], Path], said: str, tmp_path: Path
) -> None:
    with pytest.raises(BadSubmission, match=said):
        opening.open_submission(make(tmp_path), tmp_path / "solution", labs.load_all())


def test_a_submission_that_is_not_there_is_no_submission(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="no such submission"):
        opening.open_submission(tmp_path / "none", tmp_path / "solution", labs.load_all())
