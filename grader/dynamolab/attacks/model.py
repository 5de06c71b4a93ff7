"""An attack as it lies in grader/attacks, and the submission that it becomes."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import jsonschema

from dynamolab.errors import LabError
from dynamolab.paths import PACKAGE, REFERENCE, ROOT, SKELETON, shown

ATTACKS = ROOT / "grader" / "attacks"
HEADER = ATTACKS / "attack.h"
MODULE_FILE = "membership.cpp"  # Of lab 1, which all but a few are handed in for.

_CHECKS = {
    "host": ("membership.the_first_node_is_bootstrapped",),
    "node": ("membership.acknowledged_change_survives_kill",),
}
_INCLUDE = re.compile(r'^#include "attack\.h"\n', re.MULTILINE)
_NAME = re.compile(r"^ATTACK\((\w+)\)", re.MULTILINE)


@dataclass(frozen=True)
class Places:
    """What a payload's {root}, {canary} and {run} stand for."""

    canary: Path
    run: Path

    def put_in(self, text: str) -> str:
        for word, path in (("root", ROOT), ("canary", self.canary), ("run", self.run)):
            text = text.replace(f"{{{word}}}", str(path))
        return text


@dataclass(frozen=True)
class Attack:
    """See attack.schema.json for the fields."""

    folder: Path
    title: str
    tries: str
    stage: str
    rules: str
    says: str = ""
    base: str = ""
    lab: int = 1
    checks: Sequence[str] = ()
    files: Sequence[str] = ()
    link: Mapping[str, str] = field(default_factory=dict)
    pipe: str = ""
    alone: bool = False
    rules_only: bool = False
    unsafe: bool = False

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def checked(self) -> Sequence[str]:
        if self.lab != 1:
            return self.checks
        return self.checks or _CHECKS.get(self.stage, _CHECKS["host"])

    @property
    def payload(self) -> str:
        file = self.folder / "payload.cpp"
        return file.read_text(encoding="utf-8") if file.exists() else ""

    @property
    def words(self) -> list[str]:
        """Names of its ATTACK()s, for a program with many in it."""
        return _NAME.findall(self.payload)

    def hand_in(self, folder: Path, places: Places) -> None:
        """Makes the submission's folder."""
        folder.mkdir(parents=True)
        odd = {*self.link, self.pipe}
        if self.lab == 1 and MODULE_FILE not in odd:
            text = module_text([self], places, self.base or _usual_base(self.stage))
            (folder / MODULE_FILE).write_text(text, encoding="utf-8")
        if self.lab != 1:
            for file in SKELETON.iterdir():
                if file.name not in odd:
                    shutil.copy(file, folder)
        for name in self.files:
            text = places.put_in((self.folder / name).read_text(encoding="utf-8"))
            (folder / name).write_text(text, encoding="utf-8")
        for name, target in self.link.items():
            (folder / name).symlink_to(places.put_in(target))
        if self.pipe:
            os.mkfifo(folder / self.pipe)


def _usual_base(stage: str) -> str:
    return "reference" if stage == "node" else "skeleton"


def module_text(attacks: Sequence[Attack], places: Places, base: str, head: str = "") -> str:
    """One file: what the payloads share, the payloads, and a module that is right or unwritten."""
    parts = [head]
    if any(_INCLUDE.search(attack.payload) for attack in attacks):
        parts.append(HEADER.read_text(encoding="utf-8").replace("#pragma once\n", ""))
    parts += [places.put_in(_INCLUDE.sub("", attack.payload)) for attack in attacks]
    if base != "none":
        folder = REFERENCE if base == "reference" else SKELETON
        parts.append((folder / MODULE_FILE).read_text(encoding="utf-8"))
    return "\n".join(parts)


def load(names: Sequence[str] = ()) -> list[Attack]:
    """All of them, or those named. LabError that names the file and what is wrong in it."""
    schema = json.loads((PACKAGE / "attacks" / "attack.schema.json").read_text(encoding="utf-8"))
    found = []
    for file in sorted(ATTACKS.glob("*/attack.json")):
        document = json.loads(file.read_text(encoding="utf-8"))
        try:
            jsonschema.validate(document, schema)
        except jsonschema.ValidationError as error:
            raise LabError(f"{shown(file)}: {error.json_path}: {error.message}") from None
        found.append(Attack(file.parent, **document))
    known = {attack.name: attack for attack in found}
    for name in names:
        if name not in known:
            from dynamolab.suggest import did_you_mean

            raise LabError(f"there is no attack '{name}'; {did_you_mean(name, sorted(known))}")
    return [known[name] for name in names] if names else found
