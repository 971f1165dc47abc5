"""The tester's hand on the pump and what is around it: environment, syringe, power, keys, and what is physically so."""

from __future__ import annotations

from typing import cast

from emulator.control.answers import Environment, KeysReplaced, PowerChanged, SyringeUsed, Truth
from emulator.control.bodies import EmptyBody, EnvironmentBody, KeysBody, PowerBody, SyringeBody
from emulator.control.operation import Plane
from emulator.events import SyringeUsed as SyringeUsedEvent
from emulator.inputs import CutPower, ReplaceKeys, RestorePower, SetEnvironment, UseSyringe


async def use_syringe(plane: Plane, asked: SyringeBody) -> SyringeUsed:
    """POST /syringe"""
    asked.check()
    drugs = tuple((drug.name, drug.concentration_ng_per_ml) for drug in asked.drugs)
    withdraw_nl = None if asked.withdraw_nl == "all" else asked.withdraw_nl
    happened = plane.apply(UseSyringe(withdraw_nl, asked.inject_nl, drugs))
    used = next(event for event in happened if isinstance(event, SyringeUsedEvent))
    return {"withdrawn_nl": used.withdrawn_nl, "injected_nl": used.injected_nl, "now_us": used.at_us}


async def tell_environment(plane: Plane, _asked: EmptyBody) -> Environment:
    """GET /environment"""
    return _environment(plane)


async def set_environment(plane: Plane, asked: EnvironmentBody) -> Environment:
    """PUT /environment"""
    asked.check()
    plane.apply(SetEnvironment(asked.temperature_cc, asked.field_on))
    return _environment(plane)


async def change_power(plane: Plane, asked: PowerBody) -> PowerChanged:
    """POST /power"""
    asked.check()
    if asked.change == "restore":
        plane.apply(RestorePower())
        return {"change": "restore", "now_us": plane.serving.now_us()}
    cut = CutPower(at_write=asked.at_write)
    if asked.mode is not None:
        cut = CutPower(at_write=asked.at_write, mode=asked.mode, torn_bytes=asked.torn_bytes or cut.torn_bytes)
    plane.apply(cut)
    return {"change": "cut", "at_write": cut.at_write, "mode": cut.mode.value, "now_us": plane.serving.now_us()}


async def replace_keys(plane: Plane, asked: KeysBody) -> KeysReplaced:
    """PUT /keys"""
    keys = asked.by_name()
    plane.apply(ReplaceKeys(keys))
    return {"keys": "own" if keys else "test", "now_us": plane.serving.now_us()}


async def tell_truth(plane: Plane, _asked: EmptyBody) -> Truth:
    """GET /truth"""
    # The model makes it; a test holds it against the type.
    return cast(Truth, plane.serving.truth())


def _environment(plane: Plane) -> Environment:
    found = plane.serving.environment
    return {"temperature_cc": found.temperature_cc, "field_on": found.field_on, "now_us": plane.serving.now_us()}
