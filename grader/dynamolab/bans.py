"""What a solution may not use: the symbols and words, what each one is, and what to use instead.

A symbol is what an object file asks the linker for. A word is what only the source shows: code of the
standard library's headers that becomes part of the object, instructions without a function, names of the
preprocessor."""

from __future__ import annotations

import re
from dataclasses import dataclass

_TIMER = "Handlers run one at a time; what shall happen later goes into env.after(delay, callback)"
_AT_ONCE = "A handler runs to its end at once; use env.after(delay, callback)"
_NOW = "Use env.now(): virtual in the simulator, so that a run replays"
_RANDOM = "Use env.random(bound): the seed decides it"
_CALL = "Use env.call(peer, request, timeout, done)"
_STORAGE = "Use env.storage(): it is what survives a crash"
_REACTS = (
    "A module reacts and returns; report trouble with an Error, broken invariants with an exception"
)
_CONFIG = "What a node may know is in its config, env.self() and env.incarnation()"
_ENGINES = (
    "Use env.random(bound), which the seed decides: std's engines and distributions differ"
    " between libraries"
)


@dataclass(frozen=True)
class Ban:
    """Symbols of one kind. ``words``: patterns of what the source calls them, where the symbol's own name
    does not stand there."""

    symbol: re.Pattern[str]  # Matches the whole demangled name.
    what: str
    cure: str
    words: tuple[str, ...] = ()


@dataclass(frozen=True)
class Word:
    """What only the text shows."""

    pattern: re.Pattern[str]
    what: str  # "{}": as it stands in the source.
    cure: str


def _functions(names: str) -> re.Pattern[str]:
    """C functions, by blank, each with the variants that libc has of it."""
    return re.compile(rf"(?:__)?(?:{'|'.join(names.split())})(?:64|_chk|_2|_r)?(?:@.*)?")


# What the source may call it, where the symbol is another one. In the order in which they tell most.
_THREADS = ("jthread", "async", "packaged_task", "promise", "future", "thread", "this_thread")
_WAITS = (
    "this_thread",
    "sleep_for|sleep_until",
    *("counting_semaphore|binary_semaphore", "latch", "barrier", r"(?:\.|->)wait", "jthread"),
)
_CLOCKS = (
    "high_resolution_clock|file_clock|utc_clock|tai_clock|gps_clock",
    "system_clock|steady_clock",
    r"\w+::now",
)
_FILES = (r"[io]?fstream", "filebuf", r"\w+::(?:file_size|exists|remove|path)", "filesystem")

