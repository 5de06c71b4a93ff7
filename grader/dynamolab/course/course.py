"""course.json: the labs, points, dates and hidden checks of one course.

``Course.labs`` are the labs as this course has them, and all that grading needs: their checks carry the
course's points, whether they are void, and what a student is shown of them. Without a course.json there
is the course of the labs as they stand (``whole``)."""

from __future__ import annotations

import datetime
import enum
import json
import secrets
import zoneinfo
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from dynamolab.course import hidden, variants
from dynamolab.errors import LabError
from dynamolab.labs import Check, Lab, load_all, read_json
from dynamolab.paths import COURSE, shown
from dynamolab.results import Show
from dynamolab.suggest import did_you_mean

SCHEMA = "course/course.schema.json"
SEEDS_SCHEMA = "course/seeds.schema.json"
DEFAULT_SEEDS = 2
LARGEST_SEED = 2**48  # From each one on, so many more are used as a check asks for.


class Ships(enum.Enum):
    """When students get the reference's module of a lab, prebuilt."""

    ALWAYS = "always"
    AFTER_DUE = "after_due"
    NEVER = "never"
    FROM = "from"  # A date.


@dataclass(frozen=True)
class CourseLab:
    """One lab of the course: what course.json says of it beside its checks."""

    number: int
    parts: tuple[str, ...]
    weight: float
    opens: datetime.datetime | None = None
    due: datetime.datetime | None = None
    ships: Ships = Ships.ALWAYS
    ships_from: datetime.datetime | None = None  # Only of FROM.


@dataclass(frozen=True)
class Course:
    """All that was chosen. Dates know their offset; ``timezone`` is their zone's name, for people."""

    name: str
    labs: tuple[Lab, ...]  # As this course has them: chosen parts and checks, its points, void ones.
    plans: Mapping[int, CourseLab]
    known: tuple[Lab, ...]  # All labs there are, as they stand.
    term: str = ""
    timezone: str = "UTC"
    seeds_file: Path | None = None
    seeds_count: int = DEFAULT_SEEDS
    disclosed: frozenset[int] = frozenset()
    texts: Mapping[str, str] = field(default_factory=dict)  # late, integrity, licence.
    variants: Mapping[str, str] = field(default_factory=dict)  # Rules that it turns (variants.py).
    path: Path | None = None  # Its course.json.

    def lab(self, number: int) -> Lab | None:
        return next((lab for lab in self.labs if lab.number == number), None)

    @property
    def everything(self) -> list[Lab]:
        """All labs there are, this course's as it has them: what a solution is made of."""
        own = {lab.number: lab for lab in self.labs}
        return [own.get(lab.number, lab) for lab in self.known]

    @property
    def graded(self) -> list[Lab]:
        """The labs that give points."""
        return [lab for lab in self.labs if lab.points]

    @property
    def parts_left_out(self) -> list[str]:
        """Parts with a module of their own that the course leaves out: the reference's is at work there,
        as with ``--with reference:3C``."""
        known = {lab.number: lab for lab in self.labs}
        return [
            f"{number}{part}"
            for number, plan in sorted(self.plans.items())
            for part in known[number].part_modules
            if part not in plan.parts
        ]

    def seeds(self, number: int) -> list[int]:
        """The class's secret seeds of a lab; each lab has its own, so that one can be disclosed. LabError
        if course.json names none, or their file is not there."""
        if self.seeds_file is None:
            raise LabError(
                f"{self._named}: seeds: hidden checks need the class's secret seeds; add"
                ' "seeds": {"file": "class-seeds.json"}'
            )
        if not self.seeds_file.exists():
            raise LabError(
                f"{shown(self.seeds_file)}: the class's secret seeds are not there. ./lab release draws"
                " them the first time; of an old course, bring the file back: others would change grades"
            )
        drawn = read_json(self.seeds_file, SEEDS_SCHEMA)["labs"].get(str(number))
        if drawn is None:
            raise LabError(
                f"{shown(self.seeds_file)}: has no seeds of lab {number}: ./lab release draws them"
            )
        return list(drawn)

    def secret_seeds(self, labs: Iterable[Lab]) -> dict[int, list[int]]:
        """Those of the labs with hidden checks, as grading wants them. LabError if they are not there."""
        hiding = [lab for lab in labs if any(check.hidden for check in lab.checks)]
        return {lab.number: self.seeds(lab.number) for lab in hiding}

    def draw_seeds(self) -> list[int]:
        """Completes the file of secret seeds, readable by its owner alone; the labs that got theirs now.
        What stands there stays. OSError if it cannot be written."""
        if self.seeds_file is None:
            return []
        there = read_json(self.seeds_file, SEEDS_SCHEMA)["labs"] if self.seeds_file.exists() else {}
        new = [lab.number for lab in self.labs if str(lab.number) not in there]
        for number in new:
            there[str(number)] = [secrets.randbelow(LARGEST_SEED) for _ in range(self.seeds_count)]
        if new:
            part = self.seeds_file.with_name(self.seeds_file.name + ".part")
            part.unlink(missing_ok=True)
            part.touch(mode=0o600)
            part.write_text(json.dumps({"labs": there}, indent=2) + "\n", encoding="utf-8")
            part.replace(self.seeds_file)
        return new

    def ships_reference(self, number: int, at: datetime.datetime) -> bool:
        """Whether students have the reference's module of this lab at that moment. That of a lab which
        the course leaves out they always have: there is nothing to find out."""
        plan = self.plans.get(number)
        if plan is None or plan.ships is Ships.ALWAYS:
            return True
        if plan.ships is Ships.AFTER_DUE:
            return plan.due is not None and at > plan.due
        return plan.ships is Ships.FROM and plan.ships_from is not None and at >= plan.ships_from

    def total(self, points: Mapping[int, float]) -> float:
        """The grade in percent, from the points of each lab, by the labs' weights. A lab that is missing
        counts as none."""
        weights = {lab.number: self.plans[lab.number].weight for lab in self.graded}
        of = {lab.number: lab.points for lab in self.graded}
        all_of_it = sum(weights.values())
        if not all_of_it:
            return 0.0
        got = sum(w * points.get(number, 0.0) / of[number] for number, w in weights.items())
        return 100.0 * got / all_of_it

    @property
    def _named(self) -> str:
        return shown(self.path) if self.path else "course.json"


