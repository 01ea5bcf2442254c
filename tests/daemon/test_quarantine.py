"""Three crashes in a minute."""

from pathlib import Path

from nemod.chain import read_chain
from nemod.control.backends import RigFiles
from nemod.daemon.quarantine import CRASHES, WITHIN_S, Quarantine
from tests.daemon.test_model_switcher import cab, model

TWO = RigFiles(
    chain=read_chain([{"pedal": {"kind": "model"}}, {"model2": {"kind": "model"}}, "cab"])
)
AMP = TWO.with_file("model2", model("amp"))
BOTH = AMP.with_file("pedal", model("pedal"))


def test_three_crashes_in_a_minute_are_too_many() -> None:
    """Neither two, nor three that are further apart, nor those of another model."""
    quarantine = Quarantine()
    assert [quarantine.record_crash(AMP, at) for at in (0.0, 30.0)] == [False, False]
    assert not quarantine.record_crash(BOTH, 31.0)
    assert not quarantine.record_crash(AMP, WITHIN_S + 1.0)
    assert quarantine.record_crash(AMP, WITHIN_S + 2.0)
    assert CRASHES == 3


def test_cleared_crashes_do_not_count() -> None:
    """A model that is requested again may crash as often again."""
    quarantine = Quarantine()
    quarantine.record_crash(AMP, 0.0)
    quarantine.record_crash(AMP, 1.0)
    quarantine.clear(AMP)
    assert not quarantine.record_crash(AMP, 2.0)


def test_crashes_are_counted_by_chain_and_files() -> None:
    """The same model in another chain, another file of its name or another cabinet is not it."""
    quarantine = Quarantine()
    elsewhere = model("amp")._replace(path=Path("/other/amp.json"))
    others = [
        RigFiles().with_file("model", model("amp")),
        TWO.with_file("model2", elsewhere),
        AMP.with_file("cab", cab("4x12")),
    ]
    for at in range(CRASHES - 1):
        assert not quarantine.record_crash(AMP, float(at))
    assert not any(quarantine.record_crash(rig, 3.0) for rig in others)
    assert quarantine.record_crash(TWO.with_file("model2", model("amp")), 4.0)


def test_the_models_that_are_new_are_suspected() -> None:
    """A pedal before an amplifier that played: the pedal. Without a rig before it, all of them."""
    quarantine = Quarantine()
    assert quarantine.confine(BOTH, AMP) == {"pedal"}
    quarantine.release(["amp"])
    assert quarantine.models == {"pedal"}
    quarantine.release(["pedal", "amp"])
    assert quarantine.models == frozenset()
    assert quarantine.confine(BOTH, None) == {"pedal", "amp"}
    assert quarantine.confine(AMP.with_file("cab", cab("4x12")), BOTH) == frozenset()
