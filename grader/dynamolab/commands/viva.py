"""``./lab viva SUBMISSION``"""

from __future__ import annotations

import argparse
from pathlib import Path

import jinja2

from dynamolab import build, grade, labs, ui
from dynamolab.commands import common
from dynamolab.errors import LabError
from dynamolab.paths import PACKAGE, shown
from dynamolab.semester import viva, viva_runs

MOST_QUESTIONS = 20


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("solution", metavar="SUBMISSION", help="the folder with the student's files")
    parser.add_argument("lab", metavar="LAB", help="number or name of the lab to ask about")
    parser.add_argument(
        "-n",
        metavar="N",
        type=common.whole_number(1, MOST_QUESTIONS),
        default=6,
        dest="count",
        help="how many questions (default: 6)",
    )
    common.add_seed(parser)
    common.add_sandbox(parser, "auto")
    common.add_with(parser)
    common.add_jobs(parser)


def run(arguments: argparse.Namespace) -> int:
    known = labs.load_all()
    lab = labs.find_lab(known, arguments.lab)
    solution = common.open_solution(arguments, known, [lab])
    framework = build.Framework("release", arguments.jobs)
    framework.build(["libraries", "run-plan"])
    box = grade.chosen_sandbox(arguments.sandbox, framework)
    label = f"lab{lab.number}-{solution.folder.name}"
    built = build.build_node(framework, solution.modules(lab), label, sandbox=box)
    if built.error:
        raise LabError(built.error)
    folder = grade.run_folder(f"viva-lab{lab.number}")
    runner = viva_runs.Runner(framework.run_plan, built.node, lab.number, arguments.seed, folder, box)
    asked = viva.prepare(runner, arguments.count)
    page = folder / "viva.html"
    _write(asked, page, solution.name, runner)
    print(ui.harmless(f"{solution.name}, lab {lab.number}, seed {runner.seed}\n"))
    for number, question in enumerate(asked.questions, start=1):
        print(ui.harmless(f"{number}. {question.text}\n"))
    print(f"With the answers: {shown(page)}")
    return 0


def _write(asked: viva.Viva, page: Path, solution: str, runner: viva_runs.Runner) -> None:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(PACKAGE / "semester"),
        autoescape=True,  # Notes and values come from a solution.
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["harmless"] = ui.harmless
    template = environment.get_template("viva.html.j2")
    text = template.render(viva=asked, solution=solution, seed=runner.seed, about=runner.plan["about"])
    page.write_text(text, encoding="utf-8")
