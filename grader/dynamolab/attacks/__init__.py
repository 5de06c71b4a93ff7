"""Hostile submissions (grader/attacks), and what must be true of each: it gains no point, reads no secret,
harms no neighbour, and hangs nothing."""

from .judge import Trial, judge
from .model import Attack, Places, load
from .proof import Evidence, together

__all__ = ["Attack", "Evidence", "Places", "Trial", "judge", "load", "together"]
