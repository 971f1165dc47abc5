"""Profiles for the tests: the shipped ones, and small ones in which alarms, evictions and wrapped logs come soon."""

from dataclasses import replace
from importlib import resources

from firmware_model.profile import Profile
from firmware_model.profile_text import parse_profile


def shipped_text(name: str) -> str | None:
    path = resources.files("firmware_model") / "profiles" / f"{name}.toml"
    return path.read_text(encoding="utf-8") if path.is_file() else None


def parsed(text: str, name: str = "mine") -> Profile:
    return parse_profile(name, text, shipped_text)


def shipped(name: str) -> Profile:
    return parsed(shipped_text(name) or "", name)


def _overriding(sections: dict[str, dict[str, int]]) -> str:
    lines = ['extends = "reference-20"']
    for section, values in sections.items():
        lines.append(f"[{section}]")
        lines += [f'{key} = {{ value = {value}, chosen = "for a test" }}' for key, value in values.items()]
    return "\n".join(lines)


SMALL = parsed(
    _overriding(
        {
            "motor": {"step_volume_nl": 1_000, "journal_interval_steps": 4, "rate_max_nl_per_day": 4_200_000_000},
            "reservoir": {
                "capacity_nl": 1_000_000,
                "initial_volume_nl": 300_000,
                "low_nl": 120_000,
                "empty_nl": 50_000,
                "residual_nl": 10_000,
                "overfill_max_nl": 50_000,
            },
            # One step in ten seconds.
            "therapy": {"rate_nl_per_day": 8_640_000, "rate_min_nl_per_day": 1, "rate_quantum_nl_per_day": 1},
            "bolus": {
                "volume_min_nl": 1_000,
                "volume_max_nl": 200_000,
                "duration_min_s": 1,
                "duration_max_s": 3_600,
                "rate_max_nl_per_day": 4_000_000_000,
                "lease_s": 30,
            },
            "memory": {"ledger_entries_per_role": 3, "alarm_capacity": 16, "dose_history": 64},
            "log": {"pages": 3, "records_per_page": 6},
        }
    ),
    "small",
)
"""A pump of 300 steps, with room for three outcomes and for twelve records at the least."""


def changed(profile: Profile, section: str, **values: int) -> Profile:
    """The profile with other values in one section, unchecked."""
    return replace(profile, **{section: replace(getattr(profile, section), **values)})


LONG_LOG = changed(SMALL, "log", pages=64, records_per_page=10)
"""The small pump with a log that holds whatever a test makes happen."""
