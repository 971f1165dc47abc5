"""The one table of all that a tester can ask of a running pump; routes, description and reference come from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

from emulator.control import answers, bodies
from emulator.control.operation import Content, Operation, Plane
from emulator.control.operations.captures import end_capture, fetch_capture, list_captures, start_capture
from emulator.control.operations.faults import arm_fault, clear_faults, list_faults
from emulator.control.operations.identity import restore_state, save_state, swap_pump
from emulator.control.operations.pump import (
    change_power,
    replace_keys,
    set_environment,
    tell_environment,
    tell_truth,
    use_syringe,
)
from emulator.control.operations.run import describe, describe_for_tools, shut_down, tell_events
from emulator.control.operations.time import advance, run_until

_DAY_US: Final = 86_400_000_000
EVENT_LINES: Final = Content("application/x-ndjson", "events, a line each; `dropped`: so many went by")
PCAPNG: Final = Content("application/octet-stream", "a pcapng file")
SAVE_STATE: Final = Content("application/octet-stream", "a save-state, for `PUT /state` and `vpump state`")


def _shut_down(plane: Plane) -> object:
    return plane.serving.shutdown()


OPERATIONS: Final[Sequence[Operation]] = (
    Operation("describe", "GET", "/", "says what this is, and lists the routes", describe, answers.Described),
    Operation(
        "openapi",
        "GET",
        "/openapi.json",
        "describes all of this for other tools, in OpenAPI",
        describe_for_tools,
        answers.Description,
    ),
    Operation(
        "advance",
        "POST",
        "/advance",
        "lets virtual time pass",
        advance,
        answers.Now,
        bodies.AdvanceBody,
        {"duration_us": 60_000_000},
    ),
    Operation(
        "run_until",
        "POST",
        "/run-until",
        "lets time pass up to an event",
        run_until,
        answers.RunUntil,
        bodies.RunUntilBody,
        {"event": "log", "match": {"type": "bolus_ended"}, "limit_us": _DAY_US},
    ),
    Operation(
        "events",
        "GET",
        "/events",
        "hands out what has happened, and what happens",
        tell_events,
        EVENT_LINES,
        bodies.EventsBody,
        {"since": 0, "follow": False},
    ),
    Operation("faults", "GET", "/faults", "lists the armed faults of line and pump", list_faults, answers.Armed),
    Operation(
        "arm_fault",
        "POST",
        "/faults",
        "arms a fault of line or pump",
        arm_fault,
        answers.FaultUnderstood,
        bodies.FaultBody,
        {"fault": "stall for=2h"},
    ),
    Operation(
        "clear_faults",
        "DELETE",
        "/faults",
        "ends and disarms all faults and power cuts",
        clear_faults,
        answers.Armed,
    ),
    Operation(
        "environment",
        "GET",
        "/environment",
        "says what is around the pump",
        tell_environment,
        answers.Environment,
    ),
    Operation(
        "set_environment",
        "PUT",
        "/environment",
        "lets other things be around the pump: warmth, a magnetic field",
        set_environment,
        answers.Environment,
        bodies.EnvironmentBody,
        {"temperature_cc": 3_950, "field_on": False},
    ),
    Operation(
        "use_syringe",
        "POST",
        "/syringe",
        "withdraws from the reservoir, and injects",
        use_syringe,
        answers.SyringeUsed,
        bodies.SyringeBody,
        {
            "withdraw_nl": "all",
            "inject_nl": 20_000_000,
            "drugs": [{"name": "baclofen", "concentration_ng_per_ml": 500_000}],
        },
    ),
    Operation(
        "change_power",
        "POST",
        "/power",
        "cuts or restores the pump's power",
        change_power,
        answers.PowerChanged,
        bodies.PowerBody,
        {"change": "cut", "at_write": 3, "mode": "torn", "torn_bytes": 5},
    ),
    Operation(
        "replace_keys",
        "PUT",
        "/keys",
        "gives the pump other keys; its sessions end",
        replace_keys,
        answers.KeysReplaced,
        bodies.KeysBody,
    ),
    Operation(
        "swap_pump",
        "POST",
        "/identity",
        "puts another pump behind the line, as new",
        swap_pump,
        answers.Identity,
        bodies.IdentityBody,
        {"serial_number": "00C0FFE1"},
    ),
    Operation("save_state", "GET", "/state", "makes a save-state of the pump", save_state, SAVE_STATE),
    Operation(
        "restore_state",
        "PUT",
        "/state",
        "restores a save-state; virtual time goes on from there",
        restore_state,
        answers.Identity,
        bodies.StateBody,
    ),
    Operation("captures", "GET", "/captures", "lists the captures of this run", list_captures, answers.Captures),
    Operation(
        "start_capture",
        "POST",
        "/captures",
        "begins to write what passes on the lines to a file",
        start_capture,
        answers.Capture,
        bodies.CaptureBody,
        {"name": "night.pcapng"},
    ),
    Operation(
        "fetch_capture",
        "GET",
        "/captures/{name}",
        "hands out what a capture has so far",
        fetch_capture,
        PCAPNG,
        bodies.NamedCapture,
    ),
    Operation(
        "end_capture",
        "DELETE",
        "/captures/{name}",
        "ends a capture; its file stays",
        end_capture,
        answers.Capture,
        bodies.NamedCapture,
    ),
    Operation("truth", "GET", "/truth", "says what is physically so", tell_truth, answers.Truth),
    Operation(
        # Its end comes after the answer, which the client could otherwise miss.
        "shutdown",
        "POST",
        "/shutdown",
        "ends the pump",
        shut_down,
        answers.Now,
        afterwards=_shut_down,
    ),
)


BY_PATH: Final[Mapping[str, Mapping[str, Operation]]] = MappingProxyType(
    {
        path: MappingProxyType({each.method: each for each in OPERATIONS if each.path == path})
        for path in dict.fromkeys(operation.path for operation in OPERATIONS)
    }
)
"""The operations by path and method."""