BANS = (
    Ban(
        re.compile(
            r"std::(thread|jthread|__future_base|__condvar|condition_variable\w*|this_thread)\b.*"
            r"|pthread_(?:create|self|join|cond_\w+)(?:@.*)?"
        ),
        "a thread",
        _TIMER,
        _THREADS,
    ),
    Ban(
        _functions(
            "sleep usleep nanosleep clock_nanosleep sched_yield alarm setitimer pause sem_\\w*wait"
            " timer_create timerfd_\\w+"
        ),
        "sleeping",
        _AT_ONCE,
        _WAITS,
    ),
    Ban(
        re.compile(r"std::(?:chrono|filesystem)::_?[A-Za-z0-9_:]*clock::now\(\)"),
        "a clock of its own",
        _NOW,
        _CLOCKS,
    ),
    Ban(
        _functions(
            "clock_gettime clock_getres gettimeofday time clock ftime timespec_get localtime gmtime"
            " mktime times getrusage"
        ),
        "a clock of its own",
        _NOW,
    ),
    Ban(re.compile(r"std::random_device::.*"), "randomness of its own", _RANDOM),
    Ban(
        _functions(
            "s?rand s?random initstate setstate [delnjm]rand48 s(?:rand|eed)48 lcong48 getrandom"
            " getentropy arc4random\\w*"
        ),
        "randomness of its own",
        _RANDOM,
    ),
    Ban(
        _functions(
            "socket socketpair connect bind listen accept4? send sendto sendm?msg recv recvfrom recvm?msg"
            " shutdown [gs]etsockopt getaddrinfo gethostbyname gethostbyname2 p?poll p?select epoll_\\w+"
            " pipe2? eventfd signalfd"
        ),
        "a socket of its own",
        _CALL,
    ),
    Ban(
        re.compile(r"std::(__cxx11::)?(basic_[io]?fstream|basic_filebuf|filesystem)\b.*"),
        "a file of its own",
        _STORAGE,
        _FILES,
    ),
    Ban(
        _functions(
            "f?open openat creat fdopen freopen tmpfile tmpnam tempnam mk(?:d|o)?s?temp mmap shm_open"
            " unlink(?:at)? remove rename(?:at)? link symlink readlink opendir readdir scandir mkdir rmdir"
            " chdir getcwd f?truncate fallocate posix_fallocate fsync fdatasync sync flock lockf fcntl"
            " [lf]?stat fstatat statvfs access faccessat inotify_\\w+ read write p(?:read|write)v?"
            " readv writev lseek close dup dup2"
        ),
        "a file of its own",
        _STORAGE,
    ),
    Ban(
        _functions(
            "v?fork exec[vlpe]+ system popen posix_spawnp? wait waitpid kill raise _?exit _Exit quick_exit"
            " at_?exit at_quick_exit signal sigaction sigprocmask ptrace syscall dlopen dlsym prctl"
            " [sg]etrlimit nice sched_set\\w+"
        ),
        "the operating system",
        _REACTS,
        _WAITS,
    ),
    Ban(
        _functions(
            "getenv secure_getenv setenv putenv environ getpid getppid gettid gete?uid gete?gid getlogin"
            " getpwuid getpwnam gethostname uname sysconf get_nprocs sched_get\\w+"
            " program_invocation_\\w+"
        ),
        "the process's surroundings",
        _CONFIG,
    ),
    Ban(
        re.compile(r"std::w?cin|stdin|(?:__isoc\d+_)?w?scanf|getchar|getwchar"),
        "the standard input",
        "What a client asks comes through your handlers",
        ("scanf", "cin"),
    ),
)

# Where std:: must stand before it, a function of one's own may have the name, too.
_ENGINE = (
    r"mt19937(?:_64)?|minstd_rand0?|ranlux\d+(?:_base)?|knuth_b|default_random_engine|random_device"
    r"|(?:mersenne_twister|linear_congruential|subtract_with_carry|discard_block|independent_bits"
    r"|shuffle_order)_engine"
    r"|(?:uniform_int|uniform_real|bernoulli|(?:negative_)?binomial|geometric|poisson|exponential|gamma"
    r"|weibull|extreme_value|(?:log)?normal|chi_squared|cauchy|fisher_f|student_t|discrete"
    r"|piecewise_constant|piecewise_linear)_distribution|generate_canonical|seed_seq"
)
WORDS = (
    Word(
        re.compile(
            rf"\bstd::(?:{_ENGINE}|(?:ranges::)?(?:shuffle|sample)|random_shuffle)\b"
            rf"|(?<![\w:.>])(?:{_ENGINE})\b"
        ),
        "uses {}",
        _ENGINES,
    ),
    Word(
        re.compile(r"\b(?:__rdtscp?|__builtin_ia32_rdtscp?|_rdtsc)\b"),
        "uses a clock of its own ({})",
        _NOW,
    ),
    Word(
        re.compile(r"\b(?:_rd(?:rand|seed)\d+_step|__builtin_ia32_rd(?:rand|seed)\d+_step)\b"),
        "uses randomness of its own ({})",
        _RANDOM,
    ),
    Word(
        re.compile(r"\b(?:__DATE__|__TIME__|__TIMESTAMP__)\b"),
        "uses the time at which it was compiled ({})",
        "A run must replay after a rebuild, too: use env.now()",
    ),
    Word(
        re.compile(r"(?<!\w)(?:asm|__asm__|__asm)\b(?=\s*(?:volatile|__volatile__|goto|\())"),
        "uses machine code ({})",
        "Write it in C++: what a module may use comes from env",
    ),
)
