"""The one room where wire words meet model words: messages become commands, replies become messages or NAKs.

Tables, each in its file: COMMANDS (request message -> command of the model), SLOW_ENDS (the command that ends one which
takes a while), ERRANDS (what the wire wants for itself),
ANSWERS (outcome -> answer message), NAKS (the model's reason -> NAK code). Enumerations of both sides have the same
names.
"""

from emulator.dispatcher.answers import ANSWERS, OPCODE_OF_KIND, wire_record
from emulator.dispatcher.refusals import NAKS, gate_of, nak_of
from emulator.dispatcher.requests import COMMANDS, ERRANDS, SLOW_ENDS
from emulator.dispatcher.telemetry import stream_event

__all__ = [
    "ANSWERS",
    "COMMANDS",
    "ERRANDS",
    "NAKS",
    "OPCODE_OF_KIND",
    "SLOW_ENDS",
    "gate_of",
    "nak_of",
    "stream_event",
    "wire_record",
]
