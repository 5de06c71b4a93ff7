"""Errors that a person can act on. Each one ends a command with exit code 2, without a traceback."""

from __future__ import annotations


class LabError(Exception):
    """Bad arguments or broken input; the text names the file, the field and the cure."""


class GraderTrouble(LabError):
    """The grader's own trouble (it does not build, a tool is missing): never the student's fault."""
