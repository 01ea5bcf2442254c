"""Three crashes in a minute."""

from nemod.daemon.quarantine import CRASHES, WITHIN_S, Quarantine


def test_three_crashes_in_a_minute_are_too_many() -> None:
    """Neither two, nor three that are further apart, nor those of another model."""
    quarantine = Quarantine()
    assert [quarantine.record_crash("a", at) for at in (0.0, 30.0)] == [False, False]
    assert not quarantine.record_crash("b", 31.0)
    assert not quarantine.record_crash("a", WITHIN_S + 1.0)
    assert quarantine.record_crash("a", WITHIN_S + 2.0)
    assert CRASHES == 3


def test_cleared_crashes_do_not_count() -> None:
    """A model that is requested again may crash as often again."""
    quarantine = Quarantine()
    quarantine.record_crash("a", 0.0)
    quarantine.record_crash("a", 1.0)
    quarantine.clear("a")
    assert not quarantine.record_crash("a", 2.0)


def test_the_models_that_are_new_are_suspected() -> None:
    """A pedal before an amplifier that played: the pedal. Without a new one, all of them."""
    quarantine = Quarantine()
    assert quarantine.confine({"pedal", "amp"}, {"amp"}) == {"pedal"}
    quarantine.release(["amp"])
    assert quarantine.models == {"pedal"}
    quarantine.release(["pedal", "amp"])
    assert quarantine.models == frozenset()
    assert quarantine.confine({"pedal", "amp"}, {"pedal", "amp"}) == {"pedal", "amp"}
