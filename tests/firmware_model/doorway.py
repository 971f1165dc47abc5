"""Hosts that open sessions at a pump, as its wire asks for them: a number, an attempt that is counted, a good one."""

from firmware_model import commands
from firmware_model.commands import AttemptConfirmed, AttemptCounted, Reason, Refusal, SessionNumber
from firmware_model.firmware.codes import Role
from firmware_model.firmware.security_record import SecurityRecord, unpack_security
from firmware_model.record_pair import RecordPair
from tests.firmware_model.bedside import Bedside

CLINICIAN = Role.CLINICIAN
Told = AttemptCounted | AttemptConfirmed | SessionNumber | Refusal | None


class Doorway(Bedside):
    """A pump at whose lines sessions are opened."""

    @property
    def pair(self) -> RecordPair:
        return self.pump.memory.security

    def stored(self) -> SecurityRecord:
        """The security record that memory holds."""
        image = self.pair.read()
        assert image is not None, "no valid security record"
        return unpack_security(image.body)

    def number(self, role: Role = CLINICIAN, port: int = 0) -> Told:
        reply = self.ask(commands.NumberSession(role, port))
        assert reply is None or isinstance(reply, SessionNumber | Refusal), reply
        return reply

    def attempt(self, role: Role = CLINICIAN, port: int = 0) -> Told:
        """An attempt that nobody confirms: a wrong one, unless `confirm` follows."""
        reply = self.ask(commands.CountAttempt(role, port))
        assert reply is None or isinstance(reply, AttemptCounted | Refusal), reply
        return reply

    def confirm(
        self, role: Role = CLINICIAN, port: int = 0, *, host_id: int = 7, from_host_id: int | None = None
    ) -> Told:
        reply = self.ask(commands.ConfirmAttempt(role, port, host_id, from_host_id))
        assert reply is None or isinstance(reply, AttemptConfirmed | Refusal), reply
        return reply

    def note(self, role: Role | None = None, port: int = 0) -> None:
        reply = self.ask(commands.NoteFailure(port, role))
        assert reply in (None, commands.Noted(), Refusal(Reason.MEMORY_FAILURE)), reply

    def fail(self, times: int, role: Role = CLINICIAN, port: int = 0) -> None:
        """So many wrong attempts, each as soon as it may be made."""
        for _ in range(times):
            while isinstance(reply := self.attempt(role, port), Refusal):
                assert reply.reason is Reason.DELAY
                self.wait(reply.detail)

    def flip(self, bit: int) -> None:
        """Turn one bit of the two slots over."""
        self.pair.region[bit // 8] ^= 1 << bit % 8
