"""Two minutes of attack at full line rate; `scripts/soak flood` has the whole hour."""

from protocol.explain import FAULT_WORDS
from protocol.framing import LineFault
from protocol.messages.codes import Role
from tests.device.hand_host import live_sessions
from tests.device.line_flood import ATTACKS, LINE_BYTES_PER_S, MINUTE_S, FloodedPump

MINUTES = 2
# By the clinician's pump in that time: a bolus of 4,000 steps in ten minutes, and the base rate.
STEPS = 800
# No frame of the mix is for another pump or of another version but by chance, and no frame comes twice in a session.
SEEN_BY_CHANCE_ONLY = {LineFault.ADDRESS, LineFault.VERSION, LineFault.COUNTER, LineFault.SHORT, LineFault.LENGTH}


def test_two_minutes_of_flood_touch_neither_therapy_nor_the_clinician() -> None:
    """At the end of each minute: the motor as without flood, the session alive and answered, the log not flooded."""
    pump = FloodedPump(seed=1)
    for _ in range(MINUTES):
        pump.pass_minute()
    assert pump.here.steps == pump.twin.steps > STEPS
    clinicians = [session for session in live_sessions(pump.here.device) if session.role is Role.CLINICIAN]
    assert clinicians == [pump.session]
    # The log tells of the attack, once a minute.
    assert 1 <= pump.log["authentication_failed"] <= MINUTES + 1
    assert set(pump.log) == {"boot", "bolus_started", "authentication_failed"}
    # It was one: the line was full, every kind of it came, and was met as it should be.
    assert pump.sent_bytes == MINUTES * MINUTE_S * LINE_BYTES_PER_S
    assert set(pump.attacker.frames) == set(ATTACKS)
    assert min(pump.attacker.frames.values()) > 500 * MINUTES
    assert {FAULT_WORDS[fault] for fault in LineFault if fault not in SEEN_BY_CHANCE_ONLY} <= set(pump.seen)
    # A thousand wrong tags have ended each of the attacker's own sessions; he has opened no other.
    assert pump.seen["reader opened"] == pump.seen["reader ended tags"] == MINUTES
    assert pump.seen["clinician opened"] == 1


def test_the_same_seed_is_the_same_attack() -> None:
    one, other, another = (FloodedPump(seed).attacker.chunk(5_000) for seed in (7, 7, 8))
    assert one == other != another
