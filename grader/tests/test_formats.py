"""The formats of other systems: each against the fields that its documentation names, and none of them
makes a zero of what is inconclusive."""

from __future__ import annotations

import argparse
import csv
import io
import json
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from dynamolab import checks, formats, grade, labs, processes, results, solutions
from dynamolab.commands import common
from dynamolab.errors import LabError
from dynamolab.formats import NAMES, NoGrade, View
from dynamolab.leaderboard import Figures, Leaderboard
from dynamolab.paths import REFERENCE
from dynamolab.results import CheckResult, LabResult, Outcome, Results, Show

HOSTILE = "=cmd()|'/c'!A1 <script>&\x1b[31m\x00\udce4\u202e ]]> {\"scores\": {\"Lab 2\": 100}}"
PASS, FAIL, SKIP, INCONCLUSIVE = (
    Outcome.PASS,
    Outcome.FAIL,
    Outcome.SKIP,
    Outcome.INCONCLUSIVE,
)


def check(name: str, outcome: Outcome, points: int = 10, **more: Any) -> CheckResult:
    told = {"message": "" if outcome is PASS else f"it broke: {HOSTILE}", "hint": "look", **more}
    return CheckResult(f"ring.{name}", f"Title of {name}", "sim", outcome, points, 0.5, **told)


def two_labs(*outcomes: Outcome) -> Results:
    first = LabResult(2, "ring", "Ring", [check(f"c{n}", o) for n, o in enumerate(outcomes)])
    figures = Figures(1000.0, 1.0, 9.0, 0)
    second = LabResult(7, "capstone", "Always on", [check("whole", PASS, 5)])
    second.leaderboard = Leaderboard("5 nodes", figures, figures)
    return Results("mine", 1, [first, second], seconds=3.4)


GRADED = two_labs(PASS, FAIL, SKIP)
UNDECIDED = two_labs(PASS, INCONCLUSIVE)
NUMBER = {"type": "number"}
TEXT = {"type": "string"}
VISIBILITY = {"enum": ["hidden", "after_due_date", "after_published", "visible"]}
OUTPUT_FORMAT = {"enum": ["text", "html", "simple_format", "md", "ansi"]}


def an_object(required: str, **properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "required": required.split(),
        "properties": {key.replace("__", "-"): value for key, value in properties.items()},
        "additionalProperties": False,
    }


