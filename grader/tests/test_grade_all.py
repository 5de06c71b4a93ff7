"""./lab grade-all: who is whose, what is told of a class, and that a kill costs nothing."""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import slurm_machine

from dynamolab import processes, results
from dynamolab.course import course as courses
from dynamolab.errors import GraderTrouble, LabError
from dynamolab.labs import Lab
from dynamolab.paths import REFERENCE, RIGHT, ROOT, SKELETON
from dynamolab.results import CheckResult, LabResult, Outcome, Results, Submission
from dynamolab.submissions import batch, class_report, engines, gradebook, similarity
from dynamolab.submissions.batch import Batch, Item
from dynamolab.submissions.gradebook import Roster, Row

CHECK = "ring.token_walk_visits_hosts_clockwise_from_the_key"
OPEN = ("--sandbox", "off")  # Whatever this machine can do.
DEADLINE_S = 120.0
Command = Callable[..., processes.Completed]
PASS, FAIL, INCONCLUSIVE = Outcome.PASS, Outcome.FAIL, Outcome.INCONCLUSIVE
ROSTER = """\ufeffStudent,ID,SIS User ID,SIS Login ID,Section,Lab 2: Ring (991)
    Points Possible,,,,,100
"Adams, Alice",11,u1,alice,A,
"Brown, Bob",12,u2,bob@example.edu,A,
"Smith, Sam",13,s1,sam1,A,
"Smith, Sam",14,s2,sam2,A,
"=evil()",15,u5,eve,B,
"""


def of_one(name: str, *outcomes: Outcome, **more: str) -> Results:
    checks = [
        CheckResult(f"ring.c{n}", f"Title {n}", "sim", outcome, 50, n + 0.5, "it <broke>", **more)
        for n, outcome in enumerate(outcomes)
    ]
    told = Results("mine", 1, [LabResult(2, "ring", "Ring", checks)])
    told.submission = Submission(name, "0" * 64, ["ring.cpp"], ["odd: <script>"])
    return told


@pytest.fixture
def lab(course: list[Lab]) -> Lab:
    return next(lab for lab in course if lab.number == 2)


@pytest.fixture
def roster(tmp_path: Path) -> Roster:
    (tmp_path / "roster.csv").write_text(ROSTER, encoding="utf-8")
    return gradebook.read_roster(tmp_path / "roster.csv")


def item(name: str) -> Item:
    return Item(name.partition(".")[0], Path(name))


def test_submissions_find_their_students(roster: Roster) -> None:
    named = {
        "alice.zip": "Adams, Alice",
        "bob": "Brown, Bob",
        "U2": "Brown, Bob",
        "adams-alice": "Adams, Alice",
        "adamsalice_LATE_12_4711_handin.zip": "Brown, Bob",
        "sam2": "Smith, Sam",
        "Smith, Sam": None,
        "nobody": None,
    }
    assert roster.assignments == {2: "Lab 2: Ring (991)"}
    for name, student in named.items():
        rows = [row for row in gradebook.matched(roster, [(item(name), None)]) if row.item]
        assert [row.student and row.student.row["Student"] for row in rows] == [student], name
    assert len(gradebook.matched(roster, [])) == 5


def test_gradebook_has_no_number_where_there_is_no_grade(
    roster: Roster, lab: Lab, tmp_path: Path
) -> None:
    graded = [
        (item("alice"), of_one("alice", PASS, FAIL)),
        (item("bob"), of_one("bob", PASS, INCONCLUSIVE)),
        (item("eve"), None),
        (item("stranger"), of_one("stranger", PASS, PASS)),
    ]
    rows = gradebook.matched(roster, graded)
    gradebook.write_gradebook(tmp_path / "g.csv", rows, courses.whole(), [lab])
    lines = list(csv.DictReader((tmp_path / "g.csv").open()))
    assert [line["Percent"] for line in lines if line["Outcome"] == "fail"] == ["50.00"]
    told = {line["Student"]: (line["Lab 2"], line["Total"], line["Outcome"]) for line in lines}
    assert told["Adams, Alice"] == ("50", "50", "fail")
    assert told["Brown, Bob"] == ("", "", "inconclusive")
    assert told["Smith, Sam"] == ("", "", "no submission")
    assert told["'=evil()"] == ("", "", "not graded")
    assert told["stranger"] == ("100", "100", "pass")
    gradebook.write_canvas(tmp_path / "c.csv", rows, roster, [lab])
    head, possible, *lines_of = (tmp_path / "c.csv").read_text().splitlines()
    assert head == "Student,ID,SIS User ID,SIS Login ID,Section,Lab 2: Ring (991)"
    assert possible == "    Points Possible,,,,,100"
    assert lines_of[:2] == ['"Adams, Alice",11,u1,alice,A,50', '"Brown, Bob",12,u2,bob@example.edu,A,']
    assert not [line for line in lines_of if line.startswith("stranger")]


