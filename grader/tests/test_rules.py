"""What a module may not use is named, with what to use instead; and nothing else is."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from dynamolab import bans, rules

COMPILE_DEADLINE_S = 60


def violations(tmp_path: Path, code: str, optimised: str = "-O1") -> list[str]:
    source = tmp_path / "ring.cpp"
    source.write_text(code, encoding="utf-8")
    obj = tmp_path / "ring.o"
    subprocess.run(
        ["g++", "-std=c++20", optimised, "-fPIC", "-g1", "-c", source, "-o", obj],
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


# What an object file asks the linker for, and what the student reads; g++ 12's and g++ 14's names.
SYMBOLS = {
    "a thread": "std::thread::_M_start_thread(std::unique_ptr<std::thread::_State>, void (*)())"
    "|std::__future_base::_Result_base::_Result_base()|std::condition_variable::notify_all()"
    "|pthread_create|pthread_create@GLIBC_2.34|pthread_self|pthread_cond_wait",
    "sleeping": "usleep|nanosleep|clock_nanosleep|sched_yield|sem_timedwait|timerfd_create",
    "a clock of its own": "std::chrono::_V2::steady_clock::now()|std::filesystem::__file_clock::now()"
    "|clock_gettime|timespec_get|time|gettimeofday|localtime_r|mktime|times|getrusage|__time64",
    "randomness of its own": "std::random_device::_M_getval()|rand|srand|rand_r|random|erand48|nrand48"
    "|drand48_r|seed48|getrandom|arc4random_uniform",
    "a socket of its own": "socket|connect|sendmmsg|recv|__recv_chk|shutdown|setsockopt|ppoll"
    "|epoll_create1|pipe2|eventfd",
    "a file of its own": "std::basic_ifstream<char, std::char_traits<char> >::basic_ifstream()"
    "|std::filesystem::status(std::filesystem::__cxx11::path const&)|fopen|fopen64|__open_2|openat"
    "|read|__read_chk|pwrite64|remove|rename|stat|fstat64|access|readlink|mkstemp|mkdtemp|fcntl64|dup2",
    "the operating system": "fork|execve|system|popen|waitpid|exit|_exit|signal|syscall",
    "the process's surroundings": "getenv|environ|__environ|getpid|getppid|getuid|uname|sysconf",
    "the standard input": "std::cin|stdin|scanf|__isoc99_scanf|__isoc23_scanf|getchar",
}
LEFT_ALONE = (
    "dynamo::open(int)|dynamo::read(std::string)|open(int)|dynamo::thread::thread()|memcpy|malloc|abort"
    "|__assert_fail|std::cerr|fprintf|std::__throw_bad_function_call()|__cxa_guard_acquire|timers"
    "|operator new(unsigned long)|std::chrono::floor()|std::mutex::lock()|__cxa_atexit"
)


@pytest.mark.parametrize(
    ("what", "symbol"),
    [(what, name) for what, names in SYMBOLS.items() for name in names.split("|")],
)
def test_symbol_is_of_its_kind(what: str, symbol: str) -> None:
    assert what in [ban.what for ban in bans.BANS if ban.symbol.fullmatch(symbol)]


@pytest.mark.parametrize("symbol", LEFT_ALONE.split("|"))
def test_other_symbols_are_left_alone(symbol: str) -> None:
    assert not [ban.what for ban in bans.BANS if ban.symbol.fullmatch(symbol)]


def test_line_is_told_where_the_symbol_has_another_name(tmp_path: Path) -> None:
    """The library's headers ask for it on the student's behalf; also when everything is inlined."""
    code = """#include <atomic>
#include <chrono>
#include <fstream>
#include <iostream>
#include <thread>
using Clock = std::chrono::high_resolution_clock;
long f() { return Clock::now().time_since_epoch().count(); }
void g() { std::jthread([] {}); }
int h() { std::ifstream in("x"); return in.get(); }
int k() { int x; std::cin >> x; return x; }
"""
    told = "\n".join(violations(tmp_path, code, "-O2"))
    assert "ring.cpp:6: uses a clock of its own" in told
    assert "ring.cpp:8: uses a thread" in told
    assert "ring.cpp:9: uses a file of its own" in told
    assert "ring.cpp:10: uses the standard input" in told
    only_waits = "#include <atomic>\nvoid f(std::atomic<int>& a) {\n  a.wait(0);\n}"
    assert "ring.cpp:3: uses sleeping" in "\n".join(violations(tmp_path, only_waits, "-O2"))


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("std::shuffle(all.begin(), all.end(), engine);", "uses std::shuffle"),
        ("using namespace std; mt19937 engine(7);", "uses mt19937"),
        ("std::ranlux24 engine(7);", "uses std::ranlux24"),
        ("int x = uniform_int_distribution<int>(0, 3)(env);", "uses uniform_int_distribution"),
        ("double x = std::generate_canonical<double, 10>(env);", "std::generate_canonical"),
        ("auto t = __rdtsc();", "a clock of its own (__rdtsc)"),
        ("auto t = __builtin_ia32_rdtsc();", "env.now()"),
        ("_rdrand64_step(&x);", "env.random(bound)"),
        ('asm volatile("rdtsc" : "=a"(a));', "machine code (asm)"),
        ("const char* at = __TIME__;", "the time at which it was compiled"),
    ],
)
def test_what_only_the_text_shows_is_named(tmp_path: Path, statement: str, told: str) -> None:
    source = tmp_path / "ring.cpp"
    source.write_text(f"void f() {{\n{statement}\n}}\n")
    found = rules.check_source(source)
    assert [violation.line for violation in found] == [2]
    assert told in str(found[0])


def test_words_of_ones_own_are_left_alone(tmp_path: Path) -> None:
    source = tmp_path / "ring.cpp"
    source.write_text(
        "void f() {\nshuffle(all, env);\nmine::random_device(d);\nchasm(1);\nk.knuth_b();\n}\n"
    )
    assert rules.check_source(source) == []


def test_state_that_a_const_hides_is_named(tmp_path: Path) -> None:
    """Constant is what nobody can change: not a pointer to a const, nor a const pointer to what changes,
    nor a variable that has the name of a constant elsewhere."""
    found = violations(
        tmp_path,
        """#include <map>
#include <memory>
#include <string>
struct Seen { mutable int times = 0; };
namespace {
int counter;
const Seen kSeen{};
const auto kCache = std::make_shared<std::map<int, int>>();
const std::unique_ptr<int> kBox = std::make_unique<int>(3);
auto& all = *new std::map<int, int>;
}
int f() { const int counter = 3; return counter; }
int g() { static const Seen* last = nullptr; last = &kSeen; ++all[1]; return ++last->times; }
int h() { ++(*kCache)[1]; return ++counter + ++*kBox; }
int n() { return [] { static int calls; return ++calls; }(); }
namespace {
const std::string kName = "made at start-up";
const std::map<int, const char*> kWords = {{1, "a"}};
std::string const kPlain = "x";
const auto kShared = std::make_shared<const std::string>("x");
const auto& kEmpty = *new std::string;
}
const char* k() { static const std::string own = kName; return own.empty() ? kWords.at(1) : own.data(); }
auto m() { return kPlain + *kShared + kEmpty; }
""",
    )
    named = [violation.split("'")[1] for violation in found]
    assert sorted(named) == ["all", "calls", "counter", "kBox", "kCache", "kSeen", "last"]


@pytest.mark.parametrize(
    "code",
    [
        '#include <regex>\nbool f(const char* s) { return std::regex_match(s, std::regex("a*b")); }',
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
