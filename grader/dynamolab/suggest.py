"""What a person may have meant."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

MOST_TOLD = 16  # As many names as a person reads.


def did_you_mean(word: str, known: Sequence[str]) -> str:
    """A sentence that helps after an unknown name."""
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    if close:
        return f"did you mean {close[0]}?"
    more = f" and {len(known) - MOST_TOLD} more" if len(known) > MOST_TOLD else ""
    return f"there are: {', '.join(known[:MOST_TOLD])}{more}"
