"""What can befall a command between the host that gives it and the pump that takes it: each mishap in all its ways.

A way plays what happens to the frames, until the host has given up or has its answer. What cannot happen to somebody
stands in `impossible`, with the reason.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from unittest.mock import patch

from emulator.inputs import CutPower, RestorePower
from firmware_model.memory import CutMode, Memory, Write
from protocol.messages.codes import Role
from protocol.messages.deliver import PatientBolusRequest
from protocol.messages.link import KeepaliveRequest
from protocol.messages.op import OpListRequest, OpQueryRequest
from protocol.messages.pump_time import TimeSetRequest
from tests.at_most_once.commands import PRESS_NL, PUMP, UNIX_S, fill, let_it_end
from tests.at_most_once.story import Story, Who, copied
from tests.device.hand_host import HandHost
from tests.device.pump_states import therapy_rev
from tests.device.test_programming_cuts import every_cut

Way = Callable[[Story], None]
TRIES = 4
"""The first frame and the retries that the rules allow."""


@dataclass(frozen=True)
class Mishap:
    """`ways`: each by its name; those of a power cut come from the writes that there are (see `cuts`)."""

    name: str
    ways: Mapping[str, Way]


def _frames(story: Story) -> Iterator[bytes]:
    """The command as it leaves its host again and again."""
    yield story.send()
    while True:
        yield story.retry()


def _lost(requests: str) -> Way:
    """One letter for each try: r its request is lost, a its answer is, and - neither."""

    def way(story: Story) -> None:
        for fate, wire in zip(requests, _frames(story), strict=False):
            if fate != "r":
                answers = story.arrive(wire)
                if fate != "a":
                    story.hear(answers)
        assert bool(story.answers) == requests.endswith("-")

    return way


def _losses(*fates: str) -> Mapping[str, Way]:
    return {fate: _lost(fate) for fate in fates}


# --- duplicated -----------------------------------------------------------------------------------------------------


def twice_in_a_row(story: Story) -> None:
    wire = story.send()
    story.hear(story.arrive(wire))
    story.arrive(wire)


def three_at_once(story: Story) -> None:
    story.arrive(3 * story.send())


def as_a_retry_that_nobody_needed(story: Story) -> None:
    story.hear(story.arrive(story.send()))
    story.hear(story.arrive(story.retry()))


def behind_another_request(story: Story) -> None:
    wire = story.send()
    story.hear(story.arrive(wire))
    story.host.send(story.host.request(KeepaliveRequest()))
    story.host.send(story.host.request(OpListRequest(page=0)))
    story.arrive(wire)


# --- late -----------------------------------------------------------------------------------------------------------


def behind_a_query_of_its_own_session(story: Story) -> None:
    """NOT_SEEN is no last word there."""
    wire = story.send()
    story.host.send(story.host.request(OpQueryRequest(role=story.ledger_role, op_id=story.op_id)))
    story.hear(story.arrive(wire))


def behind_a_later_request_of_its_session(story: Story) -> None:
    wire = story.send()
    story.host.send(story.host.request(OpListRequest(page=0)))
    story.arrive(wire)


def behind_a_new_session(story: Story) -> None:
    wire = story.send()
    story.host = story.new_host()
    story.host.send(wire)


def behind_its_own_second_coming(story: Story) -> None:
    """The host has opened another session and given the same there."""
    wire = story.send()
    story.again(story.verdict())
    story.host.send(wire)


def all_tries_in_reverse_order(story: Story) -> None:
    wires = [wire for _, wire in zip(range(TRIES), _frames(story), strict=False)]
    for wire in reversed(wires):
        story.arrive(wire)


# --- the client is killed -------------------------------------------------------------------------------------------


def before_its_first_byte(story: Story) -> None:
    story.host.close_line()


def half_way_through_its_frame(story: Story) -> None:
    wire = story.send()
    story.arrive(wire[: len(wire) // 2])
    story.host.close_line()


def half_way_and_nobody_notices(story: Story) -> None:
    """The line stays open; the next process speaks on the same line, behind half a frame."""
    wire = story.send()
    story.arrive(wire[: len(wire) // 2])
    story.host = HandHost(story.device, story.host.role, story.host.host_id, challenges=1 << 20)
    if story.secured and story.who.role:
        story.host.connect()


def with_its_answer_unread(story: Story) -> None:
    story.arrive(story.send())
    story.host.close_line()


def with_its_frame_in_the_line(story: Story) -> None:
    """What it has written arrives, and the line is closed before the pump could answer."""
    story.device.receive(story.send(), story.device.now_us, story.host.port)
    story.host.close_line()


def with_its_line_left_open(story: Story) -> None:
    """Its frame arrives when the next process has a session at another port already."""
    wire = story.send()
    old = story.host
    story.host = story.new_host(port=2)
    old.send(wire)


def behind_its_answer(story: Story) -> None:
    story.hear(story.arrive(story.send()))
    story.host.close_line()


# --- the ledger has wrapped -----------------------------------------------------------------------------------------


def wrap(story: Story, above: int) -> None:
    """Other commands of the same role are taken, above an op id, until the ledger holds none of before."""
    host = story.new_host() if story.who.role is Role.PATIENT else story.clinician()
    let_it_end(host)
    for at in range(1, PUMP.memory.ledger_entries_per_role + 2):
        if story.who.role is Role.PATIENT:
            host = story.new_host()
            press(host, above + at)
            story.steps_of_others += PRESS_NL // PUMP.motor.step_volume_nl
        elif story.command.operation == "TIME_SET":
            fill(host, op_id=above + at)
        else:
            wanted = TimeSetRequest(unix_s=UNIX_S, offset_min=0, op_id=above + at, therapy_rev=therapy_rev(host))
            host.ask(wanted)


def press(host: HandHost, op_id: int) -> None:
    """A bolus of the patient, from its start to the end of its lockout."""
    host.ask(PatientBolusRequest(op_id=op_id, therapy_rev=therapy_rev(host)))
    let_it_end(host)


def behind_a_lost_answer(story: Story) -> None:
    story.arrive(story.send())
    wrap(story, story.op_id)


def behind_a_lost_request(story: Story) -> None:
    """The other commands took higher op ids, so this one can never be taken any more."""
    story.send()
    wrap(story, story.op_id)


def behind_a_lost_request_whose_op_id_another_host_took(story: Story) -> None:
    """It read the same op_high, and took the next one as well."""
    story.send()
    wrap(story, story.op_id - 1)


# --- all of them ----------------------------------------------------------------------------------------------------


def _by_name(*ways: Way) -> Mapping[str, Way]:
    return {way.__name__.replace("_", " "): way for way in ways}


REQUEST_LOST = Mishap("request lost", _losses("r-", "rr-", "rrr-", "rrrr"))
ANSWER_LOST = Mishap("answer lost", _losses("a-", "aa-", "aaa-", "aaaa"))
BOTH_LOST = Mishap("both lost", _losses("ra-", "ar-", "rara", "arar", "rraa", "aarr"))
DUPLICATED = Mishap(
    "duplicated", _by_name(twice_in_a_row, three_at_once, as_a_retry_that_nobody_needed, behind_another_request)
)
LATE = Mishap(
    "late",
    _by_name(
        behind_a_query_of_its_own_session,
        behind_a_later_request_of_its_session,
        behind_a_new_session,
        behind_its_own_second_coming,
        all_tries_in_reverse_order,
    ),
)
ONLY_BETWEEN_CLINICIANS = (behind_a_lost_request_whose_op_id_another_host_took,)
"""Ways for which it takes two hosts of one role: there is one patient's handheld, and without keys all are host 0."""
POWER_CUT = Mishap("power cut", {})
CLIENT_KILLED = Mishap(
    "client killed",
    _by_name(
        before_its_first_byte,
        half_way_through_its_frame,
        half_way_and_nobody_notices,
        with_its_answer_unread,
        with_its_frame_in_the_line,
        with_its_line_left_open,
        behind_its_answer,
    ),
)
LEDGER_WRAPPED = Mishap(
    "ledger wrapped",
    _by_name(behind_a_lost_answer, behind_a_lost_request, behind_a_lost_request_whose_op_id_another_host_took),
)
MISHAPS = (
    REQUEST_LOST,
    ANSWER_LOST,
    BOTH_LOST,
    DUPLICATED,
    LATE,
    POWER_CUT,
    CLIENT_KILLED,
    LEDGER_WRAPPED,
)


