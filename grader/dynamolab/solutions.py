"""A solution is a folder with one file a lab. Which file a node gets for which module."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from dynamolab import reference
from dynamolab.errors import LabError
from dynamolab.labs import Lab, find_lab
from dynamolab.paths import REFERENCE, RELEASED, ROOT, SKELETON, SOLUTION, shown
from dynamolab.suggest import did_you_mean

LARGEST_FILE_BYTES = 1_000_000
DEFAULT_SOLUTION = SOLUTION.name
REFERENCE_NAME = "reference"
# Labs whose points are given with the reference in all other modules (shared rule of the labs): what
# is weak in one lab costs nothing in another.
LABS_AMONG_REFERENCE_MODULES = range(3, 7)

# Module → the .cpp to compile, or None for the reference's prebuilt archive.
Modules = Mapping[str, Path | None]


@dataclass(frozen=True)
class Solution:
    """A folder, and the labs, or parts of them, that another folder supplies (``--with``)."""

    folder: Path
    labs: tuple[Lab, ...]
    supplied: Mapping[str, Path] = field(default_factory=dict)  # "3" or "3C" → folder
    given: tuple[Lab, ...] = ()  # Later labs whose file is not there: the reference's is at work.
    implied: frozenset[str] = frozenset()  # Of ``supplied``: what this checkout's course leaves out.

    @property
    def name(self) -> str:
        return shown(self.folder)

    @property
    def supplied_words(self) -> list[str]:
        """What ``--with`` would be given to have the same: ``reference:1,2,3C``."""
        numbers: dict[Path, list[str]] = {}
        for number, folder in sorted(self.supplied.items()):
            if number in self.implied:
                continue
            numbers.setdefault(folder, []).append(number)
        return [f"{shown(folder)}:{','.join(labs)}" for folder, labs in numbers.items()]

    @property
    def options(self) -> list[str]:
        """The words that name this solution to another command (``replay``, ``debug``)."""
        words = [] if self.name == DEFAULT_SOLUTION else ["--solution", self.name]
        for supplied in self.supplied_words:
            words += ["--with", supplied]
        return words

    def file(self, lab: Lab) -> Path:
        return self.supplied.get(str(lab.number), self.folder) / lab.file

    def begun(self, lab: Lab) -> bool:
        """Whether the file holds more than the skeleton: of a lab that nobody has begun, a cluster of
        one's own has the reference's module."""
        untouched = reference.untouched(lab)
        if untouched is None:
            return True
        return self.file(lab).read_text(encoding="utf-8", errors="replace") != untouched

    def not_begun(self) -> list[Lab]:
        """The labs whose files stand there as the skeleton has them."""
        return [lab for lab in self.labs if self.file(lab).exists() and not self.begun(lab)]

    def needs(self, lab: Lab, graded: Lab | None) -> bool:
        """Whether a node that is graded in one lab has this one's module from the solution. Later ones
        are given, so that lab 1 can be graded before lab 2 is begun; so is the warm-up, which gives no
        points. None: a node for a cluster of one's own, which has all that there is."""
        if graded is None:
            return self.file(lab).exists() and self.begun(lab)
        # By number: a course has labs of its own, with other points and checks.
        if lab.number == graded.number:
            return True
        if not 0 < lab.number < graded.number:
            return not RELEASED and not reference.has(lab)
        return not reference.has(lab) or graded.number not in LABS_AMONG_REFERENCE_MODULES

    def modules(self, graded: Lab | None) -> Modules:
        """For a node that is graded in one lab; None: for a cluster of one's own."""
        own: dict[str, Path | None] = dict.fromkeys(reference.modules())
        if reference.is_whole(self.folder):
            return own
        for lab in (lab for lab in self.labs if lab.has_module):
            given = reference.is_whole(self.file(lab).parent) or not self.needs(lab, graded)
            own[lab.module] = None if given else self.file(lab)
            for part, module in lab.part_modules.items():
                folder = self.supplied.get(f"{lab.number}{part}")
                if folder is not None and self.needs(lab, graded):
                    own[module] = None if folder == REFERENCE.resolve() else folder / lab.file
        return own


def open_solution(
    folder: Path,
    labs: Sequence[Lab],
    supplied: Mapping[str, Path] | None = None,
    wanted: Sequence[Lab] | None = None,
) -> Solution:
    """Looks at the folder; a LabError names what is missing or too much in it. ``wanted``: the labs that
    it is opened for (none: all), whose files the solution should have itself. The file of a lab that
    comes after all of these may be missing."""
    if reference.is_whole(folder):
        reference.store(reference.RIGHT_STORE)
        return Solution(folder.resolve(), tuple(labs))
    if not folder.exists():
        raise LabError(f"--solution {folder}: there is no such folder")
    if not folder.is_dir():
        raise LabError(
            f"--solution {folder}: is a file; give the folder that holds {labs[-1].file} and the others"
        )
    solution = Solution(folder.resolve(), tuple(labs), dict(supplied or {}))
    _refuse_strangers(solution)
    graded = labs if wanted is None else wanted
    given = []
    for lab in labs:
        path = solution.file(lab)
        if reference.is_whole(path.parent):
            continue
        if path.exists() or path.is_symlink():
            _refuse_odd_file(path)
        elif not any(solution.needs(lab, other) for other in graded):
            if lab.points and lab.has_module:
                given.append(lab)
        elif lab.points:  # The warm-up is for nobody's points; without it the reference's is used.
            own = wanted is None or any(lab.number == other.number for other in wanted)
            raise LabError(
                f"{shown(path)} is missing: a solution has {_names(labs)}.\n{_cure(path, lab, own)}"
            )
    return replace(solution, given=tuple(given))


