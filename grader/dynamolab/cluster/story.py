"""The story of a check: what was done to the cluster, in numbered steps, for the reader of a FAIL."""

from __future__ import annotations

MOST_STEPS = 60


class Story:
    """Collects steps. A step that repeats the one before only counts up."""

    def __init__(self) -> None:
        self._steps: list[tuple[str, int]] = []

    def tell(self, step: str) -> None:
        if self._steps and self._steps[-1][0] == step:
            self._steps[-1] = (step, self._steps[-1][1] + 1)
        else:
            self._steps.append((step, 1))

    def lines(self) -> list[str]:
        """Numbered lines; of a very long story the beginning and the end."""
        told = [
            f"{number}. {step}" + (f" ({times} times)" if times > 1 else "")
            for number, (step, times) in enumerate(self._steps, start=1)
        ]
        if len(told) <= MOST_STEPS:
            return told
        half = MOST_STEPS // 2
        return [*told[:half], f"… {len(told) - 2 * half} steps more …", *told[-half:]]
