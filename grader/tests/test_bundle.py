"""./lab bundle and ./lab open: what is packed comes back, and what is hostile does not."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

from dynamolab import labs
from dynamolab.errors import LabError
from dynamolab.paths import REFERENCE, shown
from dynamolab.semester import bundle, versions

COURSE = labs.load_all()
CHECK = COURSE[2].checks[0]


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A graded run with one failure and a replay file of it."""
    folder = tmp_path / "20261101-120000-lab2"
    (folder / CHECK.id).mkdir(parents=True)
    (folder / CHECK.id / "n1.log").write_text("n1 said this\n")
    replay = folder / f"{CHECK.id}.replay.json"
    replay.write_text("{}")
    check = {"id": CHECK.id, "title": CHECK.title, "kind": "unit", "outcome": "fail", "points": 0}
    check |= {"max_points": 4, "seconds": 0.1, "message": "so", "replay": shown(replay), "view": None}
    lab = {"lab": 2, "name": "ring", "points": 0, "max_points": 4, "checks": [check]}
    head = {"schema": "dynamo-labs/results/1", "solution": shown(REFERENCE), "seed": 1, "points": 0}
    document = {**head, "max_points": 4, "outcome": "fail", "labs": [lab]}
    (folder / "results.json").write_text(json.dumps(document))
    return folder


def test_what_is_packed_comes_back(run: Path, tmp_path: Path) -> None:
    packed = bundle.pack(run, COURSE, tmp_path / "q.zip")
    assert packed.left_out == []
    opened = bundle.unpack(packed.path, tmp_path / "opened")
    assert opened.about["grader"] == versions.grader()
    assert (opened.folder / "run" / CHECK.id / "n1.log").read_text() == "n1 said this\n"
    for lab in COURSE:
        there = (opened.folder / "solution" / lab.file).read_bytes()
        assert there == (REFERENCE / lab.file).read_bytes()
    assert [check["id"] for check in opened.failed] == [CHECK.id]
    assert Path(opened.failed[0]["replay"]) == opened.folder / "run" / f"{CHECK.id}.replay.json"
    assert opened.results["solution"] == shown(opened.folder / "solution")


def test_links_are_not_packed(run: Path, tmp_path: Path) -> None:
    (run / "secret").symlink_to("/etc/passwd")
    bundle.pack(run, COURSE, tmp_path / "q.zip")
    with zipfile.ZipFile(tmp_path / "q.zip") as archive:
        assert "run/secret" not in archive.namelist()


def test_what_is_too_large_is_left_out_and_named(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (run / "n1.recording").write_bytes(b"x" * 200_000)
    monkeypatch.setattr(bundle, "LARGEST_FILE_BYTES", 150_000)
    packed = bundle.pack(run, COURSE, tmp_path / "q.zip")
    assert packed.left_out == ["run/n1.recording (200000 bytes)"]


def hostile(tmp_path: Path, name: str, content: bytes = b"") -> Path:
    file = tmp_path / "hostile.zip"
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(bundle.ABOUT, json.dumps({"schema": bundle.SCHEMA, "run": "r"}))
        archive.writestr(name, content)
    return file


@pytest.mark.parametrize(
    "name",
    ["../outside", "/etc/passwd", "run/../../outside", "run//x", "solution/a/b", "run/.hidden", "run/a\nb"],
)
def test_a_name_that_leads_elsewhere_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(LabError, match="has no place in a bundle"):
        bundle.unpack(hostile(tmp_path, name), tmp_path / "in" / "opened")
    assert not (tmp_path / "outside").exists()
    assert list((tmp_path / "in").iterdir()) == []


def test_a_bomb_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundle, "LARGEST_BYTES", 100_000)
    with pytest.raises(LabError, match="larger, unpacked"):
        bundle.unpack(hostile(tmp_path, "run/bomb", b"0" * 1_000_000), tmp_path / "in" / "opened")
    assert list((tmp_path / "in").iterdir()) == []


def test_what_is_no_bundle_is_named(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="there is no such file"):
        bundle.unpack(tmp_path / "nothing.zip", tmp_path / "in" / "opened")
    text = tmp_path / "text.zip"
    text.write_text("hello")
    with pytest.raises(LabError, match="cannot be opened as a bundle"):
        bundle.unpack(text, tmp_path / "in" / "opened")
    with pytest.raises(LabError, match="results.json cannot be read"):
        bundle.unpack(hostile(tmp_path, "run/x"), tmp_path / "in" / "opened")


def test_results_that_point_elsewhere_lead_nowhere(run: Path, tmp_path: Path) -> None:
    """The sender may write any path into results.json."""
    file = run / "results.json"
    document = json.loads(file.read_text())
    document["labs"][0]["checks"][0]["replay"] = "/etc/passwd"
    file.write_text(json.dumps(document))
    bundle.pack(run, COURSE, tmp_path / "q.zip")
    assert bundle.unpack(tmp_path / "q.zip", tmp_path / "opened").failed == []