def _cure(path: Path, lab: Lab, own: bool) -> str:
    """Where a missing file comes from. A lab that is graded (``own``) should be written; for another
    one the reference may as well stand in."""
    stand_in = f"--with {REFERENCE_NAME}:{lab.number}"
    write = _beginning(path)
    if not reference.has(lab):
        return f"To begin, {write}"
    if own:
        return f"To begin, {write}; or let the reference stand in with {stand_in}"
    return f"Let the reference stand in: add {stand_in}\nOr {write}, to write it yourself"


def _beginning(path: Path) -> str:
    """How a module's file is begun; nobody is told to copy a file onto itself."""
    if path.parent.resolve() == SKELETON.resolve():
        return f"bring it back with: git checkout -- {shown(path)}"
    return f"copy {shown(SKELETON / path.name)} there"


def _names(labs: Sequence[Lab]) -> str:
    return ", ".join(lab.file for lab in labs if lab.points)


def _refuse_strangers(solution: Solution) -> None:
    known = {lab.file for lab in solution.labs} | {path.name for path in SKELETON.iterdir()}
    try:
        entries = sorted(solution.folder.iterdir())
    except OSError as error:
        raise LabError(f"--solution {solution.folder}: cannot be read: {error.strerror}") from error
    for entry in entries:
        if entry.name in known or entry.name.startswith(".") or entry.name.endswith("~"):
            continue
        raise LabError(
            f"{shown(entry)} does not belong to a solution, which has {_names(solution.labs)} and"
            " nothing else.\n"
            "Move it out of the folder. What your code needs goes into these files"
            f" ({did_you_mean(entry.name, sorted(known))})"
        )


def _leads_out(path: Path) -> bool:
    """What lies elsewhere is not what was handed in: the reference, say, or somebody's secret."""
    return path.is_symlink() and path.resolve().parent != path.parent.resolve()


def _refuse_odd_file(path: Path) -> None:
    if _leads_out(path):
        raise LabError(
            f"{shown(path.parent)}/{path.name} is a link that leads out of its folder; put the file itself"
            " there"
        )
    if not path.is_file():
        raise LabError(f"{shown(path)}: is no file that could be read; put the source there")
    try:
        size = path.stat().st_size
        with path.open("rb"):
            pass
    except OSError as error:
        raise LabError(f"{shown(path)}: cannot be read: {error.strerror}") from error
    if size > LARGEST_FILE_BYTES:
        raise LabError(
            f"{shown(path)}: has {size} bytes; more than {LARGEST_FILE_BYTES} are not compiled"
        )
    if size == 0:
        raise LabError(f"{shown(path)}: is empty; to begin, {_beginning(path)}")


def solution_folder(word: str) -> Path:
    """As typed: a path, or the name of a folder of the checkout (``reference``)."""
    if not word:
        raise LabError(
            f"--solution and --with name a folder, for example {DEFAULT_SOLUTION}; the name is empty"
        )
    path = Path(word)
    if word == REFERENCE_NAME:
        return REFERENCE
    if not path.is_absolute() and not path.exists() and (ROOT / word).exists():
        return ROOT / word
    return path


def parse_with(values: Sequence[str], labs: Sequence[Lab]) -> dict[str, Path]:
    """``--with reference:1,2,3C``: labs, or parts with a module of their own, from another solution."""
    supplied: dict[str, Path] = {}
    for value in values:
        source, colon, numbers = value.rpartition(":")
        if not colon or not source or not numbers:
            raise LabError(f"--with {value}: write FOLDER:LABS, for example --with reference:1,2")
        folder = solution_folder(source)
        if not folder.is_dir() and not reference.is_whole(folder):
            raise LabError(f"--with {value}: there is no folder '{source}'")
        for number in numbers.split(","):
            part = number[-1:] if number[:-1].isdigit() and number[-1:].isupper() else ""
            lab = find_lab(labs, number.removesuffix(part))
            if part and part not in lab.part_modules:
                raise LabError(f"--with {value}: {_parts_of(lab)}; write {lab.number}")
            if reference.is_whole(folder):
                if not reference.has(lab):
                    raise LabError(f"--with {value}: {reference.why_not(lab)}")
            elif not (folder / lab.file).is_file():
                raise LabError(f"--with {value}: {folder / lab.file} is missing")
            supplied[f"{lab.number}{part}"] = folder.resolve()
    return supplied


def _parts_of(lab: Lab) -> str:
    if not lab.part_modules:
        return f"lab {lab.number} cannot be taken by parts"
    parts = ", ".join(f"{lab.number}{part}" for part in lab.part_modules)
    return f"of lab {lab.number} only {parts} can be taken alone"
