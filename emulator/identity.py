"""Who a pump is, in the wire's words: HELLO, IDENT and CAPS, which follow from its profile."""

from __future__ import annotations

import hashlib
from typing import Final

from firmware_model import MODEL_VERSION
from firmware_model.commands import IdentityAnswer
from firmware_model.profile import Profile
from protocol.frame import MAJOR, MAX_PAYLOAD, MINOR
from protocol.keys import RoleKeys, test_keys
from protocol.messages import codes as wire
from protocol.messages import link, read

NAME_LENGTH: Final = 16
CAPABILITIES: Final = (
    wire.Capability.SINGLE_BOLUS
    | wire.Capability.ALARMS
    | wire.Capability.EVENT_LOG
    | wire.Capability.OP_LEDGER
    | wire.Capability.SESSIONS
    | wire.Capability.PROGRAMS
    | wire.Capability.SCHEDULES
    | wire.Capability.PATIENT_BOLUS
    | wire.Capability.DEAD_VOLUME_BOLUSES
    | wire.Capability.REFILL
    | wire.Capability.CLOCK
    | wire.Capability.SELFTEST
    | wire.Capability.STREAM
)


def hello(profile: Profile, serial_number: int, *, insecure: bool, test_keys: bool) -> link.HelloAnswer:
    """Who the pump is and what it can do; `test_keys`: its keys are published."""
    marks = wire.Marks.EMULATOR
    marks |= wire.Marks.TEST_KEYS if test_keys else wire.Marks(0)
    marks |= wire.Marks.INSECURE if insecure else wire.Marks(0)
    return link.HelloAnswer(
        major=MAJOR,
        minor=MINOR,
        capabilities=CAPABILITIES,
        model=profile.device.model,
        serial_number=serial_number,
        firmware_hash=firmware_hash(profile),
        max_payload=MAX_PAYLOAD,
        marks=marks,
    )


def are_published(serial_number: int, role_keys: RoleKeys) -> bool:
    """Whether any of a pump's keys is one that everybody can work out."""
    published = test_keys(serial_number)
    return any(role_keys.get(role) == published.get(role) for role in wire.Role)


def ident(outcome: IdentityAnswer) -> read.IdentAnswer:
    """Which pump it is, and how often it has booted."""
    return read.IdentAnswer(
        model=outcome.profile.device.model,
        profile=_wire_text(outcome.profile.name),
        serial_number=outcome.serial_number,
        firmware_version=outcome.profile.device.firmware_version,
        firmware_hash=firmware_hash(outcome.profile),
        model_version=MODEL_VERSION,
        boots=outcome.boots,
    )


def caps(profile: Profile) -> link.CapsAnswer:
    """Every limit and quantum."""
    step_nl = profile.motor.step_volume_nl
    return link.CapsAnswer(
        volume_quantum_nl=step_nl,
        rate_min_nl_per_day=profile.therapy.rate_min_nl_per_day,
        rate_max_nl_per_day=profile.therapy.rate_max_nl_per_day,
        rate_quantum_nl_per_day=profile.therapy.rate_quantum_nl_per_day,
        bolus_volume_min_nl=profile.bolus.volume_min_nl,
        bolus_volume_max_nl=profile.bolus.volume_max_nl,
        bolus_duration_min_s=profile.bolus.duration_min_s,
        bolus_duration_max_s=profile.bolus.duration_max_s,
        bolus_rate_max_nl_per_day=profile.bolus.rate_max_nl_per_day,
        lease_s=profile.bolus.lease_s,
        reservoir_capacity_nl=profile.reservoir.capacity_nl,
        low_reservoir_nl=profile.reservoir.low_nl,
        empty_reservoir_nl=profile.reservoir.empty_nl,
        journal_interval_nl=profile.motor.journal_interval_steps * step_nl,
        log_capacity=(profile.log.pages - 1) * profile.log.records_per_page,
        alarm_capacity=profile.memory.alarm_capacity,
        drugs_max=profile.therapy.drugs_max,
        concentration_max_ng_per_ml=profile.therapy.concentration_max_ng_per_ml,
        flow_max_nl_per_day=profile.motor.rate_max_nl_per_day,
        window_max_nl=profile.therapy.window_max_nl,
        dose_history=profile.memory.dose_history,
        dead_volume_duration_max_s=profile.bolus.dead_volume_duration_max_s,
        tubing_nl=profile.catheter.tubing_nl,
        residual_nl=profile.reservoir.residual_nl,
        stops_while_programming=int(profile.therapy.stops_while_programming),
        patient_lockout_min_s=profile.patient.lockout_min_s,
        patient_lockout_max_s=profile.patient.lockout_max_s,
        patient_window_min_s=profile.patient.window_min_s,
        patient_window_max_s=profile.patient.window_max_s,
        patient_activations_max=profile.patient.activations_max,
        stall_sample_s=profile.stall.sample_s,
        stall_samples=profile.stall.bad_samples,
        stopped_too_long_s=profile.supervisor.stopped_too_long_s,
        tone_repeat_min_min=profile.tones.repeat_min_min,
        tone_repeat_max_min=profile.tones.repeat_max_min,
        silence_min=profile.tones.silence_min,
        end_of_service_days=profile.cell.eos_after_eri_days,
        life_max_days=profile.cell.life_max_days,
        stream_period_min_s=profile.stream.period_min_s,
        stream_period_max_s=profile.stream.period_max_s,
    )


def firmware_hash(profile: Profile) -> bytes:
    """Eight bytes that tell firmwares apart: the profile's version, and the model's."""
    identity = f"{profile.device.model} {profile.device.firmware_version} {MODEL_VERSION}"
    return hashlib.sha256(identity.encode()).digest()[:8]


def _wire_text(name: str) -> str:
    """A name that somebody gave to a file, as IDENT can say it: 16 characters of printable ASCII."""
    shown = "".join(letter if letter.isascii() and letter.isprintable() else "?" for letter in name)
    return shown[:NAME_LENGTH]
