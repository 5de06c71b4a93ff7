"""A graded run as one HTML file that needs nothing else: no network, no scripts."""

from __future__ import annotations

import datetime
from pathlib import Path

import jinja2

from dynamolab.paths import PACKAGE
from dynamolab.results import Results, points_words
from dynamolab.ui import harmless


def render(results: Results, path: Path) -> None:
    """Writes the report. OSError if the file cannot be written."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(PACKAGE),
        autoescape=True,  # Messages come from a solution.
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["harmless"] = harmless
    page = environment.get_template("report.html.j2").render(
        results=results, points_words=points_words, made=datetime.datetime.now().strftime("%Y-%m-%d %H:%M")
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    part.write_text(page, encoding="utf-8")
    part.replace(path)
