"""The digest of a pump: whatever differs between two pumps, their digests do."""

from tests.firmware_model.bedside import Bedside


def test_two_pumps_are_told_apart_by_whatever_differs() -> None:
    digests = set()
    for change in range(6):
        bedside = Bedside()
        bedside.wait(25)
        match change:
            case 1:
                bedside.pump.memory.log[100] ^= 1
            case 2:
                bedside.prepare(10_000, 60)
            case 3:
                bedside.cut_power_at(99)
            case 4:
                bedside.pump.advance(bedside.now + 1)
            case 5:
                bedside.pump.plant.motor.steps += 1
        digests.add(bedside.pump.digest())
    assert len(digests) == 6
