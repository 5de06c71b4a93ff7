"""``./lab variants``: the rules that a course may turn, and turning them in this checkout."""

from __future__ import annotations

import argparse
from pathlib import Path

from dynamolab import skeleton, ui
from dynamolab.course import course, variants
from dynamolab.errors import LabError
from dynamolab.paths import SKELETON, shown


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "rules",
        nargs="*",
        metavar="RULE=VALUE",
        help="what to turn; rules that are not named become the usual ones (none: only tell)",
    )
    parser.add_argument("--course", type=Path, metavar="FILE", help="turn them as this course.json says")
    parser.add_argument("--usual", action="store_true", help="turn all of them back")


def run(arguments: argparse.Namespace) -> int:
    if sum(map(bool, (arguments.rules, arguments.course, arguments.usual))) > 1:
        raise LabError("rules, --course and --usual: give one of them")
    if not (arguments.rules or arguments.course or arguments.usual):
        _tell()
        return 0
    wanted = _wanted(arguments)
    made_here = not skeleton.drift()
    changed = variants.turn(wanted)
    if made_here:
        changed += [shown(path) for path in skeleton.write()]
    elif changed:
        ui.say(f"{shown(SKELETON)}/ is not what the reference makes, and stays: ./lab skeleton makes it anew")
    for file in changed:
        print(f"  changed  {file}")
    _tell()
    return 0


def _wanted(arguments: argparse.Namespace) -> dict[str, str]:
    if arguments.course:
        return dict(course.load(arguments.course).variants)
    named: dict[str, object] = {}
    for word in arguments.rules:
        name, equals, value = word.partition("=")
        if not equals:
            raise LabError(f"'{word}': write RULE=VALUE, for example walk=counter-clockwise")
        named[name] = value
    return variants.checked(named, "./lab variants")


def _tell() -> None:
    now = variants.of_tree()
    for name, rule in variants.rules().items():
        value = now.get(name, rule.usual)
        usual = "" if value == rule.usual else f" (usually {rule.usual})"
        print(f"{name}={value}{usual}: {rule.about} Values: {', '.join(rule.values)}")
