"""A crash of a real node is told with file, line and function."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from dynamolab.cluster.crash import with_places

SOURCE = """
#include <execinfo.h>
#include <unistd.h>
namespace dynamo { namespace {
struct Membership { __attribute__((noinline)) int add(int number); };
int Membership::add(int number) {
  void* frames[16];
  const int depth = backtrace(frames, 16);
  backtrace_symbols_fd(frames, depth, 2);  // line 9
  return number + depth;
}
} }
int main(int count, char**) { return dynamo::Membership().add(count) == 0; }
"""


@pytest.fixture(scope="module")
def crashed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """A program, and the frames that it printed."""
    folder = tmp_path_factory.mktemp("crash")
    source, program = folder / "membership.cpp", folder / "dynamo-node"
    source.write_text(SOURCE)
    command = ["g++", "-g1", "-O1", "-fno-omit-frame-pointer", "-fno-optimize-sibling-calls"]
    subprocess.run([*command, str(source), "-o", str(program)], check=True, timeout=120)
    done = subprocess.run([str(program)], capture_output=True, text=True, timeout=20)
    return program, done.stderr.splitlines()


def test_frames_become_places_in_the_solution(crashed: tuple[Path, list[str]]) -> None:
    program, frames = crashed
    told = with_places(["ready n1", "Segmentation fault", *frames, "the end"], program)
    assert told[:2] == ["ready n1", "Segmentation fault"]
    assert told[-1] == "the end"
    assert told[2] == "  where: membership.cpp:8, in Membership::add"
    assert not any("+0x" in line for line in told)


def test_frames_of_another_program_say_nothing(crashed: tuple[Path, list[str]]) -> None:
    program, _ = crashed
    assert with_places(["/lib/libc.so.6(+0x27)[0x7f]", "x"], program) == ["x"]
    told = with_places([f"{program}(+0x1)[0x7f]"], program)
    assert told == ["  1 frames, none of them in a file of the solution"]


def test_a_log_without_frames_stays_as_it_is(tmp_path: Path) -> None:
    lines = ["ready n1", "", "a note (+0x is no frame)"]
    assert with_places(lines, tmp_path / "dynamo-node") == lines
