"""A graded run as one HTML file that needs nothing else: no network, no scripts."""

from __future__ import annotations

import datetime
import os
from pathlib import Path
from urllib.parse import quote

import jinja2

from dynamolab.paths import PACKAGE, ROOT
from dynamolab.results import Results, points_words
from dynamolab.ui import harmless


def render(results: Results, path: Path, folder: Path | None = None) -> None:
    """Writes the report. ``folder``: where it will lie when it is read, if not where it is written; its
    links go from there. OSError if the file cannot be written."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(PACKAGE),
        autoescape=True,  # Messages come from a solution.
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["harmless"] = harmless
    here = (folder or path.parent).resolve()

    def link(view: str) -> str:
        """From the report to another file of the run."""
        return quote(os.path.relpath(ROOT / view, here))

    page = environment.get_template("report.html.j2").render(
        results=results,
        points_words=points_words,
        link=link,
        made=datetime.datetime.now().strftime("%Y-%m-%d %H:%M"),
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    part.write_text(page, encoding="utf-8", errors="backslashreplace")
    part.replace(path)