def test_a_roster_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "r.csv").write_text("a,b\n1,2\n")
    with pytest.raises(LabError, match="SIS Login ID"):
        gradebook.read_roster(tmp_path / "r.csv")
    with pytest.raises(LabError, match="cannot be read"):
        gradebook.read_roster(tmp_path / "none.csv")


def test_class_report_tells_what_staff_asks(lab: Lab, tmp_path: Path) -> None:
    rows = [
        Row(None, item("ann"), of_one("ann", PASS, PASS)),
        Row(None, item("ben"), of_one("ben", FAIL, PASS)),
        Row(None, item("cat"), of_one("cat", FAIL, PASS, rerun="It failed beside others")),
        Row(None, item("dan"), of_one("dan", PASS, INCONCLUSIVE)),
        Row(None, item("eve"), None),
    ]
    lab = replace(lab, points=100)
    spread = class_report.spreads([row.graded for row in rows if row.graded], [lab])[0]
    assert (spread.points, sum(spread.bins), spread.bins[-1]) == ([50, 50, 100], 3, 1)
    first, second = class_report.figures([row.graded for row in rows if row.graded])
    assert (first.failed, first.ran, second.undecided, second.ran) == (2, 4, 1, 3)
    pairs = [similarity.Pair("ring.cpp", "ann", "ben", 97, 88)]
    class_report.render(tmp_path / "r.html", courses.whole([lab]), [lab], rows, pairs)
    page = (tmp_path / "r.html").read_text()
    assert page.count("<svg") == 1 and "<desc" in page and 'role="img"' in page
    for words in ("2 of 4", "88 %", "results/dan/report.html", "It failed beside others"):
        assert words in page
    assert "<script>" not in page and "&lt;script&gt;" in page and "it &lt;broke&gt;" in page
    assert not re.search(r"https?://|<script|src=", page)


@pytest.mark.skipif(not similarity.available(), reason="sim_c++ (similarity-tester) is not installed")
def test_alike_is_what_was_written_alike_and_not_what_was_given(lab: Lab, tmp_path: Path) -> None:
    """The reference is in all of them, as the skeleton would be; one is a copy with other names."""
    right = (RIGHT / "2-loneliest" / "ring.cpp").read_text()
    written = {
        "original": right,
        "renamed": re.sub(r"\bowner\b", "proprietor", right).replace("  ", "    ").replace("// ", "//x "),
        "other": (RIGHT / "2-by-distance" / "ring.cpp").read_text(),
        "skeleton": (SKELETON / "ring.cpp").read_text(),
        "skeleton-too": (SKELETON / "ring.cpp").read_text(),
        "reference": (REFERENCE / "ring.cpp").read_text(),
    }
    one = Batch([Item(name, tmp_path) for name in written], tmp_path, ())
    for each in one.items:
        (one.result(each) / "solution").mkdir(parents=True)
        (one.result(each) / "solution" / "ring.cpp").write_text(written[each.name])
    pairs = similarity.compare(one, one.items, [lab])
    found = {(pair.one, pair.other): pair for pair in pairs}
    assert (pairs[0].one, pairs[0].other) == ("original", "renamed") and pairs[0].beyond > 90
    assert ("skeleton", "skeleton-too") not in found
    assert found[similarity.OF_THE_REFERENCE, "reference"].percent > 90
    assert all(p.beyond < 60 for p in pairs[1:]), pairs
    assert not (tmp_path / "similarity").exists()