def whole(known: Sequence[Lab] | None = None) -> Course:
    """Without a course.json: every lab as it stands, with no hidden check."""
    labs = tuple(load_all() if known is None else known)
    plans = {lab.number: CourseLab(lab.number, tuple(lab.parts), float(lab.points)) for lab in labs}
    return Course("Dynamo Labs", labs, plans, labs)


def of_checkout(path: Path | None = None) -> Course:
    """The course of ``path``; without one, that of the course.json of this checkout (a students'
    repository has one); without that, the whole."""
    if path is None and not COURSE.exists():
        return whole()
    return load(path or COURSE)


def load(path: Path, known: Sequence[Lab] | None = None) -> Course:
    """A course.json. LabError names the place in it, what is wrong there, and what is allowed."""
    document = read_json(path, SCHEMA)
    return _Reader(path, load_all() if known is None else list(known)).course(document)


class _Reader:
    """Makes a course of a document that fits the schema."""

    def __init__(self, path: Path, known: Sequence[Lab]) -> None:
        self._path = path
        self._known = {lab.number: lab for lab in known}
        self._zone: datetime.tzinfo | None = None

    def course(self, document: dict[str, Any]) -> Course:
        self._zone = self._time_zone(document.get("timezone"))
        entries = self._entries(document["labs"])
        disclosed = frozenset(document.get("disclosed", ()))
        if stranger := sorted(disclosed - set(entries)):
            raise self._wrong("disclosed", f"lab {stranger[0]} is not among this course's labs")
        labs, plans = [], {}
        for number, entry in sorted(entries.items()):
            lab = self._chosen(entry, document.get("hidden", {}), number in disclosed)
            labs.append(self._voided(lab, document.get("void", ())))
            plans[number] = self._plan(entry, labs[-1])
        self._refuse_unknown("void", document.get("void", ()), labs)
        hidden_ids = document.get("hidden", {}).get("checks", ())
        self._refuse_unknown("hidden.checks", [] if hidden_ids == "all" else hidden_ids, labs)
        seeds = document.get("seeds")
        if seeds is None and any(check.hidden for lab in labs for check in lab.checks):
            raise self._wrong(
                "seeds", 'hidden checks need a file of secret seeds: {"file": "class-seeds.json"}'
            )
        return Course(
            name=document["name"],
            labs=tuple(labs),
            plans=plans,
            known=tuple(self._known.values()),
            term=document.get("term", ""),
            timezone=document.get("timezone", "UTC"),
            seeds_file=self._path.parent / seeds["file"] if seeds else None,
            seeds_count=(seeds or {}).get("count", DEFAULT_SEEDS),
            disclosed=disclosed,
            texts={key: document.get(key, "") for key in ("late", "integrity", "licence")},
            variants=variants.checked(document.get("variants", {}), f"{shown(self._path)}: variants"),
            path=self._path,
        )

    def _wrong(self, place: str, what: str) -> LabError:
        return LabError(f"{shown(self._path)}: {place}: {what}")

    def _time_zone(self, name: str | None) -> datetime.tzinfo | None:
        if name is None:
            return None
        try:
            return zoneinfo.ZoneInfo(name)
        except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
            known = sorted(zoneinfo.available_timezones())
            hint = did_you_mean(name, known) if known else "none is installed here (package tzdata)"
            raise self._wrong("timezone", f"there is no time zone '{name}'; {hint}") from None

    def _entries(self, listed: Sequence[dict[str, Any]]) -> dict[int, dict[str, Any]]:
        entries: dict[int, dict[str, Any]] = {}
        for index, entry in enumerate(listed):
            number = entry["lab"]
            if number not in self._known:
                there = ", ".join(map(str, self._known))
                raise self._wrong(f"labs[{index}].lab", f"there is no lab {number}; there are {there}")
            if number in entries:
                raise self._wrong(f"labs[{index}].lab", f"lab {number} stands twice; write it once")
            entries[number] = entry
        return entries

    def _chosen(self, entry: dict[str, Any], wanted: dict[str, Any], disclosed: bool) -> Lab:
        lab = self._known[entry["lab"]]
        parts = self._parts(entry, lab)
        checks = [check for check in lab.checks if check.part in parts]
        show = Show.ALL if disclosed else Show(wanted.get("show", Show.OUTCOME.value))
        of_course = wanted.get("checks", ())
        for one in hidden.load(lab):
            taken = of_course == "all" or one.id in of_course
            public = next((check for check in checks if check.id == one.widens), None)
            if taken and public is not None:
                last = max(n for n, check in enumerate(checks) if check.part == public.part)
                checks.insert(last + 1, hidden.as_check(one, public, show))
            elif taken and of_course != "all":
                raise self._wrong(
                    "hidden.checks", f"{one.id} widens a check of a part that the course leaves out"
                )
        checks = self._with_points(entry, lab, checks)
        total = sum(check.points for check in checks)
        titles = {
            part: (title, sum(check.points for check in checks if check.part == part))
            for part, (title, _) in lab.parts.items()
            if part in parts
        }
        return replace(lab, parts=titles, checks=tuple(checks), points=total)

    def _parts(self, entry: dict[str, Any], lab: Lab) -> list[str]:
        for part in entry.get("parts", ()):
            if part not in lab.parts:
                there = ", ".join(lab.parts)
                raise self._wrong(
                    f"labs: lab {lab.number}: parts", f"there is no part {part}; there are {there}"
                )
        return list(entry.get("parts", lab.parts))

    def _with_points(self, entry: dict[str, Any], lab: Lab, checks: list[Check]) -> list[Check]:
        place = f"labs: lab {lab.number}"
        own = entry.get("checks", {})
        ids = [check.id for check in checks]
        for identifier in own:
            if identifier not in ids:
                hint = did_you_mean(identifier, ids)
                raise self._wrong(
                    f"{place}: checks", f"{identifier} is not among the checks taken; {hint}"
                )
        points = {check.id: own.get(check.id, check.points) for check in checks}
        if (wanted := entry.get("points")) is not None:
            try:
                points = scaled(points, wanted)
            except ValueError as error:
                raise self._wrong(f"{place}: points", str(error)) from None
        return [replace(check, points=points[check.id]) for check in checks]

    def _voided(self, lab: Lab, void: Iterable[str]) -> Lab:
        names = set(void)
        return replace(lab, checks=tuple(replace(c, void=c.id in names) for c in lab.checks))

    def _refuse_unknown(self, place: str, ids: Iterable[str], labs: Sequence[Lab]) -> None:
        known = [check.id for lab in labs for check in lab.checks]
        for identifier in ids:
            if identifier not in known:
                raise self._wrong(
                    place,
                    f"{identifier} is no check of this course; {did_you_mean(identifier, known)}",
                )

    def _plan(self, entry: dict[str, Any], lab: Lab) -> CourseLab:
        place = f"labs: lab {lab.number}"
        opens, due = (self._date(f"{place}: {key}", entry.get(key)) for key in ("opens", "due"))
        if opens and due and opens >= due:
            raise self._wrong(f"{place}: due", "it is due before it opens")
        said = entry.get("reference", Ships.ALWAYS.value)
        named = said in {ships.value for ships in Ships}
        ships = Ships(said) if named else Ships.FROM
        if ships is Ships.AFTER_DUE and due is None:
            raise self._wrong(f"{place}: reference", "'after_due' needs a date in 'due'")
        return CourseLab(
            number=lab.number,
            parts=tuple(lab.parts),
            weight=float(entry.get("weight", lab.points)),
            opens=opens,
            due=due,
            ships=ships,
            ships_from=None if named else self._date(f"{place}: reference", said),
        )

    def _date(self, place: str, text: str | None) -> datetime.datetime | None:
        if text is None:
            return None
        try:
            date = datetime.datetime.fromisoformat(text)
        except ValueError as error:
            raise self._wrong(place, f"{text}: {error}") from None
        if date.tzinfo is None and self._zone is None:
            raise self._wrong(
                place,
                f"{text} is in no time zone: add 'timezone' to the course, for example"
                " America/New_York, or an offset, for example -05:00",
            )
        date = date if date.tzinfo else date.replace(tzinfo=self._zone)
        if date.astimezone(datetime.timezone.utc).astimezone(date.tzinfo) != date:
            raise self._wrong(place, f"{text} is an hour that the clock skips; choose another")
        return date


def scaled(points: Mapping[str, int], total: int) -> dict[str, int]:
    """Whole points in the same proportions that add up to ``total``: each gets its share, rounded down,
    and the largest rests get one more (of equal ones, the first). ValueError if one that gives points
    would be left without any."""
    raw = sum(points.values())
    if raw == 0:
        raise ValueError("no check gives points that could be scaled; give some in 'checks'")
    made = {key: value * total // raw for key, value in points.items()}
    order = sorted(points, key=lambda key: -(points[key] * total % raw))
    for key in order[: total - sum(made.values())]:
        made[key] += 1
    without = [key for key, value in points.items() if value and not made[key]]
    if without:
        raise ValueError(
            f"{total} are too few for {sum(1 for value in points.values() if value)} checks: {without[0]}"
            " would give none. Take more, and set the lab's share of the grade with 'weight'"
        )
    return made


def date_words(date: datetime.datetime, timezone: str) -> str:
    """For people: "Friday 12 February 2027, 23:59 (America/New_York)"."""
    return f"{date:%A} {date.day} {date:%B %Y, %H:%M} ({timezone})"
