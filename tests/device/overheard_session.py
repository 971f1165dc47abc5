"""Sessions as somebody overhears them: every frame that passes a line of a device, and what was in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from emulator.device import Device
from emulator.events import FrameSeen
from protocol.fields import encode
from protocol.frame import Frame, parse_body
from protocol.keys import RoleKeys
from protocol.messages.codes import Role
from protocol.messages.link import KeepaliveRequest
from protocol.messages.log import LogStatusRequest
from protocol.messages.op import OpListRequest
from protocol.messages.read import IdentRequest, StatusRequest
from tests.device.desk import happened, new_device, of_kind
from tests.device.hand_host import HandHost, body_of

READS = (StatusRequest(), IdentRequest(), OpListRequest(page=0), KeepaliveRequest(), LogStatusRequest())


@dataclass
class OverheardLine:
    """A device, its hosts, and all frames so far."""

    keys: RoleKeys | None = None
    frames: list[Frame] = field(default_factory=list)
    clear: dict[bytes, bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.device: Device = new_device(insecure=False, keys=self.keys)

    def host(self, role: Role = Role.READER, *, port: int = 0, host_id: int = 5) -> HandHost:
        """A host with an open session."""
        key = None if self.keys is None else self.keys.of_role[role]
        host = HandHost(self.device, role=role, host_id=host_id, port=port, key=key).open_line()
        host.connect()
        self.note()
        return host

    def read(self, host: HandHost, number: int) -> None:
        """One of READS; the request's payload in the clear is noted, and so is the answer's."""
        message = READS[number]
        wire = host.request(message)
        self.clear[body_of(wire)] = encode(message)
        frames = host.send(wire)
        self.clear[frames[0].to_body()] = host.opened(frames)
        self.note()

    def note(self) -> Sequence[Frame]:
        """What has passed since, appended."""
        seen = [parse_body(body_of(event.raw)) for event in of_kind(happened(self.device), FrameSeen)]
        self.frames += seen
        return seen
