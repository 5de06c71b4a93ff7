"""The viewer's page: everything in one file that opens from a disk."""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2

from dynamolab import drawing
from dynamolab.ui import harmless
from dynamolab.viewer import model

FOLDER = Path(__file__).parent
SCRIPTS = ("trees_panel.js", "viewer.js")


@dataclass(frozen=True)
class Failure:
    """What the page tells besides the trace."""

    check: str
    title: str = ""
    message: str = ""  # The story, as the terminal shows it.
    why: str = ""
    hint: str = ""
    replay: str = ""  # The command that runs it again.
    real: bool = False  # Of real processes: times are those of a clock.
    story_ms: tuple[int, ...] = ()  # When each numbered line was told, if the lines do not say it.


def page_of(steps: list[dict[str, Any]], failure: Failure, left_out: int = 0) -> str:
    """The HTML. Steps of rings and places come anywhere."""
    steps, rings, places = model.parted(steps)
    story = model.linked_story(failure.message, steps, failure.story_ms)
    data = {
        "lanes": model.lanes_of(steps),
        "steps": steps,
        "arrows": [[arrow.sent, arrow.received] for arrow in model.arrows_of(steps)],
        "rings": model.rings_of(rings),
        "places": places,
    }
    return _template().render(
        failure=failure,
        story=story,
        count=len(steps),
        quiet=model.quiet_steps(steps),
        left_out=left_out,
        data=_in_script(data),
        style="".join(file.read_text(encoding="utf-8") for file in (drawing.STYLE, FOLDER / "viewer.css")),
        script=drawing.inlined(FOLDER / name for name in SCRIPTS),
    )


@functools.cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(FOLDER),
        autoescape=True,  # Names and notes come from a solution.
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["harmless"] = harmless
    return environment.get_template("page.html.j2")


def _in_script(data: Any) -> str:
    """JSON that cannot end the script element that it stands in, whatever a solution wrote."""
    text = json.dumps(data, ensure_ascii=True, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def write_page(trace: Path, page: Path, failure: Failure) -> None:
    """Draws a trace. LabError if it cannot be read, OSError if the page cannot be written."""
    steps, left_out = model.read_trace(trace)
    text = page_of(steps, failure, left_out)
    part = page.with_name(page.name + ".part")
    part.write_text(text, encoding="utf-8")
    part.replace(page)
