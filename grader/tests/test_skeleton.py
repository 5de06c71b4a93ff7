"""skeleton/ is what the reference makes of it."""

from __future__ import annotations

import json

import pytest

from dynamolab import skeleton
from dynamolab.errors import LabError

REFERENCE = """#include "ring.h"
// BEGIN SOLUTION
#include <map>
// END SOLUTION

namespace dynamo {
  // BEGIN SOLUTION
  int secret() { return 42; }
  // END SOLUTION
  // BEGIN SKELETON
  // int secret() {
  //   // your turn
  //
  //   throw 1;
  // }
  // END SKELETON
}
"""
SKELETON = """#include "ring.h"

namespace dynamo {
  int secret() {
    // your turn

    throw 1;
  }
}
"""


def test_cuts_the_solution_and_uncovers_the_skeleton() -> None:
    assert skeleton.skeleton_of(REFERENCE, "ring.cpp") == SKELETON


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("// BEGIN SOLUTION\n", "'// END SOLUTION' is missing"),
        ("// END SOLUTION\n", ":1: "),
        ("// BEGIN SOLUTION\n// BEGIN SOLUTION\n", ":2: "),
        ("// BEGIN SOLUTION\n// END SKELETON\n", "where '// END SOLUTION' must"),
        ("// BEGIN SKELETON\nint x;\n// END SKELETON\n", ":2: a line between"),
    ],
)
def test_wrong_marker_is_named_by_line(text: str, told: str) -> None:
    with pytest.raises(LabError, match=told):
        skeleton.skeleton_of(text, "ring.cpp")


def test_fault_plans_lose_what_they_are_about_and_what_they_do() -> None:
    text = '{"hints": {"about": "secret", "actions": [{"act": "heal"}]}}'
    made = json.loads(skeleton.skeleton_of_plans(text, "capstone.json"))
    assert made == {"hints": {"about": "", "actions": []}}
    for wrong in ("[]", "{", "7"):
        with pytest.raises(LabError, match=r"capstone\.json"):
            skeleton.skeleton_of_plans(wrong, "capstone.json")


def test_has_not_drifted() -> None:
    assert skeleton.drift() == ""


def test_nothing_of_a_solution_is_in_it() -> None:
    for name, text in skeleton.generate().items():
        assert "SOLUTION" not in text, name
