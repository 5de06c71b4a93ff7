"""What a solution may not use, seen in its source and in its object files.

Time, randomness, messages and the disk come from Env: only so does a run replay, and only so does
the same code run in the simulator and for real. State lives in the module's object: a global would
survive a simulated crash. (DESIGN.md, "Env".)"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from dynamolab import processes
from dynamolab.errors import GraderTrouble
from dynamolab.paths import shown

NM_DEADLINE_S = 20.0


@dataclass(frozen=True)
class Violation:
    """One thing that is not allowed: where, what, and what to do instead."""

    file: Path
    line: int  # 0: nowhere in particular.
    what: str
    cure: str

    def __str__(self) -> str:
        place = f"{shown(self.file)}:{self.line}" if self.line else shown(self.file)
        return f"{place}: {self.what}. {self.cure}"


def _functions(*names: str) -> re.Pattern[str]:
    return re.compile(r"(?:__)?(?:%s)(?:64|_chk|_2)?(?:@.*)?" % "|".join(names))


@dataclass(frozen=True)
class _Ban:
    symbol: re.Pattern[str]  # Matches the whole demangled name.
    what: str
    cure: str


_BANS = (
    _Ban(
        re.compile(
            r"std::(thread|jthread|__future_base|__condvar|condition_variable|this_thread)\b.*|pthread_create"
        ),
        "a thread",
        "Handlers run one at a time; what shall happen later goes into env.after(delay, callback)",
    ),
    _Ban(
        _functions(
            "sleep", "usleep", "nanosleep", "clock_nanosleep", "sched_yield", "alarm", "setitimer"
        ),
        "sleeping",
        "A handler runs to its end at once; use env.after(delay, callback)",
    ),
    _Ban(
        re.compile(r"std::chrono::_?[A-Za-z0-9_:]*clock::now\(\)"),
        "a clock of its own",
        "Use env.now(): virtual in the simulator, so that a run replays",
    ),
    _Ban(
        _functions(
            "clock_gettime", "gettimeofday", "time", "clock", "ftime", "localtime", "gmtime"
        ),
        "a clock of its own",
        "Use env.now(): virtual in the simulator, so that a run replays",
    ),
    _Ban(
        re.compile(r"std::random_device::.*"),
        "randomness of its own",
        "Use env.random(bound): the seed decides it",
    ),
    _Ban(
        _functions(
            "s?rand",
            "rand_r",
            "s?random",
            "random_r",
            "[dlmj]rand48",
            "getrandom",
            "getentropy",
            "arc4random\\w*",
        ),
        "randomness of its own",
        "Use env.random(bound): the seed decides it",
    ),
    _Ban(
        _functions(
            *(
                "socket",
                "socketpair",
                "connect",
                "bind",
                "listen",
                "accept4?",
                "send",
                "sendto",
                "sendmsg",
            ),
            *(
                "recv",
                "recvfrom",
                "recvmsg",
                "getaddrinfo",
                "gethostbyname",
                "poll",
                "p?select",
                "epoll_\\w+",
            ),
        ),
        "a socket of its own",
        "Use env.call(peer, request, timeout, done)",
    ),
    _Ban(
        re.compile(r"std::(__cxx11::)?(basic_[io]?fstream|basic_filebuf|filesystem)\b.*"),
        "a file of its own",
        "Use env.storage(): it is what survives a crash",
    ),
    _Ban(
        _functions(
            *(
                "f?open",
                "openat",
                "creat",
                "freopen",
                "tmpfile",
                "mkstemp",
                "mmap",
                "shm_open",
                "unlink",
                "rename",
            ),
            *("opendir", "mkdir", "rmdir", "truncate", "ftruncate", "fsync", "fdatasync"),
        ),
        "a file of its own",
        "Use env.storage(): it is what survives a crash",
    ),
    _Ban(
        _functions(
            *(
                "v?fork",
                "exec[vlpe]+",
                "system",
                "popen",
                "posix_spawnp?",
                "kill",
                "raise",
                "_?exit",
                "_Exit",
            ),
            *(
                "quick_exit",
                "at_?exit",
                "signal",
                "sigaction",
                "ptrace",
                "syscall",
                "dlopen",
                "dlsym",
                "prctl",
            ),
        ),
        "the operating system",
        "A module reacts and returns; report trouble with an Error, broken invariants with an exception",
    ),
    _Ban(
        _functions("getenv", "secure_getenv", "setenv", "putenv", "getpid", "gethostname"),
        "the process's surroundings",
        "What a node may know is in its config, env.self() and env.incarnation()",
    ),
)

# Part of every translation unit, or of the compiler's own making.
_COMPILERS_OWN = re.compile(
    r"(vtable|typeinfo|typeinfo name|VTT|construction vtable|guard variable) for .*"
    r"|DW\.ref\..*|std::__ioinit|\.L.*|_GLOBAL_.*|__odr_asan.*|__asan_.*|__ubsan_.*|__gcov.*"
)


def check_objects(objects: Sequence[tuple[Path, Path]]) -> list[Violation]:
    """Pairs of source and object file."""
    found: list[Violation] = []
    for source, obj in objects:
        text = source.read_text(encoding="utf-8", errors="replace")
        found += _banned_symbols(source, text, obj)
        found += _mutable_globals(source, text, obj)
    return found


def _nm(*arguments: str | Path) -> Iterator[list[str]]:
    done = processes.run(["nm", "-C", "-f", "sysv", *arguments], deadline_s=NM_DEADLINE_S)
    if done.code != 0:
        raise GraderTrouble(f"nm failed on {arguments[-1]}:\n{done.out[-500:]}")
    for line in done.out.splitlines():
        columns = [column.strip() for column in line.rsplit("|", 6)]
        if len(columns) == 7 and columns[0] != "Name":
            yield columns


def _banned_symbols(source: Path, text: str, obj: Path) -> Iterator[Violation]:
    seen: set[str] = set()
    for name, _, _, *_ in _nm("-u", obj):
        for ban in _BANS:
            if ban.symbol.fullmatch(name) and ban.what not in seen:
                seen.add(ban.what)
                word = re.split(r"[<(@]", name)[0].split("::")
                plain = (
                    word[-1]
                    if len(word) == 1
                    else "::".join(w for w in word if w != "_V2" and w != "__cxx11")
                )
                yield Violation(
                    source, _line_of(text, word), f"uses {ban.what} ({plain})", ban.cure
                )


def _line_of(text: str, words: Sequence[str]) -> int:
    """The first line that names it, as far as the text shows it; 0 if none."""
    code = without_comments(text).splitlines()
    for word in reversed([w.lstrip("_") for w in words]):
        if word in ("std", "now", "chrono") or not word:
            continue
        for number, line in enumerate(code, 1):
            if not line.lstrip().startswith("#") and re.search(rf"\b{re.escape(word)}\b", line):
                return number
    return 0


def _mutable_globals(source: Path, text: str, obj: Path) -> Iterator[Violation]:
    code = without_comments(text)
    for name, _, kind, _, _, _, section in _nm("--defined-only", obj):
        writable = section.startswith((".data", ".bss", ".tdata", ".tbss"))
        if not writable or section.startswith(".data.rel.ro") or _COMPILERS_OWN.fullmatch(name):
            continue
        if kind not in "bBdDuVvsS" or _is_constant(code, name):
            continue
        plain = _last_name(name)
        yield Violation(
            source,
            _line_of(text, [plain]),
            f"keeps '{plain}' in a global or static variable, which would survive a simulated crash"
            " and be shared by all nodes",
            "Make it a member of your class, or const",
        )


def _last_name(name: str) -> str:
    """`dynamo::(anonymous namespace)::f(int)::count` → `count`."""
    return re.sub(r"\[abi:\w+\]|@.*", "", name).rsplit("::", 1)[-1].strip()


def _is_constant(code: str, name: str) -> bool:
    """A const that is made at start-up lies in a writable section, too: the source tells."""
    plain = re.escape(_last_name(name))
    declared = re.compile(
        rf"\b(?:const|constexpr|constinit const)\b[^;{{}}()=]*[^;{{}}()=\w]{plain}"
        r"\s*(?:\[[^\]]*\]\s*)?[;={(]"
    )
    return declared.search(code) is not None


_COMMENT_OR_TEXT = re.compile(
    r'//[^\n]*|/\*.*?\*/|R"(?P<d>[^()\\\s]{0,16})\(.*?\)(?P=d)"|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])\'',
    re.DOTALL,
)


def without_comments(text: str) -> str:
    """The code alone: comments and literals become blanks, every line keeps its number."""
    return _COMMENT_OR_TEXT.sub(lambda m: re.sub(r"[^\n]", " ", m[0]), text)


_LATER = re.compile(
    r"(?:(?:\.|->)\s*(?:template\s+)?(?:call|after)|\b(?:every|call_each))\s*(?:<[^;{}()]*>)?\s*\("
)
_ENGINE = re.compile(
    r"\bstd::(?:mt19937(?:_64)?|minstd_rand0?|default_random_engine|\w+_distribution|random_device)\b"
)


def check_source(source: Path) -> list[Violation]:
    """What only the text shows: references captured into what runs later, and std's randomness."""
    code = without_comments(source.read_text(encoding="utf-8", errors="replace"))
    found = [
        Violation(
            source,
            code.count("\n", 0, position) + 1,
            f"captures by reference ({capture}) into a callback that runs after this handler has ended",
            "Capture by value: [this, peer], and std::make_shared<…>() for state that callbacks share",
        )
        for position, capture in _reference_captures(code)
    ]
    for match in _ENGINE.finditer(code):
        line = code.count("\n", 0, match.start()) + 1
        cure = (
            "Use env.random(bound), which the seed decides: std's engines and distributions differ"
            " between libraries"
        )
        found.append(Violation(source, line, f"uses {match[0]}", cure))
    return found


def _reference_captures(code: str) -> Iterator[tuple[int, str]]:
    """Capture lists with a reference in lambdas that are an argument itself of call, after, every,
    call_each; a lambda inside such a callback's body may capture as it likes."""
    for match in _LATER.finditer(code):
        depth = 1
        position = match.end()
        while position < len(code) and depth > 0:
            char = code[position]
            if char == "[" and depth == 1 and code[:position].rstrip()[-1:] in ("(", ","):
                end = code.find("]", position)
                capture = re.sub(r"\s+", " ", code[position : end + 1])
                if re.search(r"[\[,]\s*&", capture):
                    yield position, capture
                position = max(end, position)
            elif char in "([{":
                depth += 1
            elif char in ")]}":
                depth -= 1
            position += 1


def report(violations: Sequence[Violation]) -> str:
    """What the student reads."""
    lines = [f"  {number}. {violation}" for number, violation in enumerate(violations, 1)]
    return "The solution uses what a module may not use:\n" + "\n".join(lines)
