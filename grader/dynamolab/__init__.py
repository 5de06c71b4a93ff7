"""Dynamo Labs: the grader's command line, its results and reports; and a client of the store.

    from dynamolab import Client
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .store import Client, Conflict, StoreError, Unknown

__all__ = ["Client", "Conflict", "StoreError", "Unknown"]


def __getattr__(name: str) -> Any:
    """The client, loaded when it is used: ./lab starts sooner without it."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from . import store

    return getattr(store, name)
