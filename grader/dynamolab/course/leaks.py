"""Looks for the solutions in what goes to students: as text, and in the names that binaries carry.

Text is compared in runs of lines without their indentation, so that a copy at another depth is found;
binaries by the identifiers that only solutions have. What students are meant to see of a solution (the
skeleton, the given code) is no secret."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from dynamolab.paths import HIDDEN, LABS, MUTANTS, REFERENCE, RIGHT, ROOT, SKELETON, shown

RUN = 3  # So many lines of a solution in a row are no coincidence; a handout may show a call or two.
SHORT = 12  # Shorter lines (braces, returns) do not count.
EVERYWHERE = re.compile(r"#include <.*|(: )?(\w+)_\(\2\),?( \{\})?")
WORD = re.compile(r"[A-Za-z_]\w{6,}")  # Shorter identifiers are anybody's.
QUOTED = re.compile(r"//[^\n]*|\"(?:[^\"\\\n]|\\.)*\"")
NOT_OWN = re.compile(r"::\w+")  # std::accumulate, and what else is somebody's already.
PRINTABLE = re.compile(rb"[\x20-\x7e]{4,}")
PRIVATE_FOLDERS = ("reference", ".git", *(f"grader/{n}" for n in ("mutants", "right", "tests", "variants")))

Run = tuple[str, ...]


@dataclass(frozen=True)
class Secrets:
    """What must not be found. ``runs``: lines in a row → where they are from; ``words``: identifiers of
    solutions alone; ``phrases``: names, titles and seeds → what they are of."""

    runs: Mapping[Run, str]
    words: frozenset[str]
    phrases: Mapping[str, str]

    @functools.cached_property
    def by_word(self) -> dict[str, list[str]]:
        """The phrases by their longest word, which few texts have: looking for all of them in each would
        take long."""
        index: dict[str, list[str]] = {}
        for phrase in self.phrases:
            index.setdefault(max(re.findall(r"\w+", phrase), key=len), []).append(phrase)
        return index


def squeezed(lines: Iterable[str]) -> list[str]:
    """Lines without their indentation. Headers that are included in alphabetical order are the same
    everywhere; so are members that keep what they are given."""
    texts = [" ".join(line.split()) for line in lines]
    return [text for text in texts if len(text) >= SHORT and not EVERYWHERE.fullmatch(text)]


def runs(lines: list[str]) -> Iterator[Run]:
    return (tuple(lines[i : i + RUN]) for i in range(len(lines) - RUN + 1))


def between(text: str, marker: str) -> list[str]:
    """The lines between // BEGIN and // END of a marker."""
    inside, kept = False, []
    for line in text.splitlines():
        if f"BEGIN {marker}" in line:
            inside = True
        elif f"END {marker}" in line:
            inside = False
        elif inside:
            kept.append(line)
    return kept


def solution_runs(text: str) -> set[Run]:
    """Of a file of the reference, less what its skeleton is meant to show (the head of a class, say)."""
    seen = squeezed(line.removeprefix("// ") for line in between(text, "SKELETON"))
    return set(runs(squeezed(between(text, "SOLUTION")))) - set(runs(seen))


def of_checkout(disclosed: frozenset[int] = frozenset(), seeds: Iterable[int] = ()) -> Secrets:
    """The secrets of this checkout and what is laid over it, for a course that has disclosed the hidden
    checks of some labs; ``seeds``: those that it has not."""
    found, words = _of_solutions()
    phrases = _phrases(disclosed) | {str(seed): "one of the class's secret seeds" for seed in seeds}
    return Secrets(found, words, phrases)


