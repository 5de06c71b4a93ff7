"""What experiments share: whose fault a failed measurement is, rows in order, a page with its pictures."""

from __future__ import annotations

import resource
import sys
import types
from pathlib import Path

import pytest

from dynamolab.errors import GraderTrouble, LabError
from dynamolab.experiments import _gossip_page, _page, gossip
from dynamolab.experiments import all as every
from dynamolab.experiments._table import Table


def table(folder: Path, script: str) -> Table:
    """A program that is a shell script; "$1" is the node, "$2" and on the numbers."""
    program = folder / "fake-table"
    program.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    program.chmod(0o755)
    return Table("fake", "B", program, folder / "node", folder / "ring.cpp", 2)


def test_rows_come_in_the_order_in_which_they_were_asked_for(tmp_path: Path) -> None:
    measuring = table(tmp_path, 'echo "{\\"row\\": $2, \\"of\\": $3}"')
    rows = measuring.rows((number, 7) for number in (5, 3, 9))
    assert rows == [{"row": 5, "of": 7}, {"row": 3, "of": 7}, {"row": 9, "of": 7}]


def test_a_solution_that_fails_is_told_from_a_program_that_does(tmp_path: Path) -> None:
    solution = table(tmp_path, "echo 'it left no ring' >&2; exit 1")
    with pytest.raises(
        LabError,
        match=r"ring.cpp: its fake cannot be measured: it left no ring\nFinish part B",
    ):
        solution.run(1)
    program = table(tmp_path, "echo 'usage: fake-table' >&2; exit 2")
    with pytest.raises(GraderTrouble, match="fake-table failed: usage"):
        program.run(1)


def test_the_first_failure_ends_the_rows(tmp_path: Path) -> None:
    failing = table(tmp_path, f'echo "$2" >> "{tmp_path}/rows"; exit 1')
    with pytest.raises(LabError):
        failing.rows((number,) for number in range(200))
    assert len((tmp_path / "rows").read_text(encoding="utf-8").splitlines()) < 200


def test_a_page_holds_its_pictures_and_escapes_what_is_text(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    figure, axes = _page.pyplot().subplots()
    axes.plot([1, 2], [3, 4])
    picture = _page.drawn(figure, tmp_path, "line")
    again, axes = _page.pyplot().subplots()
    axes.plot([1, 2], [3, 4])
    assert _page.drawn(again, tmp_path, "line") == picture, "the same picture from the same numbers"
    cells = _page.table(("<th>name</th>",), [["<b>"], ["2"]])
    page = _page.write(tmp_path, "Load & movement", (picture, cells)).read_text(encoding="utf-8")
    assert (tmp_path / "line.png").stat().st_size > 0 and (tmp_path / "line.svg").is_file()
    assert "<title>Load &amp; movement</title>" in page
    assert "<svg" in page and "<td>&lt;b&gt;</td>" in page and "<?xml" not in page


def test_all_experiments_stand_on_one_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[list[str]] = []

    def fake(name: str) -> types.ModuleType:
        def main(words: list[str]) -> int:
            asked.append(words)
            folder = Path(words[words.index("--out") + 1])
            folder.mkdir(parents=True)
            _page.write(folder, f"About {name}", [f"<p>{name} was measured</p>"])
            return 0

        module = types.ModuleType(name)
        module.main = main  # type: ignore[attr-defined]
        return module

    for name in ("one", "two"):
        monkeypatch.setitem(sys.modules, f"dynamolab.experiments.{name}", fake(name))
    two = sys.modules["dynamolab.experiments.two"]
    two.for_all = lambda: ["--nodes", "7"]  # type: ignore[attr-defined]
    monkeypatch.setattr(every, "names", lambda: ["one", "two"])
    assert every.main(["--solution", "reference", "--with", "reference:1", "--out", str(tmp_path)]) == 0
    page = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert page.count("<h1>") == page.count("<html") == 1
    assert page.index("<h2>About one</h2><p>one was") < page.index("<h2>About two</h2><p>two was")
    assert all(words[:2] == ["--solution", "reference"] for words in asked)
    assert all("--with" in words for words in asked)
    assert ["--nodes" in words for words in asked] == [False, True]


def test_large_clusters_come_first_and_take_fewer_events() -> None:
    arguments = gossip.parser().parse_args(["--nodes", "3000", "--events", "20", "--seed", "3"])
    words = gossip.words(arguments)
    assert words[0] == (3000, 3, 3) and words[-1] == (4, 20, 3)
    assert [size for size, _, _ in words] == sorted((*gossip.SIZES[:-1], 3000), reverse=True)
    assert [gossip.events_of(size, 20) for size in (4, 512, 1024, 10_000)] == [
        20,
        20,
        10,
        1,
    ]
    assert gossip.events_of(10_000, 1) == 1


@pytest.mark.skipif(gossip.MOST == gossip.TOGETHER, reason="no processes that share pages here")
def test_the_page_of_all_goes_as_far_as_the_machine_can(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    limits = {"processes": resource.RLIM_INFINITY}
    memory = {"kB": 20_000_000}
    monkeypatch.setattr(resource, "getrlimit", lambda _: (limits["processes"], 0))
    monkeypatch.setattr(
        Path,
        "read_text",
        lambda *_args, **_words: f"MemAvailable:   {memory['kB']} kB\n",
    )
    assert gossip.for_all() == ["--nodes", "10000"]
    memory["kB"] = 4_000_000
    assert gossip.for_all() == ["--nodes", "1024"]
    memory["kB"], limits["processes"] = 20_000_000, 4_000
    assert gossip.for_all() == ["--nodes", "1024"]


def test_gossip_rows_count_rounds_and_stand_beside_theory(tmp_path: Path) -> None:
    rows = [
        gossip.Row(9, ((1, 4, 9), (1, 3, 8, 9))),
        gossip.Row(27, ((1, 2, 9, 20, 27),)),
    ]
    assert rows[0].rounds == [2, 3], "the first number is before any round"
    assert (rows[0].mean, rows[0].worst) == (2.5, 3)
    assert rows[1].both_ways == pytest.approx(3.0)
    assert rows[1].push_alone == pytest.approx(8.05, abs=0.01)
    told = _gossip_page.summary(rows).splitlines()
    assert told[2].split() == ["9", "2", "2.5", "3", "2.0", "5.4"]
    pytest.importorskip("matplotlib")
    page = _gossip_page.write(tmp_path, rows, gossip.parser().parse_args(["--events", "2"]))
    text = page.read_text(encoding="utf-8")
    assert "<td>27</td><td>1</td><td>4.0</td><td>4</td>" in text
    assert (tmp_path / "gossip.png").stat().st_size > 0
