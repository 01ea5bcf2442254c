"""The size of models that have several, with models in memory."""

from nemod.control.events import SizeChanged, Source
from nemod.presets.preset import Preset
from tests.chains import chain_of
from tests.osc.conftest import MemoryRig

ME = Source("test", "me")


def test_a_size_loads_the_current_model_again(rig: MemoryRig) -> None:
    """With everything else as it is."""
    rig.controller.set("gain", 0.9, ME)
    with rig.controller.subscribe() as events:
        assert rig.controller.size.set(0.25, ME) == 0.25
        assert SizeChanged(0.25, ME) in events.take()
    assert (rig.model_name, rig.size, rig.controller.position("gain")) == ("Amp Clean", 0.25, 0.9)


def test_while_one_size_is_built_only_the_newest_one_waits(rig: MemoryRig) -> None:
    """A fader that is dragged does not fill a queue, and nothing is superseded."""
    rig.is_slow = True
    for size in (0.1, 0.2, 0.3, 0.4):
        rig.controller.size.set(size, ME)
    assert rig.controller.size.value == 0.4
    (_, job, _) = rig.loads[0]
    rig.finish_load()
    assert (job.error, rig.size) == (None, 0.1)
    rig.finish_load()
    assert (rig.size, rig.loads) == (0.4, [])


def test_a_size_waits_for_the_model_that_was_requested(rig: MemoryRig) -> None:
    """It must not put the old model in its place."""
    rig.is_slow = True
    job = rig.controller.load_model("fuzz", ME)
    rig.controller.size.set(0.5, ME)
    rig.finish_load()
    assert job.result == "fuzz"
    rig.finish_load()
    assert (rig.model_name, rig.size) == ("fuzz", 0.5)


def test_another_size_makes_the_preset_dirty(rig: MemoryRig) -> None:
    """The preset holds the size, so loading it again brings it back."""
    rig.presets.kept = {1: Preset(name="A", chain=chain_of("fuzz", size=0.75))}
    rig.controller.presets.load(1, ME)
    assert (rig.controller.size.value, rig.controller.presets.is_dirty) == (0.75, False)
    rig.controller.size.set(0.5, ME)
    assert rig.controller.presets.is_dirty
    rig.controller.presets.load(1, ME)
    assert (rig.controller.size.value, rig.controller.presets.is_dirty) == (0.75, False)
