"""What the pages of experiments share: matplotlib, pictures beside the page and in it, one look."""

from __future__ import annotations

import html
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dynamolab import ui
from dynamolab.errors import LabError
from dynamolab.paths import shown

if TYPE_CHECKING:
    from matplotlib.figure import Figure

INK = "#1f2933"
GREEN, BLUE, ORANGE, RED, VIOLET = "#2f7d4f", "#2b6cb0", "#c77d1a", "#b23a3a", "#6b3a8c"

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; color: #1f2933; background: #fff; }
body { margin: 2rem auto; max-width: 60rem; padding: 0 1rem; }
figure { margin: 1.5rem 0; }
svg { max-width: 100%; height: auto; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; margin: 1rem 0; font-variant-numeric: tabular-nums; }
th, td { border-bottom: 1px solid #cbd2d9; padding: .3rem .8rem; text-align: right; }
td { white-space: nowrap; }
th:first-child, td:first-child { text-align: left; }
th[colspan] { text-align: center; }
"""


def pyplot() -> Any:
    """matplotlib.pyplot, drawing into files, the same picture from the same numbers. LabError if the
    machine has no matplotlib."""
    try:
        import matplotlib
    except ImportError:
        raise LabError(
            "the plots need matplotlib: apt install python3-matplotlib (or pip install matplotlib)"
        ) from None
    matplotlib.use("Agg")
    matplotlib.rcParams["svg.hashsalt"] = "dynamo labs"
    from matplotlib import pyplot as drawing

    return drawing


def drawn(figure: Figure, folder: Path, name: str) -> str:
    """Writes the figure as NAME.png and NAME.svg into the folder; the SVG element in a <figure>."""
    figure.savefig(folder / f"{name}.png", dpi=120)
    figure.savefig(folder / f"{name}.svg", metadata={"Date": None})
    pyplot().close(figure)
    drawing = (folder / f"{name}.svg").read_text(encoding="utf-8")
    return f"<figure>{drawing[drawing.index('<svg') :]}</figure>"


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table. ``heads`` are its first rows, as HTML; cells are text."""
    body = "".join(
        "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in rows
    )
    head = "".join(f"<tr>{row}</tr>" for row in heads)
    return f'<div class="wide"><table>{head}{body}</table></div>'


def write(folder: Path, title: str, parts: Sequence[str]) -> Path:
    """index.html in the folder, of parts that are HTML; its path."""
    page = (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{html.escape(title)}</title><style>{_STYLE}</style>"
        f"<h1>{html.escape(title)}</h1>{''.join(parts)}</html>\n"
    )
    index = folder / "index.html"
    index.write_text(page, encoding="utf-8")
    return index


def finish(module: Any, out: Path, measured: Any, *others: Any) -> int:
    """The end of every experiment: ``module`` writes its page into ``out`` and sums up on the terminal.
    LabError if the folder cannot be written."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        index = module.write(out, measured, *others)
    except OSError as error:
        raise LabError(f"--out {out}: {error.strerror}") from error
    ui.say(module.summary(measured))
    ui.say(f"Plots and table: {shown(index)}")
    return 0
