"""The OpenAPI description of the control plane, exercised against a real pump: no server error, and answers as told."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core import NOT_SET
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_schema_conformance,
    status_code_conformance,
)

from emulator.assembly import build_device
from emulator.capture.recorder import CaptureHeader
from emulator.control.app import control_app
from emulator.control.artefacts import Artefacts, ArtefactSetting
from emulator.control.bodies import Body, StateBody
from emulator.control.event_stream import EventStream
from emulator.control.gate import Gate
from emulator.control.openapi import openapi
from emulator.control.operation import Operation, Plane
from emulator.control.operations import OPERATIONS
from emulator.control.time_moves import TimeMoves
from emulator.pacing import Pacer
from emulator.serving import Serving

EXAMPLES = 10
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
CAPTURE = "day.pcapng"
BY_NAME = {operation.name: operation for operation in OPERATIONS}


def header(serial_number: int) -> CaptureHeader:
    return CaptureHeader(hardware=f"{serial_number:08X}", application="test", facts=(), ports=("none",))


@pytest.fixture
def application(tmp_path: Path) -> Iterator[object]:
    """The control plane of a new pump, without a port for either; a capture runs."""
    device = build_device("reference-20", 0, 7, insecure=True, session_floor=1)
    serving = Serving(device, [], Pacer(Fraction(0), Fraction(0), time.monotonic_ns()))
    stream = EventStream()
    serving.observe(stream.take)
    setting = ArtefactSetting(tmp_path, header, lambda act: act(), lambda _: None)
    artefacts = Artefacts(setting, serving)
    artefacts.start(CAPTURE)
    yield control_app(Plane(serving, TimeMoves(serving), OPERATIONS, stream, artefacts=artefacts), Gate(None))
    artefacts.close()


def _is_true(value: object) -> bool:
    return str(value).lower() in ("true", "1")


MODES = [
    (operation, mode)
    for operation in OPERATIONS
    for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
    # What has no fields has none that could be wrong, and to the description bytes are bytes.
    if mode is GenerationMode.POSITIVE or (operation.body.ALLOWED and operation.body.MEDIA_TYPE == Body.MEDIA_TYPE)
]


@pytest.mark.parametrize(("operation", "mode"), MODES, ids=lambda part: getattr(part, "name", part))
def test_any_request_is_answered_as_described(operation: Operation, mode: GenerationMode, application: object) -> None:
    schema = schemathesis.openapi.from_asgi("/openapi.json", application)
    described = schema[operation.path][operation.method]
    checks = CHECKS if mode is GenerationMode.POSITIVE else [*CHECKS, negative_data_rejection]

    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    # Whoever follows what happens is not at the end before the pump is.
    @given(described.as_strategy(generation_mode=mode).filter(lambda case: not _is_true(case.query.get("follow"))))
    def exercise(case: Any) -> None:
        case.call_and_validate(checks=checks)

    exercise()


def test_the_description_is_the_one_that_is_served_and_plain_json(application: object) -> None:
    document = openapi(OPERATIONS)
    assert json.loads(json.dumps(document)) == document
    assert schemathesis.openapi.from_asgi("/openapi.json", application).raw_schema == document
    assert {item["operationId"] for path in document["paths"].values() for item in path.values()} == set(BY_NAME)


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_every_example_is_carried_out(operation: Operation, application: object) -> None:
    schema = schemathesis.openapi.from_asgi("/openapi.json", application)
    described = schema[operation.path][operation.method]
    body: Any = json.loads(json.dumps(dict(operation.example)))
    if operation.body is StateBody:
        body = schema["/state"]["GET"].Case().call().content
    query = {name: body.pop(name) for name in operation.body.QUERY}
    named = dict.fromkeys(operation.body.PATH, CAPTURE)
    case = described.Case(
        body=body if body or operation.body.WHOLE else NOT_SET,
        query=query,
        path_parameters=named,
        media_type=operation.body.MEDIA_TYPE,
    )
    answer = case.call_and_validate(checks=CHECKS)
    assert answer.status_code == 200, answer.text
