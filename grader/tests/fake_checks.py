#!/usr/bin/env python3
"""Stands in for a lab's check program (contract: grader/sim's check main). What it does with each
check is in the JSON file FAKE_CHECKS: {"ring.a": "pass", "ring.b": "crash", …}; "ring.a/7" is with seed 7.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import time


def main() -> int:
    parser = argparse.ArgumentParser()
    for name in ("--node", "--seeds", "--cpu", "--results", "--artifacts"):
        parser.add_argument(name)
    parser.add_argument("--only", action="append", default=[])
    parser.add_argument("--seed", action="append", type=int, default=[])
    parser.add_argument("--no-shrink", action="store_true")
    arguments = parser.parse_args()
    with open(os.environ["FAKE_CHECKS"], encoding="utf-8") as file:
        behaviours = json.load(file)
    with open(arguments.results, "a", encoding="utf-8") as results:

        for seed in arguments.seed:

            def write(document: dict[str, object], seed: int = seed) -> None:
                results.write(json.dumps(document | {"seed": seed}) + "\n")
                results.flush()

            for check in arguments.only:
                behaviour = behaviours.get(f"{check}/{seed}", behaviours[check])
                act(check, behaviour, write, results)
    return 0


def act(check: str, behaviour: str, write, results) -> None:  # type: ignore[no-untyped-def]
    if behaviour == "trouble at start":
        print("no memory to be had", file=sys.stderr)
        sys.exit(2)
    if behaviour == "silent":
        return
    write({"begin": check})
    if behaviour == "crash":
        print("about to crash", file=sys.stderr, flush=True)
        os.kill(os.getpid(), signal.SIGSEGV)
    if behaviour == "hang":
        time.sleep(600)
    if behaviour == "exit 0":
        os._exit(0)
    if behaviour == "garbage":
        results.write("{not json\n\x00\n[1]\n")
    if behaviour == "twice":
        write(
            {
                "id": check,
                "outcome": "fail",
                "seconds": 0.1,
                "message": "first it failed",
                "replay": None,
            }
        )
        behaviour = "pass"
    if behaviour.startswith("explored"):
        found = {"text": f"{behaviour} 7 states", "all": behaviour == "explored all"}
        write({"id": check, "outcome": "pass", "seconds": 0.1, "message": "", "explored": found})
        return
    outcome = behaviour if behaviour != "garbage" else "pass"
    message = "" if outcome == "pass" else "1. n1 starts\nexpected: a\nactual: b"
    write({"id": check, "outcome": outcome, "seconds": 0.25, "message": message, "replay": None})


if __name__ == "__main__":
    sys.exit(main())
