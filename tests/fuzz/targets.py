"""What a fuzzer feeds with bytes, by name: functions that raise only when a promise of the product is broken."""

from collections.abc import Callable, Mapping
from typing import Final

from tests.fuzz.byte_targets import messages, reader
from tests.fuzz.device_target import device
from tests.fuzz.host_target import host
from tests.fuzz.session_target import session

Target = Callable[[bytes], None]
TARGETS: Final[Mapping[str, Target]] = {
    "reader": reader,
    "messages": messages,
    "host": host,
    "session": session,
    "device": device,
}
