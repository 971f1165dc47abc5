"""What a fuzzer begins with: every message, the check vectors, and worked stories, in the language of each target."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any, Final

from emulator.worked.desk import WorkedFrame
from emulator.worked.to_commit import session_to_commit
from protocol.export.examples import EXAMPLE_NAK, EXAMPLES, example_wire
from protocol.export.vectors import CHECK_VECTORS
from protocol.fields import encode, layout_of
from protocol.messages import alarm, deliver, link, log, op, program, pump_time, read, routine, stream
from protocol.messages.codes import Block, BolusKind, Role
from protocol.messages.log_records import DATA_OF
from protocol.messages.operations import EVENT, OPERATIONS, by_name, operation_of
from protocol.messages.program import BLOCKS
from protocol.refusals import OK, Nak, NakCode
from tests.fuzz import byte_targets, device_target, host_target, session_target
from tests.fuzz.acts import act
from tests.fuzz.end_keys import PORTS, ROLES

_EXAMPLE: Final[Mapping[type, Any]] = {type(example): example for example in EXAMPLES}
_NEXT, _SAME = b"\x00", b"\x01"
_BOLUS_NL, _BOLUS_S = 50_000, 600


def _reader() -> Iterator[bytes]:
    worked = [entry.wire for entry in session_to_commit() if isinstance(entry, WorkedFrame)]
    wires = [vector.wire for vector in CHECK_VECTORS] + worked
    wires += [example_wire(example) for example in EXAMPLES]
    yield b"\xff" + b"".join(wires[:6])
    yield from (bytes((number % 32,)) + wire for number, wire in enumerate(wires))
    yield b"\x07" + b"\x01" * 300 + wires[0]
    yield b"\x00" + bytes(4) + b"\x03\x01" + wires[1]


def _messages() -> Iterator[bytes]:
    for (kind, number), cls in byte_targets.CLASSES.items():
        head = bytes((kind,)) + number.to_bytes(2, "little")
        if cls in _EXAMPLE:
            yield head + encode(_EXAMPLE[cls])
        else:
            yield head + bytes(layout_of(cls).maximum_size)
    yield bytes((byte_targets.NAK, 0, 0)) + EXAMPLE_NAK.encode()
    for block in BLOCKS:
        yield bytes((byte_targets.BLOCK, block, 0))
    for kind in DATA_OF:
        yield bytes((byte_targets.LOG_DATA,)) + int(kind).to_bytes(2, "little") + bytes(20)


def _opcode(message_or_class: object) -> bytes:
    return operation_of(message_or_class).opcode.to_bytes(2, "little")


def _host() -> Iterator[bytes]:
    hello = act(host_target.REQUEST, _opcode(link.HelloRequest) + encode(_EXAMPLE[link.HelloRequest]))
    greeted = act(host_target.ANSWER, bytes((OK,)) + encode(_EXAMPLE[link.HelloAnswer]))
    status = act(host_target.REQUEST, _opcode(read.StatusRequest))
    for operation in OPERATIONS:
        asked = act(host_target.REQUEST, _opcode(operation.request) + encode(_EXAMPLE[operation.request]))
        answer = bytes((OK,)) + encode(_EXAMPLE[operation.answer])
        yield b"\x03" + asked + act(host_target.SEALED_ANSWER, answer)
        yield b"\x02" + asked + act(host_target.ANSWER, answer)
    event = _EXAMPLE[stream.StreamEvent]
    sealed_event = act(
        host_target.SEALED, b"\x00\x00\x01" + EVENT.opcode.to_bytes(2, "little") + b"\x01" + encode(event)
    )
    yield b"\x03" + sealed_event * 2 + status + sealed_event
    opened = act(host_target.OPEN_SESSION, bytes(range(8))) + act(host_target.CHALLENGE, bytes(8))
    auth = act(host_target.SEALED_ANSWER, bytes((OK,)) + encode(_EXAMPLE[link.AuthAnswer]))
    yield b"\x00" + hello + greeted + opened + auth + status + act(host_target.WAIT) * 5 + act(host_target.FORGET)
    yield b"\x00" + hello + greeted + opened + act(host_target.ANSWER, Nak(NakCode.KEY).encode())
    for code in NakCode:
        refused = act(host_target.REFUSE, Nak(code, detail=5).encode())
        yield b"\x03" + status + refused * (6 if code in (NakCode.PENDING, NakCode.SEQUENCE, NakCode.BUSY) else 1)
    yield b"\x03" + status + act(host_target.ANSWER, Nak(NakCode.NO_SUCH_SESSION).encode()) + status


def _session() -> Iterator[bytes]:
    granted = b"\x00\x00\x00"
    open_ = act(session_target.CLEAR, b"\x03\x01" + _opcode(link.OpenRequest) + encode(_EXAMPLE[link.OpenRequest]))
    auth = act(session_target.CLEAR, b"\x03\x02" + _opcode(link.AuthRequest) + encode(_EXAMPLE[link.AuthRequest]))
    reply = act(session_target.REPLY, granted)
    for insecure in (b"\x00", b"\x01"):
        for operation in OPERATIONS:
            asked = operation.opcode.to_bytes(2, "little") + encode(_EXAMPLE[operation.request])
            for role in range(len(ROLES)):
                yield insecure + act(session_target.SEALED, bytes((role, 0)) + asked) + reply
            yield insecure + act(session_target.CLEAR, b"\x03\x01" + asked) + reply
        yield insecure + open_ + reply + auth + reply * 2
        yield insecure + open_ * 2 + act(session_target.REPLY, b"\x00\x02\x00") + open_ + reply + auth * 2 + reply
    subscribed = _opcode(stream.SubscribeRequest) + encode(_EXAMPLE[stream.SubscribeRequest])
    minute = act(session_target.WAIT, (60_000).to_bytes(4, "little"))
    yield b"\x00" + act(session_target.SEALED, b"\x02\x00" + subscribed) + reply * 2 + (minute + reply) * 2
    time_read = _opcode(pump_time.TimeReadRequest)
    asked = act(session_target.SEALED, b"\x02\x00" + time_read)
    yield (
        b"\x00"
        + asked
        + act(session_target.SEALED, b"\x02\x01" + time_read)
        + act(session_target.REPLY, b"\x00\x02\x00")
        + reply
        + act(session_target.SEALED, b"\x02\x01" + time_read)
        + act(session_target.SEALED, b"\x02\x09" + time_read)
    )
    yield b"\x00" + asked + act(session_target.LINE, b"\x02\x00") + reply + act(session_target.LINE, b"\x02\x01")
    yield b"\x00" + asked + act(session_target.POWER) + asked + act(session_target.KEYS, b"k")
    yield b"\x00" + asked + act(session_target.WAIT, (180_000).to_bytes(4, "little")) + reply
    yield b"\x00" + asked + reply + act(session_target.RAW, b"\x00" + CHECK_VECTORS[0].wire)


def _sealed(role: int, message: object, how: bytes = _NEXT) -> bytes:
    return act(role, how + _opcode(message) + encode(message))


def _program() -> bytes:
    """A program is staged, validated, read back and committed; the CRC is that of the examples, so it may not fit."""
    acts = _sealed(device_target.CLINICIAN, program.ProgramBeginRequest())
    for block, cls in BLOCKS.items():
        content = encode(_EXAMPLE[cls]) if cls in _EXAMPLE else bytes(layout_of(cls).maximum_size)
        for at in range(0, len(content), 128):
            part = program.ProgramWriteRequest(stage_id=1, block=block, offset=at, data=content[at : at + 128])
            acts += _sealed(device_target.CLINICIAN, part)
    acts += _sealed(device_target.CLINICIAN, program.ProgramValidateRequest(stage_id=1))
    acts += _sealed(
        device_target.CLINICIAN, program.StageReadRequest(stage_id=1, block=Block.IMAGE, offset=0, length=9)
    )
    return acts


def _bolus(volume_nl: int = _BOLUS_NL) -> bytes:
    turned = volume_nl ^ 0xFFFFFFFF
    prepare = deliver.BolusPrepareRequest(
        kind=BolusKind.SINGLE, volume_nl=volume_nl, volume_complement=turned, duration_s=_BOLUS_S
    )
    execute = deliver.BolusExecuteRequest(
        bolus_id=1, volume_nl=volume_nl, volume_complement=turned, duration_s=_BOLUS_S, op_id=1, therapy_rev=1
    )
    return _sealed(device_target.CLINICIAN, prepare) + _sealed(device_target.CLINICIAN, execute)


def _device() -> Iterator[bytes]:
    sealed_as = dict(zip(ROLES, (device_target.READER, device_target.PATIENT, device_target.CLINICIAN), strict=True))
    for operation in OPERATIONS:
        for verb in sealed_as.values():
            yield _sealed(verb, _EXAMPLE[operation.request])
        asked = operation.opcode.to_bytes(2, "little") + encode(_EXAMPLE[operation.request])
        yield act(device_target.CLEAR, b"\x03\x01" + asked)
    wait = act(device_target.WAIT, (60_000).to_bytes(4, "little"))
    ask_all = b"".join(
        _sealed(device_target.READER, message)
        for message in (
            op.OpListRequest(page=0),
            op.OpQueryRequest(role=Role.CLINICIAN, op_id=1),
            log.LogStatusRequest(),
            log.LogReadRequest(epoch=1, from_sequence=1, maximum=4),
            read.StatusRequest(),
            alarm.AlarmListRequest(from_instance=0),
        )
    )
    stop = _sealed(device_target.CLINICIAN, deliver.StopRequest(op_id=2, therapy_rev=0))
    cancel = _sealed(device_target.CLINICIAN, deliver.BolusCancelRequest(bolus_id=1, op_id=2, therapy_rev=0))
    start = _sealed(device_target.CLINICIAN, deliver.StartRequest(op_id=3, therapy_rev=4))
    yield _bolus() + wait + ask_all + cancel + ask_all
    yield _bolus() + wait + stop + start + ask_all
    yield _bolus() + act(device_target.POWER) + ask_all
    yield _bolus() + _sealed(device_target.CLINICIAN, deliver.StopRequest(op_id=2, therapy_rev=0), _SAME) + stop
    yield _program()
    refill = routine.RefillCommitRequest(
        refill_id=1,
        measured_nl=0,
        volume_nl=900_000,
        volume_complement=900_000 ^ 0xFFFFFFFF,
        drugs=(routine.RefillDrug(name="", concentration_ng_per_ml=0),) * routine.REFILL_DRUGS_MAX,
        op_id=1,
        therapy_rev=1,
    )
    yield _sealed(device_target.CLINICIAN, routine.RefillBeginRequest()) + _sealed(device_target.CLINICIAN, refill)
    for port in (*PORTS.values(), device_target.STRANGERS_PORT):
        for role in range(len(ROLES)):
            for flags in (0, 2, 3, 6, 7):
                yield act(device_target.HANDSHAKE, bytes((port, role, flags, 2)))
    yield act(device_target.LINE, b"\x02\x00") + ask_all + act(device_target.LINE, b"\x02\x01") + ask_all
    yield act(device_target.FORGED, bytes(14) + _opcode(deliver.StopRequest) + bytes(8)) * 3
    yield b"".join(act(device_target.RAW, bytes((port,)) + CHECK_VECTORS[port].wire) for port in range(4))
    yield act(device_target.BODY, b"\x03" + CHECK_VECTORS[0].body[:-4])
    yield act(device_target.POWER, b"\x01") + ask_all + act(device_target.POWER) + ask_all
    yield act(device_target.AROUND, b"\xff\x20\x01") + _bolus() + wait + act(device_target.AROUND) + ask_all
    yield _bolus() + act(device_target.SWAP, b"\x00\x09") + ask_all + act(device_target.SWAP, b"\x01") + ask_all
    begun = _bolus() + act(device_target.STATE) + wait + cancel
    yield begun + act(device_target.STATE, b"\x09") + ask_all + wait + cancel + ask_all
    yield begun + act(device_target.POWER, b"\x01") + act(device_target.STATE, b"\x09") + ask_all


_MAKERS: Final[Mapping[str, Callable[[], Iterator[bytes]]]] = {
    "reader": _reader,
    "messages": _messages,
    "host": _host,
    "session": _session,
    "device": _device,
}


@cache
def seeds_of(target: str) -> tuple[bytes, ...]:
    """The seeds of a target, no two of them equal."""
    return tuple(dict.fromkeys(_MAKERS[target]()))


TOKENS: Final = tuple(operation.opcode.to_bytes(2, "little") for operation in by_name.values())
"""Bytes that an input seldom comes to by chance: the operations."""
