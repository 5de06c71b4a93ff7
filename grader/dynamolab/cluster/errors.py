"""What can go wrong with a cluster of real processes, and whose fault it is.

An AssertionError is the solution's: the check fails. Anything else is the grader's own trouble: the
check is inconclusive, never a zero.
"""

from __future__ import annotations

from ..errors import GraderTrouble


class ClusterTrouble(GraderTrouble):
    """The harness could not do its part: no port, no program, faultnet gone."""


class NodeDied(AssertionError):
    """A node's process ended though nobody had stopped it."""


class NodeSilent(AssertionError):
    """A node that runs did not answer an HTTP request in time, or broke the connection."""


class WaitExpired(AssertionError):
    """What a check waited for did not come true before its deadline."""
