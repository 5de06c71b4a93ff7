#!/usr/bin/env python3
"""Stands in for a lab's check program (contract: grader/sim's check main). What it does with each
check is in the JSON file FAKE_CHECKS: {"ring.a": "pass", "ring.b": "crash", …}."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import time


def main() -> int:
    parser = argparse.ArgumentParser()
    for name in ("--node", "--seed", "--seeds", "--cpu", "--results", "--artifacts"):
        parser.add_argument(name)
    parser.add_argument("--only", action="append", default=[])
    arguments = parser.parse_args()
    with open(os.environ["FAKE_CHECKS"], encoding="utf-8") as file:
        behaviours = json.load(file)
    with open(arguments.results, "a", encoding="utf-8") as results:

        def write(document: object) -> None:
            results.write(json.dumps(document) + "\n")
            results.flush()

        for check in arguments.only:
            act(check, behaviours[check], write, results)
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
