"""The story of a check: what was done to the cluster, in numbered steps, for the reader of a FAIL."""

from __future__ import annotations

import re
import time
from itertools import groupby

MOST_STEPS = 60
FEWEST_TO_FOLD = 5  # Steps in a row that are alike: the first two and the last are told.

_NUMBER = re.compile(r"\d+")


class Story:
    """Collects steps. A step that repeats the one before only counts up."""

    def __init__(self) -> None:
        self._steps: list[tuple[str, int]] = []
        self._told_s: list[float] = []  # When each step was told for the last time; monotonic.

    def tell(self, step: str) -> None:
        if self._steps and self._steps[-1][0] == step:
            self._told_s[-1] = time.monotonic()
        else:
            self._told_s.append(time.monotonic())
        if self._steps and self._steps[-1][0] == step:
            self._steps[-1] = (step, self._steps[-1][1] + 1)
        else:
            self._steps.append((step, 1))

    def told_ms(self, began_s: float) -> list[int]:
        """When each numbered step was told, after `began_s` of the monotonic clock: it was done by then."""
        return [int((told_s - began_s) * 1000) for told_s in self._told_s]

    def lines(self) -> list[str]:
        """Numbered lines; steps that are alike are folded, and of a very long story the beginning
        and the end are told."""
        told = [
            f"{number}. {step}" + (f" ({times} times)" if times > 1 else "")
            for number, (step, times) in enumerate(self._steps, start=1)
        ]
        told = _folded(told)
        if len(told) <= MOST_STEPS:
            return told
        half = MOST_STEPS // 2
        return [*told[:half], f"… {len(told) - 2 * half} steps more …", *told[-half:]]


def _folded(lines: list[str]) -> list[str]:
    """"n2 starts" and "n3 starts" are alike: only numbers differ."""
    folded: list[str] = []
    for _, group in groupby(lines, key=lambda line: _NUMBER.sub("#", line)):
        alike = list(group)
        if len(alike) >= FEWEST_TO_FOLD:
            alike = [*alike[:2], f"   … {len(alike) - 3} more like this …", alike[-1]]
        folded += alike
    return folded
