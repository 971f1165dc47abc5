"""Verdicts as JUnit XML, for CI: an expectation that failed is a failure, a run that did not come to its end an error.

Nothing in it depends on the wall clock, so that the same run gives the same file, but for one that is not reproducible.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Final
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from emulator.scenario.verdict import Outcome, Verdict

SUITE: Final = "vpump scenarios"
_NO_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_ERRORS: Final = (Outcome.HUNG, Outcome.NOT_RUN, Outcome.NOT_JUDGED)


def junit_xml(verdicts: Sequence[Verdict]) -> bytes:
    """The document."""
    failures = sum(not verdict.passed and verdict.outcome not in _ERRORS for verdict in verdicts)
    errors = sum(verdict.outcome in _ERRORS for verdict in verdicts)
    counts = {"tests": str(len(verdicts)), "failures": str(failures), "errors": str(errors)}
    root = Element("testsuites", counts)
    suite = SubElement(root, "testsuite", {"name": SUITE, **counts, "skipped": "0"})
    for verdict in verdicts:
        _case(suite, verdict)
    indent(root)
    text: bytes = tostring(root, encoding="utf-8", xml_declaration=True)
    return text + b"\n"


def _case(suite: Element, verdict: Verdict) -> None:
    case = SubElement(suite, "testcase", {"classname": "vpump.scenario", "name": _clean(verdict.scenario)})
    properties = SubElement(case, "properties")
    for name, value in _properties(verdict):
        SubElement(properties, "property", {"name": name, "value": _clean(value)})
    if not verdict.passed:
        kind = "error" if verdict.outcome in _ERRORS else "failure"
        said = [
            f"{each.name}: {each.described} is {each.shown}, and had to be {each.limit}" for each in verdict.failures
        ]
        message = ": ".join(part for part in (verdict.outcome.value, verdict.reason) if part)
        if verdict.outcome is Outcome.FAILED:
            message = "; ".join(said)
        found = SubElement(case, kind, {"message": _clean(message), "type": verdict.outcome.name.lower()})
        found.text = _clean("\n".join(f"{each.name}: {each.why}" for each in verdict.failures))
    told = "\n".join(f"{each.task}: {each.ended}, {json.dumps(each.report)}" for each in verdict.told)
    SubElement(case, "system-out").text = _clean(told)


def _properties(verdict: Verdict) -> list[tuple[str, str]]:
    measured = [
        (f"expectation.{each.name}", f"{each.shown} ({each.limit})" if each.met is not None else each.reason)
        for each in verdict.measured
    ]
    return [
        ("title", verdict.title),
        ("programmer", verdict.programmer),
        ("outcome", verdict.outcome.value),
        ("reproducible", str(verdict.reproducible).lower()),
        ("seed", str(verdict.seed)),
        ("virtual_us", str(verdict.ended_us - verdict.began_us)),
        ("digest", verdict.digest),
        *(("fault_fired", fault) for fault in verdict.faults_fired),
        *measured,
    ]


def _clean(text: str) -> str:
    """Without what XML cannot hold."""
    return _NO_XML.sub("\N{REPLACEMENT CHARACTER}", text)
