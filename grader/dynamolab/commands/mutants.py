"""``./lab mutants``"""

from __future__ import annotations

import argparse
from pathlib import Path

from dynamolab import build, kill_table, labs, mutants, properties, results, stories, ui
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
    parser.add_argument(
        "--grades",
        type=common.whole_number(1, 10_000),
        metavar="N",
        help="grade each so many times, with seeds of its own each time: is it caught every time?"
        " With --results FILE, a run that was cut off goes on where it was",
    )
    parser.add_argument(
        "--properties",
        action="store_true",
        help="only print which checks see each property of a right solution, and which mutants break it",
    )
    parser.add_argument(
        "--write-stories",
        action="store_true",
        help=f"keep what a student reads of each, as {stories.FILE} beside its patch",
    )
    common.add_seed(parser)
    common.add_jobs(parser)


def run(arguments: argparse.Namespace) -> int:
    known = labs.load_all()
    chosen = common.chosen_labs(arguments.labs, known) if arguments.labs else []
    found = _chosen(mutants.load(known, chosen), arguments.only)
    if arguments.properties:
        print(properties.page(chosen or known, found), end="")
        return 0
    if arguments.write_stories and (arguments.seed != stories.SEED or arguments.everything):
        raise LabError(f"--write-stories goes with seed {stories.SEED}, and without --all")
    framework = build.Framework("release", arguments.jobs)
    programs = sorted({f"lab{mutant.lab.number}-checks" for mutant in found})
    framework.build(["libraries", "faultnet", *programs])
    if arguments.grades:
        return _kill(arguments, found, framework)
    caught = _judge(arguments, found, framework)
    if arguments.results:
        results.write_json({"mutants": [one.document() for one in caught]}, arguments.results)
    _print(caught)
    changed = 0
    if arguments.write_stories:
        _print_unkept(caught)
    elif arguments.seed == stories.SEED and not arguments.everything:
        changed = _print_changed(caught)
    return 0 if all(one.as_expected for one in caught) and not changed else 1


def _judge(
    arguments: argparse.Namespace, found: list[mutants.Mutant], framework: build.Framework
) -> list[mutants.Caught]:
    written = 0
    with ui.bar("Mutants") as bar:

        def judged(done: int, one: mutants.Caught) -> None:
            nonlocal written
            if arguments.write_stories and not one.mutant.untold and not one.trouble:
                written += stories.write(one.mutant.folder, one.stories)
            bar.update(done, len(found), one.mutant.name)

        caught = mutants.judge_all(
            found,
            framework,
            everything=arguments.everything,
            seed=arguments.seed,
            on_step=judged,
            tellings=2 if arguments.write_stories else 1,
        )
    if arguments.write_stories:
        print(f"{written} stories are new or have changed; read them: git diff")
    return caught


def _print_unkept(caught: list[mutants.Caught]) -> None:
    for one in caught:
        if not one.mutant.untold and (why := stories.unkept(one.stories)):
            print(f'{one.mutant.name}: no story is kept; "untold" in its mutant.json says why: {why}')


def _print_changed(caught: list[mutants.Caught]) -> int:
    """How many are told in another way than the story that is kept, and how."""
    changed = 0
    for one in caught:
        if told := stories.problem(one.mutant.folder, one.stories):
            changed += 1
            print(f"{one.mutant.name}: {told}")
    kept = sum((one.mutant.folder / stories.FILE).is_file() for one in caught)
    print(f"{kept - changed} of {kept} stories are told as they are kept")
    return changed


def _kill(
    arguments: argparse.Namespace, found: list[mutants.Mutant], framework: build.Framework
) -> int:
    file: Path | None = arguments.results
    seed, grades = arguments.seed, arguments.grades
    table = kill_table.read(file, found, seed, grades) if file is not None else []
    known = {kills.mutant.name for kills in table}
    left = [mutant for mutant in found if mutant.name not in known]
    with ui.bar("Mutants") as bar:
        for kills in kill_table.kill_all(left, framework, first_seed=seed, grades=grades):
            table.append(kills)
            if file is not None:
                kill_table.write(file, table)
            bar.update(len(table), len(found), kills.mutant.name)
    _print_kills(table, grades)
    return 0 if all(kills.always for kills in table) else 1


def _print_kills(table: list[kill_table.Kills], grades: int) -> None:
    from rich.table import Table
    from rich.text import Text

    shown = Table(title="Kill table", title_justify="left", title_style="bold")
    shown.add_column("mutant", overflow="fold")
    shown.add_column("caught", justify="right")
    shown.add_column("by, in so many grades", overflow="fold", ratio=1)
    for kills in sorted(table, key=lambda kills: kills.mutant.name):
        by = [f"{check.partition('.')[2]} {count}" for check, count in kills.caught.most_common()]
        if kills.missed:
            by.append(f"missed with seeds {', '.join(map(str, kills.missed))}")
        by += [ui.harmless(kills.trouble)] if kills.trouble else []
        caught = f"{sum(kills.caught.values())} of {grades}"
        colour = "green" if kills.always else "bold red"
        shown.add_row(kills.mutant.name, Text(caught, colour), "\n".join(by))
    ui.console().print(shown)
    always = sum(kills.always for kills in table)
    print(f"{always} of {len(table)} known-wrong solutions were caught in each of {grades} grades")


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
