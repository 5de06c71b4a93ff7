"""Hidden checks (grader/hidden/N-name.json): data that widens a public check of the same lab. They add
seeds and scopes, never rules: what is run is the public check's own program."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from dynamolab.errors import LabError
from dynamolab.labs import Check, Hidden, Lab, read_json
from dynamolab.paths import HIDDEN, shown
from dynamolab.results import Show

SCHEMA = "course/hidden.schema.json"
KINDS = ("unit", "sim", "explore")  # What seeds and scopes decide, and what replays exactly.


@dataclass(frozen=True)
class HiddenCheck:
    """One entry of such a file."""

    id: str
    title: str
    widens: str
    points: int
    seeds: int | None = None  # Worlds from each of the class's seeds on; None: what the check asks for.
    scope: Mapping[str, int] = field(default_factory=dict)  # Of an exploration.
    catches: tuple[str, ...] = ()


def load(lab: Lab) -> list[HiddenCheck]:
    """The hidden checks of a lab; none where there is no file, as in a students' repository. LabError
    names the place of what is wrong with one."""
    path = HIDDEN / f"{lab.folder.name}.json"
    if not path.is_file():
        return []
    document = read_json(path, SCHEMA)
    found: list[HiddenCheck] = []
    for index, entry in enumerate(document["checks"]):
        place = f"{shown(path)}: checks[{index}]"
        public = lab.check(entry["widens"])
        if public is None or public.kind not in KINDS:
            raise LabError(
                f"{place}.widens: {entry['widens']} is no unit, simulated or explored check of lab"
                f" {lab.number}"
            )
        if entry.get("scope") and public.kind != "explore":
            raise LabError(f"{place}.scope: {public.id} is no exploration; only 'seeds' widen it")
        if not entry.get("scope") and not entry.get("seeds"):
            raise LabError(f"{place}: it widens nothing: give 'seeds', or the 'scope' of an exploration")
        if not entry["id"].startswith(f"{lab.module}.") or any(one.id == entry["id"] for one in found):
            raise LabError(f"{place}.id: must begin with '{lab.module}.hidden_', and stand once")
        found.append(HiddenCheck(**{**entry, "catches": tuple(entry["catches"])}))
    return found


def as_check(one: HiddenCheck, public: Check, show: Show) -> Check:
    """As a check of the lab, beside the public ones."""
    return replace(
        public,
        id=one.id,
        title=one.title,
        points=one.points,
        needs=(public.id,),
        visible=show is Show.ALL,
        show=show,
        hidden=Hidden(public.id, one.seeds, dict(one.scope)),
    )
