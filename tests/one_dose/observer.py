"""Who sees everything: what the pump truly did, each frame on every line, and what must never be.

An effect is known by the command that a person gave, as the book has it: `bolus single 10025 nl over 120 s`, or
`program 1A2B3C4D`. No two wishes are the same command.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from typing import Any

from emulator.device import Device
from emulator.events import FrameSeen, Logged, SessionChanged
from emulator.programmer.book import Intention
from emulator.programmer.outcomes import Outcome, Taken
from firmware_model.firmware.codes import RunState
from protocol.channel import Direction, Opener, SessionKeys, counter_of
from protocol.fields import decode
from protocol.frame import Flag, Frame, parse_body
from protocol.framing import StreamReader
from protocol.keys import Handshake, RoleKeys, hello_hash, session_keys
from protocol.messages.codes import OpState
from protocol.messages.deliver import BolusExecuteRequest, StartRequest
from protocol.messages.link import OpenAnswer, OpenRequest
from protocol.messages.operations import by_opcode
from protocol.messages.program import ProgramCommitRequest
from protocol.refusals import OK

_COMPARED = {"BOLUS_EXECUTE": BolusExecuteRequest, "START": StartRequest, "PROGRAM_COMMIT": ProgramCommitRequest}
"""Commands that quote a revision which must be the current one."""
_EFFECTS = {"bolus_started", "therapy_started", "program_changed"}


class Observer:
    """What has truly happened, and what its person was told of each command.

    told         what he was told last
    told_taken   the op ids under which he was told that it was taken
    """

    def __init__(self, device: Device, keys: RoleKeys) -> None:
        self._device = device
        self._keys = keys
        self.given: Counter[str] = Counter()
        self.ended_nl: dict[str, tuple[int, int]] = {}
        self.told: dict[str, Outcome] = {}
        self.told_taken: defaultdict[str, set[int]] = defaultdict(set)
        self.wrong = ""
        self._active_crc32 = device.pump.firmware.record.program.crc32()
        self._by_bolus: dict[int, str] = {}
        # (quoted, current) of the last frame that asked for it, by op id
        self._quoted: dict[int, tuple[int, int]] = {}
        self._live: dict[tuple[int, int], str] = {}
        self._hello_hash = b""
        self._asked: dict[int, OpenRequest] = {}
        self._opening: dict[int, Handshake] = {}
        self._challenges: dict[bytes, OpenRequest] = {}
        self._session_keys: dict[int, SessionKeys] = {}
        self._nonces: dict[tuple[SessionKeys, Direction, int], bytes] = {}
        self.observe()

    def observe(self) -> None:
        """Take what has happened."""
        while (event := self._device.next_event()) is not None:
            match event:
                case Logged():
                    self._note(event)
                case FrameSeen(direction="answer"):
                    self._see_answer(event)
                case FrameSeen():
                    self._see_request(event)
                case SessionChanged(change="opened"):
                    self._live[event.port, event.session_id] = event.role
                case SessionChanged():
                    del self._live[event.port, event.session_id]

    def leaves_host(self, raw: bytes) -> None:
        """A frame of a host, whatever becomes of it."""
        self._see_sealed(_frame(raw), raw, Direction.HOST_TO_PUMP)

    def arrives(self, raw: bytes) -> None:
        """A frame is about to reach the pump: the revision that it quotes is to be the one that the pump has now."""
        frame = _frame(raw)
        operation = by_opcode[frame.opcode]
        if operation.name in _COMPARED and self._device.has_power:
            message: Any = decode(_COMPARED[operation.name], self._plain(frame))
            self._quoted[message.op_id] = message.therapy_rev, self._device.pump.firmware.record.therapy_rev

    def tell(self, intention: Intention, outcome: Outcome) -> None:
        """A person is told what became of a command. Stops and starts are all the same command, so nobody can tell."""
        command = intention.command
        if not command.startswith("therapy"):
            self.told[command] = outcome
            if isinstance(outcome, Taken):
                self.told_taken[command].add(intention.op_id)

    def check(self) -> None:
        """What holds at any time."""
        assert not self.wrong, self.wrong
        clinicians = [port for port, role in self._live.items() if role == "clinician"]
        assert len(clinicians) <= 1, f"the clinician's one place is held on {clinicians}"
        pump = self._device.pump
        if not pump.powered:
            return
        firmware = pump.firmware
        record = firmware.record
        assert record.program.crc32() == self._active_crc32, "the active program is not that of the log's last record"
        running = record.run_state is RunState.RUNNING
        rate = record.program.flow_nl_per_day(pump.profile) if running else 0
        assert firmware.flow.base.gain == rate, "it does not flow as the program says"
        held = [*firmware.stages, *firmware.leases]
        assert len(held) <= 2 * len(clinicians), f"what a session prepared has outlived it: {held}"

    def check_told(self) -> None:
        """What every person believes, once everybody has asked, is the truth."""
        for command in {*self.given, *self.told}:
            told, count = self.told.get(command), self.given[command]
            taken = len(self.told_taken[command])
            assert taken == count, f"{command} was given {count} times, and its host was told of {taken}, last {told}"
            if command in self.ended_nl and isinstance(told, Taken) and told.state is not OpState.EXECUTING:
                assert (told.min_nl, told.max_nl) == self.ended_nl[command]

    def _insist(self, holds: bool, otherwise: str) -> None:
        """What was wrong first is said once more by `check`: what follows from it says little."""
        if not holds:
            self.wrong = self.wrong or otherwise
            raise AssertionError(otherwise)

    def _note(self, event: Logged) -> None:
        """A record of the pump's log."""
        if event.type in _EFFECTS:
            quoted, current = self._quoted[event.op_id]
            self._insist(quoted == current, f"{event.type} under revision {quoted}, when it was {current}")
        if event.type == "bolus_started":
            self._give_bolus(event.detail)
        elif event.type == "bolus_ended":
            limits = (event.detail["delivered_min_nl"], event.detail["delivered_max_nl"])
            self.ended_nl[self._by_bolus[event.detail["bolus_id"]]] = limits
        elif event.type == "program_changed":
            self._give_program(f"program {event.detail['crc32']:08X}")
            self._active_crc32 = event.detail["crc32"]

    def _give_bolus(self, detail: Mapping[str, int]) -> None:
        command = f"bolus single {detail['volume_nl']} nl over {detail['duration_s']} s"
        self._by_bolus[detail["bolus_id"]] = command
        self._insist(command not in self.given, f"{command} was given once more")
        self.given[command] += 1

    def _give_program(self, command: str) -> None:
        """A program is given once more only if another one came between, and its person knew that it had been given."""
        self._insist(command != f"program {self._active_crc32:08X}", f"{command} was given twice in a row")
        untold = self.given[command] - len(self.told_taken[command])
        self._insist(not untold, f"{command} was given again, and its host had not been told of {untold}")
        self.given[command] += 1

    def _see_request(self, event: FrameSeen) -> None:
        if event.name == "OPEN":
            self._asked[event.port] = decode(OpenRequest, _frame(event.raw).payload)

    def _see_answer(self, event: FrameSeen) -> None:
        frame = _frame(event.raw)
        if event.name == "STOP":
            words = str(event.summary)
            self._insist("NAK" not in words or "NO_SUCH_SESSION" in words, f"a STOP was refused: {words}")
        elif event.name == "HELLO":
            self._hello_hash = hello_hash(frame.payload[1:])
        elif event.name == "OPEN" and frame.payload[0] == OK:
            self._see_challenge(event.port, decode(OpenAnswer, frame.payload[1:]))
        elif event.name == "AUTH" and Flag.SECURED in frame.flags and frame.session_id not in self._session_keys:
            handshake = self._opening[event.port]
            self._session_keys[frame.session_id] = session_keys(self._keys.of_role[handshake.role], handshake)
        self._see_sealed(frame, event.raw, Direction.PUMP_TO_HOST)

    def _see_challenge(self, port: int, answer: OpenAnswer) -> None:
        asked = self._asked[port]
        self._insist(self._challenges.setdefault(answer.device_challenge, asked) == asked, "a challenge came twice")
        self._opening[port] = Handshake(
            role=asked.role,
            flags=int(asked.flags),
            serial_number=self._device.serial_number,
            host_id=asked.host_id,
            host_challenge=asked.host_challenge,
            device_challenge=answer.device_challenge,
            hello_hash=self._hello_hash,
        )

    def _see_sealed(self, frame: Frame, raw: bytes, direction: Direction) -> None:
        """Under one key a nonce belongs to one frame, byte by byte."""
        if Flag.SECURED in frame.flags:
            nonce = self._session_keys[frame.session_id], direction, counter_of(frame)
            # That these are the keys that it was sealed with, its tag says.
            Opener(nonce[0], direction).look(frame)
            self._insist(self._nonces.setdefault(nonce, raw) == raw, f"a nonce came twice: {nonce[1:]}")

    def _plain(self, frame: Frame) -> bytes:
        if Flag.SECURED not in frame.flags:
            return frame.payload
        return Opener(self._session_keys[frame.session_id], Direction.HOST_TO_PUMP).look(frame)


def _frame(raw: bytes) -> Frame:
    (body,) = [piece.body for piece in StreamReader().feed(raw) if piece.body is not None]
    return parse_body(body)
