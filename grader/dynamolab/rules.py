"""What a solution may not use, seen in its source and in its object files.

Time, randomness, messages and the disk come from Env: only so does a run replay, and only so does
the same code run in the simulator and for real. State lives in the module's object: a global would
survive a simulated crash. (DESIGN.md, "Env".)"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from dynamolab import given_symbols, processes
from dynamolab.bans import BANS, WORDS
from dynamolab.errors import GraderTrouble
from dynamolab.paths import shown
from dynamolab.sandbox import Sandbox

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


# Part of every translation unit, or of the compiler's own making.
_COMPILERS_OWN = re.compile(
    r"(vtable|typeinfo|typeinfo name|VTT|construction vtable|guard variable) for .*"
    r"|DW\.ref\..*|std::__ioinit|\.L.*|_GLOBAL_.*|__odr_asan.*|__asan_.*|__ubsan_.*|__gcov.*"
)


def check_objects(
    objects: Sequence[tuple[Path, Path]],
    sandbox: Sandbox | None = None,
    framework: Path | None = None,
) -> list[Violation]:
    """Pairs of source and object file. ``sandbox``: where the objects are read, which may be hostile.
    ``framework``: the folder of the built one that they are linked with."""
    found: list[Violation] = []
    for source, obj in objects:
        text = source.read_text(encoding="utf-8", errors="replace")
        found += _banned_symbols(source, text, obj, sandbox)
        defined = list(_nm("--defined-only", obj, sandbox))
        found += _mutable_globals(source, text, defined)
        if framework is not None:
            found += _replacements(source, text, defined, framework)
    return found


def _nm(which: str, obj: Path, sandbox: Sandbox | None) -> Iterator[list[str]]:
    command = [shutil.which("nm") or "nm", "-C", "-f", "sysv", which, str(obj)]
    if sandbox is None:
        done = processes.run(command, deadline_s=NM_DEADLINE_S)
    else:
        with sandbox.slot() as slot:
            done = processes.run([*sandbox.tool(slot, obj), *command], deadline_s=NM_DEADLINE_S)
    if done.code != 0:
        raise GraderTrouble(f"nm failed on {obj}:\n{done.out[-500:]}")
    for line in done.out.splitlines():
        columns = [column.strip() for column in line.rsplit("|", 6)]
        if len(columns) == 7 and columns[0] != "Name":
            yield columns


def _banned_symbols(
    source: Path, text: str, obj: Path, sandbox: Sandbox | None
) -> Iterator[Violation]:
    seen: set[str] = set()
    for name, _, _, *_ in _nm("-u", obj, sandbox):
        for ban in BANS:
            if ban.symbol.fullmatch(name) and ban.what not in seen:
                seen.add(ban.what)
                word = re.split(r"[<(@]", name)[0].split("::")
                plain = (
                    word[-1]
                    if len(word) == 1
                    else "::".join(w for w in word if w != "_V2" and w != "__cxx11")
                )
                line = _line_of(text, word) or _line_like(text, ban.words)
                yield Violation(source, line, f"uses {ban.what} ({plain})", ban.cure)


def _line_of(text: str, words: Sequence[str]) -> int:
    """The first line that names it, as far as the text shows it; 0 if none."""
    code = without_comments(text).splitlines()
    for word in reversed([w.lstrip("_") for w in words]):
        if word in ("std", "now", "chrono", "V2", "filesystem") or not word:
            continue
        for number, line in enumerate(code, 1):
            if not line.lstrip().startswith("#") and re.search(rf"\b{re.escape(word)}\b", line):
                return number
    return 0


def _line_like(text: str, patterns: Sequence[str]) -> int:
    """The first line with the first of these that the text has; 0 if none."""
    code = re.sub(r"(?m)^[ \t]*#.*$", "", without_comments(text))
    for pattern in patterns:
        if match := re.search(rf"(?:(?<!\w)|(?=\W))(?:{pattern})\b", code):
            return code.count("\n", 0, match.start()) + 1
    return 0


def _replacements(
    source: Path, text: str, defined: Sequence[Sequence[str]], framework: Path
) -> Iterator[Violation]:
    for name in given_symbols.replaced(defined, framework):
        plain = name.partition("(")[0].rpartition("::")[2]
        yield Violation(
            source,
            _line_of(text, [plain]),
            f"defines '{plain}', which would take the place of a function that the system or the framework"
            " has",
            "Put your own functions into an unnamed namespace, and no extern \"C\" before them",
        )


def _mutable_globals(
    source: Path, text: str, defined: Sequence[Sequence[str]]
) -> Iterator[Violation]:
    code = without_comments(text)
    for name, _, kind, _, _, _, section in defined:
        writable = section.startswith((".data", ".bss", ".tdata", ".tbss"))
        if not writable or section.startswith(".data.rel.ro") or _COMPILERS_OWN.fullmatch(name):
            continue
        if kind not in "bBdDuVvsS" or _is_constant(code, name):
            continue
        plain = _last_name(name)
        if plain.startswith(
            "__"
        ):  # Of the standard library's headers: <regex> keeps its tables so.
            continue
        yield Violation(
            source,
            _line_of(text, [plain]),
            f"keeps '{plain}' in a global or static variable, which would survive a simulated crash"
            " and be shared by all nodes",
            "Make it a member of your class, or const",
        )


def _last_name(name: str) -> str:
    """`dynamo::(anonymous namespace)::f(int)::count` → `count`."""
    plain = re.sub(r"\[abi:\w+\]|@.*", "", name)
    return re.sub(r"^reference temporary #\d+ for ", "", plain).rsplit("::", 1)[-1].strip()


def _is_constant(code: str, name: str) -> bool:
    """A const that is made at start-up lies in a writable section, too: the source tells. Another
    variable of the same name, in another kind of scope, tells nothing."""
    local = "(" in _without_arguments(name.replace("(anonymous namespace)", ""))
    declared = re.compile(
        r"(?:^|(?<=[;{}()]))(?P<type>[^;{}()=]*[^;{}()=\w])"
        rf"{re.escape(_last_name(name))}\s*(?:\[[^\]]*\]\s*)?(?P<rest>[;={{(][^;]*)"
    )
    return any(
        _leaves_no_state(code, match["type"], match["rest"])
        for match in declared.finditer(code)
        if _in_function(code, match.start("type")) == local
        and (not local or re.search(r"\b(?:static|thread_local)\b", match["type"]))
    )


def _leaves_no_state(code: str, words: str, rest: str) -> bool:
    """A declaration of something that nobody can change: const all through, also behind a pointer."""
    if re.search(
        r"\b(?:unique_ptr|shared_ptr|make_unique|make_shared)\s*<(?!\s*const\b)",
        words + rest,
    ):
        return False
    if any(re.search(rf"\b{re.escape(kind)}\b", words) for kind in _with_mutable_members(code)):
        return False
    flat = _without_arguments(words)
    if re.search(r"\bconstexpr\b", flat):
        return True
    *pointed, last = re.split(r"[*&]", flat)
    if "&" in flat and not last.strip():  # A reference is never set again.
        *pointed, last = [*pointed[:-1], pointed[-1]] if pointed else [last]
    return all(re.search(r"\bconst\b", part) for part in [*pointed, last])


def _without_arguments(words: str) -> str:
    """Without what templates are given, which nest."""
    while (less := re.sub(r"<[^<>]*>", "", words)) != words:
        words = less
    return words


def _with_mutable_members(code: str) -> list[str]:
    """Classes of which a const object can change."""
    found = []
    for match in re.finditer(r"\b(?:class|struct)\s+(\w+)[^;{}()]*\{", code):
        body = code[match.end() : _closing(code, match.end())]
        if re.search(r"(?:^|[;{}:])\s*mutable\b", body):
            found.append(match[1])
    return found


def _closing(code: str, position: int) -> int:
    """Where the block that was opened just before ends."""
    depth = 1
    while position < len(code) and depth > 0:
        depth += {"{": 1, "}": -1}.get(code[position], 0)
        position += 1
    return position


_SCOPE = re.compile(
    r"(?:\bnamespace\b[^;{}()]*|\bextern\s*|\b(?:class|struct|union|enum)\b[^;{}()]*)$"
)


def _in_function(code: str, position: int) -> bool:
    """Whether a block around it is other than a namespace's or a class's."""
    depth = 0
    while (position := max(code.rfind("{", 0, position), code.rfind("}", 0, position))) >= 0:
        if code[position] == "}":
            depth += 1
        elif depth > 0:
            depth -= 1
        elif not _SCOPE.search(code[:position].rstrip()):
            return True
    return False


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
    for word in WORDS:
        for match in word.pattern.finditer(code):
            line = code.count("\n", 0, match.start()) + 1
            found.append(Violation(source, line, word.what.format(match[0]), word.cure))
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
