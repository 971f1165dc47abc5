"""The protocol of an older pump that is programmed through a wand held over it, one request at a time."""

from emulator.wire import ProtocolPlugin
from wand_pump.frames import frame_of
from wand_pump.messages import STATUS
from wand_pump.pump_end import PumpEnd
from wand_pump.recordings import Recordings

PLUGIN = ProtocolPlugin(
    title="an older pump under a programming wand, half-duplex, without sessions and keys",
    new_wire=PumpEnd,
    new_decoder=Recordings,
    first_try=f"send {frame_of(STATUS, b'').hex(' ')}",
)
