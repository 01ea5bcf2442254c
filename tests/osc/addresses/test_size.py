"""The size of models that have several, over OSC."""

import math

from nemod.control.events import QualityChanged
from nemod.osc.query.describe import describe
from tests.osc.conftest import Desk, MemoryRig
from tests.osc.feedback.test_sources import subscribed


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


def test_the_switch_below_the_size_is_a_knob_of_its_own(desk: Desk, rig: MemoryRig) -> None:
    """On at first, reached by its address and by a pattern, and no part of the sound."""
    assert desk.say("/nemo/size/auto") == [("/nemo/size/auto", [True])]
    desk.say("/nemo/size/auto", "F", False)
    assert desk.say("/nemo/size/auto") == [("/nemo/size/auto", [False])]
    desk.say("/nemo/size/*", "T", True)
    assert rig.settings.get("size/auto") == 1.0
    assert rig.size is None
    assert "size/auto" not in rig.settings.sound()


def test_for_oscquery_the_size_is_a_leaf(desk: Desk, rig: MemoryRig) -> None:
    """What is below it is found by its own path; a node is a leaf or a container."""
    tree = desk.dispatcher.tree
    size, auto = tree.node("/nemo/size"), tree.node("/nemo/size/auto")
    assert size is not None
    assert auto is not None
    described = describe(size, "/nemo/size", rig.controller)
    assert described["VALUE"] == [1.0]
    assert "CONTENTS" not in described
    assert describe(auto, "/nemo/size/auto", rig.controller)["VALUE"] == [True]


def test_a_reduced_quality_is_reported_at_once(desk: Desk, rig: MemoryRig) -> None:
    """To those who want the status."""
    peer = subscribed(desk, "status")
    peer.messages()
    rig.reduced = "size, reverb"
    rig.events.publish(QualityChanged(rig.reduced))
    desk.timers.advance(0.02)
    assert peer.messages() == [("/nemo/status/reduced", ["size, reverb"])]
    assert desk.say("/nemo/status/reduced") == [("/nemo/status/reduced", ["size, reverb"])]
