"""What is true of a right solution, which checks see it, and which known-wrong solutions show that."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dynamolab.labs import Check, Lab
from dynamolab.mutants import Mutant

HEADER = """# Properties

What is true of a right solution, lab by lab. Each property is seen by checks, and each has been seen
broken: below it stand the checks that look at it, and the known-wrong solutions (`grader/mutants/`) that
break it and that one of these checks is said to catch; `./lab test` holds each of them to that. A property
without both fails `./lab test`.

`./lab mutants --properties > docs/properties.md` writes this page, from `labs/*/lab.json` and
`grader/mutants/*/*/mutant.json`.
"""


@dataclass(frozen=True)
class Property:
    """One numbered property: the lab and the line, as in 3.7."""

    number: str
    text: str
    checks: tuple[Check, ...]
    mutants: tuple[Mutant, ...]

    @property
    def problem(self) -> str:
        """What it lacks; empty: nothing."""
        if not self.checks:
            return f"{self.number}: no check sees it; name it in the properties of one in lab.json"
        if not self.mutants:
            return f"{self.number}: no known-wrong solution breaks it that a check which sees it must catch"
        return ""


def of(lab: Lab, mutants: Sequence[Mutant]) -> list[Property]:
    """A lab's, in order. A mutant shows a property if it breaks it, and a check that sees the property
    is among those that must catch it."""
    found = []
    for number, text in lab.properties.items():
        seeing = tuple(check for check in lab.checks if number in check.properties)
        names = {check.id for check in seeing}
        showing = tuple(
            mutant
            for mutant in mutants
            if mutant.lab.number == lab.number
            and number in mutant.properties
            and names & set(mutant.expected)
        )
        found.append(Property(number, text, seeing, showing))
    return found


def page(labs: Sequence[Lab], mutants: Sequence[Mutant]) -> str:
    """docs/properties.md."""
    parts = [HEADER]
    for lab in labs:
        if not lab.properties:
            continue
        parts.append(f"\n## Lab {lab.number}: {lab.title}\n")
        for entry in of(lab, mutants):
            checks = ", ".join(f"`{check.id}`" for check in entry.checks) or "none"
            shown = ", ".join(_link(mutant) for mutant in entry.mutants) or "none"
            parts.append(
                f"\n**{entry.number}** {entry.text}\n\n"
                f"- seen by {len(entry.checks)}: {checks}\n"
                f"- shown by {len(entry.mutants)}: {shown}\n"
            )
    return "".join(parts)


def _link(mutant: Mutant) -> str:
    return f"[{mutant.folder.name}](../{Path('grader', 'mutants', mutant.name)})"
