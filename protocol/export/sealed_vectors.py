"""Vectors of a session: how its keys come about, frames that it seals, and frames that do not open."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

from protocol import keys
from protocol.access import access_of
from protocol.channel import COUNTER_SIZE, Direction, Sealer, SessionKeys, counter_of, nonce_of
from protocol.export.catalogue import CARRIED, Carried, Way
from protocol.export.examples import ADDRESS, HANDSHAKE, ROLE_KEY, SESSION_ID, TXN
from protocol.export.plain_values import plain
from protocol.export.samples import patterned
from protocol.fields import encode
from protocol.frame import Flag, Frame
from protocol.framing import LineFault
from protocol.messages.codes import Role
from protocol.messages.link import AuthAnswer
from protocol.refusals import OK

KEYS: Final = keys.session_keys(ROLE_KEY, HANDSHAKE)
_NO_FLAGS: Final = Flag(0)
_LATER_COUNTER: Final = 0x0102030405


@dataclass(frozen=True, slots=True)
class SealedVector:
    """A secured frame and what is in it. `fault`: why it is dropped, though `last` was the last good counter."""

    what: str
    carried: Carried
    frame: Frame
    plain: bytes
    message: Any
    direction: Direction
    fault: LineFault | None = None
    last: int = 0


def sealed_vectors() -> Iterator[SealedVector]:
    """Every message that a session can carry, in the order of their counters; then frames that do not open."""
    sealers = {direction: Sealer(KEYS, direction) for direction in Direction}
    for carried in CARRIED:
        if _in_session(carried):
            yield _sealed(carried, sealers[_direction(carried)])
    request = next(row for row in CARRIED if row.operation.name == "BOLUS_EXECUTE" and row.way is Way.REQUEST)
    late = Sealer(KEYS, Direction.HOST_TO_PUMP)
    late.counter = _LATER_COUNTER - 1
    good = _sealed(request, late)
    yield replace(good, what="a counter of which every byte is another")
    yield from _spoilt(good)


def derivation() -> dict[str, Any]:
    """From the published test key of a pump to the keys of one session, every step."""
    hello_context = HANDSHAKE.context()
    return {
        "serial_number": ADDRESS,
        "role": int(HANDSHAKE.role),
        "test_keys": {role.name.lower(): key.hex() for role, key in keys.test_keys(ADDRESS).of_role.items()},
        "role_key": ROLE_KEY.hex(),
        "flags": HANDSHAKE.flags,
        "host_id": HANDSHAKE.host_id,
        "host_challenge": HANDSHAKE.host_challenge.hex(),
        "device_challenge": HANDSHAKE.device_challenge.hex(),
        "hello_hash": HANDSHAKE.hello_hash.hex(),
        "context": hello_context.hex(),
        "device_cryptogram": keys.device_cryptogram(ROLE_KEY, HANDSHAKE).hex(),
        "host_cryptogram": keys.host_cryptogram(ROLE_KEY, HANDSHAKE).hex(),
        "host_to_pump_key": KEYS.host_to_pump.hex(),
        "pump_to_host_key": KEYS.pump_to_host.hex(),
        "salt": KEYS.salt.hex(),
        "session_id": SESSION_ID,
    }


def document(vector: SealedVector) -> dict[str, Any]:
    """The vector as JSON values, with all that goes into the cipher."""
    frame = vector.frame
    counter = counter_of(frame)
    verdict: dict[str, Any] = {"verdict": "ok"}
    if vector.fault is not None:
        counted_as = f"{vector.fault.value}_errors"
        verdict = {"verdict": "dropped", "counted_as": counted_as, "last_good_counter": vector.last}
    return {
        "what": vector.what,
        "wire": frame.to_wire().hex(),
        **verdict,
        "direction": vector.direction.name.lower(),
        "nonce": nonce_of(KEYS.salt, vector.direction, counter).hex(),
        "header": frame.header().hex(),
        "counter": counter,
        "tag": frame.sealed[COUNTER_SIZE:].hex(),
        "plain_payload": vector.plain.hex(),
        "operation": vector.carried.operation.name,
        "way": vector.carried.way.value,
        "message": vector.carried.cls.__name__,
        "fields": plain(vector.message),
    }


def _in_session(carried: Carried) -> bool:
    # The answer to AUTH is the first frame of its session.
    if carried.way is Way.EVENT or carried.cls is AuthAnswer:
        return True
    return carried.way is not Way.REDUCED and bool(access_of(carried.operation.name).roles)


def _direction(carried: Carried) -> Direction:
    return Direction.HOST_TO_PUMP if carried.way is Way.REQUEST else Direction.PUMP_TO_HOST


def _flags(carried: Carried) -> Flag:
    return Flag.RESP if carried.is_answer else Flag.EVENT if carried.way is Way.EVENT else _NO_FLAGS


def _sealed(carried: Carried, sealer: Sealer) -> SealedVector:
    message = patterned(carried.cls)
    payload = (bytes((OK,)) if carried.is_answer else b"") + encode(message)
    frame = sealer.seal(
        opcode=carried.operation.opcode,
        txn=carried.txn(payload, TXN),
        address=ADDRESS,
        session_id=SESSION_ID,
        payload=payload,
        flags=_flags(carried),
    )
    return SealedVector(carried.name, carried, frame, payload, message, _direction(carried))


def _spoilt(good: SealedVector) -> Iterator[SealedVector]:
    frame = good.frame
    counter, tag = frame.sealed[:COUNTER_SIZE], frame.sealed[COUNTER_SIZE:]

    def with_frame(what: str, changed: Frame, fault: LineFault = LineFault.TAG) -> SealedVector:
        return replace(good, what=what, frame=changed, fault=fault, last=_LATER_COUNTER - 1)

    def with_keys(what: str, other: SessionKeys, direction: Direction) -> SealedVector:
        sealer = Sealer(other, direction)
        sealer.counter = _LATER_COUNTER - 1
        return with_frame(what, _sealed(good.carried, sealer).frame)

    cut = bytes((tag[0] ^ 1,)) + tag[1:]
    yield with_frame("one bit of the tag has fallen over", replace(frame, sealed=counter + cut))
    ciphered = bytes((frame.payload[0] ^ 1,)) + frame.payload[1:]
    yield with_frame("one bit of the payload has fallen over", replace(frame, payload=ciphered))
    yield with_frame("another txn than that which was sealed", replace(frame, txn=TXN + 1))
    yield with_frame("RETRY, though it was sealed without", replace(frame, flags=frame.flags | Flag.RETRY))
    later = (_LATER_COUNTER + 1).to_bytes(COUNTER_SIZE, "little")
    yield with_frame("another counter than that which was sealed", replace(frame, sealed=later + tag))
    yield with_keys("sealed for the other direction", KEYS, Direction.PUMP_TO_HOST)
    salted = SessionKeys(KEYS.host_to_pump, KEYS.pump_to_host, bytes(8))
    yield with_keys("sealed with another salt", salted, Direction.HOST_TO_PUMP)
    reader = keys.test_keys(ADDRESS).of_role[Role.READER]
    yield with_keys("sealed with another role's keys", keys.session_keys(reader, HANDSHAKE), Direction.HOST_TO_PUMP)
    again = replace(good, what="a copy of the frame before", fault=LineFault.COUNTER, last=_LATER_COUNTER)
    yield again
    yield replace(again, what="a frame older than the last", last=_LATER_COUNTER + 1)
