"""Service 01, link: who is there, what it can do, and how well the line does."""

from __future__ import annotations

from protocol.fields import enum8, flags8, flags64, message, raw, text, u8, u16, u32
from protocol.messages.codes import Capability, Marks, OpenFlag, Role


@message(extensible=True)
class HelloRequest:
    major: int = u8(meaning="the host's major version")
    minor: int = u8(meaning="the host's minor version")


@message(extensible=True)
class HelloAnswer:
    major: int = u8(meaning="the pump's major version")
    minor: int = u8(meaning="the pump's minor version")
    capabilities: Capability = flags64(Capability, meaning="what is built; unknown bits are to be skipped")
    model: str = text(16, meaning="the model's name")
    serial_number: int = u32(meaning="the serial number, which is also the address")
    firmware_hash: bytes = raw(8, meaning="identifies the firmware")
    max_payload: int = u16(unit="bytes", meaning="the largest payload of a frame, in both directions")
    marks: Marks = flags8(Marks, meaning="what a programmer must show; unknown bits are to be skipped")


@message
class OpenRequest:
    role: Role = enum8(Role, meaning="the role that the session is to have")
    flags: OpenFlag = flags8(OpenFlag, meaning="TAKEOVER: end another host's clinician session")
    host_id: int = u32(meaning="the host's own number, the same after a crash; not 0", minimum=1)
    host_challenge: bytes = raw(8, meaning="never the same twice")


@message(extensible=True)
class OpenAnswer:
    device_challenge: bytes = raw(8, meaning="never the same twice")
    device_cryptogram: bytes = raw(8, meaning="shows that the pump has the role's key")


@message
class AuthRequest:
    host_cryptogram: bytes = raw(8, meaning="shows that the host has the role's key")


@message(extensible=True)
class AuthAnswer:
    """The first secured frame of a session; its header bears the session id."""

    silence_s: int = u16(unit="s", meaning="the session ends after so long without a good frame from the host")
    failed_attempts: int = u8(unit="attempts", meaning="failed authentications of this role and port before this one")


@message
class CloseRequest:
    pass


@message(extensible=True)
class CloseAnswer:
    pass


@message(extensible=True)
class KeepaliveRequest:
    pass


@message(extensible=True)
class KeepaliveAnswer:
    pass


@message
class CapsRequest:
    pass


