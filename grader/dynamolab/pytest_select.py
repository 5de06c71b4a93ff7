"""A pytest plugin: ``--check-only ID`` runs only the tests that are marked as that check."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--check-only", action="append", default=[], metavar="ID", help="only this check"
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    wanted = set(config.getoption("--check-only"))
    if not wanted:
        return

    def is_wanted(item: pytest.Item) -> bool:
        return any(mark.args and mark.args[0] in wanted for mark in item.iter_markers("check"))

    kept = [item for item in items if is_wanted(item)]
    config.hook.pytest_deselected(items=[item for item in items if not is_wanted(item)])
    items[:] = kept
