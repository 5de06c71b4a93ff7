"""``./lab mutants``"""

from __future__ import annotations

import argparse

from dynamolab import build, labs, mutants, results, ui
from dynamolab.commands import common
from dynamolab.errors import LabError
from dynamolab.suggest import did_you_mean


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("labs", nargs="*", metavar="LAB", help="number or name; none: all")
    parser.add_argument(
        "--all",
        action="store_true",
        dest="everything",
        help="run every check: the whole table; all checks that are said to catch a mutant must",
    )
    parser.add_argument(
        "--only",
        metavar="NAME",
        action="append",
        default=[],
        help="only this mutant (may be repeated)",
    )
    parser.add_argument(
        "--results", metavar="FILE", type=common.writable_file, help="write the table as JSON"
    )
    common.add_seed(parser)
    common.add_jobs(parser)


def run(arguments: argparse.Namespace) -> int:
    known = labs.load_all()
    chosen = common.chosen_labs(arguments.labs, known) if arguments.labs else []
    found = _chosen(mutants.load(known, chosen), arguments.only)
    framework = build.Framework("release", arguments.jobs)
    programs = sorted({f"lab{mutant.lab.number}-checks" for mutant in found})
    framework.build(["libraries", "faultnet", *programs])
    with ui.bar("Mutants") as bar:
        caught = mutants.judge_all(
            found,
            framework,
            everything=arguments.everything,
            seed=arguments.seed,
            on_step=lambda done, name: bar.update(done, len(found), name),
        )
    if arguments.results:
        results.write_json({"mutants": [one.document() for one in caught]}, arguments.results)
    _print(caught)
    return 0 if all(one.as_expected for one in caught) else 1


def _chosen(found: list[mutants.Mutant], only: list[str]) -> list[mutants.Mutant]:
    names = [mutant.name for mutant in found]
    for word in only:
        if not any(word in (name, name.rpartition("/")[2]) for name in names):
            raise LabError(f"there is no mutant '{word}'; {did_you_mean(word, names)}")
    if not found:
        raise LabError("grader/mutants/: none there for these labs")
    return [m for m in found if not only or m.name in only or m.folder.name in only]


def _print(caught: list[mutants.Caught]) -> None:
    from rich.table import Table
    from rich.text import Text

    console = ui.console()
    table = Table(title="Known-wrong solutions", title_justify="left", title_style="bold")
    table.add_column("lab", justify="center")
    table.add_column("mutant", overflow="fold")
    table.add_column("what is wrong", overflow="fold", ratio=1)
    table.add_column("caught by", overflow="fold", ratio=1)
    for one in caught:
        by = Text("\n").join(
            Text(check.partition(".")[2], "green" if check in one.mutant.expected else "dim")
            for check in one.caught_by
        )
        verdict = by if one.caught_by else Text("survived", "bold red")
        if one.trouble:
            verdict = Text("\n").join([verdict, Text(ui.harmless(one.trouble), "magenta")])
        table.add_row(str(one.mutant.lab.number), one.mutant.folder.name, one.mutant.title, verdict)
    console.print(table)
    good = sum(one.as_expected for one in caught)
    print(
        f"{good} of {len(caught)} caught by a check that is said to catch it;"
        f" {sum(one.survived for one in caught)} survived"
    )
