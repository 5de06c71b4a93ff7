"""The reference's store beside others: throughput and latency of puts and gets, in one run."""

from __future__ import annotations

from .compare import compare
from .load import Generator
from .report import figures, ratios, show
from .scaling import scale

__all__ = ["Generator", "compare", "figures", "ratios", "scale", "show"]