def test_names_are_safe_and_one_each(tmp_path: Path) -> None:
    names = ("ann", "ann.zip", "-rf.tar.gz", "bad name;$(x).zip", "x" * 200 + ".zip", ".hidden", "notes.pdf")
    for name in names:
        (tmp_path / name).mkdir() if name == "ann" else (tmp_path / name).touch()
    items, others = batch.find(tmp_path)
    assert len({each.name for each in items}) == len(items) == 5
    assert all(re.fullmatch(r"[A-Za-z0-9_@+][A-Za-z0-9_.@+-]*", each.name) for each in items)
    assert others == ["notes.pdf"]
    with pytest.raises(LabError, match="holds no submission"):
        batch.find(tmp_path / "ann")


def test_a_batch_goes_on_only_where_nothing_has_changed(tmp_path: Path) -> None:
    (tmp_path / "in" / "ann").mkdir(parents=True)
    (tmp_path / "in" / "ann" / "ring.cpp").write_text("1")

    def unchanged(*words: str) -> bool:
        return Batch(batch.find(tmp_path / "in")[0], tmp_path / "out", words).prepare()

    assert [unchanged("a"), unchanged("a"), unchanged("b"), unchanged("b")] == [False, True] * 2
    (tmp_path / "in" / "ann" / "ring.cpp").write_text("22")
    (tmp_path / "out" / "joblog").touch()
    assert unchanged("b") is False and not (tmp_path / "out" / "joblog").exists()
    assert unchanged("b")


# Stands for ./lab grade-one: takes a moment, notes down when it begins and ends, and is idempotent.
FAKE_LAB = """#!/bin/sh
for out; do :; done
name=$(basename "$out")
echo "$name" >>"$FAKE_LOG.begun"
[ ! -f "$out/results.json" ] || exit 0
sleep 0.2
[ "$name" != broken ] || exit 2
mkdir "$out" && echo '{}' >"$out/results.json" && echo "$name" >>"$FAKE_LOG.ended"
"""
RUN_FAKE = """
import sys
from pathlib import Path
from dynamolab.submissions import batch, engines
engines.ROOT = Path(sys.argv[1])
one = batch.Batch(batch.find(engines.ROOT / "in")[0], engines.ROOT / "out", ["--seed", "1"])
unchanged = one.prepare()
engine = engines.Parallel(2, resume=unchanged)
engine.run(one, one.items, alone=False, on_step=lambda done: None)
"""
needs_parallel = pytest.mark.skipif(
    shutil.which("parallel") is None, reason="GNU parallel is not installed"
)


class Fake:
    """A folder with a made-up ./lab, and submissions for it."""

    def __init__(self, root: Path, names: list[str]) -> None:
        self.root = root
        (root / "lab").write_text(FAKE_LAB)
        (root / "lab").chmod(0o755)
        for name in names:
            (root / "in" / name).mkdir(parents=True)
        self.command = [sys.executable, "-P", "-c", RUN_FAKE, str(root)]
        path = {"PYTHONPATH": str(ROOT / "grader"), "FAKE_LOG": str(root / "log")}
        self.environment = {**os.environ, **path}

    def lines(self, what: str) -> list[str]:
        path = self.root / f"log.{what}"
        return sorted(path.read_text().split()) if path.exists() else []


@needs_parallel
def test_a_kill_in_the_middle_and_the_same_command_again_grade_all_once(tmp_path: Path) -> None:
    names = [f"student-{n:02}" for n in range(12)]
    fake = Fake(tmp_path, names)
    with subprocess.Popen(fake.command, env=fake.environment) as running:
        until = time.monotonic() + DEADLINE_S
        while len(fake.lines("ended")) < 4 and time.monotonic() < until:
            time.sleep(0.02)
        running.send_signal(signal.SIGKILL)
    assert 4 <= len(fake.lines("ended")) < len(names)
    subprocess.run(fake.command, env=fake.environment, check=True, timeout=DEADLINE_S)
    assert fake.lines("ended") == names
    # Only what was at work at the kill begins twice: what had ended is not even looked at.
    assert len(fake.lines("begun")) <= len(names) + 2
    before = len(fake.lines("begun"))
    subprocess.run(fake.command, env=fake.environment, check=True, timeout=DEADLINE_S)
    assert len(fake.lines("begun")) == before


@needs_parallel
def test_what_had_no_grade_is_tried_again_and_nothing_else(tmp_path: Path) -> None:
    fake = Fake(tmp_path, ["ann", "ben", "broken"])
    for _ in range(2):
        subprocess.run(fake.command, env=fake.environment, check=True, timeout=DEADLINE_S)
    assert fake.lines("begun") == ["ann", "ben", "broken", "broken"]
    (tmp_path / "in" / "ann" / "ring.cpp").write_text("a second try")
    subprocess.run(fake.command, env=fake.environment, check=True, timeout=DEADLINE_S)
    assert fake.lines("begun").count("ann") == 2, "handed in anew: grade-one decides"


