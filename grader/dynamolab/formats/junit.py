"""JUnit XML, as Jenkins, GitLab and GitHub's actions read it: testsuites > testsuite > testcase, with
failure, error or skipped in it.

Inconclusive is an ``error`` ("the test could not be run"), never a ``failure``."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree

from dynamolab.formats import View, named, story
from dynamolab.results import CheckResult, LabResult, Outcome, Results

# What XML 1.0 cannot say, not even escaped.
_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def _clean(text: str) -> str:
    return _FORBIDDEN.sub("\ufffd", text)


def render(results: Results, _view: View) -> str:
    top = ElementTree.Element("testsuites", {"name": "Dynamo Labs", **_counts(results.labs)})
    for lab in results.labs:
        suite = ElementTree.SubElement(
            top, "testsuite", {"name": f"lab{lab.lab}-{lab.name}", **_counts([lab])}
        )
        properties = ElementTree.SubElement(suite, "properties")
        for name, value in (("seed", results.seed), ("max_points", lab.max_points)):
            ElementTree.SubElement(properties, "property", {"name": name, "value": str(value)})
        if lab.outcome is not Outcome.INCONCLUSIVE:
            ElementTree.SubElement(properties, "property", {"name": "points", "value": str(lab.points)})
        for number, check in enumerate(lab.checks, 1):
            _case(suite, lab, number, check)
    ElementTree.indent(top)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(top, "unicode") + "\n"


def _counts(labs: list[LabResult]) -> dict[str, str]:
    checks = [check for lab in labs for check in lab.checks]

    def count(outcome: Outcome) -> str:
        return str(sum(check.outcome is outcome and not check.void for check in checks))

    return {
        "tests": str(len(checks)),
        "failures": count(Outcome.FAIL),
        "errors": count(Outcome.INCONCLUSIVE),
        "skipped": count(Outcome.SKIP),
        "time": f"{sum(check.seconds for check in checks):.3f}",
    }


def _case(suite: ElementTree.Element, lab: LabResult, number: int, check: CheckResult) -> None:
    shown = named(check)
    name = check.id.partition(".")[2] or check.id
    case = ElementTree.SubElement(
        suite,
        "testcase",
        {
            "classname": f"lab{lab.lab}.{lab.name}",
            "name": name if shown else f"hidden_check_{number}",
            "time": f"{check.seconds:.3f}",
        },
    )
    if check.void or check.outcome is Outcome.PASS:
        return
    title, text = (check.title, story(check)) if shown else ("a hidden check", "")
    kind = {Outcome.FAIL: "failure", Outcome.SKIP: "skipped", Outcome.INCONCLUSIVE: "error"}
    attributes = {"message": _clean(title)}
    if check.outcome is not Outcome.SKIP:
        attributes["type"] = check.outcome.value
    ElementTree.SubElement(case, kind[check.outcome], attributes).text = _clean(text)
