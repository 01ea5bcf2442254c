"""`nemod render --set`: addresses, units and ranges."""

from pathlib import Path

import numpy as np
import pytest

from nemod import load_model, render
from tests.cli.conftest import Nemod
from tests.cli.test_render import sound


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "out.wav"


@pytest.mark.parametrize(
    "given",
    ["/nemo/gain=0.7", "gain=0.7", "/nemo/real/gain=0.7", " knob/gain = 0.7", "knob/1=0.7"],
)
def test_a_setting_has_several_spellings(
    nemod: Nemod, two_knobs: Path, riff: Path, target: Path, given: str
) -> None:
    """As an address, without its root, by number, by name; a model's own knob has no unit."""
    arguments = ("render", riff, target, "--model", two_knobs, "--model-only", "--set", given)
    assert nemod(*arguments).status == 0
    settings = {"gain": 0.7}
    expected = render(
        load_model(two_knobs), sound(riff), 48_000, settings=settings, model_only=True
    )
    np.testing.assert_allclose(sound(target), expected, atol=1e-6)


@pytest.mark.parametrize(
    ("given", "settings"),
    [
        ("/nemo/knob/1=0.7", {"gain": 0.7}),
        ("/nemo/real/knob/1=9.6", {"gain": 0.7}),
        ("knob/2=0.25", {"level": 0.25}),
        ("/nemo/real/knob/2=-40", {"level": 0.25}),
        ("/nemo/real/level=-inf", {"level": 0.0}),
    ],
)
def test_a_model_without_knobs_has_the_first_two_as_well(
    nemod: Nemod, amp: Path, riff: Path, target: Path, given: str, settings: dict[str, float]
) -> None:
    """They are the drive and the level; -40 dB is a third of the way from -60 to 0, of 0.75."""
    assert nemod("render", riff, target, "--model", amp, "--set", given).status == 0
    expected = render(load_model(amp), sound(riff), 48_000, settings=settings)
    np.testing.assert_allclose(sound(target), expected, atol=1e-6)


def test_the_last_of_several_values_counts(
    nemod: Nemod, amp: Path, riff: Path, target: Path
) -> None:
    """By whichever address of the knob."""
    words = ("knob/1=0.1", "gain=0.2", "knob/1=0.7")
    options = [part for word in words for part in ("--set", word)]
    assert nemod("render", riff, target, "--model", amp, *options).status == 0
    expected = render(load_model(amp), sound(riff), 48_000, settings={"gain": 0.7})
    np.testing.assert_array_equal(sound(target), expected)


def test_settings_add_up(nemod: Nemod, amp: Path, riff: Path, target: Path) -> None:
    """In milliseconds, as switches, and in the short form of the mixes; the last one counts."""
    words = ("/nemo/real/delay/time=10", "/nemo/delay=0.9", "delay/mix=0.5", "bypass=off")
    options = [part for word in words for part in ("--set", word)]
    assert nemod("render", riff, target, "--model", amp, *options).status == 0
    settings = {"delay/time": np.log(10.0) / np.log(2000.0), "delay/mix": 0.5}
    expected = render(load_model(amp), sound(riff), 48_000, settings=settings)
    np.testing.assert_allclose(sound(target), expected, atol=1e-6)
    assert np.abs(expected - render(load_model(amp), sound(riff), 48_000)).max() > 0.01


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ("gain", "'gain': ADDRESS=VALUE with a number is expected, as /nemo/gain=0.7"),
        ("gain=loud", "'gain=loud': ADDRESS=VALUE with a number is expected"),
        ("gain=nan", "'gain=nan': ADDRESS=VALUE with a number is expected"),
        ("level=inf", "'level=inf': ADDRESS=VALUE with a number is expected"),
        ("/nemo/real/gian=3", "no setting is named 'gian', did you mean 'gain'?"),
        ("/nemo/real/knob/x=3", "knob 'x': this model's knobs are (none)"),
        ("/nemo/gian=0.7", "no setting is named 'gian', did you mean 'gain'?"),
        ("knob/3=0.7", "knob '3': this model's knobs are (none)"),
        ("knob/01=0.7", "knob '01': this model's knobs are (none)"),
        ("knob/=0.7", "no setting is named 'knob'"),
        ("=0.7", "no setting is named ''"),
        ("gain=70", "--set gain=70: allowed are 0 to 1 (-24 to 24 dB with /nemo/real/gain)"),
        ("/nemo/delay=-0.1", "--set /nemo/delay=-0.1: allowed are 0 to 1"),
        ("bypass=2", "--set bypass=2: allowed are 0 to 1"),
        ("knob/1=1.01", "--set knob/1=1.01: allowed are 0 to 1"),
        ("delay/time=350", "allowed are 0 to 1 (1 to 2000 ms with /nemo/real/delay/time)"),
        ("/nemo/real/delay/time=9999", "/delay/time=9999: allowed are 1 to 2000 ms"),
        ("/nemo/real/gain=70", "--set /nemo/real/gain=70: allowed are -24 to 24 dB"),
        ("/nemo/real/knob/1=70", "--set /nemo/real/knob/1=70: allowed are -24 to 24 dB"),
        ("real/level=13", "--set real/level=13: allowed are -inf (silence) to 12 dB"),
        ("real/gain=-inf", "--set real/gain=-inf: allowed are -24 to 24 dB"),
        ("real/reverb/size=0.1", "--set real/reverb/size=0.1: allowed are 0.2 to 10 s"),
    ],
)
def test_a_bad_setting_is_refused(
    nemod: Nemod, amp: Path, riff: Path, target: Path, given: str, text: str
) -> None:
    """With what is allowed; nothing is written."""
    outcome = nemod("render", riff, target, "--model", amp, "--set", given)
    assert outcome.status == 2
    assert text in outcome.err
    assert not target.exists()
