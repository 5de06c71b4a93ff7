"""Rules that a course may turn, so that last year's solution loses points: by which way a ring is walked,
for example.

A turned rule is a patch (``grader/variants/RULE/VALUE.patch``) to whatever says it: handout, header,
picture, hints, the checks' oracle, and the reference. So nothing at run time knows of variants, and a tree
that plays by other rules is a tree like any other. Which it plays by stands in ``labs/variants.json``; no
such file: by the rules as they are."""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from dynamolab import processes
from dynamolab.errors import LabError
from dynamolab.paths import ROOT, VARIANTS, shown
from dynamolab.suggest import did_you_mean

STATE = Path("labs") / "variants.json"
PATCH_DEADLINE_S = 20.0
NUMBER = "number"  # A value that stands for any whole number; its patch has PLACE for it.
PLACE = "@VALUE@"
LARGEST = 2**63 - 1

_TOUCHED = re.compile(r"^\+\+\+ b/(\S+)$", re.MULTILINE)


@dataclass(frozen=True)
class Rule:
    """One rule and its values; the first is how the labs have it."""

    name: str
    about: str
    values: tuple[str, ...]

    @property
    def usual(self) -> str:
        return self.values[0]

    def patch(self, value: str) -> str:
        """The text of the patch that turns the rule to a value that is not the usual one."""
        listed = value if value in self.values else NUMBER
        text = (VARIANTS / self.name / f"{listed}.patch").read_text(encoding="utf-8")
        return text.replace(PLACE, value)


def rules() -> dict[str, Rule]:
    """By name, in the order of grader/variants/variants.json. A students' repository has none to turn."""
    if not VARIANTS.is_dir():
        return {}
    document = json.loads((VARIANTS / "variants.json").read_text(encoding="utf-8"))
    return {name: Rule(name, r["about"], tuple(r["values"])) for name, r in document.items()}


def checked(wanted: Mapping[str, object], where: str = "variants") -> dict[str, str]:
    """What differs from the usual rules, in the order of the list. LabError for a rule or value that is
    not there; ``where`` names the document."""
    if not wanted:
        return {}  # So it is in a students' repository, which has no list of rules.
    known = rules()
    for name in wanted:
        if name not in known:
            raise LabError(f"{where}: there is no rule '{name}'; {did_you_mean(name, list(known))}")
    turned = {}
    for name, rule in known.items():
        value = str(wanted.get(name, rule.usual))
        if NUMBER in rule.values:
            if not value.isdigit() or int(value) > LARGEST:
                raise LabError(f"{where}: {name}: '{value}' is no whole number from 0 to {LARGEST}")
            value = str(int(value))
        elif value not in rule.values:
            raise LabError(f"{where}: {name}: '{value}' is none of {', '.join(rule.values)}")
        if value != rule.usual:
            turned[name] = value
    return turned


def of_tree(root: Path = ROOT) -> dict[str, str]:
    """The turned rules that a tree plays by."""
    try:
        document = json.loads((root / STATE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise LabError(f"{root / STATE}: cannot be read: {error}; bring it back with git") from error
    return checked(document, str(STATE))


def refuse_other_rules(wanted: Mapping[str, str], root: Path = ROOT) -> None:
    """LabError if the tree plays by other rules than a course's: its checks would judge by the wrong ones."""
    now = of_tree(root)
    if now != dict(wanted):
        raise LabError(
            f"the course plays by {_words(wanted)}, and this checkout by {_words(now)}; turn it with"
            " ./lab variants --course course.json"
        )


def _words(turned: Mapping[str, str]) -> str:
    return ", ".join(f"{name}={value}" for name, value in turned.items()) or "the usual rules"


def turn(wanted: Mapping[str, str], root: Path = ROOT) -> list[str]:
    """Makes a tree play by the rules ``wanted``, as ``checked`` gave them; all of it or nothing. The files
    that changed. LabError if a file is not as the patches know it: somebody changed it."""
    now = of_tree(root)
    if now == wanted:
        return []
    known = rules()
    back = [(known[name].patch(value), "-R") for name, value in reversed(now.items())]
    on = [(known[name].patch(value), "-N") for name, value in wanted.items()]
    files = sorted({file for text, _ in [*back, *on] for file in _TOUCHED.findall(text)})
    with tempfile.TemporaryDirectory(prefix="dynamo-variants-") as place:
        there = Path(place)
        for file in files:
            if not (root / file).is_file():
                raise LabError(f"{file}: is not there; the rules cannot be turned without it")
            (there / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(root / file, there / file)
        for text, way in [*back, *on]:
            _apply(text, way, there)
        changed = list(_changed(files, there, root))
        for file in changed:
            part = (root / file).with_name((root / file).name + ".part")
            shutil.copy(there / file, part)
            part.replace(root / file)
    _remember(wanted, root)
    return changed


def _changed(files: list[str], there: Path, root: Path) -> Iterator[str]:
    for file in files:
        if (there / file).read_bytes() != (root / file).read_bytes():
            yield file


def _apply(text: str, way: str, folder: Path) -> None:
    """Exactly, or not at all: a hunk that fits only roughly may turn another rule."""
    file = folder / "change.patch"
    file.write_text(text, encoding="utf-8")
    command: list[str | Path] = ["patch", "-p1", "--batch", "--fuzz=0", "--no-backup-if-mismatch", way]
    done = processes.run([*command, "-d", folder, "-i", file], deadline_s=PATCH_DEADLINE_S)
    file.unlink()
    if done.code != 0:
        named = re.search(r"patching file '?(\S+?)'?\n(?:Hunk[^\n]*\n)*?Hunk #\d+ FAILED", done.out)
        raise LabError(
            f"{named[1] if named else 'a file'}: is not as the rule's patch in {shown(VARIANTS)}/ knows it."
            f" Undo what was changed there (git diff), or mend the patch:\n{done.out.strip()}"
        )


def _remember(wanted: Mapping[str, str], root: Path) -> None:
    if wanted:
        (root / STATE).write_text(json.dumps(dict(wanted), indent=2) + "\n", encoding="utf-8")
    else:
        (root / STATE).unlink(missing_ok=True)
