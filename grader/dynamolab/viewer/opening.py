"""How long a page takes to open: for ./lab bench."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from dynamolab.viewer.page import Failure, page_of

DEADLINE_S = 120.0

_OPEN_MS = re.compile(r'data-open-ms="(\d+)"')


def seconds_to_open(count: int) -> float | None:
    """From the beginning of loading to the drawn page, of a trace of ``count`` steps, in Chromium; nothing
    if there is none, or it fails."""
    program = shutil.which("chromium")
    if program is None:
        return None
    with tempfile.TemporaryDirectory() as name:
        page = Path(name, "failure.html")
        page.write_text(page_of(_steps(count), Failure("bench.viewer")), encoding="utf-8")
        command = [program, "--headless=new", "--no-sandbox", "--disable-gpu"]
        command += [f"--user-data-dir={name}/profile", "--dump-dom", page.as_uri()]
        try:
            done = subprocess.run(
                command, capture_output=True, timeout=DEADLINE_S, stdin=subprocess.DEVNULL
            )
        except subprocess.TimeoutExpired:
            return None
    found = _OPEN_MS.search(done.stdout.decode("utf-8", "replace"))
    return int(found[1]) / 1000 if found else None


def _steps(count: int) -> list[dict[str, Any]]:
    """Five nodes that send states to each other and write them."""
    nodes = [f"n{number}" for number in range(1, 6)]
    steps: list[dict[str, Any]] = []
    for number in range(0, count, 4):
        node, peer = nodes[number // 4 % 5], nodes[(number // 4 + 1 + number % 3) % 5]
        dot = {"actor": {"node": node, "incarnation": 1, "epoch": 1}, "counter": number}
        version = {"dot": dot, "seen": {"entries": [dot]}, "value": f"value {number}"}
        state = {"hash": f"{number:032x}", "versions": [version], "clock": {"entries": [dot]}}
        letter = {"message": "Update", "id": number + 1, "data": {"copies": [{"key": f"k{number % 40}"}]}}
        for event, where, more in (
            ("send", node, letter | {"peer": peer}),
            ("receive", peer, letter | {"peer": node}),
            ("commit", peer, {"data": {"state": {f"k{number % 40}": state}}}),
            ("timer", node, {"id": number + 1}),
        ):
            words = f"{where} does step {len(steps)}: {event}"
            moment = f"t={len(steps) / 1000:.3f} s"
            base = {"t_us": len(steps) * 1000, "node": where, "event": event, "moment": moment}
            steps.append(base | {"words": words} | more)
    return steps[:count]