@functools.cache
def _of_solutions() -> tuple[dict[Run, str], frozenset[str]]:
    found: dict[Run, str] = {}
    code: list[str] = []
    for path in sorted(REFERENCE.glob("*.cpp")):
        text = _text(path)
        found |= dict.fromkeys(solution_runs(text), shown(path))
        code.append("\n".join(between(text, "SOLUTION")))
    public = _public_text()
    given = {run for text in public for run in runs(squeezed(text.splitlines()))}
    for path in sorted(RIGHT.glob("*/*.cpp")):
        found |= dict.fromkeys(set(runs(squeezed(_text(path).splitlines()))) - given, shown(path))
        code.append(_text(path))
    for path in sorted(MUTANTS.glob("*/*/change.patch")):
        added = [line[1:] for line in _text(path).splitlines() if re.match(r"\+(?!\+\+ )", line)]
        code.append("\n".join(added))
    for path in sorted(REFERENCE.glob("*.json")):
        found |= dict.fromkeys(set(runs(squeezed(_text(path).splitlines()))) - given, shown(path))
    known = set(WORD.findall("\n".join(public)))
    quoted = {word for text in code for part in QUOTED.findall(text) for word in WORD.findall(part)}
    words = {word for text in code for word in WORD.findall(NOT_OWN.sub(" ", QUOTED.sub(" ", text)))}
    return found, frozenset(words - known - quoted)


def _phrases(disclosed: frozenset[int]) -> dict[str, str]:
    """Ids and titles of hidden checks, and titles of known-wrong solutions that no lab names."""
    phrases = {}
    for path in sorted(HIDDEN.glob("*.json")):
        document = json.loads(_text(path))
        if document["lab"] not in disclosed:
            for check in document["checks"]:
                phrases |= dict.fromkeys((check["id"], check["title"]), shown(path))
    named = {name for path in LABS.glob("*/lab.json") for name in re.findall(r'"wrong": "(.*)"', _text(path))}
    for path in sorted(MUTANTS.glob("*/*/mutant.json")):
        if f"{path.parent.parent.name}/{path.parent.name}" not in named:
            name = f"{path.parent.parent.name}/{path.parent.name}"
            phrases |= dict.fromkeys((json.loads(_text(path))["title"], name), shown(path))
    return phrases


def _public_text() -> list[str]:
    folders = [ROOT / "framework", LABS, SKELETON, ROOT / "grader" / "sim", ROOT / "grader" / "faultnet"]
    paths = [path for folder in folders for path in sorted(folder.rglob("*"))]
    return [_text(p) for p in paths if p.suffix in {".cpp", ".h", ".md", ".json", ".py"}]


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace")


def found_in(folder: Path, secrets: Secrets) -> list[str]:
    """Everything in a folder that gives a secret away: file and what it is; empty if nothing."""
    leaks = [f"{name}/ is there" for name in PRIVATE_FOLDERS if (folder / name).exists()]
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        name = str(path.relative_to(folder))
        data = path.read_bytes()
        if b"\0" in data:
            leaks += [f"{name}: {told}" for told in in_binary(data, secrets)]
        else:
            text = data.decode("utf-8", errors="replace")
            leaks += [f"{name}: {told}" for told in in_text(text, secrets)]
    return leaks


def in_text(text: str, secrets: Secrets) -> list[str]:
    hits = {}
    for run in runs(squeezed(text.splitlines())):
        if run in secrets.runs:
            hits[f"lines of {secrets.runs[run]}: {run[0]}"] = None
    return [*hits, *_phrases_in(text, secrets)]


def in_binary(data: bytes, secrets: Secrets) -> list[str]:
    """In all that ``strings`` would print: symbols, names of sections and types, lines for a debugger. A
    mangled name has the length of each identifier before it."""
    printable = b"\n".join(PRINTABLE.findall(data)).decode("ascii")
    whole = set(re.findall(r"\w+", printable))
    found = [w for w in sorted(secrets.words) if w in whole or f"{len(w)}{w}" in printable]
    return [*(f"the identifier {word}" for word in found), *in_text(printable, secrets)]


def _phrases_in(text: str, secrets: Secrets) -> list[str]:
    there = set(re.findall(r"\w+", text)) & secrets.by_word.keys()
    phrases = [phrase for word in sorted(there) for phrase in secrets.by_word[word] if phrase in text]
    return [f"'{phrase}' of {secrets.phrases[phrase]}" for phrase in phrases]
