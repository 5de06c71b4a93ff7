"""A cluster check that meets what is not written yet says so, and nothing else."""

from __future__ import annotations

from dynamolab.cluster.errors import NodeDied
from dynamolab.cluster.plugin import _message

SAID = """n1 ended by itself (exit code 134) while it was starting
terminate called after throwing an instance of 'std::logic_error'
  what():  TODO(lab1): start: read every event back from env.storage()
framework/node/node.cpp:88"""


def test_a_stub_that_a_node_died_of_is_told_as_not_written() -> None:
    told = _message([], NodeDied(SAID))
    assert told == "not written yet: TODO(lab1): start: read every event back from env.storage()"


def test_another_death_is_told_as_it_is() -> None:
    told = _message([], NodeDied(SAID.replace("TODO(lab1): start", "start")))
    assert "not written yet" not in told
    assert told.startswith("n1 ended by itself (exit code 134)")


def test_a_failure_beside_a_stub_is_no_death() -> None:
    told = _message([], AssertionError("expected: n2's TODO(lab1): list\nactual: none"))
    assert "not written yet" not in told
