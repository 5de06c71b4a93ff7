"""What a module may not use is named, with what to use instead; and nothing else is."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from dynamolab import rules

COMPILE_DEADLINE_S = 60


def violations(tmp_path: Path, code: str) -> list[str]:
    source = tmp_path / "ring.cpp"
    source.write_text(code, encoding="utf-8")
    obj = tmp_path / "ring.o"
    subprocess.run(
        ["g++", "-std=c++20", "-O1", "-fPIC", "-g1", "-c", source, "-o", obj],
        check=True,
        timeout=COMPILE_DEADLINE_S,
    )
    return [str(v) for v in [*rules.check_source(source), *rules.check_objects([(source, obj)])]]


@pytest.mark.parametrize(
    ("code", "told"),
    [
        (
            "#include <thread>\nvoid f() {\n  std::thread([] {}).detach();\n}",
            "ring.cpp:3: uses a thread",
        ),
        (
            "#include <future>\nint f() { return std::async(std::launch::async, [] { return 1; }).get(); }",
            "a thread",
        ),
        (
            "#include <thread>\nvoid f() { std::this_thread::sleep_for(std::chrono::seconds(1)); }",
            "sleeping",
        ),
        (
            "#include <chrono>\nauto f() { return std::chrono::steady_clock::now(); }",
            "a clock of its own",
        ),
        ("#include <chrono>\nauto f() { return std::chrono::system_clock::now(); }", "env.now()"),
        (
            "#include <ctime>\nlong f() {\n\n  return time(nullptr);\n}",
            "ring.cpp:4: uses a clock of its own (time)",
        ),
        ("#include <cstdlib>\nint f() { return rand(); }", "env.random(bound)"),
        ("#include <random>\nunsigned f() { return std::random_device{}(); }", "random_device"),
        (
            "#include <random>\nunsigned long f(unsigned s) { return std::mt19937_64{s}(); }",
            "std::mt19937_64",
        ),
        (
            "#include <sys/socket.h>\nint f() { return socket(AF_INET, SOCK_STREAM, 0); }",
            "a socket of its own",
        ),
        ('#include <cstdio>\nvoid* f() { return fopen("x", "r"); }', "env.storage()"),
        ('#include <fstream>\nvoid f() { std::ofstream("x") << 1; }', "a file of its own"),
        ("#include <cstdlib>\nvoid f() { std::exit(0); }", "the operating system"),
        ("#include <unistd.h>\nint f() { return fork(); }", "the operating system"),
        (
            '#include <cstdlib>\nchar* f() { return std::getenv("HOME"); }',
            "the process's surroundings",
        ),
        ("int counter = 0;\nint f() { return ++counter; }", "keeps 'counter' in a global"),
        ("namespace d { namespace { int hits; } int f() { return ++hits; } }", "keeps 'hits'"),
        ("int f() {\n  static int calls = 0;\n  return ++calls;\n}", "ring.cpp:2: keeps 'calls'"),
        (
            "#include <map>\nstd::map<int, int>& f() { static std::map<int, int> seen; return seen; }",
            "keeps 'seen'",
        ),
        ("thread_local int mine = 3;\nint f() { return ++mine; }", "keeps 'mine'"),
        (
            "struct A { static inline int shared = 1; };\nint f() { return ++A::shared; }",
            "keeps 'shared'",
        ),
    ],
)
def test_forbidden_thing_is_named(tmp_path: Path, code: str, told: str) -> None:
    found = violations(tmp_path, code)
    assert len(found) >= 1
    assert told in "\n".join(found)


@pytest.mark.parametrize(
    "code",
    [
        '#include <string_view>\nconstexpr std::string_view kName = "n";\nauto f() { return kName; }',
        '#include <string>\nconst std::string kName = "made at start-up";\nauto f() { return kName; }',
        "#include <map>\nint f(int k) { static const std::map<int, int> m{{1, 1}, {2, 4}}; return m.at(k); }",
        "#include <iostream>\nvoid f(int n) { std::cerr << n; }",
        "struct A { virtual ~A() = default; virtual int f() = 0; };\n"
        "namespace { struct B : A { int f() override { return 1; } }; }\nA* make() { return new B; }",
        '#include <stdexcept>\nvoid f() { throw std::logic_error("TODO(lab1 A): merge"); }',
        "#include <memory>\n#include <vector>\nauto f() { return std::make_shared<std::vector<int>>(3); }",
        '// rand(), std::mt19937, time(nullptr)\nconst char* f() { return "std::random_device"; }',
        'constexpr const char* kNames[] = {"a", "b"};\nconst char* f(int i) { return kNames[i]; }',
        "#include <algorithm>\n#include <vector>\nvoid f(std::vector<int>& v, int x) {\n"
        " std::sort(v.begin(), v.end(), [&](int a, int b) { return a * x < b; }); }",
    ],
)
def test_honest_code_is_left_alone(tmp_path: Path, code: str) -> None:
    assert violations(tmp_path, code) == []


@pytest.mark.parametrize(
    "statement",
    [
        "env_.call(peer, Ping{1}, timeout, [&](Result<Pong> r) { use(r); });",
        "env->after(delay, [&count] { ++count; });",
        "every(env_, period, [this, &peers]() { round(peers); });",
        "call_each(env_, peers, Ping{f(1), {2}}, timeout,\n [ & , x ](const NodeId&, Result<Pong>) {});",
        "env_.call<Ping>(peer, {}, timeout, [=, &sum](auto r) { sum += r; });",
    ],
)
def test_reference_captured_into_what_runs_later_is_named(tmp_path: Path, statement: str) -> None:
    source = tmp_path / "ring.cpp"
    source.write_text(f"void f() {{\n{statement}\n}}\n")
    found = rules.check_source(source)
    assert len(found) == 1
    assert "by reference" in str(found[0]) and "make_shared" in str(found[0])
    assert found[0].line in (2, 3)


@pytest.mark.parametrize(
    "statement",
    [
        "env_.call(peer, Ping{1}, timeout, [this, peer](Result<Pong> r) { use(r); });",
        "every(env_, period, [this] { std::sort(a, b, [&](int x, int y) { return w[x] < w[y]; }); });",
        'env_.storage().scan(space, "", [&](auto key, auto value) { return take(key, value); });',
        "// env_.after(delay, [&] {});",
        'note("env_.after(delay, [&] {})");',
        "env_.after(delays[&x - begin], [this] {});",
        "recall(x, [&] {});",
    ],
)
def test_other_captures_are_left_alone(tmp_path: Path, statement: str) -> None:
    source = tmp_path / "ring.cpp"
    source.write_text(f"void f() {{\n{statement}\n}}\n")
    assert rules.check_source(source) == []
