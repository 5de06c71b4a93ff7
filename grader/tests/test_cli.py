"""The command line: help everywhere, clear errors, exit code 2 for what was typed wrongly."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from dynamolab import cli, processes
from dynamolab.paths import ROOT

Lab = Callable[..., processes.Completed]


def test_overview_names_every_command(lab_command: Lab) -> None:
    for words in ([], ["--help"], ["help"]):
        done = lab_command(*words)
        assert done.code == 0
        assert all(command.name in done.out for command in cli.COMMANDS)


@pytest.mark.parametrize("command", cli.COMMANDS, ids=lambda command: command.name)
def test_each_command_has_help_with_an_example(
    lab_command: Lab,
    course: list,  # type: ignore[type-arg]
    command: cli.Command,
) -> None:
    done = lab_command(command.name, "--help")
    assert done.code == 0, done.out
    assert "example: ./lab " in done.out
    ids = {check.id for lab in course for check in lab.checks}
    modules = "|".join(lab.module for lab in course)
    for word in re.findall(rf"\b(?:{modules})\.(?!cpp\b|h\b)\w+", f"{command.example}\n{done.out}"):
        assert word in ids, f"no such check: {word}"
    assert "\x1b" not in done.out


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["grdae"], "did you mean grade?"),
        (["grade", "9"], "there is no lab '9'"),
        (["grade", "membersip"], "did you mean membership?"),
        (["grade", "--seed", "x"], "'x' is not a whole number"),
        (["grade", "--seed", "-1"], "not between"),
        (["grade", "--seeds", "0"], "not between"),
        (["grade", "--jobs", "0"], "not between"),
        (["grade", "--sol", "reference"], "--sol"),
        (["grade", "--only", "membership.no_such"], "there is no check"),
        (["grade", "--solution", "absent"], "no such folder"),
        (["grade", "--solution", "README.md"], "is a file"),
        (["grade", "--with", "reference"], "write FOLDER:LABS"),
        (["grade", "--results", "/proc/none/x.json"], "/proc/none/x.json"),
        (["grade", "--html", "labs"], "is a folder"),
        (["replay", "absent.json"], "absent.json"),
        (["replay", "README.md"], "is not JSON"),
        (["debug", "no.such_check"], "there is no check"),
        (["debug", "warmup.the_count_survives_a_restart", "--replay", "README.md"], "is not JSON"),
        (["grade", "--html", "/proc/x.html"], "/proc/x.html"),
        (["mutants", "--only", "nobody"], "there is no mutant"),
        (["experiment", "rign"], "did you mean ring?"),
        (["watch"], "LAB"),
    ],
)
def test_wrong_words_are_answered_with_two_and_a_cure(
    lab_command: Lab, words: list[str], told: str
) -> None:
    done = lab_command(*words)
    assert done.code == 2, done.out
    assert told in done.out
    assert "Traceback" not in done.out


def test_hostile_solution_folder_name_is_harmless(lab_command: Lab, tmp_path: Path) -> None:
    done = lab_command("grade", "--solution", tmp_path / "\x1b[31mred; rm -rf $(x)")
    assert done.code == 2
    assert "\x1b" not in done.out


def test_list_shows_each_visible_check(lab_command: Lab, course: list) -> None:  # type: ignore[type-arg]
    done = lab_command("list", COLUMNS="250")
    assert done.code == 0
    for lab in course:
        for check in lab.checks:
            assert (check.id in done.out) == check.visible


def test_readme_names_commands_that_there_are(lab_command: Lab) -> None:
    """ "README works": each ./lab line of the texts names a command and options that are known."""
    known = {command.name for command in cli.COMMANDS}
    seen = 0
    for page in [
        ROOT / "README.md",
        *sorted((ROOT / "docs").glob("*.md")),
        *sorted((ROOT / "labs").glob("*/README.md")),
    ]:
        for line in page.read_text(encoding="utf-8").splitlines():
            for piece in line.split("./lab ")[1:]:
                word = piece.split()[0].strip("`.,;:)*") if piece.split() else ""
                if word and word[0].islower():
                    assert word in known, f"{page.name}: ./lab {word}"
                    seen += 1
    assert seen > 0


def test_pages_name_checks_that_there_are(course: list) -> None:  # type: ignore[type-arg]
    ids = {check.id for lab in course for check in lab.checks}
    for page in [ROOT / "README.md", *sorted((ROOT / "labs").glob("*/README.md"))]:
        for word in re.findall(r"(?:\./lab debug|--only) (\w+\.\w+)", page.read_text("utf-8")):
            assert word in ids, f"{page}: {word}"