@needs_parallel
@pytest.mark.parametrize("shell", [None, "/bin/bash", "/usr/sbin/nologin"])
def test_other_hosts_are_reached_by_ssh(tmp_path: Path, shell: str | None) -> None:
    """With an ssh that runs here what it is given for a host: what parallel says to it is real."""
    fake = Fake(tmp_path, ["ann", "ben"])
    ssh = tmp_path / "ssh"
    shim = ["host=$1", "shift", '[ "$1" != -- ] || shift', 'echo "$host" >>"$FAKE_LOG.hosts"']
    shim.append('exec sh -c "$*"')
    ssh.write_text("\n".join(["#!/bin/sh", *shim, ""]))
    ssh.chmod(0o755)
    code = RUN_FAKE.replace("Parallel(2,", 'Parallel(1, ["grader1", "grader2"],')
    environment = {**fake.environment, "PARALLEL_SSH": str(ssh)}
    environment.pop("SHELL", None)
    environment |= {"SHELL": shell} if shell else {}
    subprocess.run(
        [*fake.command[:3], code, str(tmp_path)], env=environment, check=True, timeout=DEADLINE_S
    )
    assert fake.lines("ended") == ["ann", "ben"]
    assert {"grader1", "grader2"} <= set(fake.lines("hosts"))


@needs_parallel
def test_parallels_own_trouble_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Fake(tmp_path, ["ann"])
    monkeypatch.setattr(engines, "ROOT", tmp_path)
    one = Batch(batch.find(tmp_path / "in")[0], tmp_path / "out", ())
    one.prepare()
    with pytest.raises(GraderTrouble, match="parallel ended with"):
        engines.Parallel(1, ["no such host;"]).run(one, one.items, alone=False, on_step=lambda _: None)


def two_submissions(folder: Path) -> Path:
    for name, source in (("ann", REFERENCE), ("ben", SKELETON)):
        (folder / "in" / name).mkdir(parents=True)
        shutil.copy(source / "ring.cpp", folder / "in" / name)
    return folder / "in"


def points(out: Path) -> dict[str, int]:
    return {path.parent.name: results.read(path).points for path in out.glob("results/*/results.json")}


@pytest.mark.slow
@needs_parallel
def test_two_submissions_side_by_side(tmp_path: Path, lab_command: Command) -> None:
    out = tmp_path / "out"
    words = ("grade-all", two_submissions(tmp_path), "--out", out, "--labs", "2", "--only", CHECK, *OPEN)
    done = lab_command(*words)
    assert done.code == 0, done.out
    assert points(out) == {"ann": 6, "ben": 0}
    assert {"gradebook.csv", "report.html", "joblog", "batch.json"} <= {p.name for p in out.iterdir()}
    kept = (out / "joblog").read_text()
    assert lab_command(*words).code == 0 and (out / "joblog").read_text() == kept


@pytest.mark.slow
@pytest.mark.skipif(bool(slurm_machine.lacking()), reason=f"Slurm: {slurm_machine.lacking()}")
def test_slurm_grades_as_a_job_array(tmp_path: Path, lab_command: Command) -> None:
    (tmp_path / "slurm").mkdir()
    try:
        machine = slurm_machine.slurm(tmp_path / "slurm")
        environment = machine.__enter__()
    except TimeoutError as error:
        pytest.skip(f"Slurm cannot be had on this machine: {error}")
    try:
        out = tmp_path / "out"
        words = ["grade-all", two_submissions(tmp_path), "--out", out, "--labs", "2", "--only", CHECK, *OPEN]
        done = lab_command(*words, "--engine", "slurm", **environment)
        assert done.code == 0, done.out
        assert points(out) == {"ann": 6, "ben": 0}
        assert not (out / "slurm-job").exists()
        assert len(list((out / "log").glob("slurm-*.txt"))) == 2
        listed = json.loads((out / "batch.json").read_text())
        assert sorted(listed["items"]) == ["ann", "ben"]
    finally:
        machine.__exit__(None, None, None)
