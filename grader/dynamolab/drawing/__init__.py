"""What pages draw with, once for the failure viewer and the playground: JavaScript modules and a style.

    inlined("states.js", "viewer.js")     # as one script, for a page that opens from a disk
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

FOLDER = Path(__file__).parent
STYLE = FOLDER / "drawing.css"
MODULES = ("dom.js", "clocks.js", "rings.js", "trees.js", "states.js", "spacetime.js")

_IMPORT = re.compile(r"^import [^;]*;\n", re.MULTILINE)
_EXPORT = re.compile(r"^export ", re.MULTILINE)


def inlined(more: Iterable[Path]) -> str:
    """All modules and then ``more`` as one script: a page from a disk may import nothing. Their names
    stand in one scope then, so no two may have one of the same name."""
    texts = [file.read_text(encoding="utf-8") for file in [*(FOLDER / name for name in MODULES), *more]]
    return "\n".join(_EXPORT.sub("", _IMPORT.sub("", text)) for text in texts)
