"""Draws the pictures of docs/playground.md: each demonstration, at one of its steps, on a projector's screen.

    PYTHONPATH=grader:grader/tests /usr/bin/python3 docs/playground_pictures.py NODE FAULTNET docs/img
"""

from __future__ import annotations

import base64
import sys
import time
from pathlib import Path

from browser import chromium
from dynamolab.play import playground

WIDTH, HEIGHT = 1024, 768
SETTLE_S = 1.5  # For the page to draw what the step has done.
STEPS = {"handoff": 3, "cart": 5, "sync": 3, "join": 3, "partition": 3}  # Script → the step.


def main() -> int:
    if len(sys.argv) != 4:
        print(__doc__, file=sys.stderr)
        return 2
    node, faultnet, folder = (Path(word).resolve() for word in sys.argv[1:])
    with chromium() as page:
        size = {"width": WIDTH, "height": HEIGHT, "deviceScaleFactor": 1, "mobile": False}
        page.command("Emulation.setDeviceMetricsOverride", **size)
        for script, step in STEPS.items():
            with playground.live(playground.Wanted(node, faultnet, script=script)) as place:
                page.go_to(place.address)
                for _ in range(step):
                    place.server.questions["step"]({})
                    time.sleep(SETTLE_S)
                shot = page.command("Page.captureScreenshot", format="png", optimizeForSpeed=False)
                (folder / f"play-{script}.png").write_bytes(base64.b64decode(shot["data"]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
