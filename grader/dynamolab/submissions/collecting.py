"""Which files of a submission are taken, however it came: those that a solution has, from one folder.

Nothing else of a submission is ever built or read. What was left out, and why, is told in notes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from dynamolab.solutions import LARGEST_FILE_BYTES

MOST_ENTRIES = 20_000
MOST_FOLDERS = 64  # That hold files of a solution's names.
LONGEST_PATH = 1_000  # Characters.
DEEPEST = 32  # Folders within folders.
NOTES_SHOWN = 12
NAMES_SHOWN = 6
LONGEST_NAME_SHOWN = 80
PREFERRED = ("solution", "skeleton")  # What a repository of the course calls the folder.
ARCHIVES = (".zip", ".tar", ".gz", ".tgz", ".xz", ".txz", ".zst", ".bundle", ".7z", ".rar", ".bz2")


class BadSubmission(Exception):
    """It cannot be graded as it is; the text is for the student."""


@dataclass
class Collected:
    """Name → content of what is taken, and what a person should know of the rest."""

    files: dict[str, bytes]
    notes: list[str]


@dataclass
class Collector:
    """Is told of each entry of a submission, in any order, and decides at the end."""

    known: Sequence[str]
    _entries: int = 0
    _found: dict[str, dict[str, bytes]] = field(default_factory=dict)  # Folder → name → content.
    _strays: dict[str, list[str]] = field(default_factory=dict)
    _notes: Counter[str] = field(default_factory=Counter)
    _archives: list[str] = field(default_factory=list)

    def file(self, path: str, size: int, read: Callable[[int], bytes]) -> None:
        """A regular file. ``read(n)`` gives its first n bytes; it is called only for names that are
        known. BadSubmission if there are too many entries."""
        place = self._place(path)
        if place is None:
            return
        folder, name = str(place.parent), place.name
        if name.lower().endswith(ARCHIVES):
            self._archives.append(path)
        if name not in self.known:
            self._strays.setdefault(folder, []).append(name)
            return
        if size > LARGEST_FILE_BYTES:
            self._refuse(f"{shown_name(path)}: has {size} bytes; more than {LARGEST_FILE_BYTES}")
            return
        if size == 0:
            self._refuse(f"{shown_name(path)}: is empty")
            return
        if folder not in self._found and len(self._found) >= MOST_FOLDERS:
            raise BadSubmission(f"more than {MOST_FOLDERS} folders in it have a {name} or the like")
        content = read(LARGEST_FILE_BYTES + 1)
        if len(content) > LARGEST_FILE_BYTES:
            self._refuse(f"{shown_name(path)}: is larger than it says; more than {LARGEST_FILE_BYTES} bytes")
            return
        if name in self._found.setdefault(folder, {}):
            self._notes[f"{shown_name(path)}: stands twice in it; the last one is graded"] += 1
        self._found[folder][name] = content

    def other(self, path: str, what: str) -> None:
        """A link, a device, something else that is not taken."""
        if self._place(path) is not None:
            self._refuse(f"{shown_name(path)}: is {what}")

    def _refuse(self, why: str) -> None:
        self._notes[f"{why}: not taken"] += 1

    def _place(self, path: str) -> PurePosixPath | None:
        """Where it lies, or None if it must not lie there."""
        self._entries += 1
        if self._entries > MOST_ENTRIES:
            raise BadSubmission(f"it has more than {MOST_ENTRIES} entries; hand in the solution alone")
        place = PurePosixPath(path[: LONGEST_PATH + 1].replace("\\", "/"))
        if len(path) > LONGEST_PATH or len(place.parts) > DEEPEST:
            self._refuse(f"{shown_name(path)}: its path is too long")
        elif not place.parts:
            self._refuse("an entry without a name")
        elif place.is_absolute() or ".." in place.parts or place.parts[0].endswith(":"):
            self._refuse(f"{shown_name(path)}: leads out of the submission")
        elif "__MACOSX" in place.parts or ".git" in place.parts:
            return None
        else:
            return place
        return None

    def chosen(self) -> Collected:
        """The folder that looks most like a solution. BadSubmission if there is none."""
        if not self._found:
            raise BadSubmission(f"{self._nothing()}{_listed(list(self._told()))}")
        folder = min(self._found, key=self._rank)
        notes = list(self._told())
        others = sorted(path for path in self._found if path != folder)
        if others:
            notes.append(
                f"graded is {shown_name(folder)}/; files of the same names also lie in"
                f" {', '.join(f'{shown_name(path)}/' for path in others[:NAMES_SHOWN])}"
            )
        if strays := [name for name in sorted(self._strays.get(folder, ())) if not _usual(name)]:
            names = ", ".join(f"{shown_name(name)}{self._meant(name)}" for name in strays[:NAMES_SHOWN])
            more = f" and {len(strays) - NAMES_SHOWN} more" if len(strays) > NAMES_SHOWN else ""
            notes.append(f"not part of a solution, and not looked at: {names}{more}")
        return Collected(self._found[folder], notes)

    def _rank(self, folder: str) -> tuple[int, int, int, str]:
        """The fullest first; then the one that is named as it should be, then the uppermost."""
        place = PurePosixPath(folder)
        named = PREFERRED.index(place.name) if place.name in PREFERRED else len(PREFERRED)
        return -len(self._found[folder]), named, len(place.parts), folder

    def _nothing(self) -> str:
        words = f"it has none of {', '.join(self.known)}"
        close = [n for names in self._strays.values() for n in names if self._meant(n)]
        if close:
            return f"{words}; {shown_name(close[0])} is written otherwise"
        if self._archives:
            inner = shown_name(self._archives[0])
            return f"{words}, but an archive in the archive ({inner}): hand in that one"
        return words

    def _meant(self, name: str) -> str:
        return f" (is it {name.lower()}?)" if name.lower() in self.known else ""

    def _told(self) -> list[str]:
        told = [f"{note} ({count} times)" if count > 1 else note for note, count in self._notes.items()]
        more = [f"and {len(told) - NOTES_SHOWN} more things that were not taken"] * (len(told) > NOTES_SHOWN)
        return told[:NOTES_SHOWN] + more


def _listed(notes: list[str]) -> str:
    return f". Also: {'; '.join(notes)}" if notes else ""


def _usual(name: str) -> bool:
    return name.startswith(".") or name.endswith(("~", ".swp")) or name in ("README.md", "LICENSE")


def shown_name(name: str) -> str:
    """A name out of a submission, for people: no control characters, no bytes that are not text."""
    text = "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in name)
    text = text.encode("utf-8", "backslashreplace").decode()
    return text if len(text) <= LONGEST_NAME_SHOWN else f"{text[:LONGEST_NAME_SHOWN]}…"