@message(extensible=True)
class CapsAnswer:
    volume_quantum_nl: int = u32(unit="nl", meaning="one motor step")
    rate_min_nl_per_day: int = u32(unit="nl/d", meaning="the least base rate above 0")
    rate_max_nl_per_day: int = u32(unit="nl/d", meaning="the greatest base rate")
    rate_quantum_nl_per_day: int = u32(unit="nl/d", meaning="base rates are multiples of it")
    bolus_volume_min_nl: int = u32(unit="nl", meaning="the least bolus")
    bolus_volume_max_nl: int = u32(unit="nl", meaning="the greatest bolus")
    bolus_duration_min_s: int = u32(unit="s", meaning="the shortest bolus")
    bolus_duration_max_s: int = u32(unit="s", meaning="the longest bolus")
    bolus_rate_max_nl_per_day: int = u32(unit="nl/d", meaning="volume over duration may not exceed it")
    lease_s: int = u16(unit="s", meaning="how long a prepared bolus waits for its EXECUTE")
    reservoir_capacity_nl: int = u32(unit="nl", meaning="a full reservoir")
    low_reservoir_nl: int = u32(unit="nl", meaning="the level of the low reservoir alarm")
    empty_reservoir_nl: int = u32(unit="nl", meaning="the level at which therapy stops")
    journal_interval_nl: int = u32(unit="nl", meaning="after a power cut, min and max differ by at most this")
    log_capacity: int = u32(unit="records", meaning="how many records the log holds")
    alarm_capacity: int = u8(unit="alarms", meaning="how many alarms the list holds")
    drugs_max: int = u8(unit="drugs", meaning="how many drugs a program can name")
    concentration_max_ng_per_ml: int = u32(unit="ng/mL", meaning="the greatest concentration")
    flow_max_nl_per_day: int = u32(unit="nl/d", meaning="what the motor makes at most, base and boluses together")
    window_max_nl: int = u32(unit="nl", meaning="the most in any 24 h, base and boluses together")
    dose_history: int = u8(unit="boluses", meaning="while so many lie in one window, no further bolus is given")
    dead_volume_duration_max_s: int = u32(unit="s", meaning="the longest priming or bridge bolus")
    tubing_nl: int = u32(unit="nl", meaning="the pump's own tubing, between reservoir and catheter")
    residual_nl: int = u32(unit="nl", meaning="what a syringe cannot withdraw from the reservoir")
    stops_while_programming: int = u8(maximum=1, meaning="1: therapy stands still from PROGRAM_BEGIN until COMMIT")
    patient_lockout_min_s: int = u32(unit="s", meaning="the shortest lockout that a program may ask for")
    patient_lockout_max_s: int = u32(unit="s", meaning="the longest")
    patient_window_min_s: int = u32(
        unit="s", meaning="the shortest window in which a program may count patient boluses"
    )
    patient_window_max_s: int = u32(unit="s", meaning="the longest")
    patient_activations_max: int = u8(unit="boluses", meaning="the most patient boluses in a window")
    stall_sample_s: int = u32(unit="s", meaning="how often the pump looks whether the rotor has turned")
    stall_samples: int = u8(unit="samples", meaning="so many without motion, one after the other, make a stall")
    stopped_too_long_s: int = u32(unit="s", meaning="how long therapy may stand still before an alarm")
    tone_repeat_min_min: int = u16(unit="min", meaning="the shortest repeat interval of an alarm's tone")
    tone_repeat_max_min: int = u16(unit="min", meaning="the longest")
    silence_min: int = u16(unit="min", meaning="how long a silenced alarm is silent")
    end_of_service_days: int = u16(unit="days", meaning="from the alarm REPLACEMENT to the end of service")
    life_max_days: int = u16(unit="days", meaning="from the first power-up to the end of service at the latest")
    stream_period_min_s: int = u16(unit="s", meaning="the shortest period that SUBSCRIBE may ask for")
    stream_period_max_s: int = u16(unit="s", meaning="the longest")


@message
class LinkStatsRequest:
    pass


@message(extensible=True)
class LinkStatsAnswer:
    """Of this line, since it was first opened or power came back. Counters stay at FFFFFFFE when they get there."""

    frames_received: int = u32(unit="frames", meaning="good frames for this pump")
    frames_sent: int = u32(unit="frames", meaning="frames sent")
    cobs_errors: int = u32(unit="errors", meaning="the COBS coding was broken")
    crc_errors: int = u32(unit="errors", meaning="the CRC did not match")
    short_errors: int = u32(unit="errors", meaning="less than 16 bytes between two delimiters")
    length_errors: int = u32(unit="errors", meaning="another length than the header's, or above the greatest")
    flags_errors: int = u32(unit="errors", meaning="flags, bit 15 or session id contradict each other or the direction")
    oversize_errors: int = u32(unit="errors", meaning="255 bytes without a delimiter")
    version_errors: int = u32(unit="errors", meaning="another major version, and not HELLO")
    address_errors: int = u32(unit="errors", meaning="another pump's address")
    duplicates: int = u32(unit="frames", meaning="duplicates that were answered from the cache or with PENDING")
    sequence_refusals: int = u32(unit="frames", meaning="requests that were refused with SEQUENCE")
    tag_errors: int = u32(unit="errors", meaning="secured frames whose tag did not verify")
    counter_errors: int = u32(unit="errors", meaning="secured frames whose counter was not above the last")
