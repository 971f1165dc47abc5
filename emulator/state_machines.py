"""The state machines of the specification, drawn from the tables by which both the pump's end and its firmware run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from firmware_model.firmware.lives.alarm import ALARM_LIFE, FORGETTABLE
from firmware_model.firmware.lives.lease import LEASE_LIFE, LeaseState
from firmware_model.firmware.lives.op import OP_LIFE
from firmware_model.firmware.lives.run import RUN_LIFE
from firmware_model.firmware.lives.stage import STAGE_LIFE, StageState
from protocol.handshake_order import HANDSHAKE, HANDSHAKE_ENDS, HandshakeEnd, HandshakeState
from protocol.order import ORDER, WHEN_ANSWERED, TxnState
from protocol.sessions import END_REASONS

OUTSIDE: Final = "[*]"
"""Before the first state and behind the last one, as Mermaid writes it."""


@dataclass(frozen=True, slots=True)
class Arrow:
    """From one state to another, and what leads there; `OUTSIDE` is no state."""

    source: str
    target: str
    words: str


@dataclass(frozen=True, slots=True)
class Machine:
    """A diagram: the words of its states, in their order, and its arrows."""

    states: Mapping[str, str]
    arrows: tuple[Arrow, ...]

    def markdown(self) -> str:
        """A Mermaid state diagram; arrows between the same two states are one, with all their words."""
        lines = ["stateDiagram-v2"]
        lines += [f'    state "{words}" as {name}' for name, words in self.states.items() if words != name]
        joined: dict[tuple[str, str], list[str]] = {}
        for arrow in self.arrows:
            joined.setdefault((arrow.source, arrow.target), []).append(arrow.words)
        for (source, target), words in joined.items():
            lines.append(f"    {source} --> {target} : {'<br>'.join(words)}")
        return "```mermaid\n" + "\n".join(lines) + "\n```"


def handshake_machine() -> Machine:
    """OPEN and AUTH on one line."""
    arrows = [
        Arrow(source.name, target.name, f"{arrival} / {verdict}")
        for (source, arrival), (verdict, target) in HANDSHAKE.items()
    ]
    arrows += [Arrow(source.name, target.name, end) for (source, end), target in HANDSHAKE_ENDS.items()]
    opens = Arrow(OUTSIDE, HandshakeState.IDLE.name, "the line opens")
    closes = [Arrow(state.name, OUTSIDE, "the line closes") for state in HandshakeState]
    return Machine({state.name: state.value for state in HandshakeState}, (opens, *arrows, *closes))


def session_machine() -> Machine:
    """A session, from its AUTH to its end."""
    begins = Arrow(OUTSIDE, "OPEN", HandshakeEnd.RIGHT)
    lives = Arrow("OPEN", "OPEN", "a good frame, after which its silence begins anew")
    ends = [Arrow("OPEN", OUTSIDE, words) for words in END_REASONS.values()]
    return Machine({"OPEN": "OPEN"}, (begins, lives, *ends))


def txn_machine() -> Machine:
    """The sequenced requests of a session."""
    arrows = [
        Arrow(source.name, target.name, f"{arrival} / {verdict}")
        for (source, arrival), (verdict, target) in ORDER.items()
    ]
    first = Arrow(OUTSIDE, TxnState.FIRST.name, "the session begins")
    answered = Arrow(TxnState.UNANSWERED.name, WHEN_ANSWERED.name, "the pump answers, or refuses for good")
    return Machine({state.name: state.value for state in TxnState}, (first, *arrows, answered))


def op_machine() -> Machine:
    """What the ledger says of an op id."""
    states = dict.fromkeys(state.name for rows in OP_LIFE for state in (rows[0], OP_LIFE[rows]))
    arrows = [Arrow(source.name, target.name, deed) for (source, deed), target in OP_LIFE.items()]
    return Machine({name: name for name in states}, (Arrow(OUTSIDE, "NOT_SEEN", "from the first"), *arrows))


def lease_machine() -> Machine:
    """A prepared bolus."""
    return _from_nothing(
        LeaseState.NONE.name,
        {state.name: state.value for state in LeaseState},
        (Arrow(source.name, target.name, deed) for (source, deed), target in LEASE_LIFE.items()),
    )


def stage_machine() -> Machine:
    """A staged program."""
    return _from_nothing(
        StageState.NONE.name,
        {state.name: state.value for state in StageState},
        (Arrow(source.name, target.name, deed) for (source, deed), target in STAGE_LIFE.items()),
    )


def alarm_machine() -> Machine:
    """An alarm instance."""
    arrows = [
        Arrow(OUTSIDE if source is None else source.name, target.name, deed)
        for (source, deed), target in ALARM_LIFE.items()
    ]
    forgotten = [Arrow(state.name, OUTSIDE, "the list is full, and it is the oldest of these") for state in FORGETTABLE]
    states = dict.fromkeys(target.name for target in ALARM_LIFE.values())
    return Machine({name: name for name in states}, (*arrows, *forgotten))


def run_machine() -> Machine:
    """Therapy."""
    arrows = [Arrow(source.name, target.name, deed) for (source, deed), target in RUN_LIFE.items()]
    states = dict.fromkeys(state.name for rows in RUN_LIFE for state in (rows[0], RUN_LIFE[rows]))
    return Machine({name: name for name in states}, (Arrow(OUTSIDE, "RUNNING", "a new pump"), *arrows))


def _from_nothing(nothing: str, states: Mapping[str, str], arrows: Iterable[Arrow]) -> Machine:
    """A machine whose first state is that there is none."""
    drawn = [Arrow(OUTSIDE, arrow.target, arrow.words) if arrow.source == nothing else arrow for arrow in arrows]
    return Machine({name: words for name, words in states.items() if name != nothing}, tuple(drawn))


MACHINES: Final[Mapping[str, Callable[[], Machine]]] = MappingProxyType(
    {
        "machine-handshake": handshake_machine,
        "machine-session": session_machine,
        "machine-txn": txn_machine,
        "machine-op": op_machine,
        "machine-lease": lease_machine,
        "machine-stage": stage_machine,
        "machine-alarm": alarm_machine,
        "machine-run": run_machine,
    }
)
"""The diagrams by the names of their places in docs/protocol.md."""
