"""The size of models that have several, over OSC."""

import math

from tests.osc.conftest import Desk, MemoryRig


def test_a_size_is_set_and_queried(desk: Desk, rig: MemoryRig) -> None:
    """From the largest, where nobody has set one."""
    assert desk.say("/nemo/size") == [("/nemo/size", [1.0])]
    desk.say("/nemo/size", "f", 0.5)
    assert desk.say("/nemo/size") == [("/nemo/size", [0.5])]
    assert rig.size == 0.5


def test_no_number_is_refused(desk: Desk, rig: MemoryRig) -> None:
    """Nothing is built for it."""
    ((address, (code, where, _)),) = desk.say("/nemo/size", "f", math.nan)
    assert (address, code, where) == ("/nemo/error", "value", "/nemo/size")
    assert rig.size is None
