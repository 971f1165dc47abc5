"""Both real ends on one line that alters what it is told to, and a record of all that crossed it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from protocol.framing import LineFault, StreamReader
from protocol.host_end import Answered, HostEnd, HostEvent, SessionReady
from protocol.host_session import SessionWanted
from protocol.messages.codes import Role
from protocol.messages.link import HelloRequest
from protocol.refusals import Nak, NakCode
from tests.protocol.pump_line import TIME, PumpLine

Alter = Callable[[bytes], bytes]


def unaltered(wire: bytes) -> bytes:
    return wire


@dataclass
class JoinedEnds:
    """`to_pump` and `to_host` give what arrives of a frame; `sent` and `received` are what the two ends have sent.

    The pump grants what is named in `grants`, and refuses everything else with CONDITIONS.
    """

    pump: PumpLine = field(default_factory=lambda: PumpLine(insecure=False))
    host: HostEnd = field(default_factory=HostEnd)
    to_pump: Alter = unaltered
    to_host: Alter = unaltered
    grants: Mapping[str, object] = field(default_factory=lambda: {"TIME_READ": TIME})
    sent: list[bytes] = field(default_factory=list)
    received: list[bytes] = field(default_factory=list)
    faults: list[LineFault] = field(default_factory=list)
    _reader: StreamReader = field(default_factory=StreamReader)

    def settle(self) -> HostEvent | None:
        """Carry frames in both directions until both ends are quiet; what the request has come to, if to anything."""
        while data := self.host.data_to_send():
            self.sent.append(data)
            for piece in self._reader.feed(self.to_pump(data)):
                fault = self.pump.fault(piece)
                self.faults.extend([fault] if fault else [])
            while (request := self.pump.next_request()) is not None:
                if request.operation.name in self.grants:
                    self.pump.end.answer(request.token, self.grants[request.operation.name])
                else:
                    self.pump.end.refuse(request.token, Nak(NakCode.CONDITIONS))
            for wire in self.pump.wires():
                self.received.append(wire)
                self.host.receive(self.to_host(wire), self.pump.now)
        return self.host.next_event()

    def ask(self, message: object) -> HostEvent | None:
        self.host.request(message, self.pump.now)
        return self.settle()

    def wait(self) -> HostEvent | None:
        """Until the host's time is up for this copy of its request."""
        deadline = self.host.next_deadline()
        assert deadline is not None, "the host waits for nothing"
        self.pump.now = deadline
        self.host.advance(deadline)
        return self.settle()

    def greet(self) -> "JoinedEnds":
        assert isinstance(self.ask(HelloRequest(major=1, minor=0)), Answered)
        return self

    def wanted(self, role: Role = Role.CLINICIAN, host_id: int = 7, *, takeover: bool = False) -> SessionWanted:
        """A session under the pump's own key, and a challenge that no other one had."""
        challenge = len(self.sent).to_bytes(8, "little")
        return SessionWanted(role, host_id, self.pump.role_keys.of_role[role], challenge, takeover)

    def open_session(self, wanted: SessionWanted) -> HostEvent | None:
        self.host.open_session(wanted, self.pump.now)
        return self.settle()

    def connect(self) -> "JoinedEnds":
        self.greet()
        assert isinstance(self.open_session(self.wanted()), SessionReady)
        return self
