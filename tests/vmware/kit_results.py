"""What became of each test of a run of the conformance kit."""

import re
from pathlib import Path
from typing import NamedTuple
from xml.etree.ElementTree import Element

from simplestack import parse_xml

_WAY = re.compile(r"(?<=\[)(stack|http)(?:-|(?=\]))|-(stack|http)(?=\])")


class KitTest(NamedTuple):
    """A test of the kit, through `Stack` or through HTTP."""

    #: Module, function and parameters: ``test_power::test_x[start]``, without the way.
    name: str
    #: ``passed``, ``failed`` or ``skipped``.
    outcome: str
    #: Why it was skipped, or the first line of the failure.
    reason: str


def read_results(report: Path) -> list[KitTest]:
    """Return the tests of a run, from pytest's report in the first version of JUnit's format."""
    return [_test(case) for case in parse_xml(report.read_text(), "pytest's report").iter("testcase")]


def _test(case: Element) -> KitTest:
    module = Path(case.get("file", "")).stem
    name = _WAY.sub("", case.get("name", "")).removesuffix("[]")
    for outcome in ("failure", "error", "skipped"):
        found = case.find(outcome)
        if found is not None:
            is_skipped = outcome == "skipped"
            reason = found.get("message", "").strip()
            return KitTest(f"{module}::{name}", "skipped" if is_skipped else "failed", reason)
    return KitTest(f"{module}::{name}", "passed", "")