def cut(at_write: int, mode: CutMode, count: int) -> Way:
    """The power goes at a write that the command leads to, and comes back."""

    def way(story: Story) -> None:
        story.control(CutPower(at_write, mode, count))
        assert story.arrive(story.send()) == [], "answered, and then lost"
        assert not story.device.has_power
        story.cut = True
        story.control(RestorePower())

    return way


def writes_of(story: Story) -> list[str]:
    """The names of the writes that the command leads to, in their order; the story itself goes no further."""
    trial, names, done = copied(story), [], Memory._do
    trial.device.pump.memory.watched = True

    def noted(memory: Memory, write: Write) -> None:
        names.append(write.point.value)
        done(memory, write)

    with patch.object(Memory, "_do", noted):
        trial.arrive(trial.send())
    return names


def cuts(story: Story) -> Mapping[str, Way]:
    """Every way in which the power can go within the command: each write, each mode, each number of bytes."""
    return {
        f"at write {at_write}, {name}, {mode.value} {count}": cut(at_write, mode, count)
        for at_write, name in enumerate(writes_of(story), start=1)
        for mode, count in every_cut(name)
    }


def impossible(command_name: str, who: Who, mishap: Mishap, *, allowed: bool) -> str:
    """Why a mishap cannot befall somebody's command, or an empty text."""
    if mishap is POWER_CUT and not allowed:
        return "a refused command writes nothing"
    if mishap is LEDGER_WRAPPED and not who.has_ledger:
        return f"{who.value} has no ledger"
    if mishap is LEDGER_WRAPPED and who is Who.PATIENT and command_name in ("START", "BOLUS_CANCEL"):
        return "a pump that is stopped, or gives a bolus, takes no command of a patient"
    return ""
