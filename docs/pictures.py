"""Draws the README's pictures of a terminal from results documents:

    ./lab grade 2 --solution reference --results passed.json
    PYTHONPATH=grader /usr/bin/python3 docs/pictures.py passed.json docs/img/graded-run.svg "./lab grade 2"
"""

from __future__ import annotations

import io
import json
import re
import sys
from pathlib import Path

from rich.console import Console

from dynamolab.render_terminal import render
from dynamolab.results import CheckResult, LabResult, Outcome, Results

COLUMNS = 120


def lab_description(number: int) -> dict:
    (path,) = Path(__file__).parents[1].glob(f"labs/{number}-*/lab.json")
    return json.loads(path.read_text(encoding="utf-8"))


def results_of(document: dict) -> Results:
    """The model that the terminal was rendered from."""
    computed = {"points", "outcome"}
    labs = []
    for lab in document["labs"]:
        checks = [
            CheckResult(**{k: v for k, v in c.items() if k not in computed}, outcome=Outcome(c["outcome"]))
            for c in lab["checks"]
        ]
        parts = {p["part"]: p["title"] for p in lab_description(lab["lab"])["parts"]}
        labs.append(LabResult(lab["lab"], lab["name"], lab["title"], checks, parts))
    return Results(document["solution"], document["seed"], labs, document["command"], document["seconds"])


def main() -> int:
    if len(sys.argv) != 4:
        print(__doc__, file=sys.stderr)
        return 2
    source, target, title = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True, highlight=False)
    render(results_of(json.loads(source.read_text(encoding="utf-8"))), console)
    svg = console.export_svg(title=title)
    # rich asks a font server for its font; a reader's own monospace does as well, without a network.
    svg = re.sub(r"@font-face\s*{.*?}", "", svg, flags=re.S)
    target.write_text(svg.replace("Fira Code, monospace", "monospace"), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