def a_list(of: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": of}


# "Autograder Specifications", "Output format".
GRADESCOPE = an_object(
    "",
    score=NUMBER,
    execution_time=NUMBER,
    output=TEXT,
    output_format=OUTPUT_FORMAT,
    test_output_format=OUTPUT_FORMAT,
    test_name_format=OUTPUT_FORMAT,
    visibility=VISIBILITY,
    stdout_visibility=VISIBILITY,
    extra_data={"type": "object"},
    tests=a_list(
        an_object(
            "",
            score=NUMBER,
            max_score=NUMBER,
            status={"enum": ["passed", "failed"]},
            name=TEXT,
            name_format=OUTPUT_FORMAT,
            number=TEXT,
            output=TEXT,
            output_format=OUTPUT_FORMAT,
            tags=a_list(TEXT),
            visibility=VISIBILITY,
            extra_data={"type": "object"},
        )
    ),
    leaderboard=a_list(
        an_object(
            "name value", name=TEXT, value={"type": ["number", "string"]}, order={"enum": ["asc", "desc"]}
        )
    ),
)
# "External grading", "Grading results".
PRAIRIELEARN = an_object(
    "",
    gradable={"type": "boolean"},
    score={"type": "number", "minimum": 0, "maximum": 1},
    message=TEXT,
    output=TEXT,
    images={"type": "array"},
    format_errors={"type": ["string", "array"], "items": TEXT},
    tests=a_list(
        an_object(
            "name points max_points",
            name=TEXT,
            description=TEXT,
            points=NUMBER,
            max_points=NUMBER,
            message=TEXT,
            output=TEXT,
            images={"type": "array"},
        )
    ),
)
# "Advanced Autograding", "The result.json contract"; more fields of a test are kept as they are.
CLASSROOM50 = an_object(
    "schema classroom assignment submission commit release review datetime score max-score tests",
    schema={"const": "classroom50/result/v1"},
    **{key: {"type": "string", "minLength": 1} for key in ("classroom", "assignment", "submission")},
    **{key: {"type": "string", "minLength": 1} for key in ("commit", "release", "review", "owner")},
    assignment_type={"enum": ["individual", "group"]},
    datetime={"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$"},
    score={"type": "integer"},
    max__score={"type": "integer"},
    tests=a_list(
        an_object("test-name passed score max-score")
        | {
            "properties": {
                "test-name": TEXT,
                "passed": {"type": "boolean"},
                "score": {"type": "integer"},
                "max-score": {"type": "integer"},
            },
            "additionalProperties": True,
        }
    ),
)
# "Guide for Lab Authors" and "Formatted Feedback".
AUTORESULT = an_object(
    "scores",
    scores={"type": "object", "additionalProperties": NUMBER},
    scoreboard={"type": "array", "items": {"type": ["number", "string"]}},
)
STAGE = {
    "type": "object",
    "additionalProperties": an_object("passed", passed={"type": "boolean"}, hint=TEXT),
}
FEEDBACK = {
    "type": "object",
    "required": ["_presentation", "stages"],
    "properties": {"_presentation": {"const": "semantic"}, "stages": a_list(TEXT)},
    "additionalProperties": STAGE,
}


def rendered(name: str, of: Results, **view: Any) -> str:
    text = formats.find(name).render(of, View(**view))
    text.encode()  # What cannot be written to a file is no text.
    return text


def document(name: str, of: Results, **view: Any) -> Any:
    return json.loads(rendered(name, of, **view))


def autolab(of: Results) -> tuple[list[str], dict[str, Any], dict[str, Any]]:
    *words, feedback, last = rendered("autolab", of).splitlines()
    return words, json.loads(feedback), json.loads(last)


@pytest.mark.parametrize("of", [GRADED, UNDECIDED], ids=["graded", "undecided"])
def test_each_format_has_its_documented_fields_and_no_other(of: Results) -> None:
    jsonschema.validate(document("gradescope", of), GRADESCOPE)
    jsonschema.validate(document("prairielearn", of), PRAIRIELEARN)
    words, feedback, last = autolab(of)
    jsonschema.validate(feedback, FEEDBACK)
    jsonschema.validate(last, AUTORESULT)
    assert set(feedback["stages"]) <= set(feedback)
    assert not [line for line in words if line.startswith("{")], "would be taken for ours"
    if of is GRADED:
        jsonschema.validate(document("classroom50", of), CLASSROOM50)


def test_scores_are_those_of_the_results() -> None:
    assert document("gradescope", GRADED)["score"] == 15
    tests = document("gradescope", GRADED)["tests"]
    assert [(t["score"], t["max_score"], t["status"]) for t in tests] == [
        *((10, 10, "passed"), (0, 10, "failed"), (0, 10, "failed"), (5, 5, "passed")),
    ]
    assert document("prairielearn", GRADED)["score"] == pytest.approx(15 / 35, abs=1e-6)
    assert autolab(GRADED)[2] == {"scores": {"Lab 2": 10, "Lab 7": 5}, "scoreboard": [10, 5, 15]}
    ours = document("classroom50", GRADED)
    assert (ours["score"], ours["max-score"]) == (15, 35)


def test_inconclusive_never_becomes_a_zero() -> None:
    gradescope = document("gradescope", UNDECIDED)
    assert "score" not in gradescope
    assert not [test for test in gradescope["tests"] if "score" in test or "max_score" in test]
    assert "status" not in gradescope["tests"][1]
    assert "graded again" in gradescope["output"] and "ring.c1" in gradescope["output"]
    prairielearn = document("prairielearn", UNDECIDED)
    assert prairielearn["gradable"] is False and "score" not in prairielearn
    assert autolab(UNDECIDED)[2] == {"scores": {"Lab 7": 5}}
    with pytest.raises(NoGrade, match="ring.c1"):
        rendered("classroom50", UNDECIDED)
    rows = list(csv.DictReader(io.StringIO(rendered("csv", UNDECIDED))))
    assert [row["points"] for row in rows] == ["10", "", "5"]
    case = ElementTree.fromstring(rendered("junit", UNDECIDED)).findall(".//testcase")[1]
    assert [child.tag for child in case] == ["error"]


def test_a_run_that_was_cut_off_is_no_grade_either() -> None:
    assert "score" not in document("gradescope", GRADED, complete=False)
    assert document("prairielearn", GRADED, complete=False)["gradable"] is False
    with pytest.raises(NoGrade):
        rendered("classroom50", GRADED, complete=False)


def test_void_checks_credit_everyone_and_decide_nothing() -> None:
    of = two_labs(PASS, INCONCLUSIVE)
    of.labs[0].checks[1].void = True
    assert document("gradescope", of)["score"] == 25
    assert document("prairielearn", of)["score"] == 1
    assert autolab(of)[2]["scores"]["Lab 2"] == 20


def test_hidden_checks_count_and_are_not_told() -> None:
    of = two_labs(PASS, FAIL, FAIL)
    of.labs[0].checks[1].show = Show.OUTCOME
    of.labs[0].checks[2].show = Show.NOTHING
    for name in ("classroom50", "autolab", "junit", "prairielearn"):
        text = rendered(name, of)
        assert text.count("it broke") == 0, name
        assert "c2" not in text, name
    tests = document("gradescope", of)["tests"]
    assert [test["visibility"] for test in tests] == ["visible", "visible", "hidden", "visible"]
    assert "it broke" not in tests[1]["output"]
    assert document("prairielearn", of)["score"] == pytest.approx(15 / 35, abs=1e-6)


def test_what_does_not_compile_costs_no_attempt_in_prairielearn() -> None:
    words = "The solution does not compile (ring.cpp):\nring.cpp:1: error"
    of = Results("mine", 1, [LabResult(2, "ring", "Ring", [check("c", FAIL, message=words)])])
    told = document("prairielearn", of)
    assert told["gradable"] is False and told["format_errors"] == [words]


def test_prairielearn_stays_under_its_megabyte() -> None:
    checks = [check(f"c{n}", FAIL, message="x" * 100_000) for n in range(100)]
    text = rendered("prairielearn", Results("mine", 1, [LabResult(2, "ring", "Ring", checks)]))
    assert len(text) < 1_000_000 and len(json.loads(text)["tests"]) == 100


# The attributes and children that Jenkins' and Ant's schemas of JUnit XML know.
JUNIT = {
    "testsuites": ({"name", "tests", "failures", "errors", "skipped", "time"}, {"testsuite"}),
    "testsuite": (
        {"name", "tests", "failures", "errors", "skipped", "time"},
        {"properties", "testcase"},
    ),
    "properties": (set(), {"property"}),
    "property": ({"name", "value"}, set()),
    "testcase": ({"name", "classname", "time"}, {"failure", "error", "skipped"}),
    "failure": ({"message", "type"}, set()),
    "error": ({"message", "type"}, set()),
    "skipped": ({"message"}, set()),
}


@pytest.mark.parametrize("of", [GRADED, UNDECIDED], ids=["graded", "undecided"])
def test_junit_is_what_readers_of_it_know(of: Results) -> None:
    top = ElementTree.fromstring(rendered("junit", of))
    for element in top.iter():
        attributes, children = JUNIT[element.tag]
        assert set(element.attrib) <= attributes and {c.tag for c in element} <= children
    suites = [top, *top.findall("testsuite")]
    for suite in suites:
        for kind, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
            assert int(suite.attrib[kind]) == len(suite.findall(f".//{tag}"))
        assert int(suite.attrib["tests"]) == len(suite.findall(".//testcase"))


def test_csv_holds_no_formula_of_a_submission() -> None:
    of = two_labs(FAIL)
    of.labs[0].checks[0].message = HOSTILE
    of.solution = "+evil"
    row = next(csv.DictReader(io.StringIO(rendered("csv", of))))
    assert row["message"].startswith("'=") and row["submission"] == "'+evil"


def test_classroom50_takes_who_it_is_from_the_runner() -> None:
    said = {"CLASSROOM": "cs", "ASSIGNMENT": "ring", "COMMIT_URL": "https://c", "OWNER": "alice"}
    told = document("classroom50", GRADED, environment=said)
    jsonschema.validate(told, CLASSROOM50)
    assert (told["classroom"], told["review"], told["owner"]) == ("cs", "https://c", "alice")


@pytest.mark.parametrize("name", NAMES)
def test_results_are_converted_as_they_would_have_been_written(
    name: str, tmp_path: Path, lab_command: Callable[..., processes.Completed]
) -> None:
    file, out = tmp_path / "results.json", tmp_path / "out"
    results.write_json(results.of_document(GRADED.document()).document(), file)
    assert results.read(file).document() == GRADED.document()
    done = lab_command("convert", file, "--to", name, "--output", out)
    assert done.code == 0, done.out
    if name != "classroom50":  # That has the hour in it.
        assert out.read_text() == rendered(name, GRADED)


def test_converting_what_is_no_grade_says_so_and_writes_nothing(
    tmp_path: Path, lab_command: Callable[..., processes.Completed]
) -> None:
    file, out = tmp_path / "results.json", tmp_path / "out"
    results.write_json(UNDECIDED.document(), file)
    done = lab_command("convert", file, "--to", "classroom50", "--output", out)
    assert done.code == 2 and "graded again" in done.out and not out.exists()
    assert lab_command("convert", tmp_path / "none.json", "--to", "csv").code == 2


def test_how_things_stand_is_told_after_each_verdict(
    course: list[labs.Lab], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What has no verdict yet is inconclusive, in this lab and in those that come after it."""
    told: list[Results] = []
    chosen = course[1:3]
    solution = solutions.Solution(REFERENCE, tuple(course))
    request = grade.Request(solution, chosen, on_progress=told.append)
    first = chosen[0].checks[0].id
    grade._teller(request, Results("mine", 1), chosen[0])({first: checks.Verdict(PASS)})
    outcomes = [c.outcome for lab in told[0].labs for c in lab.checks]
    assert outcomes == [PASS] + [INCONCLUSIVE] * (sum(len(lab.checks) for lab in chosen) - 1)
    partial = document("gradescope", told[0], complete=False)
    jsonschema.validate(partial, GRADESCOPE)
    assert "score" not in partial and partial["tests"][0]["status"] == "passed"


def test_format_and_output_go_together_and_an_old_file_goes(tmp_path: Path) -> None:
    old = tmp_path / "results.json"
    old.write_text('{"score": 100}')
    with pytest.raises(LabError, match="go together"):
        common.format_writer(argparse.Namespace(format="csv", output=None))
    write = common.format_writer(argparse.Namespace(format="gradescope", output=old))
    assert write is not None and not old.exists()
    write(GRADED)
    assert "cut off" in json.loads(old.read_text())["output"]
    unsaid = common.format_writer(argparse.Namespace(format="classroom50", output=old))
    assert unsaid is not None
    unsaid(GRADED)
    assert not old.exists()
