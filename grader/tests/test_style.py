"""Style is executed: what docs/ and STYLE ask of the sources is looked at here."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from dynamolab.paths import ROOT
from dynamolab.rules import without_comments

DEADLINE_S = 120
MOST_COLUMNS_PYTHON = 110
MOST_LINES = 450  # "Aim under 400."
SOLUTIONS = [ROOT / "reference", ROOT / "skeleton", ROOT / "grader" / "right"]
MOST_LINES_OF_A_SOLUTION = 1200  # One file a lab, by design; with its skeleton inside.
MOST_LINES_OF_A_FUNCTION = 70
SOURCE_FOLDERS = ("framework", "grader", "labs", "reference", "skeleton")
# What a student's file may draw in: the standard library and light headers of ours.
HEAVY = re.compile(r"boost/|asio|nlohmann|gtest/|benchmark/|lmdb\.h|CLI/")


def sources(*suffixes: str) -> list[Path]:
    found = [path for folder in SOURCE_FOLDERS for path in (ROOT / folder).rglob("*")]
    return sorted(path for path in found if path.suffix in suffixes and path.is_file())


CPP = sources(".h", ".cpp")
PYTHON = sources(".py")
# labs/2-ring/ring.h; other headers there belong to the checks.
STUDENT_HEADERS = sorted(
    path
    for path in (ROOT / "labs").glob("*/*.h")
    if path.stem == path.parent.name.partition("-")[2]
)
FORMATTER = 14  # Versions differ in small things; Debian 12's decides.


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def _formatter_version() -> int:
    if shutil.which("clang-format") is None:
        return 0
    done = subprocess.run(
        ["clang-format", "--version"], capture_output=True, text=True, timeout=DEADLINE_S
    )
    found = re.search(r"version (\d+)", done.stdout)
    return int(found[1]) if found else 0


@pytest.mark.skipif(_formatter_version() != FORMATTER, reason=f"needs clang-format {FORMATTER}")
def test_cpp_is_formatted() -> None:
    def lines(paths: list[Path]) -> str:
        command = ["clang-format", "--dry-run", *paths]
        return subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE_S).stderr

    with ThreadPoolExecutor(2) as pool:
        told = "".join(pool.map(lines, [CPP[::2], CPP[1::2]]))
    wrong = sorted(set(re.findall(r"^(\S+?):\d+:\d+: warning", told, re.MULTILINE)))
    assert wrong == [], "run clang-format -i on these"


@pytest.mark.parametrize("path", CPP, ids=name)
def test_cpp_file_says_what_it_is(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".h":
        assert text.startswith("//"), "begin with a comment: what the file is for"
        assert "#pragma once" in text
        assert not re.search(r"using namespace (?!std::\w*literals)", without_comments(text))
    of_a_solution = any(path.is_relative_to(folder) for folder in SOLUTIONS)
    most = MOST_LINES_OF_A_SOLUTION if of_a_solution else MOST_LINES
    assert len(text.splitlines()) <= most, "a file is one idea"


def _classes_without_a_word(text: str) -> list[str]:
    """Classes at namespace level whose line has no comment above or behind it."""
    lines = text.splitlines()
    found = []
    for number, line in enumerate(lines):
        if not re.match(r"(template <.*> )?(class|struct) \w+[^;]*\{", line):
            continue
        above = number - 1
        while above >= 0 and lines[above].startswith("template"):
            above -= 1
        if above < 0 or not (lines[above].lstrip().startswith("//") or "///" in line):
            found.append(line)
    return found


@pytest.mark.parametrize("path", STUDENT_HEADERS, ids=name)
def test_student_header_is_short_and_light(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    declarations = [line for line in without_comments(text).splitlines() if line.strip()]
    assert len(declarations) <= 80
    # Later labs use what earlier ones declare.
    folders = [ROOT / "framework", *sorted((ROOT / "labs").glob("[0-9]-*"))]
    includes = [f"-I{folder}" for folder in folders]
    done = subprocess.run(
        ["g++", "-std=c++20", "-M", "-x", "c++", *includes, path],
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=True,
    )
    assert [word for word in done.stdout.split() if HEAVY.search(word)] == []


def test_every_class_that_a_student_meets_is_explained() -> None:
    """Messages are explained by their fields."""
    for path in [*STUDENT_HEADERS, *sorted((ROOT / "framework" / "core").glob("*.h"))]:
        if path.name in ("codec.h", "json.h"):  # Not for students.
            continue
        text = path.read_text(encoding="utf-8")
        assert [line for line in _classes_without_a_word(text) if "class " in line] == [], name(
            path
        )


def test_todo_names_its_lab() -> None:
    stray = re.compile(r'\b(TODO(?!\\?\((?:lab\d|"))|FIXME|XXX|HACK)\b')
    found = [
        f"{name(path)}:{number}"
        for path in [*CPP, *PYTHON]
        if path != Path(__file__)
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if stray.search(line)
    ]
    assert found == []


def test_no_file_knows_this_machine() -> None:
    private = re.compile(r"/work/|/root/|/home/\w")
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("which files are the project's is known to git: not installed, or no clone")
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, timeout=DEADLINE_S, check=True
    )
    paths = [ROOT / line for line in listed.stdout.splitlines()]
    assert Path(__file__) in paths
    found = [
        path
        for path in paths
        if path != Path(__file__) and path.is_file() and path.suffix not in (".png", ".svg")
        if private.search(path.read_text(encoding="utf-8", errors="replace"))
    ]
    assert found == []


@pytest.mark.parametrize("path", PYTHON, ids=name)
def test_python_file_is_small_and_told(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    tree = ast.parse(text)
    assert ast.get_docstring(tree), "begin with a docstring: what the module is for"
    assert len(text.splitlines()) <= MOST_LINES
    assert max(map(len, text.splitlines())) <= MOST_COLUMNS_PYTHON
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("test_"):
            assert (node.end_lineno or 0) - node.lineno < MOST_LINES_OF_A_FUNCTION, node.name
            if path.is_relative_to(ROOT / "grader" / "dynamolab"):
                arguments = [a for a in node.args.args if a.arg not in ("self", "cls")]
                assert all(a.annotation for a in arguments), f"{node.name}: annotate what it takes"


def test_every_cpp_file_is_built() -> None:
    """A file that no list names would never be compiled, and a test in it never run."""
    lists = [p for f in SOURCE_FOLDERS for p in (ROOT / f).rglob("*") if p.name == "CMakeLists.txt"]
    lists += [p for f in SOURCE_FOLDERS for p in (ROOT / f).rglob("*.cmake")]
    named = "".join(path.read_text(encoding="utf-8") for path in lists)
    for path in CPP:
        solutions = {"attacks", "mutants", "right", "skeleton", "reference"} & set(path.parts)
        if path.suffix == ".cpp" and not solutions and not path.is_relative_to(ROOT / "labs"):
            assert path.name in named, f"{name(path)} is in no CMakeLists.txt"
